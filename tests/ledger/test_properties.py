"""Any interleaving of honest writers and of edits: what is served is what the head vouches for."""

import asyncio
import sqlite3
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from test_witness import MemoryWitness

import tiers
from strongroom import HistoryTamperedError, Key, Keyring, Ledger, SessionStore

KEYS = Keyring(Key(bytes(range(32))))
WRITERS = 3

small = st.integers(0, 6)
honest = st.one_of(
    st.tuples(st.just("append"), st.integers(0, WRITERS - 1), st.integers(1, 3)),
    st.tuples(st.just("append"), st.integers(0, WRITERS - 1), st.integers(1, 3)),
    st.tuples(st.just("pop"), st.integers(0, WRITERS - 1), st.just(0)),
    st.tuples(st.just("clear"), st.integers(0, WRITERS - 1), st.just(0)),
    st.tuples(st.just("replace"), st.integers(0, WRITERS - 1), st.integers(0, 3)),
    st.tuples(st.just("together"), st.just(0), st.just(0)),
)
edits = st.tuples(
    st.sampled_from(
        [
            "snapshot",
            "snapshot",
            "restore",
            "restore_rows",
            "restore_head",
            "delete",
            "swap",
            "alter",
            "redate",
            "duplicate",
            "delete_head",
            "old_over_new",
            "old_behind",
        ]
    ),
    small,
    small,
)


