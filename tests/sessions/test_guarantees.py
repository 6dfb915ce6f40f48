"""The guarantees of SECURITY.md through sessions, with good neighbours beside each bad row."""

import tracemalloc
import zlib
from importlib.metadata import EntryPoint

import pytest

from strongroom import (
    AuthenticationError,
    Codec,
    CodecNotAcceptedError,
    DecodeError,
    Key,
    Keyring,
    PayloadError,
    PlaintextRefusedError,
    UnknownKeyError,
    describe,
)
from strongroom.codec import registry
from strongroom.format.envelope import build_header, column_text

pytestmark = pytest.mark.databases("sqlite-file")

KEYS = [Key(bytes([number]) * 32) for number in (1, 2, 3)]
RING = Keyring(KEYS[0])
SEALED = {"codec": "orjson+aesgcm", "keys": RING}
ITEMS = [{"role": "user", "content": text} for text in ("first", "second", "third")]
ciphers = pytest.mark.parametrize("cipher", ["fernet", "aesgcm"])


async def put(database, row_id, value):
    """Write a value over a row's."""
    await database.execute(
        "UPDATE agent_messages SET message_data = :value WHERE id = :row_id",
        value=value,
        row_id=row_id,
    )


def as_column(database, row):
    return row if database.column_type == "binary" else column_text(row)


async def refused(session, error, row_id):
    """Check that a read and a pop raise this error, with the place of the row."""
    with pytest.raises(error) as caught:
        await session.get_items()
    assert (caught.value.session_id, caught.value.row_id) == (session.session_id, row_id)
    assert type(caught.value) is error
    with pytest.raises(error):
        await session.pop_item()


@ciphers
async def test_equal_items_do_not_look_equal(database, cipher):
    store = database.store(codec=f"orjson+{cipher}", keys=RING)
    await store.session("a").add_items([ITEMS[0]] * 3)
    await store.session("b").add_items([ITEMS[0]] * 3)
    await store.fork("a", "c")
    values = [value for name in "abc" for _, value in await database.rows(name)]
    assert len(set(values)) == len(values) == 9


@ciphers
async def test_a_row_of_which_one_bit_is_flipped_is_refused(database, cipher):
    session = database.session(codec=f"orjson+{cipher}", keys=RING)
    await session.add_items(ITEMS)
    row_id, value = (await database.rows())[-1]
    for place in range(0, len(value), 7):
        if database.column_type == "binary":
            altered = value[:place] + bytes([value[place] ^ 1]) + value[place + 1 :]
        else:
            other = "A" if value[place] != "A" else "B"
            altered = value[:place] + other + value[place + 1 :]
        await put(database, row_id, altered)
        with pytest.raises(DecodeError) as caught:
            await session.get_items()
        assert caught.value.row_id == row_id
    await put(database, row_id, value)
    assert await session.get_items() == ITEMS


@ciphers
@pytest.mark.parametrize("elsewhere", ["another session", "another namespace"])
async def test_a_row_opens_in_its_own_session_and_namespace_only(database, cipher, elsewhere):
    options = {"codec": f"orjson+{cipher}", "keys": RING}
    session = database.session("own", **options)
    if elsewhere == "another session":
        other = database.session("other", **options)
    else:
        other = database.session("own too", **options, namespace="n")
        session = database.session("own too", **options)
    await other.add_items([ITEMS[2]])
    (_, moved) = (await database.rows(other.session_id))[-1]
    await other.clear_session()
    await session.add_items(ITEMS[:2])
    row_id = await database.put(moved, session.session_id)
    await refused(session, AuthenticationError, row_id)
    assert (
        await database.session(session.session_id, **options, on_error="skip").get_items()
        == ITEMS[:2]
    )


@pytest.mark.parametrize("form", ["bare JSON", "an envelope without a cipher"])
async def test_plaintext_is_refused_and_accepted_by_name_only(database, form):
    session = database.session(**SEALED)
    await session.add_items(ITEMS[:2])
    row = Codec.parse("msgpack").encode(ITEMS[2], context="s") if form[0] == "a" else b'{"a":1}'
    row_id = await database.put(as_column(database, row))
    await refused(session, PlaintextRefusedError, row_id)
    accepting = Codec.parse("orjson+aesgcm", keys=RING, accept=("plaintext",))
    lenient = database.session(codec=accepting)
    assert (await lenient.get_items())[:2] == ITEMS[:2]
    await lenient.add_items([ITEMS[2]])
    assert describe((await database.rows())[-1][1]).cipher == "aesgcm"


async def test_keys_rotate_and_a_dropped_key_makes_its_own_rows_unreadable(database):
    for number, item in enumerate(ITEMS):
        ring = Keyring(KEYS[number], *KEYS[:number])
        await database.session(codec="orjson+aesgcm", keys=ring).add_items([item])
    assert await database.session(codec="orjson+aesgcm", keys=ring).get_items() == ITEMS
    rows = await database.rows()
    for number, key in enumerate(KEYS):
        left = Keyring(*(other for other in KEYS if other is not key))
        session = database.session(codec="orjson+aesgcm", keys=left)
        with pytest.raises(UnknownKeyError) as caught:
            await session.get_items()
        assert (caught.value.key_id, caught.value.row_id) == (key.id, rows[number][0])
        skipping = database.session(codec="orjson+aesgcm", keys=left, on_error="skip")
        others = [item for item in ITEMS if item is not ITEMS[number]]
        assert await skipping.get_items() == others


async def test_a_row_does_not_fill_the_memory(database):
    codec = Codec.parse("orjson+zlib", max_size=1 << 20)
    session = database.session(codec=codec)
    await session.add_items(ITEMS[:2])
    bomb = build_header("orjson", "zlib") + zlib.compress(b'"' + bytes(64 << 20) + b'"', 9)
    row_id = await database.put(as_column(database, bomb))
    tracemalloc.start()
    try:
        await refused(session, PayloadError, row_id)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20
    skipping = database.session(codec=codec, on_error="skip")
    assert await skipping.get_items() == ITEMS[:2]


@pytest.mark.parametrize("kind", ["serializer", "compressor", "cipher"])
async def test_a_row_never_loads_the_stage_that_it_names(database, monkeypatch, kind):
    session = database.session(codec="orjson+zlib")
    await session.add_items(ITEMS[:2])
    evil = EntryPoint("evil", "this:evil", f"strongroom.{kind}s")
    monkeypatch.setattr(registry, "_points", lambda kind: {"evil": [evil]})
    monkeypatch.setattr(EntryPoint, "load", lambda point: pytest.fail(f"{point} was loaded"))
    stages = {"serializer": "json"} | {kind: "evil"}
    header = build_header(stages["serializer"], stages.get("compressor"), stages.get("cipher"))
    row_id = await database.put(as_column(database, header + b"{}"))
    await refused(session, CodecNotAcceptedError, row_id)
