"""Rows that cannot be read, and items that cannot be stored."""

import logging

import pytest

from histories import n
from strongroom import (
    AuthenticationError,
    Codec,
    CodecNotAcceptedError,
    DecodeError,
    EncodeError,
    EnvelopeError,
    Key,
    Keyring,
    PayloadError,
    PlaintextRefusedError,
    StrongroomError,
    UnknownKeyError,
)
from strongroom.format.envelope import to_text
from strongroom.store.store import core_of

pytestmark = pytest.mark.partitioned

KEYS, OTHER_KEYS = (Keyring(Key(bytes([number]) * 32)) for number in (1, 2))
SECRET = "the plaintext of the row"

SEALED = "msgpack+aesgcm"
"""What a codec may be, what the bad row is, and the error that says so."""
BAD_ROWS = {
    "not JSON": ("json", SECRET + "{", PayloadError),
    "not JSON under orjson": ("orjson", "{" + SECRET, PayloadError),
    "two JSON values": ("json", '{"a": 1} "' + SECRET + '"', PayloadError),
    "an empty row": ("json", "", PayloadError),
    "a truncated envelope": ("msgpack", "cut", EnvelopeError),
    "an unknown version": ("msgpack", "version", EnvelopeError),
    "a damaged payload": ("msgpack+zlib", "damaged", PayloadError),
    "a sealed row without the codec": ("json", "sealed", CodecNotAcceptedError),
    "a sealed row under another cipher": ("json+fernet", "sealed", CodecNotAcceptedError),
    "a row under an unknown key": (SEALED, "other key", UnknownKeyError),
    "the row of another session": (SEALED, "other session", AuthenticationError),
    "the row of another namespace": (SEALED, "other namespace", AuthenticationError),
    "an altered row": (SEALED, "altered", AuthenticationError),
    "plaintext under a cipher": (SEALED, '{"secret": "' + SECRET + '"}', PlaintextRefusedError),
    "an unencrypted envelope under a cipher": (SEALED, "unsealed", PlaintextRefusedError),
    "rubbish under a cipher": (SEALED, SECRET, PlaintextRefusedError),
}


def bad_row(database, kind):
    """Return the value of a bad row in the column's form."""
    item = {"secret": SECRET}

    def written(spec, *, keys=None, context="s", namespace=""):
        codec = Codec.parse(spec, keys=keys)
        return core_of(database.store(codec=codec)).column_value(
            codec.bind(context, namespace), item
        )

    def stored(row):
        return row if database.column_type == "binary" else to_text(row)

    match kind:
        case "cut":
            return written("msgpack")[:5]
        case "version":
            row = bytearray(Codec.parse("msgpack").encode(item, context="s"))
            row[2] = 9
            return stored(bytes(row))
        case "damaged":
            row = Codec.parse("msgpack+zlib").encode(item, context="s")
            return stored(row[:-3])
        case "sealed":
            return written(SEALED, keys=KEYS)
        case "other key":
            return written(SEALED, keys=OTHER_KEYS)
        case "other session":
            return written(SEALED, keys=KEYS, context="t")
        case "other namespace":
            return written(SEALED, keys=KEYS, namespace="n")
        case "altered":
            row = bytearray(Codec.parse(SEALED, keys=KEYS).encode(item, context="s"))
            row[-1] ^= 1
            return stored(bytes(row))
        case "unsealed":
            return written("msgpack")
    return kind


@pytest.fixture(params=BAD_ROWS)
def bad(request, database):
    spec, kind, error = BAD_ROWS[request.param]
    options = {"codec": spec, "keys": KEYS if "aes" in spec or "fernet" in spec else None}
    return options, bad_row(database, kind), error


on_two = pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql")
# A codec refuses what it refuses wherever it was stored; these differ as values of a column.
some_rows = pytest.mark.representatives(
    bad=(
        "not JSON",
        "an empty row",
        "a truncated envelope",
        "an altered row",
        "rubbish under a cipher",
    )
)


async def spoil(database, session, value):
    """Store 1, 2, the bad row, 3, 4; return the id of the bad one."""
    await session.add_items(n(1, 2))
    row_id = await database.put(value)
    await session.add_items(n(3, 4))
    return row_id


@on_two
@some_rows
async def test_raise_raises_the_typed_error_with_its_place(database, bad):
    options, value, kind = bad
    session = database.session(on_error="raise", **options)
    row_id = await spoil(database, session, value)
    readers = [
        lambda: session.get_items(),
        lambda: session.get_items(3),
        lambda: anext(session.iter_items()),
    ]
    for read in readers:
        with pytest.raises(kind) as caught:
            await read()
        error = caught.value
        assert isinstance(error, DecodeError)
        assert (error.session_id, error.row_id) == ("s", row_id)
        assert f"row {row_id}" in str(error)
        assert SECRET not in repr(error) + str(error)
        if isinstance(error, PayloadError):
            assert error.__cause__ is None
            assert error.__context__ is None
    assert await session.get_items(2) == n(3, 4)
    assert [row[1] for row in await database.rows()][2] == database.column(value)


