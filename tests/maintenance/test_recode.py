"""Rewriting a store in place, on every database."""

import asyncio
import datetime as dt

import pytest
from cryptography.fernet import Fernet

from strongroom import (
    Codec,
    FernetTokenReader,
    Key,
    Keyring,
    OpenAIEncryptedReader,
    describe,
)
from strongroom.core.core import Core
from strongroom.maintenance import recode, verify
from strongroom.store.store import core_of

OLD, NEW = Key.generate(), Key.generate()
BOTH = Keyring(NEW, OLD)
ITEMS = [{"role": "user", "content": "é" * n, "n": n} for n in range(20)]
EXACT = [float("inf"), -0.0, 2**80, "\ud800", {"b": 1, "a": [None, True, 1.0]}]
SPECS = ("json", "msgpack+zlib", "orjson+fernet", "msgpack+aesgcm")


def codec(spec, *keys, accept=()):
    return Codec.parse(spec, keys=Keyring(*keys) if keys else None, accept=accept)


async def fill(database, *sessions):
    """Write each session by turns with every codec, under the old key."""
    for name in sessions:
        for spec in SPECS:
            keys = Keyring(OLD) if "+fernet" in spec or "+aesgcm" in spec else None
            await database.session(name, codec=spec, keys=keys).add_items([*ITEMS, *EXACT])


def target(database, **options):
    wanted = Codec.parse("orjson+aesgcm", keys=BOTH, accept=("plaintext", "fernet"))
    return database.store(codec=wanted, **options)


async def forms(database):
    rows = await database.execute("SELECT message_data FROM agent_messages")
    return {(describe(row[0]).spec, describe(row[0]).key_id) for row in rows}


@pytest.mark.databases(column_types=("text", "binary"))
async def test_every_row_comes_into_the_codec_under_the_primary_key(database):
    await fill(database, "a", "b")
    ids = await database.execute("SELECT id, created_at FROM agent_messages ORDER BY id")
    report = await recode(target(database), batch_rows=30)
    assert (report.recoded, report.failed, report.ok) == (200, 0, True)
    assert (report.rows, report.passes, report.dry_run) == (200, 2, False)
    assert await forms(database) == {("json+aesgcm", NEW.id)}
    alone = database.store(codec="orjson+aesgcm", keys=Keyring(NEW))
    for name in ("a", "b"):
        read = await alone.session(name).get_items()
        assert list(map(repr, read)) == list(map(repr, [*ITEMS, *EXACT] * 4))
    assert ids == await database.execute("SELECT id, created_at FROM agent_messages ORDER BY id")


@pytest.mark.parametrize("spec", ["json", "msgpack", "msgpack+zlib", "json+fernet"])
@pytest.mark.representatives(spec=("msgpack+zlib", "json+fernet"))
async def test_every_kind_of_codec_is_a_target(database, spec):
    await fill(database, "a")
    sealed = "fernet" in spec
    accept = ("plaintext", "aesgcm") if sealed else ("fernet", "aesgcm")
    store = database.store(codec=Codec.parse(spec, keys=BOTH, accept=accept))
    report = await recode(store)
    assert report.ok
    assert await forms(database) == {(spec, NEW.id if sealed else None)}
    read = await store.session("a").get_items()
    assert list(map(repr, read)) == list(map(repr, [*ITEMS, *EXACT] * 4))


async def test_rows_in_the_target_form_are_not_even_decrypted(database, monkeypatch):
    store = target(database)
    await store.session("a").add_items(ITEMS)
    before = await database.rows("a")
    opened = []
    monkeypatch.setattr(Core, "decode", lambda self, codec, stored: opened.append(stored))
    report = await recode(store)
    assert (report.rows, report.recoded, report.passes, opened) == (20, 0, 1, [])
    assert await database.rows("a") == before


async def test_a_second_run_finds_nothing_to_do(database):
    await fill(database, "a")
    await recode(target(database))
    before = await database.rows("a")
    assert (await recode(target(database))).recoded == 0
    assert await database.rows("a") == before


async def test_a_dry_run_counts_and_writes_nothing(database):
    await fill(database, "a")
    await database.put("not JSON", "a")
    before = await database.rows("a")
    report = await recode(target(database), dry_run=True)
    assert (report.recoded, report.failed, report.dry_run) == (100, 1, True)
    assert await database.rows("a") == before


