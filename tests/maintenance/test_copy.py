"""Copying a store, on every database."""

import asyncio
import datetime as dt
from functools import partial

import pytest

from strongroom import Key, Keyring, SessionStore
from strongroom.maintenance import Mismatch, copy
from strongroom.store.store import core_of

KEYS = Keyring(Key.generate())
ODD_IDS = ["a", "A", "a ", "á", "z", "\U0001f600", "B"]
THEN = dt.datetime(2001, 2, 3, 4, 5, 6, 789000, tzinfo=dt.UTC)


def stores(database, **options):
    source = database.store(sessions_table="s1", messages_table="m1", codec="msgpack")
    names = {"sessions_table": "s2", "messages_table": "m2"}
    sealed = {"codec": "msgpack+aesgcm", "keys": KEYS}
    return source, database.store(**names, **(sealed | options))


async def fill(store, items=10):
    for name in ODD_IDS:
        await store.session(name).add_items([{"name": name, "n": n} for n in range(items)])


async def contents(store):
    return {
        info.session_id: await store.session(info.session_id).get_items()
        for info in await store.list_sessions()
    }


async def test_a_copy_holds_the_same_sessions_and_items(database):
    source, target = stores(database)
    await fill(source)
    await source.session("a").add_items([b"\xff", THEN, float("inf"), -0.0, "\ud800"])
    await source.session("empty").add_items([1])
    await source.session("empty").pop_item()
    report = await copy(source, target, batch_rows=8)
    assert (report.sessions, report.rows, report.copied) == (8, 75, 75)
    assert (report.ok, report.failed, report.mismatched) == (True, 0, 0)
    assert repr(await contents(target)) == repr(await contents(source))


async def test_times_are_kept(database):
    source, target = stores(database)
    await fill(source)
    await database.execute("UPDATE m1 SET created_at = '2001-02-03 04:05:06.789'")
    await database.execute(
        "UPDATE s1 SET created_at = '2001-02-03 04:05:06.789', updated_at = '2002-02-03 04:05:06'"
    )
    await copy(source, target)
    assert await target.list_sessions() == await source.list_sessions()
    lines = [line async for line in target.export_items("a")]
    assert all(THEN.isoformat() in line for line in lines)


async def test_a_copy_into_another_database_and_column_type(database, tmp_path):
    other = "binary" if database.column_type == "text" else "text"
    url = f"sqlite+aiosqlite:///{tmp_path / 'other.db'}"
    source, _ = stores(database)
    await fill(source)
    async with SessionStore.from_url(url, create_tables=True, column_type=other) as there:
        assert (await copy(source, there)).ok
        assert await contents(there) == await contents(source)
        back = database.store(codec="json+fernet", keys=KEYS)
        report = await copy(there, back)
        assert (report.ok, report.copied) == (True, 70)
        assert await contents(back) == await contents(source)


async def test_a_second_run_copies_only_what_is_new(database):
    source, target = stores(database)
    await fill(source)
    await copy(source, target)
    assert (await copy(source, target)).copied == 0
    await source.session("a").add_items(["new", "newer"])
    await source.session("new").add_items([1])
    report = await copy(source, target, batch_rows=3)
    assert (report.copied, report.rows, report.ok) == (3, 73, True)
    assert await contents(target) == await contents(source)


@pytest.mark.parametrize("batches", [1, 2, 5])
async def test_a_copy_that_was_interrupted_goes_on(database, batches):
    source, target = stores(database)
    await fill(source)
    runner, count = core_of(target).runner, []
    write, transact = runner.write, runner.transact

    async def stop(run, operation, *args):
        result = await run(operation, *args)
        count.append(1)
        if len(count) > batches:
            raise KeyboardInterrupt
        return result

    runner.write, runner.transact = partial(stop, write), partial(stop, transact)
    with pytest.raises(KeyboardInterrupt):
        await copy(source, target, batch_rows=7)
    runner.write, runner.transact = write, transact
    report = await copy(source, target, batch_rows=9)
    assert (report.copied, report.ok) == (70 - 7 * batches, True)
    assert await contents(target) == await contents(source)


