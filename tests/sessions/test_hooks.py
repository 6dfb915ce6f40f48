"""Subclasses that say how an item becomes what a column holds."""

import asyncio
import base64
import json

import pytest

from strongroom import DecodeError, EncodeError, Key, Keyring, SQLAlchemySession
from strongroom.errors import NotJSONError

ITEMS = [{"role": "user", "content": "größe"}, {"role": "assistant", "content": "x" * 300}]
on_sqlite = pytest.mark.databases("sqlite-file")
on_text = pytest.mark.databases("sqlite-file", column_types=("text",))


class Both(SQLAlchemySession):
    """Rows of its own form: reversed JSON, in the form that the column has."""

    async def _serialize_item(self, item):
        await asyncio.sleep(0)
        value = json.dumps(item)[::-1]
        return value if self._core.is_text else value.encode()

    async def _deserialize_item(self, item):
        await asyncio.sleep(0)
        assert isinstance(item, str if self._core.is_text else bytes)
        return json.loads((item if self._core.is_text else item.decode())[::-1])


class OnlyWriting(SQLAlchemySession):
    async def _serialize_item(self, item):
        return await super()._serialize_item({**item, "written": True})


class OnlyReading(SQLAlchemySession):
    async def _deserialize_item(self, item):
        return {**(await super()._deserialize_item(item)), "read": True}


class Wrapping(SQLAlchemySession):
    """Changes the row's value on its way between codec and column."""

    async def _serialize_item(self, item):
        value = await super()._serialize_item(item)
        assert isinstance(value, str if self._core.is_text else bytes)
        return ("#" if isinstance(value, str) else b"#") + value

    async def _deserialize_item(self, item):
        return await super()._deserialize_item(item[1:])


async def use_everything(session):
    """Read and write through every operation; return what each of them read."""
    await session.add_items(ITEMS)
    seen = [await session.get_items(), [item async for item in session.iter_items(1)]]
    seen.append(await session.get_items(1))
    seen.append([await session.pop_item()])
    await session.replace_items(ITEMS[::-1])
    seen.append(await session.get_items())
    assert await session._atomic_replace_items(ITEMS) is True
    seen.append(await session.get_items())
    snapshot = await session._get_compaction_snapshot(5)
    seen.append(snapshot.items)
    assert await snapshot.replace_suffix(1, ITEMS[:1]) is True
    seen.append(await session.get_items())
    return seen


EXPECTED = [
    ITEMS, ITEMS, ITEMS[1:], ITEMS[1:], ITEMS[::-1], ITEMS, ITEMS, [ITEMS[0], ITEMS[0]],
]  # fmt: skip


# Overriding hooks -------------------------------------------------------------------------------


async def test_both_hooks_are_used_by_every_operation(database):
    session = database.session(kind=Both)
    assert await use_everything(session) == EXPECTED
    for _, value in await database.rows():
        text = value if isinstance(value, str) else value.decode()
        assert text.startswith("}")


async def test_pop_decodes_with_the_hook(database):
    session = database.session(kind=Both)
    await session.add_items(ITEMS)
    assert [await session.pop_item() for _ in range(3)] == [*ITEMS[::-1], None]


@on_sqlite
@pytest.mark.parametrize("spec", ["json", "orjson+zlib", "msgpack+aesgcm"])
async def test_only_the_writing_hook(database, spec):
    keys = Keyring(Key.generate()) if "aes" in spec else None
    session = database.session(kind=OnlyWriting, codec=spec, keys=keys)
    marked = [[{**item, "written": True} for item in items] for items in EXPECTED]
    assert await use_everything(session) == marked


@on_sqlite
@pytest.mark.parametrize("spec", ["json", "orjson+zlib", "msgpack+aesgcm"])
async def test_only_the_reading_hook(database, spec):
    keys = Keyring(Key.generate()) if "aes" in spec else None
    session = database.session(kind=OnlyReading, codec=spec, keys=keys)
    marked = [[{**item, "read": True} for item in items] for items in EXPECTED]
    assert await use_everything(session) == marked


@on_sqlite
@pytest.mark.parametrize("spec", ["json", "orjson+zlib", "msgpack+aesgcm"])
async def test_super_gives_and_takes_what_the_column_holds(database, spec):
    keys = Keyring(Key.generate()) if "aes" in spec else None
    session = database.session(kind=Wrapping, codec=spec, keys=keys)
    assert await use_everything(session) == EXPECTED
    for _, value in await database.rows():
        assert value[:1] in ("#", b"#")


@on_text
async def test_a_hook_may_be_put_on_the_class_or_on_the_object(database, monkeypatch):
    session = database.session()
    await session.add_items(ITEMS)

    async def read(self, item):
        return {"read": len(item)}

    with monkeypatch.context() as patch:
        patch.setattr(SQLAlchemySession, "_deserialize_item", read)
        lengths = [{"read": len(value)} for _, value in await database.rows()]
        assert await session.get_items() == lengths
        assert await session.pop_item() == lengths[1]
    assert await session.get_items() == ITEMS[:1]

    async def write(item):
        return '"written"'

    session._serialize_item = write
    await session.add_items(ITEMS)
    assert await session.get_items(2) == ["written", "written"]


@on_text
async def test_hooks_see_the_session(database):
    class Signing(SQLAlchemySession):
        async def _serialize_item(self, item):
            return await super()._serialize_item({**item, "by": self.session_id})

    session = database.session("one", kind=Signing)
    await session.add_items([{}])
    session.session_id = "two"
    await session.add_items([{}])
    assert await session.get_items() == [{"by": "two"}]