async def test_a_prefix_keeps_to_its_sessions(database):
    await fill(database, "tenant1/a", "tenant1", "tenant10", "tenantX", "Tenant1/a")
    report = await recode(target(database), prefix="tenant1/")
    assert report.recoded == 100
    for name, count in (("tenant1/a", 1), ("tenant10", 4), ("tenant1", 4), ("Tenant1/a", 4)):
        found = {describe(value).spec for _, value in await database.rows(name)}
        assert len(found) == count
    assert (await recode(target(database), prefix="tenant1")).recoded == 200


async def test_a_row_that_does_not_open_is_left_and_reported(database):
    await fill(database, "a")
    stranger = Keyring(Key.generate())
    await database.session("a", codec="orjson+aesgcm", keys=stranger).add_items(["theirs"])
    await database.put("not JSON", "a")
    lost = (await database.rows("a"))[-2:]
    report = await recode(target(database))
    assert (report.recoded, report.failed, report.ok) == (100, 2, False)
    assert [failure.row_id for failure in report.failures] == [row_id for row_id, _ in lost]
    assert {failure.error for failure in report.failures} == {"UnknownKeyError", "NotJSONError"}
    assert (await database.rows("a"))[-2:] == lost


async def test_what_the_codec_cannot_write_is_left_and_reported(database):
    await database.session("a", codec="msgpack").add_items([b"bytes", 1])
    before = await database.rows("a")
    report = await recode(database.store(codec="json"))
    assert (report.recoded, report.failed) == (1, 1)
    assert report.failures[0].error == "EncodeError"
    assert (await database.rows("a"))[0] == before[0]


async def test_foreign_rows_are_recoded_to_bare_json_and_back(database):
    """Bare JSON has no header: what a reader knows as its own is not in that form."""
    key = Key.generate()
    await database.session("s").add_items([{"plain": 1}])
    token = Fernet(key.to_base64()).encrypt(b'{"token":1}')
    await database.put(token, "s")
    agents = OpenAIEncryptedReader("master", ttl=None)
    row = '{"__enc__":1,"v":1,"kid":"hkdf-v1","payload":"%s"}'
    sealed = agents._keys.fernet("s").encrypt(b'{"enc":1}').decode()
    await database.put(row % sealed, "s")
    store = database.store(codec=Codec.parse("json", accept=(FernetTokenReader([key]), agents)))
    report = await recode(store)
    assert (report.recoded, report.ok) == (2, True)
    plain = await database.session("s").get_items()
    assert plain == [{"plain": 1}, {"token": 1}, {"enc": 1}]
    assert (await recode(store)).recoded == 0


async def test_a_row_that_is_changed_meanwhile_is_not_overwritten(database):
    """Popped, cleared and rewritten rows stay what their writers made of them."""
    await fill(database, "a", "b", "c")
    store = target(database)
    runner, done = core_of(store).runner, []
    write = runner.write

    async def be_late(operation, *args):
        if not done:
            done.append(True)
            await database.session("a", codec=store.codec).pop_item()
            await database.session("b").clear_session()
            await database.execute(
                "UPDATE agent_messages SET message_data = :value WHERE session_id = :session_id",
                session_id="c",
                value=database.column("[1] "),
            )
        return await write(operation, *args)

    runner.write = be_late
    report = await recode(store, batch_rows=1000)
    assert report.ok
    assert len(await database.rows("a")) == 99
    assert await database.rows("b") == []
    assert await store.session("c").get_items() == [[1]] * 100
    assert await forms(database) == {("json+aesgcm", NEW.id)}


@pytest.mark.databases("sqlite-file", "mysql-aiomysql", "mysql-asyncmy", "postgresql")
async def test_old_values_are_compared_as_bytes(database):
    """Collations of MySQL take trailing spaces for nothing."""
    await database.session("a").add_items([1])
    store = target(database)
    runner, done = core_of(store).runner, []
    write = runner.write

    async def be_late(operation, *args):
        if not done:
            done.append(True)
            await database.execute(
                "UPDATE agent_messages SET message_data = :value",
                value=database.column("1 "),
            )
            swapped = await write(operation, *args)
            assert swapped == 0
            assert [bytes_of(value) for _, value in await database.rows("a")] == [b"1 "]
            return swapped
        return await write(operation, *args)

    runner.write = be_late
    report = await recode(store)
    assert (report.recoded, report.passes) == (1, 3)


