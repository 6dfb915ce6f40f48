"""The rows are written by openai-agents itself, and read back from its table as they are."""

import asyncio
import base64
import copy
import dataclasses
import json
import pickle
import sqlite3
import time
import traceback

import pytest
from agents.extensions.memory import EncryptedSession, SQLAlchemySession
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from frames import is_ours
from strongroom.codec.readers import OpenAIEncryptedReader
from strongroom.errors import (
    AuthenticationError,
    ConfigurationError,
    EnvelopeError,
    NotJSONError,
    PayloadError,
    RowLeftOutError,
)
from strongroom.protocols import Reader

FERNET_KEY = base64.urlsafe_b64encode(bytes(range(200, 232))).decode()
ITEMS = [
    {"role": "user", "content": 'héllo \u2028 "wörld" 🎉'},
    {"role": "assistant", "content": [{"type": "text", "n": 2**70, "x": float("inf")}]},
    {"type": "function_call", "arguments": '{"__enc__": 1}', "nested": {"a": [None, True, -0.0]}},
]

MASTER_KEYS = {
    "Fernet key": FERNET_KEY,
    "standard alphabet": base64.b64encode(b"\xfb\xff" * 16).decode(),
    "URL-safe alphabet": base64.urlsafe_b64encode(b"\xfb\xff" * 16).decode(),
    "without padding": FERNET_KEY.rstrip("="),
    "surrounding whitespace": f"  {FERNET_KEY}\n",
    "stray characters": FERNET_KEY[:9] + "!?" + FERNET_KEY[9:],
    "stray bits": FERNET_KEY[:-2] + chr(ord(FERNET_KEY[-2]) + 1) + "=",
    "text behind the padding": FERNET_KEY + "AAAA",
    "31 bytes": base64.urlsafe_b64encode(bytes(31)).decode(),
    "a password": "correct horse battery staple",
    "not ASCII": "pässwörd",
    "one character": "x",
}


def written(path, session_id, master_key, items=ITEMS):
    """The raw rows that EncryptedSession over SQLAlchemySession leaves for these items."""

    async def write():
        rows = SQLAlchemySession.from_url(
            session_id, url=f"sqlite+aiosqlite:///{path}", create_tables=True
        )
        await EncryptedSession(session_id, rows, master_key).add_items(items)
        await rows.engine.dispose()

    asyncio.run(write())
    database = sqlite3.connect(path)
    try:
        return [row for (row,) in database.execute("SELECT message_data FROM agent_messages")]
    finally:
        database.close()


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return written(tmp_path_factory.mktemp("rows") / "db", "user-ä", FERNET_KEY)


def sealed(content: bytes, *, at: int | None = None, **changes):
    """A row as EncryptedSession makes it, of any payload and time."""
    hkdf = HKDF(hashes.SHA256(), 32, "user-ä".encode(), b"agents.session-store.hkdf.v1")
    fernet = Fernet(base64.urlsafe_b64encode(hkdf.derive(base64.urlsafe_b64decode(FERNET_KEY))))
    token = fernet.encrypt_at_time(content, int(time.time()) if at is None else at).decode()
    return json.dumps({"__enc__": 1, "v": 1, "kid": "hkdf-v1", "payload": token} | changes)


def read(rows, master_key=FERNET_KEY, *, context="user-ä", ttl=None):
    reader = OpenAIEncryptedReader(master_key, ttl=ttl)
    assert all(reader.matches(row) for row in rows)
    return [reader.decode(row, context=context) for row in rows]


def test_is_a_reader():
    assert isinstance(OpenAIEncryptedReader(FERNET_KEY, ttl=None), Reader)
    assert OpenAIEncryptedReader.name == "encrypted-session"


def test_rows_of_a_text_column_are_read(rows):
    assert read(rows) == ITEMS
    assert str(read(rows)[2]["nested"]["a"][2]) == "-0.0"


def test_rows_of_a_binary_column_are_read(rows):
    assert read([row.encode() for row in rows]) == ITEMS


@pytest.mark.parametrize("master_key", MASTER_KEYS.values(), ids=MASTER_KEYS)
def test_a_master_key_is_read_as_laxly_as_there(tmp_path, master_key):
    rows = written(tmp_path / "db", "s", master_key)
    assert read(rows, master_key, context="s") == ITEMS


def test_values_that_are_no_json_are_read_as_the_text_that_was_written(tmp_path):
    rows = written(tmp_path / "db", "s", FERNET_KEY, [{"at": {1}, "k": {1: None}}])
    assert read(rows, context="s") == [{"at": "{1}", "k": {"1": None}}]


