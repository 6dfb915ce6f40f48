"""The statements of a store with a ledger: every change swaps the session's head first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    literal_column,
    null,
    select,
    union_all,
    update,
)

from strongroom.format.ledger import LinkedRow
from strongroom.protocols import Stored
from strongroom.sql.dialects.base.session import Database, fetched
from strongroom.sql.dialects.store_registry import Change, many_of

History = tuple[bytes | None, list[LinkedRow]]
"""The stored head of a session and some of its rows, oldest first."""


class Step(NamedTuple):
    """A session's step from one stored head to the next, and the linked rows that it brings.

    ``old`` is None for a session that has no head.
    """

    session_id: str
    old: bytes | None
    new: bytes
    values: Sequence[Stored] = ()
    times: Sequence[int] = ()


class MovedOnError(Exception):
    """A row is not what it was when it was read; the caller rolls back."""


class RowVanishedError(Exception):
    """Somebody who knows no heads removed a row while it was being popped; that is committed."""


class Heads:
    """Runs its statements in one transaction; the swap of the head locks out other writers.

    Every change takes a step. It returns False, and has changed nothing, if the head is no longer
    the step's ``old``; it raises MovedOnError if the head is, and the rows are not what was read
    with it.
    """

    ignore: ClassVar[dict[str, str]] = {"sqlite": "OR IGNORE", "mysql": "IGNORE"}
    """What makes an INSERT pass over a row that is there already."""

    def __init__(self, database: Database) -> None:
        self.database = database
        tables = database.tables
        assert tables.heads is not None  # noqa: S101 - a store without a ledger makes no Heads
        self.heads: Table = tables.heads
        heads, messages = self.heads, tables.messages
        compile_ = database.compile
        key = bindparam("key", type_=heads.c.session_id.type)
        of_session = heads.c.session_id == key
        has_rows = exists().where(messages.c.session_id == key)
        self._swap = compile_(
            update(heads)
            .where(of_session, heads.c.head == bindparam("old"))
            .values(head=bindparam("new"))
        )
        self._first = compile_(
            insert(heads)
            .inline()
            .prefix_with(self.ignore.get(database.name, ""))
            .from_select(
                ["session_id", "head"],
                select(key, bindparam("new", type_=heads.c.head.type)).where(~has_rows),
            )
        )
        self._insert = compile_(
            insert(messages)
            .inline()
            .values(
                session_id=key,
                message_data=bindparam("value"),
                created_at=bindparam("time"),
            )
        )
        later = messages.c.id > bindparam("row_id")
        self._delete_behind = compile_(delete(messages).where(messages.c.session_id == key, later))
        reserved = select(key, literal(b"", heads.c.head.type))
        self._reserve = compile_(
            insert(heads)
            .inline()
            .prefix_with(self.ignore.get(database.name, ""))
            .from_select(["session_id", "head"], reserved)
        )
        self._lock = compile_(select(heads.c.head).where(of_session).with_for_update())
        self._put = compile_(update(heads).where(of_session).values(head=bindparam("new")))
        row = (messages.c.id, messages.c.message_data, self.micros(messages.c.created_at))
        rows = select(*row).where(messages.c.session_id == key)
        order: Any = messages.c.id if database.indexed else messages.c.id + 0
        count: Any = bindparam("count")
        self._all = compile_(self._beside_head(rows, of_session))
        self._last = compile_(
            self._beside_head(rows.order_by(order.desc()).limit(count), of_session)
        )
        self._after = compile_(
            self._beside_head(rows.where(later).order_by(order).limit(count), of_session)
        )

    def micros(self, created_at: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return a time for ``time_of``; drivers are faster with numbers than with times."""
        if self.database.name != "mysql":
            return created_at
        return func.timestampdiff(
            literal_column("MICROSECOND"), literal_column("'1970-01-01'"), created_at
        )

    def time_of(self, micros: Any) -> int:
        """Return microseconds since 1970; what is no time is before all."""
        if self.database.name == "mysql" and micros is not None:
            return int(micros)
        return self.database.to_micros(micros)

    def _beside_head(self, rows: Any, of_session: Any) -> Any:
        """Return a statement that gives the rows by their ids, and the head without one."""
        picked = rows.subquery("picked")
        head = select(self.heads.c.head, *(null().label(column.name) for column in picked.c))
        return union_all(head.where(of_session), select(null().label("head"), *picked.c)).order_by(
            literal_column("2")
        )

    # Reading ------------------------------------------------------------------------------------

    def all(self, conn: Connection, session_id: str) -> History:
        """Return the head and all rows, as of one moment."""
        return self._history(self.database.read(self._all, conn, key=self.database.key(session_id)))

    def last(self, conn: Connection, session_id: str, count: int) -> History:
        """Return the head and the latest rows, as of one moment."""
        key = self.database.key(session_id)
        return self._history(self.database.read(self._last, conn, key=key, count=count))

    def after(self, conn: Connection, session_id: str, row_id: int, count: int) -> History:
        """Return the head and the next rows behind a row id, as of one moment."""
        key = self.database.key(session_id)
        found = self.database.read(self._after, conn, key=key, row_id=row_id, count=count)
        return self._history(found)

    def _history(self, result: Any) -> History:
        head = None
        rows: list[LinkedRow] = []
        # The rows of a batch share their time, so few times are converted.
        before, time = None, self.time_of(None)
        for stored_head, row_id, stored, created_at in fetched(result):
            if row_id is None:
                head = _as_stored(stored_head)
                continue
            if created_at != before:
                before, time = created_at, self.time_of(created_at)
            rows.append((row_id, stored, time))
        return head, rows

    # Changing -----------------------------------------------------------------------------------

    def swap(self, conn: Connection, step: Step) -> bool:
        """Put a head in the place of another, or of none while there are no rows either."""
        key = self.database.key(step.session_id)
        if step.old is None:
            return bool(self._first.run(conn, key=key, new=step.new).rowcount)
        return bool(self._swap.run(conn, key=key, old=step.old, new=step.new).rowcount)

    def append(self, conn: Connection, step: Step) -> bool:
        """Add the step's rows."""
        if not self._enter(conn, step):
            return False
        self._insert_rows(conn, step)
        return True

    def replace(self, conn: Connection, step: Step) -> bool:
        """Put the step's rows in the place of all rows."""
        if not self._enter(conn, step):
            return False
        self.database.delete_rows(conn, step.session_id)
        self._insert_rows(conn, step)
        return True

    def splice(self, conn: Connection, step: Step, row_id: int) -> bool:
        """Put the step's rows in the place of all behind a row id."""
        if not self._enter(conn, step):
            return False
        key = self.database.key(step.session_id)
        self._delete_behind.run(conn, key=key, row_id=row_id)
        self._insert_rows(conn, step)
        return True

    def pop(self, conn: Connection, step: Step, row_id: int) -> bool:
        """Remove the last row."""
        return self.drop(conn, step, row_id, ())

    def drop(self, conn: Connection, step: Step, row_id: int, changes: Sequence[Change]) -> bool:
        """Remove a row, and put those behind it in the form that they have without it."""
        if not self.swap(conn, step):
            return False
        if not self.database.delete_row(conn, step.session_id, row_id):
            raise MovedOnError
        self.rewrite(conn, changes)
        return True

    def clear(self, conn: Connection, step: Step) -> bool:
        """Remove all rows and the session; its head stays."""
        if not self.swap(conn, step):
            return False
        self.database.clear(conn, step.session_id)
        return True

    def _enter(self, conn: Connection, step: Step) -> bool:
        """Swap the head and touch the session, for a step that may have rows."""
        self.database.check_values(step.values)
        if not self.swap(conn, step):
            return False
        self.database.touch(conn, step.session_id)
        return True

    def _insert_rows(self, conn: Connection, step: Step) -> None:
        if not step.values:
            return
        key, moment = self.database.key(step.session_id), self.database.from_micros
        moments = {time: moment(time) for time in set(step.times)}
        rows = [
            (key, value, moments[time]) for value, time in zip(step.values, step.times, strict=True)
        ]
        self.database.insert_many(conn, self._insert, rows)

    # Turning a ledger on, or on again ----------------------------------------------------------

    def reserve(self, conn: Connection, session_id: str) -> bytes | None:
        """Keep every writer out, with a ledger or without; returns the stored head, if any.

        The session gets an empty head where it has none, which ``put`` replaces.
        """
        key = self.database.key(session_id)
        self._reserve.run(conn, key=key)
        head = _as_stored(self._lock.run(conn, key=key).scalar())
        if not self.database.lock(conn, session_id):
            self.database.touch(conn, session_id)
        return head or None

    def put(self, conn: Connection, session_id: str, new: bytes) -> None:
        """Store a head, under the lock that ``reserve`` took."""
        self._put.run(conn, key=self.database.key(session_id), new=new)

    def rewrite(self, conn: Connection, changes: Sequence[Change]) -> None:
        """Put new values in the place of old ones."""
        self.database.check_values([change.new for change in changes])
        if changes and many_of(self.database).swap(conn, changes) != len(changes):
            raise MovedOnError

    def sessions(self, conn: Connection, after: str | None, count: int) -> list[str]:
        """Return the next sessions that have a head, in the order of the column."""
        names = select(self.heads.c.session_id).order_by(self.heads.c.session_id).limit(count)
        if after is not None:
            names = names.where(self.heads.c.session_id > self.database.key(after))
        found = conn.execute(names).scalars()
        return [name.decode() if isinstance(name, bytes) else name for name in found]


def _as_stored(head: Any) -> bytes | None:
    """Return the bytes of a stored head; SQLite's columns hold anything, which is no head."""
    return None if head is None else bytes(head) if isinstance(head, bytes | memoryview) else b"?"