def bytes_of(value):
    return value.encode() if isinstance(value, str) else value


async def test_rows_that_commit_late_with_lower_ids_are_found_by_the_next_pass(database):
    await fill(database, "m")
    store = target(database)
    runner, done = core_of(store).runner, []
    write = runner.write

    async def be_late(operation, *args):
        result = await write(operation, *args)
        if not done:
            done.append(True)
            await database.session("a").add_items(ITEMS)
        return result

    runner.write = be_late
    report = await recode(store)
    assert report.recoded == 120
    assert await forms(database) == {("json+aesgcm", NEW.id)}


@pytest.mark.databases("postgresql", "mysql-aiomysql", "mysql-asyncmy", column_types=("text",))
async def test_a_row_that_somebody_has_locked_is_left_for_the_next_pass(database):
    """Waiting for one row while holding others is how a clear would run into a deadlock."""
    await fill(database, "a")
    rows = await database.rows("a")
    store = target(database)
    async with database.shared.connect() as conn:
        await conn.exec_driver_sql(
            f"SELECT id FROM agent_messages WHERE id = {rows[50][0]} FOR UPDATE"
        )
        task = asyncio.create_task(recode(store, batch_rows=1000))
        async with asyncio.timeout(30):
            while ("json+aesgcm", NEW.id) not in await forms(database):
                assert not task.done()
                await asyncio.sleep(0.01)
        assert (await database.rows("a"))[50] == rows[50]
        await conn.rollback()
    report = await task
    assert (report.recoded, report.ok) == (100, True)


async def test_a_rate_limits_what_is_rewritten_in_one_go(database, monkeypatch):
    await fill(database, "a")
    store = target(database)
    slept, sizes = [], []
    runner = core_of(store).runner
    sleep, write = asyncio.sleep, runner.write

    async def note(seconds, *rest):
        slept.append(seconds)
        await sleep(0)

    async def count(operation, *args):
        swapped = await write(operation, *args)
        sizes.append(swapped)
        return swapped

    monkeypatch.setattr("strongroom.maintenance.pace.asyncio.sleep", note)
    runner.write = count
    report = await recode(store, rows_per_second=40)
    assert report.recoded == 100
    assert max(sizes) <= 40
    assert sum(slept) > 1
    with pytest.raises(ValueError, match="rows_per_second"):
        await recode(store, rows_per_second=0)


async def test_progress_is_told_for_each_pass(database):
    await fill(database, "a")
    told = []
    await recode(target(database), progress=told.append, batch_rows=10)
    assert (told[-1].done, told[-1].total, told[-1].stage) == (100, 100, "pass 2")
    assert told[0].stage == "pass 1"


async def test_a_cancelled_recode_leaves_whole_rows_and_can_be_repeated(database):
    await fill(database, "a")
    for delay in (0.001, 0.003, 0.01, 0.02):
        task = asyncio.create_task(recode(target(database), batch_rows=5))
        await asyncio.sleep(delay)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        report = await verify(
            database.store(codec=Codec.parse("json", keys=BOTH, accept=("fernet", "aesgcm")))
        )
        assert (report.rows, report.failed) == (100, 0)
    await recode(target(database))
    assert await forms(database) == {("json+aesgcm", NEW.id)}


async def test_a_session_is_not_touched_by_its_recoding(database):
    await fill(database, "a")
    await database.execute("UPDATE agent_sessions SET updated_at = '2001-01-01 00:00:00'")
    await recode(target(database))
    (info,) = await target(database).list_sessions()
    assert info.updated_at == dt.datetime(2001, 1, 1, tzinfo=dt.UTC)


async def test_large_rows_are_recoded(database):
    big = ["x" * 3_000_000, "é" * 1_000_000]
    await database.session("a").add_items(big)
    report = await recode(target(database), batch_bytes=1_000_000)
    assert report.recoded == 2
    assert await target(database).session("a").get_items() == big
