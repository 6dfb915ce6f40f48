"""Edits by somebody who can write to the database but has no key: every one is refused."""

import contextlib
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import attacks
from attacks import ATTACKS, TRUTH
from tampering import Tamperer

from histories import n
from strongroom import HistoryTamperedError, Key, Keyring, Ledger

KEYS = Keyring(Key(bytes(range(32))))
each_attack = pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
# The history is checked alike on every database; these differ in what is written there.
some_attacks = pytest.mark.representatives(
    attack=(
        attacks.alter_last,
        attacks.cut_the_tail,
        attacks.cut_the_beginning,
        attacks.insert_a_row_of_his_own,
        attacks.redate_one,
        attacks.swap_the_heads_of_two_sessions,
        attacks.delete_the_head,
        attacks.alter_the_head,
        attacks.restore_only_the_head,
        attacks.restore_only_the_rows,
        attacks.spell_the_link_otherwise,
    )
)
all_databases = pytest.mark.databases(
    "sqlite-file", "postgresql", "mysql-aiomysql", column_types=("text",)
)
binary = pytest.mark.databases("sqlite-file", "postgresql", column_types=("binary",))


async def attacked(database, attack):
    """Make a history of 1 to 6, and another session; then edit."""
    session = database.session(ledger=Ledger(KEYS), codec="orjson")
    await session.add_items(TRUTH[:3])
    await session.add_items(TRUTH[3:])
    await database.session("other", ledger=Ledger(KEYS), codec="orjson").add_items(n(101, 102))
    tamperer = Tamperer(database)
    await attack(tamperer, session)
    return session


async def refuses(session):
    with pytest.raises(HistoryTamperedError, match=r"not what its ledger recorded: .*\[session"):
        await session.get_items()


async def check_reads(session, window):
    await refuses(session)
    with pytest.raises(HistoryTamperedError):
        [item async for item in session.iter_items(2)]
    for limit in range(1, 10):
        if limit >= window:
            with pytest.raises(HistoryTamperedError):
                pytest.fail(f"{limit}: {await session.get_items(limit)}")
        else:
            assert await session.get_items(limit) == TRUTH[-limit:]


@each_attack
@some_attacks
@all_databases
async def test_whole_last_and_streamed_reads_refuse(database, attack):
    await check_reads(await attacked(database, attack), ATTACKS[attack])


@each_attack
@some_attacks
@binary
async def test_reads_of_binary_columns_refuse(database, attack):
    await check_reads(await attacked(database, attack), ATTACKS[attack])


@each_attack
@some_attacks
@all_databases
async def test_pop_as_the_first_operation_refuses_or_pops_the_newest(database, attack):
    session = await attacked(database, attack)
    rows = await database.rows()
    try:
        popped = await session.pop_item()
    except HistoryTamperedError:
        assert await database.rows() == rows, "a pop that refuses deletes nothing"
    else:
        assert popped == TRUTH[-1]
        assert ATTACKS[attack] > 1
    await refuses(session)


@each_attack
@some_attacks
@all_databases
@pytest.mark.parametrize("elsewhere", [False, True], ids=["same process", "another process"])
async def test_append_as_the_first_operation_leaves_later_reads_refusing(
    database, attack, elsewhere
):
    session = await attacked(database, attack)
    if elsewhere:
        engine = database.engine()
        session = database.session(ledger=Ledger(KEYS), codec="orjson", engine=engine)
    with contextlib.suppress(HistoryTamperedError):
        await session.add_items(n(7))
    await refuses(session)
    await refuses(database.session(ledger=Ledger(KEYS), codec="orjson"))


@all_databases
@pytest.mark.parametrize("elsewhere", [False, True], ids=["same process", "another process"])
async def test_clear_and_replace_make_an_edited_history_good_again(database, elsewhere):
    from attacks import alter_last

    def again():
        engine = database.engine() if elsewhere else None
        return database.session(ledger=Ledger(KEYS), codec="orjson", engine=engine)

    await attacked(database, alter_last)
    await again().replace_items(n(1))
    assert await again().get_items() == n(1)
    await alter_last(Tamperer(database), None)
    await again().clear_session()
    assert await again().get_items() == []


# What SQLite's columns hold, whatever their type --------------------------------------------------


@pytest.mark.databases("sqlite-file")
@pytest.mark.parametrize("junk", [5, 10**12, 1.5, "text", b"", b"x" * 10**6])
@pytest.mark.parametrize("place", ["head", "value", "time"])
async def test_junk_is_refused_and_does_no_harm(database, place, junk):
    session = await attacked(database, nothing)
    tamperer = Tamperer(database)
    row_id = (await database.rows())[-1][0]
    if place == "head":
        await tamperer.set_head(junk)
    elif place == "value":
        await tamperer.set(row_id, junk)
    else:
        await tamperer.redate(row_id, junk)
    for limit in (None, 1):
        with pytest.raises(HistoryTamperedError):
            await session.get_items(limit)
    with pytest.raises(HistoryTamperedError):
        await session.pop_item()


@pytest.mark.databases("sqlite-file", column_types=("text",))
async def test_a_time_with_another_zone_is_another_time(database):
    session = await attacked(database, nothing)
    row_id, _, _, time = (await Tamperer(database).rows())[-1]
    await Tamperer(database).redate(row_id, f"{time}+05:00")
    with pytest.raises(HistoryTamperedError, match="created_at"):
        await session.get_items()


# What no ledger refuses ---------------------------------------------------------------------------


async def nothing(tamperer, session):
    """Leave all as it is."""


@all_databases
async def test_an_untouched_history_is_served(database):
    session = await attacked(database, nothing)
    assert await session.get_items() == TRUTH
    assert [item async for item in session.iter_items(2)] == TRUTH
    assert [await session.get_items(k) for k in (0, 1, 6, 7)] == [[], TRUTH[-1:], TRUTH, TRUTH]
    assert await session.pop_item() == TRUTH[-1]
    await session.add_items(n(7))
    assert await session.get_items() == [*TRUTH[:-1], {"n": 7}]


@all_databases
async def test_renumbered_ids_in_the_same_order_are_served_as_what_they_are(database):
    session = await attacked(database, nothing)
    for row in reversed(await database.rows()):
        await database.execute(
            "UPDATE agent_messages SET id = :new WHERE id = :old", new=row[0] + 100, old=row[0]
        )
    assert await session.get_items() == TRUTH


@all_databases
async def test_a_duplicated_tail_is_not_seen_by_a_last_1_read(database):
    from attacks import duplicate_the_last

    session = await attacked(database, duplicate_the_last)
    assert await session.get_items(1) == TRUTH[-1:]


@all_databases
async def test_an_edit_outside_the_window_is_not_seen(database):
    from attacks import alter_middle

    session = await attacked(database, alter_middle)
    assert await session.get_items(3) == TRUTH[-3:]


@all_databases
async def test_a_full_restore_is_served_without_a_witness(database):
    session = await attacked(database, nothing)
    tamperer = Tamperer(database)
    yesterday = await tamperer.snapshot()
    await session.add_items(n(7))
    await tamperer.restore(yesterday)
    assert await session.get_items() == TRUTH
    await session.add_items(n(8))
    assert await session.get_items() == [*TRUTH, {"n": 8}]


@all_databases
async def test_a_session_deleted_with_its_head_is_a_new_one_without_a_witness(database):
    session = await attacked(database, nothing)
    tamperer = Tamperer(database)
    await tamperer.delete_rows()
    await tamperer.delete_head()
    assert await session.get_items() == []
    await session.add_items(n(1))
    assert await session.get_items() == n(1)
