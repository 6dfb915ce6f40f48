"""SECURITY.md's table of edits: every cell is tried here, and the page says the same."""

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import attacks
from attacks import TRUTH
from tampering import Tamperer
from test_witness import MemoryWitness

from histories import n
from strongroom import Key, Keyring, Ledger, StrongroomError

KEYS = Keyring(Key(bytes(range(32))))
PAGE = (Path(__file__).parents[2] / "SECURITY.md").read_text("utf-8")
COLUMNS = ("no cipher", "cipher", "ledger", "ledger and witness")


async def alter(t, session):
    row_id, _, value, _ = (await t.rows())[2]
    changed = value.replace("3}", "9}")
    await t.set(row_id, changed if changed != value else value[:-1] + "9")


async def restore_in_full(t, session):
    yesterday = await t.snapshot()
    await session.add_items(n(7))
    await t.restore(yesterday)


async def delete_the_session(t, session):
    await t.delete_rows()
    await t.delete_head()


async def renumber(t, session):
    for row in reversed(await t.rows()):
        await t.sql(
            "UPDATE agent_messages SET id = :new WHERE id = :id", new=row[0] + 50, id=row[0]
        )


async def whole(session):
    return await session.get_items()


async def last(session):
    return await session.get_items(1)


# What the page calls it: the edit, the read, and what comes of it for each column.
NO, SERVED = "refused", "served"
EDITS = {
    "alter a row": (alter, whole, (SERVED, NO, NO, NO)),
    "insert a forged row": (attacks.insert_a_row_of_his_own, whole, (SERVED, NO, NO, NO)),
    "copy a row from another session": (
        attacks.copy_from_another_session,
        whole,
        (SERVED, NO, NO, NO),
    ),
    "delete the latest rows": (attacks.cut_the_tail, whole, (SERVED, SERVED, NO, NO)),
    "delete the first rows": (attacks.cut_the_beginning, whole, (SERVED, SERVED, NO, NO)),
    "delete a row in the middle": (attacks.drop_from_the_middle, whole, (SERVED, SERVED, NO, NO)),
    "swap two rows": (attacks.swap_two, whole, (SERVED, SERVED, NO, NO)),
    "move a row to the end": (attacks.move_with_its_link, whole, (SERVED, SERVED, NO, NO)),
    "duplicate a row": (attacks.duplicate_from_the_middle, whole, (SERVED, SERVED, NO, NO)),
    "put an older row over a newer one": (
        attacks.put_an_older_row_over_a_newer_one,
        whole,
        (SERVED, SERVED, NO, NO),
    ),
    "change a row's `created_at`": (attacks.redate_one, whole, (SERVED, SERVED, NO, NO)),
    "put a popped row back": (attacks.reinsert_a_popped_row, whole, (SERVED, SERVED, NO, NO)),
    "put a row of before a clear back": (
        attacks.reinsert_a_row_of_before_a_clear,
        whole,
        (SERVED, SERVED, NO, NO),
    ),
    "mix the rows of two pasts": (attacks.splice_two_pasts, whole, (SERVED, SERVED, NO, NO)),
    "put the session back to what it was, in full": (
        restore_in_full,
        whole,
        (SERVED, SERVED, SERVED, NO),
    ),
    "delete the session, its head too": (delete_the_session, whole, (SERVED, SERVED, SERVED, NO)),
    "renumber the row ids in their order": (renumber, whole, (SERVED,) * 4),
    "alter a row that is not read": (attacks.alter_middle, last, (SERVED,) * 4),
    "duplicate the last row, under a read of one": (
        attacks.duplicate_the_last,
        last,
        (SERVED,) * 4,
    ),
}


@pytest.mark.databases("sqlite-file", column_types=("text",))
@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("name", EDITS)
async def test_what_comes_of_an_edit(database, name, column):
    edit, read, outcomes = EDITS[name]
    ledgers = {"ledger": Ledger(KEYS), "ledger and witness": Ledger(KEYS, MemoryWitness())}
    options = {"codec": "orjson", "ledger": ledgers.get(column)}
    if column == "cipher":
        options |= {"codec": "orjson+aesgcm", "keys": KEYS}
    await database.store(ledger=Ledger(KEYS)).create_tables()
    session = database.session(**options)
    await session.add_items(TRUTH[:3])
    await session.add_items(TRUTH[3:])
    await database.session("other", **options).add_items(n(101, 102))
    try:
        # Some edits have the session go on in between, and a witness stops that already.
        await edit(Tamperer(database), session)
        await read(session)
    except StrongroomError:
        found = NO
    else:
        found = SERVED
    assert found == outcomes[COLUMNS.index(column)]


def test_the_page_has_this_table():
    section = PAGE[PAGE.index("\n## Edits of the database\n") :]
    section = section[: section.index("\n## ", 5)]
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", section, re.MULTILINE)
    table = {name: tuple(cell.strip() for cell in cells.split("|")) for name, cells in rows}
    header = table.pop("an attacker with write access can")
    assert header == COLUMNS
    table.pop("---")
    assert table == {name: outcomes for name, (_, _, outcomes) in EDITS.items()}