@on_two
@some_rows
async def test_skip_leaves_out_what_cannot_be_read(database, bad, caplog):
    options, value, kind = bad
    session = database.session(on_error="skip", **options)
    row_id = await spoil(database, session, value)
    before = await database.rows()
    with caplog.at_level(logging.WARNING, logger="strongroom"):
        assert await session.get_items() == n(1, 2, 3, 4)
        assert await session.get_items(3) == n(2, 3, 4)
        assert await session.get_items(4) == n(1, 2, 3, 4)
        assert await session.get_items(99) == n(1, 2, 3, 4)
        assert [item async for item in session.iter_items(2)] == n(1, 2, 3, 4)
    assert await database.rows() == before
    told = [record for record in caplog.records if record.name == "strongroom"]
    assert len(told) >= 4
    for record in told:
        assert f"row {row_id}" in record.getMessage()
        assert kind.__name__ in record.getMessage() or "NotJSON" in record.getMessage()
        assert SECRET not in record.getMessage()


@pytest.mark.databases("sqlite-file", "sqlite-memory", "postgresql", "mysql-aiomysql")
@pytest.mark.parametrize("spec", ["json", "orjson", "msgpack", "json+zlib"])
@pytest.mark.representatives(spec=("json", "msgpack"))
async def test_by_default_bare_rows_that_are_not_json_are_left_out(database, spec, caplog):
    session = database.session(codec=spec)
    row_id = await spoil(database, session, "not JSON at all")
    assert await session.get_items() == n(1, 2, 3, 4)
    assert await session.get_items(3) == n(2, 3, 4)
    assert f"row {row_id}" in caplog.text


@on_two
@some_rows
async def test_by_default_every_other_bad_row_raises(database, bad):
    options, value, kind = bad
    session = database.session(**options)
    await spoil(database, session, value)
    if kind is PayloadError and options["codec"] in {"json", "orjson"}:
        assert await session.get_items() == n(1, 2, 3, 4)
        return
    with pytest.raises(kind):
        await session.get_items()


async def test_a_worker_that_lost_its_codec_gets_an_error_and_no_empty_history(database):
    await database.session(codec="orjson+fernet", keys=KEYS).add_items(n(1, 2))
    for spec in ("json", "orjson", "msgpack", "json+zlib"):
        for on_error in (None, "raise"):
            lost = database.session(codec=spec, on_error=on_error)
            for read in (lost.get_items, lambda lost=lost: lost.get_items(1), lost.pop_item):
                with pytest.raises(CodecNotAcceptedError, match="fernet"):
                    await read()
    assert len(await database.rows()) == 2


# pop_item ---------------------------------------------------------------------------------------


@on_two
@some_rows
async def test_pop_returns_the_newest_readable_item_and_leaves_the_others(database, bad):
    options, value, _ = bad
    session = database.session(on_error="skip", **options)
    await session.add_items(n(1, 2))
    bad_ids = [await database.put(value) for _ in range(5)]
    before = dict(await database.rows())
    assert await session.pop_item() == {"n": 2}
    assert await session.pop_item() == {"n": 1}
    assert await session.pop_item() is None
    assert dict(await database.rows()) == {row_id: before[row_id] for row_id in bad_ids}
    await session.add_items(n(3))
    assert await session.pop_item() == {"n": 3}
    assert dict(await database.rows()) == {row_id: before[row_id] for row_id in bad_ids}


@on_two
@some_rows
async def test_pop_of_a_row_that_cannot_be_read_raises_and_deletes_nothing(database, bad):
    options, value, kind = bad
    session = database.session(on_error="raise", **options)
    await session.add_items(n(1))
    row_id = await database.put(value)
    before = await database.rows()
    with pytest.raises(kind) as caught:
        await session.pop_item()
    assert (caught.value.session_id, caught.value.row_id) == ("s", row_id)
    assert await database.rows() == before
    await session.add_items(n(2))
    assert await session.pop_item() == {"n": 2}


async def test_pop_under_a_wrong_key_raises_and_deletes_nothing(database):
    await database.session(codec=SEALED, keys=KEYS).add_items(n(1, 2))
    before = await database.rows()
    with pytest.raises(UnknownKeyError) as caught:
        await database.session(codec=SEALED, keys=OTHER_KEYS).pop_item()
    assert caught.value.key_id == KEYS.primary.id
    assert await database.rows() == before
    assert await database.session(codec=SEALED, keys=KEYS).pop_item() == {"n": 2}


@on_two
async def test_by_default_pop_passes_over_what_is_not_json(database):
    session = database.session()
    await session.add_items(n(1))
    row_id = await database.put("not JSON")
    assert await session.pop_item() == {"n": 1}
    assert await session.pop_item() is None
    assert [row[0] for row in await database.rows()] == [row_id]