@on_sqlite
async def test_store_session_and_from_url_of_a_subclass(database):
    async with Both.from_url(
        "s", url=database.url, create_tables=True, column_type=database.column_type
    ) as session:
        assert type(session) is Both
        await session.add_items(ITEMS)
        assert await session.get_items() == ITEMS


@on_text
async def test_a_subclass_that_encrypts_by_hand_works_unchanged(database):
    class ByHand(SQLAlchemySession):
        async def _serialize_item(self, item):
            return base64.b64encode((await super()._serialize_item(item)).encode()).decode()

        async def _deserialize_item(self, item):
            return await super()._deserialize_item(base64.b64decode(item).decode())

    assert await use_everything(database.session(kind=ByHand)) == EXPECTED


# What hooks return ------------------------------------------------------------------------------


def writing(value):
    class Writing(SQLAlchemySession):
        async def _serialize_item(self, item):
            return value

    return Writing


async def test_str_is_stored_as_its_utf8_in_a_binary_column(database):
    session = database.session(kind=writing('{"a":"é"}'))
    await session.add_items([{}])
    ((_, value),) = await database.rows()
    assert value == database.column('{"a":"é"}')
    assert await session.get_items() == [{"a": "é"}]


@pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql", column_types=("text",))
async def test_bytes_for_a_text_column_are_an_encode_error(database):
    session = database.session(kind=writing(b"{}"))
    with pytest.raises(EncodeError, match=r"bytes.*text") as caught:
        await session.add_items([{}])
    assert caught.value.session_id == "s"
    assert await session.get_items() == []


@on_sqlite
@pytest.mark.parametrize("value", [None, 5, {"a": 1}, bytearray(b"{}"), ["{}"]], ids=repr)
async def test_what_no_column_holds_is_an_encode_error(database, value):
    session = database.session(kind=writing(value))
    with pytest.raises(EncodeError, match=type(value).__name__):
        await session.add_items([{}])
    assert await session.get_items() == []


@pytest.mark.parametrize("value", ["a\0b", "\ud800", "waYB and what looks like a link"])
@on_text
async def test_text_that_not_every_database_takes_is_an_encode_error(database, value):
    session = database.session(kind=writing(value))
    with pytest.raises(EncodeError) as caught:
        await session.add_items(ITEMS)
    assert caught.value.session_id == "s"
    assert await session.get_items() == []


@on_sqlite
async def test_an_error_in_the_writing_hook_writes_nothing(database):
    class Refusing(SQLAlchemySession):
        async def _serialize_item(self, item):
            if item == ITEMS[1]:
                raise KeyError("mine")
            return await super()._serialize_item(item)

    session = database.session(kind=Refusing)
    with pytest.raises(KeyError, match="mine"):
        await session.add_items(ITEMS)
    assert await session.get_items() == []
    await session.add_items(ITEMS[:1])
    assert await session.get_items() == ITEMS[:1]


# Hooks that cannot read -------------------------------------------------------------------------


async def test_a_json_error_in_the_hook_leaves_the_row_out(database, caplog):
    session = database.session(kind=Both)
    await session.add_items(ITEMS)
    row_id = await database.put("{plaintext of the row")
    assert await session.get_items() == ITEMS
    assert await session.get_items(1) == ITEMS[1:]
    assert await session.pop_item() == ITEMS[1]
    assert f"row {row_id}" in caplog.text
    assert "plaintext" not in caplog.text
    assert row_id in dict(await database.rows())
    strict = database.session(kind=Both, on_error="raise")
    with pytest.raises(NotJSONError) as caught:
        await strict.get_items()
    assert (caught.value.row_id, caught.value.__cause__) == (row_id, None)
    assert caught.value.__context__ is None
    with pytest.raises(NotJSONError):
        await strict.pop_item()
    assert row_id in dict(await database.rows())


@on_sqlite
async def test_another_error_in_the_hook_is_a_decode_error_with_its_cause(database):
    class Failing(SQLAlchemySession):
        async def _deserialize_item(self, item):
            found = await super()._deserialize_item(item)
            return {}["mine"] if found.get("bad") else found

    session = database.session(kind=Failing)
    await session.add_items([{"n": 1}, {"bad": True}])
    row_id = (await database.rows())[-1][0]
    for read in (session.get_items, session.pop_item):
        with pytest.raises(DecodeError, match="KeyError") as caught:
            await read()
        assert isinstance(caught.value.__cause__, KeyError)
        assert (caught.value.session_id, caught.value.row_id) == ("s", row_id)
    skipping = database.session(kind=Failing, on_error="skip")
    assert await skipping.get_items() == [{"n": 1}]
    assert await skipping.pop_item() == {"n": 1}
    assert [row[0] for row in await database.rows()] == [row_id]


@on_text
async def test_a_cancellation_inside_a_hook_goes_through(database):
    class Cancelled(SQLAlchemySession):
        async def _deserialize_item(self, item):
            raise asyncio.CancelledError

    session = database.session(kind=Cancelled, on_error="skip")
    await session.add_items(ITEMS)
    for read in (session.get_items, session.pop_item):
        with pytest.raises(asyncio.CancelledError):
            await read()
    assert len(await database.rows()) == 2


async def test_pop_with_hooks_gives_each_row_to_one_caller(database):
    session = database.session(kind=Both)
    await session.add_items([{"n": number} for number in range(20)])
    popped = await asyncio.gather(*(session.pop_item() for _ in range(22)))
    numbers = [item["n"] for item in popped if item is not None]
    assert sorted(numbers) == list(range(20))
