"""Reading every row of a store, on every database."""

import pytest

from strongroom import Key, Keyring
from strongroom.core.core import Core
from strongroom.maintenance import Progress, verify
from strongroom.maintenance import report as report_module

KEYS = Keyring(Key.generate())
SEALED = {"codec": "orjson+aesgcm", "keys": KEYS}


async def test_a_sound_store_is_ok(database):
    store = database.store(**SEALED)
    for name in ("a", "b", "c"):
        await store.session(name).add_items([{"n": n} for n in range(10)])
    report = await verify(store, batch_rows=7)
    assert (report.rows, report.failed, report.failures, report.ok) == (30, 0, (), True)


async def test_an_empty_store_is_ok(database):
    assert (await verify(database.store())).ok


async def test_every_row_that_does_not_open_is_reported(database):
    store = database.store(**SEALED)
    await store.session("s").add_items([1, 2])
    await store.session("t").add_items([3])
    ((first, value), (second, _)) = await database.rows("s")
    cut = "waUB" if database.column_type == "text" else b"\xc1\xa5"
    expected = {
        await database.put("[1]", "t"): "PlaintextRefusedError",
        await database.put(value, "t"): "AuthenticationError",
        await database.put(value[: len(value) // 8 * 4], "t"): "AuthenticationError",
        await database.put(cut, "t"): "EnvelopeError",
    }
    other = database.session("t", codec="orjson+aesgcm", keys=Keyring(Key.generate()))
    await other.add_items(["SECRET"])
    expected[(await database.rows("t"))[-1][0]] = "UnknownKeyError"
    report = await verify(store, batch_rows=2)
    assert (report.rows, report.failed, report.ok) == (8, 5, False)
    assert {failure.row_id: failure.error for failure in report.failures} == expected
    assert {failure.session_id for failure in report.failures} == {"t"}
    assert "SECRET" not in str(report)
    assert not {first, second} & expected.keys()
    assert (await verify(store, prefix="s")).ok


@pytest.mark.databases("sqlite-file", column_types=("text",))
async def test_text_that_is_not_utf8_is_reported(database):
    """The driver itself fails on such a row, so it is read as bytes."""
    store = database.store()
    await store.session("s").add_items([1])
    await database.execute(
        "INSERT INTO agent_messages (session_id, message_data) "
        "VALUES ('s', CAST(x'22ff22' AS TEXT))"
    )
    await store.session("t").add_items([1])
    report = await verify(store)
    assert (report.rows, report.failed) == (3, 1)


@pytest.mark.databases("sqlite-memory", column_types=("text",))
async def test_the_list_of_failures_is_bounded_and_their_number_is_not(database, monkeypatch):
    monkeypatch.setattr(report_module, "MOST_FAILURES", 3)
    store = database.store()
    await store.session("s").add_items([1])
    for _ in range(5):
        await database.put("not JSON")
    report = await verify(store)
    assert (report.failed, len(report.failures)) == (5, 3)


@pytest.mark.databases("sqlite-memory", column_types=("text",))
async def test_a_batch_is_bounded_by_bytes(database, monkeypatch):
    store = database.store()
    await store.session("s").add_items(["x" * 1000] * 50)
    sizes = []
    decode = Core.decode

    async def watch(self, codec, stored):
        sizes.append(sum(map(len, stored)))
        return await decode(self, codec, stored)

    monkeypatch.setattr(Core, "decode", watch)
    assert (await verify(store, batch_bytes=5000)).rows == 50
    assert max(sizes) <= 5000
    assert (await verify(store, batch_bytes=1)).rows == 50


async def test_progress_is_told(database):
    store = database.store()
    await store.session("s").add_items(list(range(25)))
    await store.session("t").add_items([1])
    told = []
    await verify(store, prefix="s", progress=told.append, batch_rows=10)
    assert told[-1] == Progress(25, 25, "verify")
    assert [progress.done for progress in told] == sorted(progress.done for progress in told)
    assert len(told) < 25
