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
    "AesGcmCipher": "strongroom.ciphers.aesgcm",
    "AuthenticationError": "strongroom.errors",
    "Box": "strongroom.protocols",
    "Cipher": "strongroom.protocols",
    "Codec": "strongroom.codec",
    "CodecNotAcceptedError": "strongroom.errors",
    "Compressor": "strongroom.protocols",
    "ConfigurationError": "strongroom.errors",
    "ConflictError": "strongroom.errors",
    "DecodeError": "strongroom.errors",
    "EncodeError": "strongroom.errors",
    "EnvelopeError": "strongroom.errors",
    "FernetCipher": "strongroom.ciphers.fernet",
    "FernetTokenReader": "strongroom.readers",
    "FileWitness": "strongroom.witness",
    "HistoryTamperedError": "strongroom.errors",
    "Item": "strongroom.protocols",
    "JsonSerializer": "strongroom.serializers.json",
    "Key": "strongroom.keys",
    "Keyring": "strongroom.keys",
    "Ledger": "strongroom.ledger",
    "MissingDependencyError": "strongroom.errors",
    "MsgpackSerializer": "strongroom.serializers.msgpack",
    "OpenAIEncryptedReader": "strongroom.readers",
    "OrjsonSerializer": "strongroom.serializers.orjson",
    "PayloadError": "strongroom.errors",
    "PlaintextReader": "strongroom.readers",
    "PlaintextRefusedError": "strongroom.errors",
    "Reader": "strongroom.protocols",
    "RowInfo": "strongroom.protocols",
    "SQLAlchemySession": "strongroom.session",
    "Serializer": "strongroom.protocols",
    "SessionStore": "strongroom.store",
    "StrongroomError": "strongroom.errors",
    "UnknownKeyError": "strongroom.errors",
    "Witness": "strongroom.protocols",
    "WitnessError": "strongroom.errors",
    "ZlibCompressor": "strongroom.compressors.zlib",
    "ZstdCompressor": "strongroom.compressors.zstd",
    "describe": "strongroom.codec",
}
"""The module of each public name."""

# What is not asked for is not loaded: the help of the command line has no use for SQLAlchemy.
# Type checkers read these imports, Python the table above; a test compares them.
if typing.TYPE_CHECKING:
    from strongroom.ciphers.aesgcm import AesGcmCipher
    from strongroom.ciphers.fernet import FernetCipher
    from strongroom.codec import Codec, describe
    from strongroom.compressors.zlib import ZlibCompressor
    from strongroom.compressors.zstd import ZstdCompressor
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
    from strongroom.keys import Key, Keyring
    from strongroom.ledger import Ledger
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
    from strongroom.readers import FernetTokenReader, OpenAIEncryptedReader, PlaintextReader
    from strongroom.serializers.json import JsonSerializer
    from strongroom.serializers.msgpack import MsgpackSerializer
    from strongroom.serializers.orjson import OrjsonSerializer
    from strongroom.session import SQLAlchemySession
    from strongroom.store import SessionStore
    from strongroom.witness import FileWitness
else:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
