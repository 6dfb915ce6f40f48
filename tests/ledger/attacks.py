"""The edits that a ledger refuses, each as one function; the history is 1 to 6 before and after.

Each may use the session honestly first, and leaves what an attacker has made of it. ``ATTACKS``
says for each how many of the latest items a read has to ask for to meet the edit.
"""

import base64
import datetime as dt

from histories import n

TRUTH = n(1, 2, 3, 4, 5, 6)


async def alter_last(t, session):
    await _alter(t, -1)


async def alter_middle(t, session):
    await _alter(t, 2)


async def _alter(t, place):
    row_id, _, value, _ = (await t.rows())[place]
    await t.set(row_id, value[:-1] + (b"9" if isinstance(value, bytes) else "9"))
    assert (await t.rows())[place][2] != value


async def cut_the_tail(t, session):
    await t.delete(*(row[0] for row in (await t.rows())[-2:]))


async def cut_the_beginning(t, session):
    await t.delete((await t.rows())[0][0])


async def drop_from_the_middle(t, session):
    await t.delete((await t.rows())[2][0])


async def swap_two(t, session):
    first, second = (await t.rows())[3:5]
    await t.set(first[0], second[2])
    await t.set(second[0], first[2])


async def swap_the_last_two(t, session):
    first, second = (await t.rows())[4:6]
    await t.set(first[0], second[2])
    await t.set(second[0], first[2])


async def insert_a_row_of_his_own(t, session):
    value = '{"n": 7}'
    if t.database.column_type == "binary":
        value = value.encode()
    await t.insert((None, (await t.rows())[0][1], value, (await t.rows())[-1][3]))


async def copy_from_another_session(t, session):
    other = (await t.rows("other"))[-1]
    await t.insert((None, (await t.rows())[0][1], *other[2:]))


async def put_an_older_row_over_a_newer_one(t, session):
    rows = await t.rows()
    await t.set(rows[4][0], rows[1][2])


async def redate_one(t, session):
    row_id, _, _, created = (await t.rows())[-1]
    if isinstance(created, str):
        created = dt.datetime.fromisoformat(created)
    time = created + dt.timedelta(seconds=1)
    await t.redate(row_id, str(time) if t.database.dialect == "sqlite" else time)


async def duplicate_the_last(t, session):
    await t.insert((None, *(await t.rows())[-1][1:]))


async def duplicate_from_the_middle(t, session):
    await t.insert((None, *(await t.rows())[2][1:]))


async def move_with_its_link(t, session):
    row = (await t.rows())[3]
    await t.delete(row[0])
    await t.insert((None, *row[1:]))


async def swap_the_heads_of_two_sessions(t, session):
    mine, other = await t.head(), await t.head("other")
    await t.set_head(other)
    await t.set_head(mine, "other")


async def delete_the_head(t, session):
    await t.delete_head()


async def alter_the_head(t, session):
    head = await t.head()
    await t.set_head(head[:27] + bytes((head[27] ^ 1,)) + head[28:])


async def cut_the_head(t, session):
    await t.set_head((await t.head())[:-1])


async def restore_only_the_head(t, session):
    await session.pop_item()
    before = await t.snapshot()
    await session.add_items(n(6))
    await t.restore_head(before)


async def restore_only_the_rows(t, session):
    await session.pop_item()
    before = await t.snapshot()
    await session.add_items(n(6))
    await t.restore_rows(before)


async def reinsert_a_popped_row(t, session):
    await session.add_items(n(7))
    popped = (await t.rows())[-1]
    assert await session.pop_item() == {"n": 7}
    await t.insert(popped)


async def put_a_popped_row_over_its_successor(t, session):
    await session.pop_item()
    await session.add_items(n(7))
    popped = (await t.rows())[-1]
    assert await session.pop_item() == {"n": 7}
    await session.add_items(n(6))
    await t.set((await t.rows())[-1][0], popped[2])
    await t.redate((await t.rows())[-1][0], popped[3])


async def reinsert_a_row_of_before_a_clear(t, session):
    before = await t.snapshot()
    await session.clear_session()
    await session.add_items(TRUTH)
    await t.insert((None, *before.rows[-1][1:]))


async def put_the_rows_of_before_a_clear_under_the_head(t, session):
    before = await t.snapshot()
    await session.clear_session()
    await session.add_items(TRUTH)
    await t.restore_rows(before)


async def splice_two_pasts(t, session):
    """Mix rows of two pasts that have the same beginning, under the newest head."""
    for _ in range(3):
        await session.pop_item()
    start = await t.snapshot()
    await session.add_items(n(14, 15))
    other_past = await t.rows()
    await t.restore(start)
    await session.add_items(n(4, 5))
    await session.add_items(n(6))
    assert await session.get_items() == TRUTH
    fourth = (await t.rows())[3]
    await t.set(fourth[0], other_past[3][2])
    await t.redate(fourth[0], other_past[3][3])


async def take_the_link_off(t, session):
    size = 76 if t.database.column_type == "binary" else 102
    row_id, _, value, _ = (await t.rows())[-1]
    await t.set(row_id, value[size:])


async def spell_the_link_otherwise(t, session):
    """Set the bits of the text form that belong to no byte; a binary column has none."""
    row_id, _, value, _ = (await t.rows())[-1]
    if isinstance(value, bytes):
        await t.set(row_id, value[:2] + bytes((value[2] ^ 1,)) + value[3:])
        return
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other = alphabet[alphabet.index(value[101]) + 1]
    text = value[:101] + other
    assert base64.urlsafe_b64decode(text + "==") == base64.urlsafe_b64decode(value[:102] + "==")
    await t.set(row_id, text + value[102:])


ATTACKS = {
    alter_last: 1,
    alter_middle: 4,
    cut_the_tail: 1,
    cut_the_beginning: 6,
    drop_from_the_middle: 4,
    swap_two: 2,
    swap_the_last_two: 1,
    insert_a_row_of_his_own: 1,
    copy_from_another_session: 1,
    put_an_older_row_over_a_newer_one: 2,
    redate_one: 1,
    duplicate_the_last: 2,
    duplicate_from_the_middle: 1,
    move_with_its_link: 1,
    swap_the_heads_of_two_sessions: 1,
    delete_the_head: 1,
    alter_the_head: 1,
    cut_the_head: 1,
    restore_only_the_head: 1,
    restore_only_the_rows: 1,
    reinsert_a_popped_row: 1,
    put_a_popped_row_over_its_successor: 1,
    reinsert_a_row_of_before_a_clear: 1,
    put_the_rows_of_before_a_clear_under_the_head: 1,
    splice_two_pasts: 3,
    take_the_link_off: 1,
    spell_the_link_otherwise: 1,
}
