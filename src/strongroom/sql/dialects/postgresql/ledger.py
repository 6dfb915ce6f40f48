"""A store with a ledger on PostgreSQL: the swap of the head and the change are one statement."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    ColumnElement,
    Connection,
    Text,
    and_,
    bindparam,
    case,
    cast,
    delete,
    exists,
    extract,
    func,
    insert,
    literal_column,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA
from sqlalchemy.dialects.postgresql import insert as upsert

from strongroom.sql.dialects.base.ledger import LedgerStatements
from strongroom.sql.dialects.base.step import RowVanishedError, Step
from strongroom.sql.schema import CurrentTimestamp
from strongroom.sql.statement import Statement
from strongroom.sql.times import NO_TIME


class PostgreSQLLedger(LedgerStatements):
    """Changes only what the swapped head hands on, so nothing changes when the swap fails."""

    def _compile_changes(self) -> None:
        super()._compile_changes()
        heads, messages = self.heads, self.session.tables.messages
        new = bindparam("new", type_=heads.c.head.type)
        has_rows = exists().where(messages.c.session_id == self.key_parameter)
        first = (
            upsert(heads)
            .from_select(["session_id", "head"], select(self.key_parameter, new).where(~has_rows))
            .on_conflict_do_nothing()
        )
        following = (
            update(heads).where(self.of_session, heads.c.head == bindparam("old")).values(head=new)
        )
        self._append_first = self._compile_adding(first, replacing=False)
        self._append_next = self._compile_adding(following, replacing=False)
        self._replace_next = self._compile_adding(following, replacing=True)
        self._pop = self._compile_pop(following)
        self._clear_first = self._compile_clearing(first)
        self._clear_next = self._compile_clearing(following)

    def _insert_head(self, picked: Any) -> Statement:
        added = upsert(self.heads).from_select(["session_id", "head"], picked)
        return self.session.compile(added.on_conflict_do_nothing())

    def _rows_of(self, head: Any) -> Any:
        name = self.session.tables.messages.c.session_id
        return (name == head.c.session_id) & (name == self.key_parameter)

    def _compile_adding(self, change: Any, *, replacing: bool) -> Statement:
        tables = self.session.tables
        head = change.returning(self.heads.c.session_id).cte("head")
        parent = (
            upsert(tables.sessions)
            .from_select(["session_id"], select(head.c.session_id))
            .on_conflict_do_update(
                index_elements=["session_id"], set_={"updated_at": CurrentTimestamp()}
            )
            .returning(tables.sessions.c.session_id)
            .cte("parent")
        )
        item = self._batch()
        batch = (
            select(parent.c.session_id, item.c.value, item.c.time)
            .select_from(parent.join(item, true()))
            .order_by(item.c.position)
        )
        added = (
            insert(tables.messages)
            .inline()
            .from_select(["session_id", "message_data", "created_at"], batch)
            .cte("added")
        )
        ctes = [added]
        if replacing:
            ctes = [delete(tables.messages).where(self._rows_of(head)).cte("gone"), added]
        return self.session.compile(select(head.c.session_id).add_cte(*ctes))

    def _batch(self) -> Any:
        """Return the batch that is bound as arrays: value, time and position."""
        data = BYTEA() if self.session.tables.column_type == "binary" else Text()
        return (
            func.unnest(
                bindparam("data", type_=ARRAY(data)),
                bindparam("times", type_=ARRAY(TIMESTAMP(timezone=False))),
            )
            .table_valued("value", "time", with_ordinality="position", name="item")
            .render_derived()
        )

    def _compile_pop(self, following: Any) -> Statement:
        messages = self.session.tables.messages
        row_id = bindparam("row_id", type_=messages.c.id.type)
        there = exists().where(messages.c.session_id == self.key_parameter, messages.c.id == row_id)
        popped = following.where(there).returning(self.heads.c.session_id).cte("head")
        gone = (
            delete(messages)
            .where(self._rows_of(popped), messages.c.id == row_id)
            .returning(messages.c.id)
            .cte("gone")
        )
        return self.session.compile(
            select(popped.c.session_id, gone.c.id).select_from(popped.outerjoin(gone, true()))
        )

    def _compile_clearing(self, change: Any) -> Statement:
        sessions, messages = self.session.tables.sessions, self.session.tables.messages
        head = change.returning(self.heads.c.session_id).cte("head")
        rows = delete(messages).where(self._rows_of(head))
        parent = delete(sessions).where(sessions.c.session_id == head.c.session_id)
        return self.session.compile(
            select(head.c.session_id).add_cte(rows.cte("gone"), parent.cte("parent"))
        )

    def micros(self, created_at: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return microseconds; infinity and times outside the years 1 to 9999 have none."""
        micros = extract("epoch", created_at) * literal_column("1000000")
        first: ColumnElement[Any] = literal_column("'0001-01-01'")
        end: ColumnElement[Any] = literal_column("'10000-01-01'")
        is_time = and_(created_at >= first, created_at < end)
        return case((is_time, cast(micros, BigInteger)))

    def time_of(self, micros: Any) -> int:
        """Return microseconds since 1970; what is no time is before all."""
        return NO_TIME if micros is None else int(micros)

    def append(self, conn: Connection, step: Step) -> bool:
        """Add the step's rows."""
        return self._add(self._append_first if step.old is None else self._append_next, conn, step)

    def replace(self, conn: Connection, step: Step) -> bool:
        """Put the step's rows in the place of all rows."""
        return self._add(self._append_first if step.old is None else self._replace_next, conn, step)

    def pop(self, conn: Connection, step: Step, row_id: int) -> bool:
        """Remove the last row."""
        key = self.session.key(step.session_id)
        found = self._pop.run(conn, key=key, old=step.old, new=step.new, row_id=row_id).first()
        if found is not None and found[1] is None:
            raise RowVanishedError
        return found is not None

    def clear(self, conn: Connection, step: Step) -> bool:
        """Remove all rows and the session; its head stays."""
        statement = self._clear_first if step.old is None else self._clear_next
        key = self.session.key(step.session_id)
        return statement.run(conn, key=key, old=step.old, new=step.new).first() is not None

    def _add(self, statement: Statement, conn: Connection, step: Step) -> bool:
        moments = {time: self.session.bind_micros(time) for time in set(step.times)}
        found = statement.run(
            conn,
            key=self.session.key(step.session_id),
            old=step.old,
            new=step.new,
            data=list(step.values),
            times=[moments[time] for time in step.times],
        )
        return found.first() is not None
