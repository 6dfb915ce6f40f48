"""A store with a ledger on PostgreSQL: the swap of the head and the change are one statement."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    ColumnElement,
    Connection,
    Text,
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

from strongroom.sql.dialects.base.ledger import Heads, RowVanishedError, Step
from strongroom.sql.dialects.base.session import Database, Statement
from strongroom.sql.schema import CurrentTimestamp


class PostgreSQLHeads(Heads):
    """Changes only what the swapped head hands on, so nothing changes when the swap fails."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        sessions, messages, heads = database.tables.sessions, database.tables.messages, self.heads
        key = bindparam("key", type_=heads.c.session_id.type)
        new = bindparam("new", type_=heads.c.head.type)
        has_rows = exists().where(messages.c.session_id == key)
        first = (
            upsert(heads)
            .from_select(["session_id", "head"], select(key, new).where(~has_rows))
            .on_conflict_do_nothing()
        )
        following = (
            update(heads)
            .where(heads.c.session_id == key, heads.c.head == bindparam("old"))
            .values(head=new)
        )
        self._first = database.compile(first)
        self._reserve = database.compile(
            upsert(heads).values(session_id=key, head=b"").on_conflict_do_nothing()
        )

        data = BYTEA() if database.tables.column_type == "binary" else Text()
        item = (
            func.unnest(
                bindparam("data", type_=ARRAY(data)),
                bindparam("times", type_=ARRAY(TIMESTAMP(timezone=False))),
            )
            .table_valued("value", "time", with_ordinality="position", name="item")
            .render_derived()
        )

        def rows_of(head: Any) -> Any:
            return (messages.c.session_id == head.c.session_id) & (messages.c.session_id == key)

        def adding(change: Any, *, replacing: bool) -> Statement:
            head = change.returning(heads.c.session_id).cte("head")
            parent = (
                upsert(sessions)
                .from_select(["session_id"], select(head.c.session_id))
                .on_conflict_do_update(
                    index_elements=["session_id"], set_={"updated_at": CurrentTimestamp()}
                )
                .returning(sessions.c.session_id)
                .cte("parent")
            )
            batch = (
                select(parent.c.session_id, item.c.value, item.c.time)
                .select_from(parent.join(item, true()))
                .order_by(item.c.position)
            )
            added = (
                insert(messages)
                .inline()
                .from_select(["session_id", "message_data", "created_at"], batch)
                .cte("added")
            )
            ctes = [added]
            if replacing:
                ctes = [delete(messages).where(rows_of(head)).cte("gone"), added]
            return database.compile(select(head.c.session_id).add_cte(*ctes))

        self._append_first = adding(first, replacing=False)
        self._append_next = adding(following, replacing=False)
        self._replace_next = adding(following, replacing=True)

        row_id = bindparam("row_id", type_=messages.c.id.type)
        there = exists().where(messages.c.session_id == key, messages.c.id == row_id)
        popped = following.where(there).returning(heads.c.session_id).cte("head")
        gone = (
            delete(messages)
            .where(rows_of(popped), messages.c.id == row_id)
            .returning(messages.c.id)
            .cte("gone")
        )
        self._pop = database.compile(
            select(popped.c.session_id, gone.c.id).select_from(popped.outerjoin(gone, true()))
        )

        def clearing(change: Any) -> Statement:
            head = change.returning(heads.c.session_id).cte("head")
            rows = delete(messages).where(rows_of(head))
            parent = delete(sessions).where(sessions.c.session_id == head.c.session_id)
            return database.compile(
                select(head.c.session_id).add_cte(rows.cte("gone"), parent.cte("parent"))
            )

        self._clear_first = clearing(first)
        self._clear_next = clearing(following)

    def micros(self, created_at: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return microseconds; infinity has none."""
        micros = extract("epoch", created_at) * literal_column("1000000")
        return case((func.isfinite(created_at), cast(micros, BigInteger)))

    def time_of(self, micros: Any) -> int:
        """Return microseconds since 1970; what is no time is before all."""
        return self.database.to_micros(None) if micros is None else int(micros)

    def append(self, conn: Connection, step: Step) -> bool:
        """Add the step's rows."""
        return self._add(self._append_first if step.old is None else self._append_next, conn, step)

    def replace(self, conn: Connection, step: Step) -> bool:
        """Put the step's rows in the place of all rows."""
        return self._add(self._append_first if step.old is None else self._replace_next, conn, step)

    def pop(self, conn: Connection, step: Step, row_id: int) -> bool:
        """Remove the last row."""
        key = self.database.key(step.session_id)
        found = self._pop.run(conn, key=key, old=step.old, new=step.new, row_id=row_id).first()
        if found is not None and found[1] is None:
            raise RowVanishedError
        return found is not None

    def clear(self, conn: Connection, step: Step) -> bool:
        """Remove all rows and the session; its head stays."""
        statement = self._clear_first if step.old is None else self._clear_next
        key = self.database.key(step.session_id)
        return statement.run(conn, key=key, old=step.old, new=step.new).first() is not None

    def _add(self, statement: Statement, conn: Connection, step: Step) -> bool:
        moments = {time: self.database.from_micros(time) for time in set(step.times)}
        found = statement.run(
            conn,
            key=self.database.key(step.session_id),
            old=step.old,
            new=step.new,
            data=list(step.values),
            times=[moments[time] for time in step.times],
        )
        return found.first() is not None
