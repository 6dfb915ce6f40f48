"""Readers of rows that somebody else wrote, for moving a store to a codec of one's own.

Each recognises its rows by their form alone. What it recognises and cannot open is an error; it is
never offered to another reader, nor taken for plaintext.
"""

from strongroom.codec.readers._forms import is_encrypted_session, is_fernet_token
from strongroom.codec.readers.encrypted_session import OpenAIEncryptedReader
from strongroom.codec.readers.fernet_token import FernetTokenReader
from strongroom.codec.readers.plaintext import PlaintextReader

__all__ = [
    "FernetTokenReader",
    "OpenAIEncryptedReader",
    "PlaintextReader",
    "is_encrypted_session",
    "is_fernet_token",
]
