import base64
import hashlib
import hmac

from cryptography.fernet import Fernet

from strongroom.codec.ciphers import FernetCipher
from strongroom.keys.key import Key
from strongroom.keys.keyring import Keyring

KEY = Key(bytes(range(32)))
HEADER = b"\xc1\xa5\x01\x01\x01\x00" + base64.urlsafe_b64decode(KEY.id)


def subkey(namespace: str, context: str) -> bytes:
    """RFC 5869 on the standard library alone: one block of output is enough for 32 bytes."""
    binding = HEADER
    for text in (namespace, context):
        binding += len(text.encode()).to_bytes(4, "big") + text.encode()
    extracted = hmac.digest(bytes(32), bytes(range(32)), hashlib.sha256)
    return hmac.digest(extracted, b"strongroom v1" + binding + b"\x01", hashlib.sha256)


def test_the_body_is_the_raw_token_of_fernet_itself():
    body = FernetCipher(Keyring(KEY)).bind("tenant", "söss").seal(b"payload", HEADER)
    assert body[0] == 0x80
    stock = Fernet(base64.urlsafe_b64encode(subkey("tenant", "söss")))
    assert stock.decrypt(base64.urlsafe_b64encode(body)) == b"payload"


def test_tokens_of_any_age_open():
    stock = Fernet(base64.urlsafe_b64encode(subkey("", "s")))
    box = FernetCipher(Keyring(KEY)).bind("", "s")
    for written in (0, 2**35):
        token = stock.encrypt_at_time(b"payload", written)
        assert box.open(base64.urlsafe_b64decode(token), HEADER) == b"payload"
