"""Items whose content is easy to find again, and rows that cannot be read, to put among them."""

from __future__ import annotations

import json
import zlib

from remains import assert_holds_none
from strongroom import (
    AuthenticationError,
    Codec,
    CodecNotAcceptedError,
    EnvelopeError,
    Key,
    Keyring,
    PayloadError,
    PlaintextRefusedError,
    SQLAlchemySession,
    UnknownKeyError,
)
from strongroom.format.envelope import build_header, column_text

KEY, OTHER_KEY = Key(bytes(range(32))), Key(bytes(range(100, 132)))
KEYS, OTHER_KEYS = Keyring(KEY), Keyring(OTHER_KEY)
TEXT = "marked-7f3a-secret"
NUMBER = 7000000000000000123
SPEC = "msgpack+aesgcm"

SUBKEYS = [
    bytes(range(32)),
    bytes(range(100, 132)),
    KEY.derive(
        b"strongroom v1" + build_header("msgpack", None, "aesgcm", KEY.id) + bytes(7) + b"\1s"
    ),
    KEY.derive(b"strongroom v1" + build_header("json", None, "aesgcm", KEY.id) + bytes(7) + b"\1s"),
]


def secret_items(*numbers):
    """Return items that hold the secrets, as a text, as a number, and nested."""
    return [
        {
            "role": "user",
            "content": f"{TEXT} {number}",
            "number": NUMBER,
            "nested": [{"deep": [{"text": f"{number} {TEXT}", "also": [NUMBER]}]}],
        }
        for number in numbers
    ]


def assert_shows_nothing(error):
    """Fail if an error shows the items, or a key."""
    assert_holds_none(error, [TEXT], [NUMBER], SUBKEYS)


def sealed(payload, spec=SPEC, *, context="s", namespace="", key=KEY):
    """Return a row that opens, and holds these bytes."""
    serializer, *compressor, cipher = spec.split("+")
    header = build_header(serializer, *(compressor or [None]), cipher, key.id)
    box = Codec.parse(spec, keys=Keyring(key)).cipher.bind(namespace, context)
    return header + box.seal(payload, header)


def _written(spec=SPEC, **place):
    keys = place.pop("keys", KEYS if "aes" in spec or "fernet" in spec else None)
    return Codec.parse(spec, keys=keys).encode(secret_items(0)[0], **({"context": "s"} | place))


def _altered():
    row = _written()
    return row[:-1] + bytes([row[-1] ^ 1])


def _unknown_version():
    row = _written()
    return row[:2] + b"\x09" + row[3:]


_JSON = json.dumps(secret_items(0)[0]).encode()
_BOMB = zlib.compress(_JSON + b" " * 5_000_000)

BAD_ROWS = {
    "a header alone": (lambda: b"\xc1\xa5\x01\x02\x01\x00", EnvelopeError),
    "cut": (lambda: _written()[:-40], AuthenticationError),
    "cut in its header": (lambda: _written()[:8], EnvelopeError),
    "another version": (_unknown_version, EnvelopeError),
    "altered": (_altered, AuthenticationError),
    "another key": (lambda: _written(keys=OTHER_KEYS), UnknownKeyError),
    "another session": (lambda: _written(context="t"), AuthenticationError),
    "another namespace": (lambda: _written(namespace="n"), AuthenticationError),
    "another cipher": (lambda: _written("json+fernet"), CodecNotAcceptedError),
    "plaintext": (lambda: '{"role": "user", "content": "in the clear"}', PlaintextRefusedError),
    "an envelope without a cipher": (
        lambda: Codec.parse("msgpack").encode({"in": "the clear"}, context="s"),
        PlaintextRefusedError,
    ),
    "rubbish": (lambda: "rubbish", PlaintextRefusedError),
    "not msgpack": (lambda: sealed(_JSON), PayloadError),
    "not JSON": (lambda: sealed(_JSON[:-1], "json+aesgcm"), PayloadError),
    "not UTF-8": (lambda: sealed(_JSON[:-1] + b"\xff", "json+aesgcm"), PayloadError),
    "too deep": (lambda: sealed(b"[" * 100_000 + _JSON, "json+aesgcm"), PayloadError),
    "too many digits": (
        lambda: sealed(b"[" + _JSON + b"," + b"1" * 5_000 + b"]", "json+aesgcm"),
        PayloadError,
    ),
    "not zlib": (lambda: sealed(_JSON, "json+zlib+aesgcm"), PayloadError),
    "not zstd": (lambda: sealed(_JSON, "json+zstd+aesgcm"), PayloadError),
    "a bomb": (lambda: sealed(_BOMB, "json+zlib+aesgcm"), PayloadError),
}
"""Rows that a store with MAX_SIZE refuses, and the errors that say so."""

MAX_SIZE = 1_000_000


class Raw(SQLAlchemySession):
    """Stores values as they are: so a ledger links a bad row, too."""

    async def _serialize_item(self, item):
        return item


class Hooked(SQLAlchemySession):
    """Has hooks, which do what strongroom would have done."""

    async def _serialize_item(self, item):
        return await super()._serialize_item(item)

    async def _deserialize_item(self, item):
        return await super()._deserialize_item(item)


def codec(spec=SPEC):
    """Return the codec of the tests."""
    return Codec.parse(spec, keys=KEYS, max_size=MAX_SIZE)


def stored(database, row):
    """Return a row in the form of the column."""
    if isinstance(row, str):
        return row if database.column_type == "text" else row.encode()
    return column_text(row) if database.column_type == "text" else row


async def spoil(database, row, *, before=2, behind=2, session_id="s", **options):
    """Store good items, a bad row, and good items again."""
    good = database.session(session_id, **options)
    await good.add_items(secret_items(*range(before)))
    raw = database.session(session_id, **(options | {"kind": Raw}))
    await raw.add_items([stored(database, row)])
    if behind:
        await good.add_items(secret_items(*range(before, before + behind)))
