"""A box beside its bare primitive: a batch of 1,000 items, subkeys already derived.

Bound to hold: a box takes at most 1.5 times the primitive's own time. The primitive's time includes
what every caller of it has to do: for AES-GCM, drawing a nonce and putting it in front. Compare
within each group: ``pytest benchmarks/test_ciphers.py --benchmark-columns=min,median``.
"""

import base64
import os

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.codec.ciphers import AesGcmCipher, FernetCipher
from strongroom.keys.key import Key
from strongroom.keys.keyring import Keyring

BATCH = 1000
SIZES = [200, 2000]
KEY = Key.generate()
KEY_ID = base64.urlsafe_b64decode(KEY.id)
HEADERS = {"fernet": b"\xc1\xa5\1\1\1\0" + KEY_ID, "aesgcm": b"\xc1\xa5\1\2\1\0" + KEY_ID}
BINDING = HEADERS["aesgcm"] + b"\0\0\0\0" + b"\0\0\0\x08user-123"


def bare_fernet():
    fernet = Fernet(Fernet.generate_key())
    return fernet.encrypt, fernet.decrypt


def bare_aesgcm():
    aesgcm = AESGCM(AESGCM.generate_key(256))

    def seal(payload):
        nonce = os.urandom(12)
        return nonce + aesgcm.encrypt(nonce, payload, BINDING)

    def open_(row):
        return aesgcm.decrypt(row[:12], row[12:], BINDING)

    return seal, open_


def box(cipher_type):
    cipher = cipher_type(Keyring(KEY))
    bound, header = cipher.bind("", "user-123"), HEADERS[cipher.name]
    return (lambda payload: bound.seal(payload, header)), (lambda body: bound.open(body, header))


CONTENDERS = {
    ("fernet", "primitive"): bare_fernet,
    ("fernet", "box"): lambda: box(FernetCipher),
    ("aesgcm", "primitive"): bare_aesgcm,
    ("aesgcm", "box"): lambda: box(AesGcmCipher),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("cipher", "contender"), CONTENDERS)
def test_seal(benchmark, cipher, contender, size):
    benchmark.group = f"{cipher}, seal {BATCH} items of {size} bytes"
    payloads = [os.urandom(size) for _ in range(BATCH)]
    seal, open_ = CONTENDERS[cipher, contender]()
    rows = benchmark(lambda: [seal(payload) for payload in payloads])
    assert [open_(row) for row in rows] == payloads


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("cipher", "contender"), CONTENDERS)
def test_open(benchmark, cipher, contender, size):
    benchmark.group = f"{cipher}, open {BATCH} items of {size} bytes"
    payloads = [os.urandom(size) for _ in range(BATCH)]
    seal, open_ = CONTENDERS[cipher, contender]()
    rows = [seal(payload) for payload in payloads]
    assert benchmark(lambda: [open_(row) for row in rows]) == payloads
