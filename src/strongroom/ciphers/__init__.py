"""The ciphers, one file each; both seal rows under subkeys of a keyring's keys."""

from strongroom.ciphers.aesgcm import AesGcmCipher
from strongroom.ciphers.fernet import FernetCipher

__all__ = ["AesGcmCipher", "FernetCipher"]
