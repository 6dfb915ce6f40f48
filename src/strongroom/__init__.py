"""Conversation memory for AI agents on SQLAlchemy: a codec of your choice, encrypted at rest."""

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
from strongroom.protocols import Box, Cipher, Compressor, Item, Reader, RowInfo, Serializer, Witness
from strongroom.readers import FernetTokenReader, OpenAIEncryptedReader, PlaintextReader
from strongroom.serializers.json import JsonSerializer
from strongroom.serializers.msgpack import MsgpackSerializer
from strongroom.serializers.orjson import OrjsonSerializer
from strongroom.session import SQLAlchemySession
from strongroom.store import SessionStore
from strongroom.witness import FileWitness

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
