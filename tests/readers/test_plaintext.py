import base64
import traceback

import pytest
from cryptography.fernet import Fernet

from frames import is_ours
from strongroom.codec.ciphers import AesGcmCipher
from strongroom.codec.compressors.zlib import ZlibCompressor
from strongroom.codec.compressors.zstd import ZstdCompressor
from strongroom.codec.readers import PlaintextReader
from strongroom.codec.serializers.json import JsonSerializer
from strongroom.codec.serializers.msgpack import MsgpackSerializer
from strongroom.errors import CodecNotAcceptedError, EnvelopeError, NotJSONError, PayloadError
from strongroom.format.envelope import build_header, to_text
from strongroom.keys.key import Key
from strongroom.keys.keyring import Keyring
from strongroom.protocols import Reader

READER = PlaintextReader()
ITEM = {"role": "user", "content": ["héllo", 2**70, None, "\ud800"]}
SERIALIZERS = [JsonSerializer(), MsgpackSerializer()]
COMPRESSORS = [None, ZlibCompressor(), ZstdCompressor()]


def test_is_a_reader():
    assert isinstance(READER, Reader)
    assert READER.name == "plaintext"


@pytest.mark.parametrize("row", ['{"a": 1}', "[1]", "null", ' "text"', "not JSON", ""])
def test_what_nothing_sealed_is_recognised(row):
    assert READER.matches(row)
    assert READER.matches(row.encode())


def test_bare_json_is_read():
    row = JsonSerializer().dumps(ITEM)
    assert READER.decode(row, context="s") == ITEM
    assert READER.decode(row.decode(), context="s") == ITEM


@pytest.mark.parametrize("serializer", SERIALIZERS, ids=lambda stage: stage.name)
@pytest.mark.parametrize("compressor", COMPRESSORS, ids=lambda stage: getattr(stage, "name", None))
def test_unsealed_envelopes_are_recognised_and_read(serializer, compressor):
    body = serializer.dumps(ITEM)
    if compressor:
        body = compressor.compress(body)
    row = build_header(serializer.name, compressor and compressor.name) + body
    for stored in (row, to_text(row)):
        assert READER.matches(stored)
        assert READER.decode(stored, context="s") == ITEM


KEY = Key(bytes(32))
HEADER = build_header("json", cipher="aesgcm", key_id=KEY.id)
SEALED = HEADER + AesGcmCipher(Keyring(KEY)).bind("", "s").seal(b"{}", HEADER)
OTHERS = {
    "a sealed row": SEALED,
    "an unknown version": b"\xc1\xa5\x02\0\1\0{}",
    "a truncated header": b"\xc1\xa5\x01",
    "EncryptedSession's": b'{"__enc__": 1, "v": 1, "kid": "k", "payload": "p"}',
    "a Fernet token": Fernet(KEY.to_base64()).encrypt(b"{}"),
    "a damaged Fernet token": b"gAAAAA!",
}


@pytest.mark.parametrize("row", OTHERS.values(), ids=OTHERS)
def test_what_is_sealed_or_damaged_is_not_taken_for_plaintext(row):
    assert not READER.matches(row)
    assert not READER.matches(to_text(row) if row[:1] == b"\xc1" else row.decode())


def test_an_envelope_whose_text_is_not_canonical_is_not_taken_for_plaintext():
    assert not READER.matches(to_text(build_header("json") + b"{}") + "\n")


@pytest.mark.parametrize(
    ("row", "error"),
    [
        (SEALED, CodecNotAcceptedError),
        (build_header("thirdparty") + b"x", CodecNotAcceptedError),
        (build_header("json", "thirdparty") + b"x", CodecNotAcceptedError),
        (b"\xc1\xa5\x01", EnvelopeError),
        (build_header("msgpack") + b"\xc1 secret", PayloadError),
        (build_header("json", "zlib") + b"secret", PayloadError),
        (build_header("json") + b'"secret', PayloadError),
    ],
    ids=["sealed", "serializer", "compressor", "truncated", "msgpack", "zlib", "json"],
)
def test_what_cannot_be_read_is_a_typed_error(row, error):
    for stored in (row, to_text(row)):
        with pytest.raises(error) as caught:
            READER.decode(stored, context="s")
        assert not isinstance(caught.value, NotJSONError)  # those are for bare rows


@pytest.mark.parametrize("row", ['{"secret": ', b"\xff secret"])
def test_a_bare_row_that_is_no_json_is_an_error_of_its_own_without_the_row(row):
    with pytest.raises(NotJSONError) as caught:
        READER.decode(row, context="s")
    assert caught.value.__context__ is None
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [f.locals for f in shown.stack if is_ours(f)]
    assert ours
    assert "secret" not in str(caught.value) + repr(ours)


def test_a_bomb_is_not_decompressed():
    bomb = build_header("json", "zlib") + ZlibCompressor().compress(b" " * (64 * 2**20) + b"1")
    with pytest.raises(PayloadError):
        READER.decode(bomb, context="s")
    assert base64.urlsafe_b64decode(to_text(bomb) + "==")[:2] == b"\xc1\xa5"
