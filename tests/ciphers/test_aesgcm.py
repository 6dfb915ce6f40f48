import base64
import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.codec.ciphers import AesGcmCipher
from strongroom.errors import AuthenticationError, EncodeError
from strongroom.keys.key import Key
from strongroom.keys.keyring import Keyring

KEY = Key(bytes(range(32)))
HEADER = b"\xc1\xa5\x01\x02\x01\x00" + base64.urlsafe_b64decode(KEY.id)
BINDING = HEADER + b"\0\0\0\6tenant" + b"\0\0\0\5" + "söss".encode()


def subkey() -> bytes:
    """RFC 5869 on the standard library alone: one block of output is enough for 32 bytes."""
    extracted = hmac.digest(bytes(32), bytes(range(32)), hashlib.sha256)
    return hmac.digest(extracted, b"strongroom v1" + BINDING + b"\x01", hashlib.sha256)


def test_the_body_is_nonce_ciphertext_and_tag_with_the_binding_as_associated_data():
    body = AesGcmCipher(Keyring(KEY)).bind("tenant", "söss").seal(b"payload", HEADER)
    assert len(body) == 12 + 7 + 16
    assert AESGCM(subkey()).decrypt(body[:12], body[12:], BINDING) == b"payload"


def test_the_binding_is_authenticated_and_not_only_in_the_subkey():
    nonce = bytes(12)
    box = AesGcmCipher(Keyring(KEY)).bind("tenant", "söss")
    sealed = nonce + AESGCM(subkey()).encrypt(nonce, b"payload", BINDING)
    assert box.open(sealed, HEADER) == b"payload"
    for other in (b"", None, BINDING + b"\0"):
        unbound = nonce + AESGCM(subkey()).encrypt(nonce, b"payload", other)
        with pytest.raises(AuthenticationError):
            box.open(unbound, HEADER)


def test_nonces_do_not_repeat():
    box = AesGcmCipher(Keyring(KEY)).bind("", "s")
    assert len({box.seal(b"", HEADER)[:12] for _ in range(1000)}) == 1000


def test_more_than_the_primitive_takes_is_an_encode_error():
    box = AesGcmCipher(Keyring(KEY)).bind("", "s")
    with pytest.raises(EncodeError, match="2 GiB"):
        box.seal(bytes(2**31), HEADER)  # zero pages that are never touched
