"""The tokens are written by openai-agents' SQLAlchemySession with an overridden hook."""

import asyncio
import base64
import dataclasses
import json
import pickle
import sqlite3
import traceback

import pytest
from agents.extensions.memory import SQLAlchemySession
from cryptography.fernet import Fernet

from frames import is_ours
from strongroom.codec.readers import FernetTokenReader
from strongroom.errors import (
    AuthenticationError,
    ConfigurationError,
    EnvelopeError,
    NotJSONError,
    PayloadError,
)
from strongroom.keys.key import Key
from strongroom.keys.keyring import Keyring
from strongroom.protocols import Reader

KEYS = [Key(bytes([number]) * 32) for number in range(3)]
ITEMS = [{"role": "user", "content": "héllo"}, {"n": [2**70, None]}]


class TokenSession(SQLAlchemySession):
    async def _serialize_item(self, item):
        return Fernet(KEYS[1].to_base64()).encrypt(json.dumps(item).encode()).decode()


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokens") / "db"

    async def write():
        session = TokenSession.from_url("s", url=f"sqlite+aiosqlite:///{path}", create_tables=True)
        await session.add_items(ITEMS)
        await session.engine.dispose()

    asyncio.run(write())
    database = sqlite3.connect(path)
    try:
        return [row for (row,) in database.execute("SELECT message_data FROM agent_messages")]
    finally:
        database.close()


def sealed(payload: bytes, key: Key = KEYS[0]) -> str:
    return Fernet(key.to_base64()).encrypt(payload).decode()


@pytest.mark.parametrize("keys", [Keyring(*KEYS), KEYS, iter(KEYS), (KEYS[1],)])
def test_rows_are_read_under_each_of_the_keys(rows, keys):
    reader = FernetTokenReader(keys)
    assert isinstance(reader, Reader)
    assert all(reader.matches(row) and reader.matches(row.encode()) for row in rows)
    assert [reader.decode(row, context="s") for row in rows] == ITEMS
    assert [reader.decode(row.encode(), context="s") for row in rows] == ITEMS


def test_tokens_of_any_age_are_read():
    token = Fernet(KEYS[0].to_base64()).encrypt_at_time(b"1", 0).decode()
    assert FernetTokenReader(KEYS).decode(token, context="s") == 1


def test_a_token_under_no_key_of_the_reader_is_refused(rows):
    reader = FernetTokenReader([KEYS[0], KEYS[2]])
    with pytest.raises(AuthenticationError, match="no key"):
        reader.decode(rows[0], context="s")


def test_every_altered_bit_of_a_token_is_refused(rows):
    reader = FernetTokenReader(KEYS)
    raw = base64.urlsafe_b64decode(rows[0])
    for position in range(5, len(raw)):
        altered = bytearray(raw)
        altered[position] ^= 0x10
        token = base64.urlsafe_b64encode(altered).decode()
        assert reader.matches(token)
        with pytest.raises(AuthenticationError):
            reader.decode(token, context="s")


def test_a_token_that_is_not_canonical_is_recognised_and_refused():
    reader = FernetTokenReader(KEYS)
    token = sealed(b'{"a":"0123456789"}')
    assert token.endswith("=")
    stray_bits = token.rstrip("=")
    stray_bits = stray_bits[:-1] + chr(ord(stray_bits[-1]) + 1)
    stray_bits += "=" * (len(token) - len(stray_bits))
    assert base64.urlsafe_b64decode(stray_bits) == base64.urlsafe_b64decode(token)
    broken = [token[:end] for end in range(6, len(token))]
    broken += [token + tail for tail in ("\n", "=", "AAAA", "ä", "\ud800")]
    broken += [token[:20] + stray + token[20:] for stray in "\n !ä"] + [stray_bits]
    for value in broken:
        assert reader.matches(value)
        with pytest.raises(EnvelopeError):
            reader.decode(value, context="s")
        as_bytes = value.encode("utf-8", "surrogatepass")
        assert reader.matches(as_bytes)
        with pytest.raises(EnvelopeError):
            reader.decode(as_bytes, context="s")


def test_a_token_with_an_altered_time_is_still_a_token():
    reader = FernetTokenReader(KEYS)
    raw = base64.urlsafe_b64decode(sealed(b"1"))
    altered = base64.urlsafe_b64encode(raw[:1] + b"\xff" * 8 + raw[9:]).decode()
    assert not altered.startswith("gAAAAA")
    assert reader.matches(altered)
    with pytest.raises(AuthenticationError):
        reader.decode(altered, context="s")


@pytest.mark.parametrize(
    "row",
    ["", "{}", '"gAAAAA"', "g", "gA==", "gP" + "A" * 98, "hAAAAA", " gAAAAA", "waUBAgEA", "\ud800"],
)
def test_other_forms_are_not_recognised(row):
    reader = FernetTokenReader(KEYS)
    assert not reader.matches(row)
    assert not reader.matches(row.encode("utf-8", "surrogatepass"))


def ours(error):
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    return repr([f.locals for f in shown.stack if is_ours(f)])


@pytest.mark.parametrize("payload", [b'{"secret": ', b"\xffsecret", b"", b"secret"])
def test_content_that_is_no_json_is_a_payload_error_without_it(payload):
    with pytest.raises(PayloadError) as caught:
        FernetTokenReader(KEYS).decode(sealed(payload), context="s")
    assert not isinstance(caught.value, NotJSONError)  # those are left out of some sessions
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert "secret" not in str(caught.value) + repr(vars(caught.value)) + ours(caught.value)


TEXT = KEYS[1].to_base64()


@pytest.mark.parametrize("keys", [TEXT, TEXT.encode(), [TEXT], [KEYS[0], TEXT], [], None, KEYS[1]])
def test_takes_keys_only_and_does_not_show_what_else_it_got(keys):
    with pytest.raises(ConfigurationError) as caught:
        FernetTokenReader(keys)
    assert caught.value.__context__ is None
    assert TEXT not in str(caught.value) + ours(caught.value)


def test_the_same_key_twice_is_refused():
    with pytest.raises(ConfigurationError, match="two keys with one id"):
        FernetTokenReader([KEYS[0], KEYS[0]])


def test_shows_key_ids_only_and_is_not_pickled():
    reader = FernetTokenReader(KEYS)
    assert repr(reader) == f"FernetTokenReader(keys={Keyring(*KEYS)!r})"
    shown = repr([dataclasses.asdict(reader), vars(reader)])
    for key in KEYS:
        assert key.to_base64() not in shown
    assert reader == FernetTokenReader(Keyring(*KEYS))
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(reader)
