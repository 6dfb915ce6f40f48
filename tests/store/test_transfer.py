"""Items out of a store, into it, and from one session to another, on every database."""

import asyncio
import datetime as dt
import json

import pytest

from strongroom import (
    AuthenticationError,
    Codec,
    ConflictError,
    DecodeError,
    EncodeError,
    Key,
    Keyring,
    PayloadError,
    UnknownKeyError,
)
from strongroom.store.jsonlines import dump_item, dump_line, load_line

KEYS = Keyring(Key.generate())
ITEMS = [
    {"role": "user", "content": "é😀\u2028\x85\n\x00"},
    {"role": "assistant", "content": "\ud800 alone", "\udfff": None},
    {"n": [2**80, -(2**70), -0.0, 0.1, 1e300, float("inf"), float("-inf"), True, False, None]},
    {"$bytes": "aGk="},
    {"$$datetime": {"$bytes": 1}},
    {"$bytes": "aGk=", "other": 1},
    {"$ref": "#/definitions/a"},
    "text",
    17,
    [],
    {},
]
NAN = {"not": float("nan")}
BINARY = [
    b"",
    b"\x00\xff",
    dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.timezone(dt.timedelta(hours=2))),
]


def said(*texts):
    return [{"role": "user", "content": str(text)} for text in texts]


def deep(levels):
    item = 1
    for level in range(levels):
        item = [item] if level % 2 else {"$bytes": item}
    return item


async def lines_of(store, *args, **options):
    return [line async for line in store.export_items(*args, **options)]


async def stream(lines):
    for line in lines:
        await asyncio.sleep(0)
        yield line


def line(session_id="s", item=1, created_at=None):
    return json.dumps({"session_id": session_id, "created_at": created_at, "item": item})


# The lines --------------------------------------------------------------------------------------


@pytest.mark.parametrize("item", [*ITEMS, *BINARY, [{"a": BINARY}], deep(500)])
def test_a_line_holds_every_item_exactly(item):
    text = dump_line("s\u2028", None, item)
    assert text.isascii()
    assert "\n" not in text
    session_id, created_at, read = load_line(text)
    assert (session_id, created_at) == ("s\u2028", None)
    assert same(read, item)


def same(left, right):
    pending = [(left, right)]
    while pending:
        a, b = pending.pop()
        if type(a) is not type(b):
            return False
        if isinstance(a, dict):
            if list(a) != list(b):
                return False
            pending += [(a[key], b[key]) for key in a]
        elif isinstance(a, list):
            if len(a) != len(b):
                return False
            pending += zip(a, b, strict=True)
        elif repr(a) != repr(b):
            return False
    return True


def test_nan_is_nan():
    assert repr(load_line(dump_line("s", None, NAN))[2]) == repr(NAN)


def test_escapes_do_not_hide_a_tag():
    text = '{"session_id":"s","item":{"\\u0024\\u0062ytes":"aGk="}}'
    assert load_line(text) == ("s", None, b"hi")


@pytest.mark.parametrize(
    "text",
    [
        "SECRET",
        "[1]",
        '{"session_id":"s"}',
        '{"item":"SECRET"}',
        '{"session_id":1,"item":"SECRET"}',
        '{"session_id":"s","created_at":"SECRET","item":1}',
        '{"session_id":"s","created_at":"2020-01-01T00:00:00","item":"SECRET"}',
        '{"session_id":"s","item":{"$bytes":"SECRET!"}}',
        '{"session_id":"s","item":{"$bytes":1}}',
        '{"session_id":"s","item":{"$datetime":"SECRET"}}',
        '{"session_id":"s","item":{"$datetime":"2020-01-01T00:00:00"}}',
        '{"session_id":"s","item":"SECRET"',
    ],
)
@pytest.mark.databases("sqlite-memory", column_types=("text",))
async def test_a_bad_line_is_an_error_with_its_number_and_no_content(database, text):
    store = database.store()
    with pytest.raises(PayloadError, match="Line 3") as caught:
        await store.import_items([line(), "\n", text, line(item=2)])
    assert caught.value.line == 3
    assert "SECRET" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.databases("sqlite-memory", column_types=("text",))
async def test_a_bad_session_id_is_an_error_with_the_lines_number(database):
    with pytest.raises(PayloadError, match="Line 2"):
        await database.store().import_items([line(), line(session_id="")])


