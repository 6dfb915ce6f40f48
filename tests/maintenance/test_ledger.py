"""Store-wide work on histories that a ledger vouches for."""

import json

import pytest

from strongroom import Codec, HistoryTamperedError, Key, Keyring, Ledger
from strongroom.maintenance import recode, verify

KEYS, SEAL = Keyring(Key.generate()), Keyring(Key.generate())
LEDGER = Ledger(KEYS)


def said(*texts):
    return [{"role": "user", "content": str(text)} for text in texts]


async def fill(database, *names):
    store = database.store(ledger=LEDGER)
    for name in names:
        await store.session(name).add_items(said(*range(10)))
    return store


async def test_recode_keeps_the_history(database):
    await fill(database, "a", "b")
    codec = Codec.parse("orjson+aesgcm", keys=SEAL, accept=("plaintext",))
    store = database.store(codec=codec, ledger=LEDGER)
    assert (await recode(store)).recoded == 20
    assert (await recode(store)).recoded == 0
    sealed = database.store(codec="orjson+aesgcm", keys=SEAL, ledger=LEDGER)
    assert await sealed.session("a").get_items() == said(*range(10))
    stats = await sealed.stats()
    assert stats.formats == {"json+aesgcm": 20}
    assert stats.key_ids == {SEAL.primary.id: 20}


async def test_recode_does_not_make_an_edit_look_genuine(database):
    await fill(database, "a")
    row_id, value = (await database.rows("a"))[3]
    forged = value[:-3] + (b'!"}' if isinstance(value, bytes) else '!"}')
    await database.execute(
        f"UPDATE agent_messages SET message_data = :value WHERE id = {row_id}", value=forged
    )
    codec = Codec.parse("orjson+aesgcm", keys=SEAL, accept=("plaintext",))
    store = database.store(codec=codec, ledger=LEDGER)
    report = await recode(store)
    assert [(one.row_id, one.error) for one in report.failures] == [
        (row_id, "HistoryTamperedError")
    ]
    assert (await database.rows("a"))[3] == (row_id, forged)
    with pytest.raises(HistoryTamperedError):
        await store.session("a").get_items()


async def test_verify_sees_what_no_single_row_shows(database):
    store = await fill(database, "whole", "cut", "gone")
    assert (await verify(store)).ok
    last = (await database.rows("cut"))[-1][0]
    await database.execute(f"DELETE FROM agent_messages WHERE id = {last}")
    for table in ("agent_messages", "agent_sessions"):
        await database.execute(
            f"DELETE FROM {table} WHERE session_id = :session_id", session_id="gone"
        )
    report = await verify(store)
    assert {failure.session_id for failure in report.failures} == {"cut", "gone"}
    assert {failure.error for failure in report.failures} == {"HistoryTamperedError"}


async def test_export_fork_and_delete_go_by_the_ledger(database):
    store = await fill(database, "a")
    assert await store.fork("a", "b", 4) == 4
    assert await store.session("b").get_items() == said(0, 1, 2, 3)
    with pytest.raises(ValueError, match="has items already"):
        await store.fork("a", "b")
    lines = [json.loads(line) async for line in store.export_items()]
    assert [line["item"] for line in lines if line["session_id"] == "b"] == said(0, 1, 2, 3)
    assert all(line["created_at"] for line in lines)
    assert await store.delete_session("b") is True
    assert await store.session("b").get_items() == []
    assert (await verify(store)).ok
    await database.execute(
        f"DELETE FROM agent_messages WHERE id = {(await database.rows('a'))[0][0]}"
    )
    with pytest.raises(HistoryTamperedError):
        assert [line async for line in store.export_items()]