async def test_repeated_items_are_not_taken_for_one_another(database):
    source, target = stores(database)
    await source.session("a").add_items([1, 1, 1, 2, 1, 1])
    await target.session("a").add_items([1, 1])
    report = await copy(source, target, batch_rows=2)
    assert (report.copied, report.ok) == (4, True)
    assert await target.session("a").get_items() == [1, 1, 1, 2, 1, 1]


async def test_a_session_that_holds_something_else_is_left_alone(database):
    source, target = stores(database)
    await fill(source)
    await target.session("a").add_items(["mine"])
    await target.session("z").add_items([{"name": "z", "n": n} for n in range(12)])
    report = await copy(source, target, batch_rows=4)
    assert {mismatch.session_id: mismatch for mismatch in report.mismatches} == {
        "a": Mismatch(session_id="a", source_rows=10, target_rows=1),
        "z": Mismatch(session_id="z", source_rows=10, target_rows=12),
    }
    assert (report.ok, report.mismatched, report.copied) == (False, 2, 50)
    assert await target.session("a").get_items() == ["mine"]


async def test_an_altered_item_is_a_mismatch(database):
    source, target = stores(database)
    await fill(source)
    await copy(source, target)
    items = await target.session("z").get_items()
    items[3] = {"name": "z", "n": 3.0}
    await target.session("z").replace_items(items)
    report = await copy(source, target)
    assert [mismatch.session_id for mismatch in report.mismatches] == ["z"]


async def test_a_session_that_is_empty_in_the_source_alone_is_a_mismatch(database):
    source, target = stores(database)
    await source.session("a").add_items([1])
    await copy(source, target)
    await source.session("a").pop_item()
    report = await copy(source, target)
    assert report.mismatches == (Mismatch(session_id="a", source_rows=0, target_rows=1),)


async def test_a_row_that_cannot_be_read_ends_its_session_and_no_other(database):
    source, target = stores(database)
    await fill(source)
    ((row_id,),) = await database.execute(
        "SELECT id FROM m1 WHERE session_id = :session_id ORDER BY id LIMIT 1 OFFSET 4",
        session_id="B",
    )
    await database.execute(
        f"UPDATE m1 SET message_data = :value WHERE id = {row_id}",
        value=database.column("not JSON"),
    )
    report = await copy(source, target, batch_rows=3)
    assert [(one.session_id, one.row_id) for one in report.failures] == [("B", row_id)]
    assert report.mismatches == (Mismatch(session_id="B", source_rows=10, target_rows=4),)
    assert (report.ok, report.copied) == (False, 64)


async def test_what_the_target_cannot_store_is_reported(database):
    source, target = stores(database, codec="json", keys=None)
    await source.session("a").add_items([1, b"bytes", 2])
    report = await copy(source, target)
    assert [failure.error for failure in report.failures] == ["EncodeError"]
    assert (report.copied, report.mismatched) == (1, 1)


async def test_a_prefix_keeps_to_its_sessions(database):
    source, target = stores(database)
    await fill(source)
    report = await copy(source, target, prefix="a")
    assert (report.sessions, report.rows, report.ok) == (2, 20, True)
    assert set(await contents(target)) == {"a", "a "}


async def test_progress_is_told_for_both_stages(database):
    source, target = stores(database)
    await fill(source)
    told = []
    await copy(source, target, progress=told.append, batch_rows=10)
    whole = [one.stage for one in told if one.done == one.total == 70]
    assert list(dict.fromkeys(whole)) == ["copy", "compare"]


@pytest.mark.slow
async def test_two_copies_at_once_write_nothing_twice(database):
    source, target = stores(database)
    await fill(source, items=40)
    await asyncio.gather(copy(source, target, batch_rows=9), copy(source, target, batch_rows=7))
    report = await copy(source, target)
    assert (report.ok, report.copied) == (True, 0)
    assert await contents(target) == await contents(source)