@pytest.mark.databases("sqlite-memory", column_types=("text",))
async def test_what_the_codec_cannot_store_is_an_encode_error_with_the_lines_number(database):
    with pytest.raises(EncodeError, match="Line 2") as caught:
        await database.store().import_items([line(), line(item={"a": {"$bytes": "aGk="}})])
    assert caught.value.path == "$.*"


# Export -----------------------------------------------------------------------------------------


async def test_an_export_holds_every_item_in_order(database):
    store = database.store(codec="msgpack+aesgcm", keys=KEYS)
    await store.session("a").add_items([*ITEMS, *BINARY])
    await store.session("b").add_items(said(*range(1200)))
    records = [load_line(text) for text in await lines_of(store)]
    assert [record[2] for record in records if record[0] == "b"] == said(*range(1200))
    assert same([record[2] for record in records if record[0] == "a"], [*ITEMS, *BINARY])
    assert len(records) == 1200 + len(ITEMS) + len(BINARY)


async def test_an_export_may_be_of_one_session_or_of_a_prefix(database):
    store = database.store()
    for name in ("a", "ab", "ab%", "b", "A"):
        await store.session(name).add_items([name])
    exported = {json.loads(text)["item"] for text in await lines_of(store, prefix="ab")}
    assert exported == {"ab", "ab%"}
    assert [json.loads(text)["item"] for text in await lines_of(store, "ab")] == ["ab"]
    assert await lines_of(store, "nobody") == []
    with pytest.raises(ValueError, match="not both"):
        await lines_of(store, "a", prefix="a")


async def test_an_export_tells_when_rows_were_created(database):
    store = database.store()
    await store.session("s").add_items(said(1))
    (text,) = await lines_of(store)
    created = dt.datetime.fromisoformat(json.loads(text)["created_at"])
    assert abs(created - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=10)


async def test_a_row_that_cannot_be_read_ends_an_export_or_is_left_out(database, caplog):
    store = database.store(codec="json+fernet", keys=KEYS)
    await store.session("s").add_items(said(1))
    row_id = await database.put("plain")
    with pytest.raises(DecodeError) as caught:
        await lines_of(store)
    assert (caught.value.session_id, caught.value.row_id) == ("s", row_id)
    lenient = database.store(codec="json+fernet", keys=KEYS, on_error="skip")
    assert [json.loads(text)["item"] for text in await lines_of(lenient)] == said(1)


# Import -----------------------------------------------------------------------------------------


async def test_an_import_restores_an_export(database):
    source = database.store(codec="msgpack", sessions_table="s1", messages_table="m1")
    target = database.store(
        codec="msgpack+aesgcm", keys=KEYS, sessions_table="s2", messages_table="m2"
    )
    await source.session("a").add_items([*ITEMS, *BINARY])
    await source.session("b").add_items(said(*range(50)))
    await database.execute("UPDATE m1 SET created_at = '2001-02-03 04:05:06.789012'")
    exported = await lines_of(source)
    assert await target.import_items(stream(exported), batch_rows=7) == len(exported)
    assert await lines_of(target) == exported
    assert "2001-02-03T04:05:06.789012+00:00" in exported[0]
    (info, _) = await target.list_sessions()
    assert (
        info.created_at
        == info.updated_at
        == dt.datetime(2001, 2, 3, 4, 5, 6, 789012, tzinfo=dt.UTC)
    )


async def test_an_import_without_times_creates_now(database):
    store = database.store()
    assert await store.import_items(['{"session_id":"s","item":1}', "", line(item=2) + "\n"]) == 2
    assert await store.session("s").get_items() == [1, 2]
    (info,) = await store.list_sessions()
    assert abs(info.updated_at - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=10)


async def test_an_import_that_is_repeated_adds_nothing(database):
    store = database.store(codec="orjson+fernet", keys=KEYS)
    lines = [line(name, item) for item in range(20) for name in ("a", "b", "c")]
    assert await store.import_items(lines, batch_rows=7) == 60
    assert await store.import_items(lines, batch_rows=11) == 0
    for name in ("a", "b", "c"):
        assert await store.session(name).get_items() == list(range(20))


