"""No error holds plaintext or keys: neither its text, nor its context, nor the frames of it."""

import base64
import json
import traceback

import pytest
from cryptography.fernet import Fernet

from strongroom import (
    AuthenticationError,
    Codec,
    DecodeError,
    FernetTokenReader,
    Key,
    Keyring,
    OpenAIEncryptedReader,
    PayloadError,
    ZlibCompressor,
)
from strongroom.format.envelope import build_header, column_text

KEY, OTHER = Key(bytes(range(32))), Key(bytes(range(100, 132)))
RING = Keyring(KEY)
SECRET = "The code of the safe is 8-12-40."
ITEM = {"role": "user", "content": SECRET}
JSON = json.dumps(ITEM).encode()


def seal(data, spec="json+aesgcm", key=KEY):
    """Return a row that opens and holds these bytes."""
    serializer, *compressor, cipher = spec.split("+")
    header = build_header(serializer, *(compressor or [None]), cipher, key.id)
    stage = Codec.parse(spec, keys=Keyring(key)).cipher
    return header + stage.bind("", "s").seal(data, header)


def altered(row):
    return row[:-1] + bytes([row[-1] ^ 1])


def remains(error):
    """Return all that hangs on an exception, and every local of every frame below the test."""
    seen, pending, shown = set(), [error], []
    while pending:
        current = pending.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        shown += [str(current), repr(current.args), repr(vars(current))]
        shown += [repr(getattr(current, name, "")) for name in ("doc", "object", "obj")]
        for frame, _ in traceback.walk_tb(current.__traceback__):
            if frame.f_code.co_filename != __file__:
                shown += [repr(value) for value in frame.f_locals.values()]
        pending += [current.__cause__, current.__context__]
    return "\n".join(shown)


def key_texts(key):
    material = base64.urlsafe_b64decode(key.to_base64())
    info = b"strongroom v1" + build_header("json", None, "aesgcm", key.id) + bytes(7) + b"\1s"
    for secret in (material, key.derive(info)):
        yield repr(secret)[2:-1]
        yield secret.hex()
        yield base64.urlsafe_b64encode(secret).decode().rstrip("=")
        yield base64.b64encode(secret).decode().rstrip("=")


ZLIB = ZlibCompressor().compress(JSON)
ERRORS = {
    "truncated": (seal(JSON)[:12], {}),
    "another cipher": (seal(JSON, "json+fernet"), {}),
    "another key": (seal(JSON, key=OTHER), {}),
    "altered": (altered(seal(JSON)), {}),
    "altered, fernet": (altered(seal(JSON, "json+fernet")), {"spec": "json+fernet"}),
    "not JSON": (seal(JSON + b"?"), {}),
    "not UTF-8": (seal(JSON + b"\xff"), {}),
    "too deep": (seal(b"[" * 100_000 + JSON), {}),
    "too many digits": (seal(b'["' + SECRET.encode() + b'",' + b"1" * 5_000 + b"]"), {}),
    "not msgpack": (seal(JSON, "msgpack+fernet"), {"spec": "msgpack+fernet"}),
    "a bad key in msgpack": (
        seal(b"\x81\x01\xd9" + bytes((len(SECRET),)) + SECRET.encode(), "msgpack+aesgcm"),
        {},
    ),
    "not zlib": (seal(JSON, "json+zlib+aesgcm"), {}),
    "two streams": (seal(ZLIB + ZLIB, "json+zlib+aesgcm"), {}),
    "not zstd": (seal(JSON, "json+zstd+aesgcm"), {}),
    "not JSON in zlib": (seal(ZlibCompressor().compress(JSON[:-1]), "json+zlib+aesgcm"), {}),
    "too large": (seal(JSON), {"max_size": 20}),
    "too large in zlib": (seal(ZLIB, "json+zlib+aesgcm"), {"max_size": 20}),
}


@pytest.mark.parametrize("form", ["binary", "text"])
@pytest.mark.parametrize("through", ["codec", "bound", "many"])
@pytest.mark.parametrize(("row", "options"), ERRORS.values(), ids=ERRORS)
def test_no_error_holds_plaintext_or_keys(row, options, through, form):
    options = {"spec": "json+aesgcm"} | options
    codec = Codec.parse(options.pop("spec"), keys=RING, **options)
    stored = row if form == "binary" else column_text(row)
    with pytest.raises(DecodeError) as caught:
        if through == "codec":
            codec.decode(stored, context="s")
        elif through == "bound":
            codec.bind("s").decode(stored)
        else:
            raise codec.bind("s").decode_many([stored])[0]
    if isinstance(caught.value, PayloadError):
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
    left = remains(caught.value)
    assert SECRET not in left
    assert "8-12-40" not in left
    for key in (KEY, OTHER):
        for text in key_texts(key):
            assert text not in left


def test_the_search_for_remains_finds_them():
    def careless(document):
        return json.loads(document)

    with pytest.raises(json.JSONDecodeError) as caught:
        careless(SECRET)
    assert SECRET in remains(caught.value)
    error = AuthenticationError("no")
    error.__cause__ = ValueError(KEY.to_base64())
    assert any(text in remains(error) for text in key_texts(KEY))


@pytest.mark.parametrize("reader", ["session", "token"])
def test_errors_of_readers_hold_no_plaintext_either(reader):
    token = Fernet(KEY.to_base64()).encrypt(JSON + b"?")
    accept = FernetTokenReader(RING)
    if reader == "session":
        accept = OpenAIEncryptedReader(KEY.to_base64(), ttl=None)
        sealed = accept._keys.fernet("s").encrypt(JSON + b"?").decode()
        row = {"__enc__": 1, "v": 1, "kid": "hkdf-v1", "payload": sealed}
        token = json.dumps(row).encode()
    codec = Codec.parse("json+aesgcm", keys=RING, accept=(accept,))
    with pytest.raises(PayloadError) as caught:
        codec.decode(token, context="s")
    assert SECRET not in remains(caught.value)
    assert caught.value.__context__ is None
