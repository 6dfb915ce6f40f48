"""The statements of a store with a ledger: every change swaps the session's head first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    bindparam,
    delete,
    exists,
    insert,
    literal,
    literal_column,
    null,
    select,
    union_all,
    update,
)

from strongroom.format.ledger import LinkedRow
from strongroom.sql.dialects.base.step import HeadAndRows, RowsChangedError, Step
from strongroom.sql.dialects.base.store import StoreStatements
from strongroom.sql.rows import Change
from strongroom.sql.statement import Statement, fetch
from strongroom.sql.times import NO_TIME, aware_to_micros, to_micros


class LedgerStatements:
    """Runs its statements in one transaction; the swap of the head locks out other writers.

    Every change takes a step. It returns False, and has changed nothing, if the head is no longer
    the step's ``old``; it raises RowsChangedError if the head is, and the rows are not as they were
    read with it.
    """

    ignore: ClassVar[str] = ""
    """The word that makes an INSERT pass over a row that is there already."""

    def __init__(self, store: StoreStatements) -> None:
        self.store = store
        self.session = store.session
        tables = self.session.tables
        assert tables.heads is not None  # noqa: S101 - a store without a ledger has no such object
        self.heads: Table = tables.heads
        self._compile_changes()
        self._compile_reads()

    def _compile_changes(self) -> None:
        heads, messages = self.heads, self.session.tables.messages
        compile_ = self.session.compile
        has_rows = exists().where(messages.c.session_id == self.key_parameter)
        new = bindparam("new", type_=heads.c.head.type)
        self._advance = compile_(
            update(heads)
            .where(self.of_session, heads.c.head == bindparam("old"))
            .values(head=bindparam("new"))
        )
        self._first = self._insert_head(select(self.key_parameter, new).where(~has_rows))
        self._insert = compile_(
            insert(messages)
            .inline()
            .values(
                session_id=self.key_parameter,
                message_data=bindparam("value"),
                created_at=bindparam("time"),
            )
        )
        later = messages.c.id > bindparam("row_id")
        self._delete_behind = compile_(
            delete(messages).where(messages.c.session_id == self.key_parameter, later)
        )
        self._reserve = self._insert_head(
            select(self.key_parameter, literal(b"", heads.c.head.type))
        )
        self._lock = compile_(select(heads.c.head).where(self.of_session).with_for_update())
        row_id = messages.c.id == bindparam("row_id")
        self._redate = compile_(
            update(messages)
            .where(messages.c.session_id == self.key_parameter, row_id)
            .values(created_at=bindparam("time"))
        )
        self._put = compile_(update(heads).where(self.of_session).values(head=bindparam("new")))

    def _compile_reads(self) -> None:
        messages = self.session.tables.messages
        columns = (messages.c.id, messages.c.message_data, self.micros(messages.c.created_at))
        rows = select(*columns).where(messages.c.session_id == self.key_parameter)
        order: Any = messages.c.id if self.session.indexed else messages.c.id + 0
        count: Any = bindparam("count")
        later = messages.c.id > bindparam("row_id")
        self._all = self._beside_head(rows)
        self._last = self._beside_head(rows.order_by(order.desc()).limit(count))
        self._after = self._beside_head(rows.where(later).order_by(order).limit(count))

    @property
    def key_parameter(self) -> Any:
        """The parameter of the session id."""
        return bindparam("key", type_=self.heads.c.session_id.type)

    @property
    def of_session(self) -> ColumnElement[bool]:
        """The condition that picks a session's head."""
        condition: ColumnElement[bool] = self.heads.c.session_id == self.key_parameter
        return condition

    def _insert_head(self, picked: Any) -> Statement:
        """Compile an insert of a head that passes over one that is there."""
        added = insert(self.heads).inline().prefix_with(self.ignore)
        return self.session.compile(added.from_select(["session_id", "head"], picked))

    def _beside_head(self, rows: Any) -> Statement:
        """Compile a statement that gives the rows by their ids, and the head without one."""
        picked = rows.subquery("picked")
        head = select(self.heads.c.head, *(null().label(column.name) for column in picked.c))
        both = union_all(head.where(self.of_session), select(null().label("head"), *picked.c))
        return self.session.compile(both.order_by(literal_column("2")))

    def micros(self, created_at: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return a time for ``time_of``; drivers are faster with numbers than with times."""
        return created_at

    def time_of(self, micros: Any) -> int:
        """Return microseconds since 1970; a value that is no time is before all."""
        return to_micros(micros)

    # Reading ------------------------------------------------------------------------------------

    def all(self, conn: Connection, session_id: str) -> HeadAndRows:
        """Return the head and all rows, as of one moment."""
        return self._split(self.session.run_read(self._all, conn, key=self.session.key(session_id)))

    def last(self, conn: Connection, session_id: str, count: int) -> HeadAndRows:
        """Return the head and the latest rows, as of one moment."""
        key = self.session.key(session_id)
        return self._split(self.session.run_read(self._last, conn, key=key, count=count))

    def after(self, conn: Connection, session_id: str, row_id: int, count: int) -> HeadAndRows:
        """Return the head and the next rows behind a row id, as of one moment."""
        key = self.session.key(session_id)
        found = self.session.run_read(self._after, conn, key=key, row_id=row_id, count=count)
        return self._split(found)

    def _split(self, result: Any) -> HeadAndRows:
        head = None
        rows: list[LinkedRow] = []
        # The rows of a batch share their time, so few times are converted.
        before, time = None, NO_TIME
        for stored_head, row_id, stored, created_at in fetch(result):
            if row_id is None:
                head = _as_stored(stored_head)
                continue
            if created_at != before:
                before, time = created_at, self.time_of(created_at)
            rows.append((row_id, stored, time))
        return head, rows

    # Changing -----------------------------------------------------------------------------------

    def advance(self, conn: Connection, step: Step) -> bool:
        """Put a head in the place of another, or of none while there are no rows either."""
        key = self.session.key(step.session_id)
        if step.old is None:
            return bool(self._first.run(conn, key=key, new=step.new).rowcount)
        return bool(self._advance.run(conn, key=key, old=step.old, new=step.new).rowcount)

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
        self.session.delete_rows(conn, step.session_id)
        self._insert_rows(conn, step)
        return True

    def splice(self, conn: Connection, step: Step, row_id: int) -> bool:
        """Put the step's rows in the place of all behind a row id."""
        if not self._enter(conn, step):
            return False
        key = self.session.key(step.session_id)
        self._delete_behind.run(conn, key=key, row_id=row_id)
        self._insert_rows(conn, step)
        return True

    def pop(self, conn: Connection, step: Step, row_id: int) -> bool:
        """Remove the last row."""
        return self.drop(conn, step, row_id, ())

    def drop(self, conn: Connection, step: Step, row_id: int, changes: Sequence[Change]) -> bool:
        """Remove a row, and put those behind it in the form that they have without it."""
        if not self.advance(conn, step):
            return False
        if not self.session.delete_row(conn, step.session_id, row_id):
            raise RowsChangedError
        self.rewrite(conn, changes)
        return True

    def clear(self, conn: Connection, step: Step) -> bool:
        """Remove all rows and the session; its head stays."""
        if not self.advance(conn, step):
            return False
        self.session.clear(conn, step.session_id)
        return True

    def _enter(self, conn: Connection, step: Step) -> bool:
        """Swap the head and touch the session, for a step that may have rows."""
        self.session.check_values(step.values)
        if not self.advance(conn, step):
            return False
        self.session.touch(conn, step.session_id)
        return True

    def _insert_rows(self, conn: Connection, step: Step) -> None:
        if not step.values:
            return
        key, moment = self.session.key(step.session_id), self.session.bind_micros
        moments = {time: moment(time) for time in set(step.times)}
        rows = [
            (key, value, moments[time]) for value, time in zip(step.values, step.times, strict=True)
        ]
        self.session.insert_many(conn, self._insert, rows)

    # Turning a ledger on, or on again ----------------------------------------------------------

    def reserve(self, conn: Connection, session_id: str) -> bytes | None:
        """Keep every writer out, with a ledger or without; returns the stored head, if any.

        The session gets an empty head where it has none, which ``put`` replaces.
        """
        key = self.session.key(session_id)
        self._reserve.run(conn, key=key)
        head = _as_stored(self._lock.run(conn, key=key).scalar())
        if not self.session.lock(conn, session_id):
            self.session.touch(conn, session_id)
        return head or None

    def put(self, conn: Connection, session_id: str, new: bytes) -> None:
        """Store a head, under the lock that ``reserve`` took."""
        self._put.run(conn, key=self.session.key(session_id), new=new)

    def utc_times(self, conn: Connection, session_id: str, rows: Sequence[LinkedRow]) -> list[int]:
        """Return the rows' times in UTC, for rows that a writer without a ledger has added.

        It has them from the database's clock, in the zone of the connection; a ledger's own rows
        have UTC whatever the zone.
        """
        span = (session_id, rows[0][0]), (session_id, rows[-1][0])
        found = {row.row_id: row.created_at for row in self.store.rows(conn, *span)}
        times: list[int] = []
        for row_id, _, raw in rows:
            utc = found.get(row_id)
            times.append(raw if utc is None or raw == NO_TIME else aware_to_micros(utc))
        return times

    def redate(self, conn: Connection, session_id: str, row_id: int, micros: int) -> None:
        """Set the time of a row, as a ledger has it."""
        key, time = self.session.key(session_id), self.session.bind_micros(micros)
        self._redate.run(conn, key=key, row_id=row_id, time=time)

    def rewrite(self, conn: Connection, changes: Sequence[Change]) -> None:
        """Put new values in the place of old ones."""
        self.session.check_values([change.new for change in changes])
        if changes and self.store.compare_and_swap(conn, changes) != len(changes):
            raise RowsChangedError


def _as_stored(head: Any) -> bytes | None:
    """Return the bytes of a stored head; SQLite's columns hold anything, which is no head."""
    return None if head is None else bytes(head) if isinstance(head, bytes | memoryview) else b"?"