@on_two
async def test_many_bad_rows_do_not_hide_the_good_ones(database):
    session = database.session(on_error="skip")
    await session.add_items(n(1, 2))
    for _ in range(40):
        await database.put("not JSON")
    await session.add_items(n(3))
    assert await session.get_items(2) == n(2, 3)
    assert await session.get_items(3) == n(1, 2, 3)
    assert [item async for item in session.iter_items(3)] == n(1, 2, 3)


@on_two
async def test_clear_and_replace_remove_what_cannot_be_read(database):
    session = database.session(on_error="raise", codec=SEALED, keys=KEYS)
    await spoil(database, session, SECRET)
    await session.replace_items(n(5))
    assert await session.get_items() == n(5)
    await database.put(SECRET)
    await session.clear_session()
    assert await database.rows() == []


# EncodeError ------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["json", "orjson", "msgpack", "json+zlib+aesgcm"])
@pytest.mark.representatives(spec=("json", "json+zlib+aesgcm"))
async def test_one_item_that_cannot_be_stored_keeps_the_batch_out(database, spec):
    session = database.session(codec=spec, keys=KEYS if "aes" in spec else None)
    await session.add_items(n(1))
    before = await database.rows()
    bad_item = {"content": [{"text": "fine"}, {"id": {1, 2}}], "secret": SECRET}
    for write in (session.add_items, session.replace_items):
        with pytest.raises(EncodeError) as caught:
            await write([*n(2, 3), bad_item])
        error = caught.value
        assert error.path == "$.content[1].id"
        assert error.session_id == "s"
        assert SECRET not in str(error) + repr(error)
        assert await database.rows() == before
    await session.add_items(n(4))
    assert await session.get_items() == n(1, 4)


@on_two
async def test_an_item_that_cannot_be_stored_makes_no_session(database):
    session = database.session()
    with pytest.raises(EncodeError):
        await session.add_items([{"a": object()}])
    assert await session.get_items() == []
    assert await database.execute("SELECT count(*) FROM agent_sessions") == [(0,)]


@pytest.mark.databases("sqlite-file", column_types=("text",))
async def test_an_item_beyond_max_size_is_refused_before_it_is_written(database):
    codec = Codec.parse("json", max_size=100)
    session = database.session(codec=codec)
    with pytest.raises(EncodeError, match="max_size"):
        await session.add_items([{"n": 1}, {"n": "x" * 100}])
    assert await session.get_items() == []
    await database.session(codec="json").add_items([{"n": "x" * 200}])
    with pytest.raises(PayloadError, match="max_size"):
        await session.get_items()


def test_every_error_has_a_place():
    error = StrongroomError("Something failed.")
    assert (error.session_id, error.row_id) == (None, None)
    assert str(error.at("s", 7)) == "Something failed. [session 's', row 7]"


@pytest.mark.databases("sqlite-file", "sqlite-memory", column_types=("text",))
@pytest.mark.parametrize("spec", ["json", SEALED])
async def test_text_that_is_no_utf8_is_a_row_that_cannot_be_read(database, spec):
    options = {"codec": spec, "keys": KEYS if spec == SEALED else None}
    session = database.session(**options, on_error="raise")
    await session.add_items(n(1, 2))
    await database.execute(
        "UPDATE agent_messages SET message_data = CAST(x'22ff22' AS TEXT) WHERE id = 2"
    )
    for operation in (session.get_items, session.pop_item):
        with pytest.raises(DecodeError) as caught:
            await operation()
        assert (caught.value.session_id, caught.value.row_id) == ("s", 2)
    skipping = database.session(**options, on_error="skip")
    assert await skipping.get_items() == n(1)
    assert [await skipping.pop_item(), await skipping.pop_item()] == [*n(1), None]
    await session.add_items(n(3))
    assert await session.pop_item() == n(3)[0]
    assert await database.execute("SELECT id FROM agent_messages") == [(2,)]


@pytest.mark.databases("sqlite-file", "sqlite-memory", column_types=("binary",))
async def test_a_number_in_a_column_of_bytes_is_read_as_its_digits(database):
    """SQLite keeps it a number there; in a text column it makes it text."""
    plain = database.session(on_error="raise")
    await plain.add_items(n(1))
    await database.execute("INSERT INTO agent_messages (session_id, message_data) VALUES ('s', 5)")
    assert await plain.get_items() == [*n(1), 5]
    sealed = database.session(codec=SEALED, keys=KEYS)
    for operation in (sealed.get_items, sealed.pop_item, lambda: sealed.get_items(1)):
        with pytest.raises(PlaintextRefusedError):
            await operation()
    skipping = database.session(codec=SEALED, keys=KEYS, on_error="skip")
    assert await skipping.get_items() == []
    assert await plain.pop_item() == 5
