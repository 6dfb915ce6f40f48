"""Conversation memory for AI agents on SQLAlchemy: a codec of your choice, encrypted at rest."""

import importlib
import typing

__all__ = [
    "AesGcmCipher",
    "AuthenticationError",
    "Box",
    "Cipher",
    "Codec",
    "CodecNotAcceptedError",
    "Compressor",
    "ConfigurationError",
    "ConflictError",
    "DecodeError",
    "EncodeError",
    "EnvelopeError",
    "FernetCipher",
    "FernetTokenReader",
    "FileWitness",
    "HistoryTamperedError",
    "Item",
    "JsonSerializer",
    "Key",
    "Keyring",
    "Ledger",
    "MissingDependencyError",
    "MsgpackSerializer",
    "OpenAIEncryptedReader",
    "OrjsonSerializer",
    "PayloadError",
    "PlaintextReader",
    "PlaintextRefusedError",
    "Reader",
    "RowInfo",
    "SQLAlchemySession",
    "Serializer",
    "SessionStore",
    "StrongroomError",
    "UnknownKeyError",
    "Witness",
    "WitnessError",
    "ZlibCompressor",
    "ZstdCompressor",
    "describe",
]

_HOMES = {
    "AesGcmCipher": "strongroom.codec.ciphers.aesgcm",
    "AuthenticationError": "strongroom.errors",
    "Box": "strongroom.protocols",
    "Cipher": "strongroom.protocols",
    "Codec": "strongroom.codec.codec",
    "CodecNotAcceptedError": "strongroom.errors",
    "Compressor": "strongroom.protocols",
    "ConfigurationError": "strongroom.errors",
    "ConflictError": "strongroom.errors",
    "DecodeError": "strongroom.errors",
    "EncodeError": "strongroom.errors",
    "EnvelopeError": "strongroom.errors",
    "FernetCipher": "strongroom.codec.ciphers.fernet",
    "FernetTokenReader": "strongroom.codec.readers",
    "FileWitness": "strongroom.ledger.file_witness",
    "HistoryTamperedError": "strongroom.errors",
    "Item": "strongroom.protocols",
    "JsonSerializer": "strongroom.codec.serializers.json",
    "Key": "strongroom.keys.key",
    "Keyring": "strongroom.keys.keyring",
    "Ledger": "strongroom.ledger.ledger",
    "MissingDependencyError": "strongroom.errors",
    "MsgpackSerializer": "strongroom.codec.serializers.msgpack",
    "OpenAIEncryptedReader": "strongroom.codec.readers",
    "OrjsonSerializer": "strongroom.codec.serializers.orjson",
    "PayloadError": "strongroom.errors",
    "PlaintextReader": "strongroom.codec.readers",
    "PlaintextRefusedError": "strongroom.errors",
    "Reader": "strongroom.protocols",
    "RowInfo": "strongroom.protocols",
    "SQLAlchemySession": "strongroom.session.session",
    "Serializer": "strongroom.protocols",
    "SessionStore": "strongroom.store.store",
    "StrongroomError": "strongroom.errors",
    "UnknownKeyError": "strongroom.errors",
    "Witness": "strongroom.protocols",
    "WitnessError": "strongroom.errors",
    "ZlibCompressor": "strongroom.codec.compressors.zlib",
    "ZstdCompressor": "strongroom.codec.compressors.zstd",
    "describe": "strongroom.codec.describe",
}
"""The module of each public name."""

# What is not asked for is not loaded: the help of the command line has no use for SQLAlchemy.
# Type checkers read these imports, Python the table above; a test compares them.
if typing.TYPE_CHECKING:
    from strongroom.codec.ciphers.aesgcm import AesGcmCipher
    from strongroom.codec.ciphers.fernet import FernetCipher
    from strongroom.codec.codec import Codec
    from strongroom.codec.compressors.zlib import ZlibCompressor
    from strongroom.codec.compressors.zstd import ZstdCompressor
    from strongroom.codec.describe import describe
    from strongroom.codec.readers import FernetTokenReader, OpenAIEncryptedReader, PlaintextReader
    from strongroom.codec.serializers.json import JsonSerializer
    from strongroom.codec.serializers.msgpack import MsgpackSerializer
    from strongroom.codec.serializers.orjson import OrjsonSerializer
    from strongroom.errors import (
        AuthenticationError,
        CodecNotAcceptedError,
        ConfigurationError,
        ConflictError,
        DecodeError,
        EncodeError,
        EnvelopeError,
        HistoryTamperedError,
        MissingDependencyError,
        PayloadError,
        PlaintextRefusedError,
        StrongroomError,
        UnknownKeyError,
        WitnessError,
    )
    from strongroom.keys.key import Key
    from strongroom.keys.keyring import Keyring
    from strongroom.ledger.file_witness import FileWitness
    from strongroom.ledger.ledger import Ledger
    from strongroom.protocols import (
        Box,
        Cipher,
        Compressor,
        Item,
        Reader,
        RowInfo,
        Serializer,
        Witness,
    )
    from strongroom.session.session import SQLAlchemySession
    from strongroom.store.store import SessionStore
else:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
