"""The ciphers, one file each; both seal rows under subkeys of a keyring's keys."""

from strongroom.codec.ciphers.aesgcm import AesGcmCipher
from strongroom.codec.ciphers.fernet import FernetCipher

__all__ = ["AesGcmCipher", "FernetCipher"]