@pytest.mark.parametrize("stop", [1, 9, 24, 59])
async def test_an_import_that_was_interrupted_goes_on(database, stop):
    store = database.store()
    lines = [line(name, item % 2) for item in range(20) for name in ("a", "b", "c")]

    def broken():
        yield from lines[:stop]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await store.import_items(broken(), batch_rows=8)
    written = sum(info.items for info in await store.list_sessions())
    assert written == stop // 8 * 8
    assert await store.import_items(lines, batch_rows=5) == 60 - written
    for name in ("a", "b", "c"):
        assert await store.session(name).get_items() == [item % 2 for item in range(20)]


async def test_a_session_that_holds_other_items_is_not_touched(database):
    store = database.store()
    await store.session("b").add_items(said("mine"))
    with pytest.raises(ConflictError) as caught:
        await store.import_items([line("a"), line("b")])
    assert caught.value.session_id == "b"
    assert await store.session("b").get_items() == said("mine")
    assert await store.import_items([line("a"), line("b")], append=True) == 2
    assert await store.session("b").get_items() == [*said("mine"), 1]


async def test_a_session_that_holds_more_than_the_lines_is_left_as_it_is(database):
    store = database.store()
    await store.session("a").add_items([1, 2, 3])
    assert await store.import_items([line("a", 1), line("a", 2)]) == 0
    assert await store.session("a").get_items() == [1, 2, 3]


async def test_true_is_not_one_for_an_import(database):
    store = database.store()
    await store.session("a").add_items([True])
    with pytest.raises(ConflictError):
        await store.import_items([line("a", 1)])


async def test_an_import_into_a_session_that_is_written_to_conflicts(database):
    store = database.store()

    async def lines():
        yield line("a", 1)
        yield line("a", 2)
        await store.session("a").add_items(["other"])
        yield line("a", 3)

    with pytest.raises(ConflictError):
        await store.import_items(lines(), batch_rows=2)
    assert await store.session("a").get_items() == [1, 2, "other"]


# Fork -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("upto", "expected"), [(None, 5), (0, 0), (3, 3), (9, 5)])
async def test_a_fork_holds_the_first_items(database, upto, expected):
    store = database.store(codec="orjson+aesgcm", keys=KEYS)
    await store.session("s").add_items(said(*range(5)))
    assert await store.fork("s", "t", upto) == expected
    assert await store.session("t").get_items() == said(*range(expected))
    assert await store.session("s").get_items() == said(*range(5))


async def test_a_fork_is_encrypted_for_its_own_session(database):
    store = database.store(codec="orjson+aesgcm", keys=KEYS)
    await store.session("s").add_items(said(1))
    await store.fork("s", "t")
    ((_, mine),) = await database.rows("s")
    ((_, forks),) = await database.rows("t")
    codec = Codec.parse("orjson+aesgcm", keys=KEYS)
    assert codec.decode(forks, context="t") == said(1)[0]
    with pytest.raises(AuthenticationError):
        codec.decode(mine, context="t")


async def test_a_session_that_has_items_is_not_forked_into(database):
    store = database.store()
    await store.session("s").add_items(said(1))
    await store.session("t").add_items(said("mine"))
    for target in ("t", "s"):
        for upto in (None, 0):
            with pytest.raises(ValueError, match="has items already"):
                await store.fork("s", target, upto)
    assert await store.session("t").get_items() == said("mine")
    assert await store.session("s").get_items() == said(1)
    with pytest.raises(ValueError, match="-1"):
        await store.fork("s", "u", -1)


async def test_only_one_of_many_forks_into_a_session_wins(database):
    store = database.store()
    await store.session("s").add_items(said(*range(20)))
    forks = [store.fork("s", "t") for _ in range(6)]
    results = await asyncio.gather(*forks, return_exceptions=True)
    assert sorted(map(str, results)).count("20") == 1
    assert sum(isinstance(result, ValueError) for result in results) == 5
    assert await store.session("t").get_items() == said(*range(20))


async def test_a_row_that_cannot_be_read_stops_a_fork(database):
    await database.session("s", codec="json+fernet", keys=Keyring(Key.generate())).add_items([1])
    for on_error in (None, "skip"):
        store = database.store(codec="json+fernet", keys=KEYS, on_error=on_error)
        with pytest.raises(UnknownKeyError) as caught:
            await store.fork("s", "t")
        assert caught.value.session_id == "s"
    assert [info.session_id for info in await store.list_sessions()] == ["s"]


def test_the_text_of_an_item_is_its_export():
    assert dump_item({"a": b"hi"}) == '{"a":{"$bytes":"aGk="}}'