class World:
    """A database, three processes' worth of writers, and what each head is known to mean."""

    def __init__(self, folder, witnessed):
        self.path = Path(folder) / "test.db"
        self.witness = MemoryWitness() if witnessed else None
        self.stores = []
        self.meaning = {None: ()}  # head: the items that it vouches for
        self.rows_of = {None: ()}  # head: the rows that hold them
        self.newest = None
        self.snapshots = []
        self.number = 0

    async def open(self):
        ledger = Ledger(KEYS, self.witness)
        for _ in range(WRITERS):
            url = f"sqlite+aiosqlite:///{self.path}"
            self.stores.append(SessionStore.from_url(url, create_tables=True, ledger=ledger))
        await self.stores[0].session("s").get_items()
        self.raw = sqlite3.connect(self.path, isolation_level=None)

    async def close(self):
        self.raw.close()
        for store in self.stores:
            await store.aclose()

    # What is there ------------------------------------------------------------------------------

    def head(self):
        found = self.raw.execute("SELECT head FROM agent_sessions_heads").fetchone()
        return found[0] if found else None

    def rows(self):
        select = "SELECT id, message_data, created_at FROM agent_messages ORDER BY id"
        return self.raw.execute(select).fetchall()

    def content(self):
        return tuple(row[1:] for row in self.rows())

    @property
    def is_whole(self):
        """Whether the rows are those of the head, and the head is one that may be served."""
        newest = self.witness is None or self.head() == self.newest
        return newest and self.content() == self.rows_of[self.head()]

    def fresh(self, count):
        items = [{"n": self.number + k} for k in range(count)]
        self.number += count
        return items

    # What honest writers do -----------------------------------------------------------------------

    async def act(self, name, writer, count):
        old, was_whole = self.head(), self.is_whole
        session = self.stores[writer].session("s")
        items = self.fresh(count)
        before, rows = self.meaning[old], self.rows_of[old]
        try:
            if name == "append":
                await session.add_items(items)
                after = (*before, *(item["n"] for item in items))
                kept = rows + self.content()[-count:]
            elif name == "pop":
                popped = await session.pop_item()
                assert (popped or {}).get("n") == (before[-1] if before else None)
                after, kept = before[:-1], rows[:-1]
            elif name == "clear":
                await session.clear_session()
                after, kept = (), ()
            elif name == "replace":
                await session.replace_items(items)
                after, kept = tuple(item["n"] for item in items), self.content()
            else:
                await self.together()
                return
        except HistoryTamperedError:
            assert not was_whole, "an honest history was refused"
            return
        new = self.head()
        if new != old:
            self.meaning[new], self.rows_of[new] = after, kept
            self.newest = new
        else:
            assert after == before

    async def together(self):
        """All writers append at once, so they outrun one another."""
        if not self.is_whole:
            return
        before, rows = self.meaning[self.head()], self.rows_of[self.head()]
        batches = [self.fresh(2) for _ in self.stores]
        await asyncio.gather(
            *(
                store.session("s").add_items(batch)
                for store, batch in zip(self.stores, batches, strict=True)
            )
        )
        got = [item["n"] for item in await self.stores[0].session("s").get_items()]
        assert tuple(got[: len(before)]) == before
        assert sorted(got[len(before) :]) == [item["n"] for batch in batches for item in batch]
        self.newest = self.head()
        self.meaning[self.newest] = tuple(got)
        self.rows_of[self.newest] = rows + self.content()[len(rows) :]

    async def check(self):
        """Whatever is read is what the head vouches for, and it is refused only if it is not."""
        truth = self.meaning[self.head()]
        for store in self.stores[:2]:
            session = store.session("s")
            try:
                got = [item["n"] for item in await session.get_items()]
                streamed = [item["n"] async for item in session.iter_items(2)]
            except HistoryTamperedError:
                assert not self.is_whole, "an honest history was refused"
            else:
                assert self.is_whole
                assert tuple(got) == tuple(streamed) == truth
            for limit in (1, 3):
                try:
                    got = [item["n"] for item in await session.get_items(limit)]
                except HistoryTamperedError:
                    assert not self.is_whole, "an honest history was refused"
                else:
                    assert tuple(got) == truth[-limit:]

    # What somebody else does ----------------------------------------------------------------------

    def tamper(self, name, first, second):
        rows, sql = self.rows(), self.raw.execute
        if name == "snapshot":
            self.snapshots.append((rows, self.head()))
        elif name == "delete_head":
            sql("DELETE FROM agent_sessions_heads")
        elif name.startswith(("restore", "old")):
            if self.snapshots:
                self.put_back(name, *self.snapshots[first % len(self.snapshots)], second)
        elif rows:
            one, other = rows[first % len(rows)], rows[second % len(rows)]
            if name == "delete":
                sql("DELETE FROM agent_messages WHERE id = ?", (one[0],))
            elif name == "swap":
                self.set(one[0], *other[1:])
                self.set(other[0], *one[1:])
            elif name == "alter":
                self.set(one[0], one[1] + " ", one[2])
            elif name == "redate":
                self.set(one[0], one[1], "2001-01-01 00:00:00")
            elif name == "duplicate":
                self.insert(None, *one[1:])

    def put_back(self, name, rows, head, place):
        if name in {"restore", "restore_head"}:
            self.raw.execute("DELETE FROM agent_sessions_heads")
            if head is not None:
                self.raw.execute("INSERT INTO agent_sessions_heads VALUES ('s', ?)", (head,))
        if name in {"restore", "restore_rows"}:
            self.raw.execute("DELETE FROM agent_messages")
            for row in rows:
                self.insert(*row)
        if rows and name == "old_behind":
            self.insert(None, *rows[place % len(rows)][1:])
        present = self.rows()
        if rows and present and name == "old_over_new":
            self.set(present[place % len(present)][0], *rows[place % len(rows)][1:])

    def set(self, row_id, value, time):
        sql = "UPDATE agent_messages SET message_data = ?, created_at = ? WHERE id = ?"
        self.raw.execute(sql, (value, time, row_id))

    def insert(self, row_id, value, time):
        sql = "INSERT INTO agent_messages (id, session_id, message_data, created_at) "
        self.raw.execute(sql + "VALUES (?, 's', ?, ?)", (row_id, value, time))


async def play(steps, witnessed):
    with tempfile.TemporaryDirectory() as folder:
        world = World(folder, witnessed)
        await world.open()
        try:
            for name, first, second in steps:
                if name in {"append", "pop", "clear", "replace", "together"}:
                    await world.act(name, first, second)
                else:
                    world.tamper(name, first, second)
                await world.check()
        finally:
            await world.close()


slow = settings(
    max_examples=tiers.examples(80),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=False,
)


@pytest.mark.parametrize("witnessed", [False, True], ids=["alone", "witness"])
@slow
@given(steps=st.lists(st.one_of(honest, honest, edits), min_size=4, max_size=20))
def test_what_is_served_is_what_the_head_vouches_for(witnessed, steps):
    asyncio.run(play(steps, witnessed))


@pytest.mark.slow
@settings(slow, max_examples=tiers.examples(40))
@given(steps=st.lists(honest, min_size=4, max_size=20))
def test_no_honest_history_is_ever_refused(steps):
    asyncio.run(play(steps, True))