@pytest.mark.parametrize(
    ("master_key", "context"),
    [(FERNET_KEY, "user-a"), (FERNET_KEY, ""), (FERNET_KEY, "user\ud800"), ("other", "user-ä")],
)
def test_a_wrong_master_key_or_another_session_is_refused(rows, master_key, context):
    with pytest.raises(AuthenticationError, match="another session"):
        read(rows, master_key, context=context)


def test_every_altered_character_of_a_payload_is_refused(rows):
    reader = OpenAIEncryptedReader(FERNET_KEY, ttl=None)
    envelope = json.loads(rows[0])
    token = envelope["payload"]
    values = [token[:i] + ("A" if token[i] != "A" else "B") + token[i + 1 :] for i in range(50)]
    values += [token[:end] for end in range(len(token))]
    values += [token + tail for tail in ("=", "\n", "A", "!", "ä")] + [f"\n{token}", "", "ä"]
    values += [token[:-3] + chr(ord(token[-3]) ^ 1) + token[-2:], token.replace("=", "") + "!=="]
    for value in values:
        row = json.dumps(envelope | {"payload": value})
        assert reader.matches(row)
        with pytest.raises(AuthenticationError):
            reader.decode(row, context="user-ä")


@pytest.mark.parametrize(
    "changes",
    [{"v": 2}, {"v": None}, {"kid": "hkdf-v2"}, {"kid": []}]
    + [{"payload": value} for value in (None, 5, [], {"a": "b"})],
)
def test_another_version_or_a_malformed_row_is_an_envelope_error(changes):
    row = sealed(b"{}", **changes)
    reader = OpenAIEncryptedReader(FERNET_KEY, ttl=None)
    assert reader.matches(row)
    with pytest.raises(EnvelopeError):
        reader.decode(row, context="user-ä")


def test_what_is_not_recognised_is_not_decoded():
    with pytest.raises(EnvelopeError) as caught:
        OpenAIEncryptedReader(FERNET_KEY, ttl=None).decode('{"secret":1}', context="s")
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "secret" not in repr([frame.locals for frame in ours(shown)])


RECOGNISED = {
    "plain": '{"__enc__":1,"v":9,"kid":"k","payload":null}',
    "spaced": ' {\n"v": 9, "kid": 1, "payload": "", "__enc__": 1.0, "more": []} ',
    "true": '{"__enc__":true,"v":1,"kid":"k","payload":"p"}',
    "escaped": '{"\\u005f_\\u0065nc__":1,"v":1,"kid":"k","payload":"p"}',
    "one capital escape": '{"_\\u005Fenc__":1,"v":1,"kid":"k","payload":"p"}',
    "escaped in capitals": '{"_\\u005F\\u006Enc__":0,"__en\\u0063__":1,"v":1,"kid":"","payload":1}',
    "the last of two": '{"__enc__":0,"__enc__":1,"v":1,"kid":"k","payload":"p"}',
}
UNRECOGNISED = {
    "no payload": '{"__enc__":1,"v":1,"kid":"k"}',
    "no kid": '{"__enc__":1,"v":1,"payload":"p"}',
    "no v": '{"__enc__":1,"kid":"k","payload":"p"}',
    "another mark": '{"__enc__":2,"v":1,"kid":"k","payload":"p"}',
    "a mark as text": '{"__enc__":"1","v":1,"kid":"k","payload":"p"}',
    "the first of two": '{"__enc__":1,"__enc__":0,"v":1,"kid":"k","payload":"p"}',
    "inside": '{"content":{"__enc__":1,"v":1,"kid":"k","payload":"p"}}',
    "in a list": '[{"__enc__":1,"v":1,"kid":"k","payload":"p"}]',
    "a text": '"__enc__ v kid payload"',
    "not JSON": '{"__enc__":1,"v":1,"kid":"k","payload":"p"',
    "too deep": '{"__enc__":' + "[" * 100_000,
    "empty": "",
}


@pytest.mark.parametrize("row", RECOGNISED.values(), ids=RECOGNISED)
def test_a_row_is_recognised_by_its_form(row):
    reader = OpenAIEncryptedReader(FERNET_KEY, ttl=None)
    assert reader.matches(row)
    assert reader.matches(row.encode())


@pytest.mark.parametrize("row", UNRECOGNISED.values(), ids=UNRECOGNISED)
def test_another_form_is_not_recognised(row):
    reader = OpenAIEncryptedReader(FERNET_KEY, ttl=None)
    assert not reader.matches(row)
    assert not reader.matches(row.encode())
    assert not reader.matches(row.encode() + b"\xff")


def test_agrees_with_the_class_on_what_its_rows_are():
    from agents.extensions.memory.encrypt_session import _is_encrypted_envelope

    for row in RECOGNISED.values():
        assert _is_encrypted_envelope(json.loads(row))
    for name in ("no payload", "no kid", "no v", "another mark", "a mark as text", "in a list"):
        assert not _is_encrypted_envelope(json.loads(UNRECOGNISED[name]))


NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("age", "ttl", "kept"),
    [
        (600, 600, True),
        (601, 600, False),
        (0, 0, True),
        (1, 0, False),
        (601, 600.5, False),
        (10**9, None, True),
        (-60, 600, True),
        (-61, 600, False),
        (-61, None, True),
        (10**9, float("inf"), True),
        (0, -1, False),
    ],
)
def test_the_ttl_leaves_out_what_the_class_would_have_left_out(monkeypatch, age, ttl, kept):
    monkeypatch.setattr(time, "time", lambda: NOW + 0.9)
    row = sealed(b'{"a":1}', at=NOW - age)
    if kept:
        assert read([row], ttl=ttl) == [{"a": 1}]
    else:
        with pytest.raises(RowLeftOutError):
            read([row], ttl=ttl)
    theirs = EncryptedSession("user-ä", None, FERNET_KEY, ttl=ttl)
    assert theirs._unwrap(json.loads(row)) == ({"a": 1} if kept else None)


def test_a_row_that_is_not_authentic_is_never_left_out_for_its_age():
    row = sealed(b"{}", at=5)
    with pytest.raises(AuthenticationError):
        read([row], "other", ttl=600)
    envelope = json.loads(sealed(b"{}"))
    raw = bytearray(base64.urlsafe_b64decode(envelope["payload"]))
    raw[1:9] = bytes(8)  # an altered time
    altered = json.dumps(envelope | {"payload": base64.urlsafe_b64encode(raw).decode()})
    with pytest.raises(AuthenticationError):
        read([altered], ttl=600)


def test_the_ttl_has_no_default():
    with pytest.raises(TypeError, match="ttl"):
        OpenAIEncryptedReader(FERNET_KEY)


@pytest.mark.parametrize("payload", [b'{"secret": ', b"\xffsecret", b"", b"secret"])
def test_content_that_is_no_json_is_a_payload_error_without_it(payload):
    with pytest.raises(PayloadError) as caught:
        read([sealed(payload)])
    assert_bare(caught.value, "secret")


def ours(shown):
    return [frame for frame in shown.stack if is_ours(frame)]


def assert_bare(error, *secrets):
    assert not isinstance(error, NotJSONError)  # those are left out of some sessions
    assert error.__cause__ is None
    assert error.__context__ is None
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    text = str(error) + repr(vars(error)) + repr([frame.locals for frame in ours(shown)])
    for secret in secrets:
        assert secret not in text


@pytest.mark.parametrize("master_key", [None, "", b"bytes", 5, FERNET_KEY + "\ud800"])
@pytest.mark.parametrize("ttl", [None, 600])
def test_a_bad_master_key_is_refused_and_not_shown(master_key, ttl):
    with pytest.raises(ConfigurationError) as caught:
        OpenAIEncryptedReader(master_key, ttl=ttl)
    assert_bare(caught.value, FERNET_KEY[:12], "bytes")


@pytest.mark.parametrize("ttl", ["600", True, float("nan"), [FERNET_KEY]])
def test_a_bad_ttl_is_refused_and_the_master_key_not_shown(ttl):
    with pytest.raises(ConfigurationError, match="seconds") as caught:
        OpenAIEncryptedReader("correct horse", ttl=ttl)
    assert_bare(caught.value, "correct horse")


@pytest.mark.parametrize("master_key", [FERNET_KEY, "correct horse"])
def test_a_reader_does_not_show_its_master_key(rows, master_key):
    reader = OpenAIEncryptedReader(master_key, ttl=600)
    with pytest.raises(AuthenticationError) as caught:
        reader.decode(rows[0], context="other")
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames = [frame.locals for frame in ours(shown)]
    inside = list(vars(reader).values())
    text = repr([reader, f"{reader}", vars(reader), dataclasses.asdict(reader), frames, inside])
    text += str(caught.value)
    raw = repr(base64.urlsafe_b64decode(FERNET_KEY))[2:-1]
    for secret in (master_key, raw, raw[:20]):
        assert secret not in text
    assert repr(reader) == "OpenAIEncryptedReader(ttl=600)"


def test_a_reader_is_copied_but_not_pickled(rows):
    reader = OpenAIEncryptedReader(FERNET_KEY, ttl=None)
    assert copy.deepcopy(reader).decode(rows[0], context="user-ä") == ITEMS[0]
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(reader)


def test_a_session_key_is_derived_once(rows, monkeypatch):
    derived = []

    def counting(**parameters):
        derived.append(parameters["salt"])
        return HKDF(**parameters)

    monkeypatch.setattr("strongroom.codec.readers.encrypted_session.HKDF", counting)
    read(rows * 5)
    assert derived == ["user-ä".encode()]
