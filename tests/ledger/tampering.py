"""What somebody with write access to the database can do to a history, in raw SQL."""

from dataclasses import dataclass

COLUMNS = "id, session_id, message_data, created_at"


@dataclass
class Snapshot:
    """A session as it lay in the database: its rows, its own row and its head."""

    rows: list
    parents: list
    heads: list


class Tamperer:
    """Edits the tables of one database behind the library's back."""

    def __init__(self, database):
        self.database = database

    async def sql(self, statement, **values):
        return await self.database.execute(statement, **values)

    async def rows(self, session_id="s"):
        """Return whole rows, oldest first."""
        return await self.sql(
            f"SELECT {COLUMNS} FROM agent_messages WHERE session_id = :session_id ORDER BY id",
            session_id=session_id,
        )

    async def head(self, session_id="s"):
        found = await self.sql(
            "SELECT head FROM agent_sessions_heads WHERE session_id = :session_id",
            session_id=session_id,
        )
        return found[0][0] if found else None

    async def snapshot(self, session_id="s"):
        parents = await self.sql(
            "SELECT session_id, created_at, updated_at FROM agent_sessions "
            "WHERE session_id = :session_id",
            session_id=session_id,
        )
        return Snapshot(await self.rows(session_id), parents, [await self.head(session_id)])

    async def delete(self, *row_ids):
        for row_id in row_ids:
            await self.sql("DELETE FROM agent_messages WHERE id = :id", id=row_id)

    async def insert(self, row):
        """Insert a whole row; with None for its id it becomes the newest."""
        columns = dict(zip(COLUMNS.split(", "), row, strict=True))
        names = COLUMNS
        if columns["id"] is None:
            del columns["id"]
            names = "session_id, message_data, created_at"
        marks = ", ".join(f":{name}" for name in names.split(", "))
        await self.sql(f"INSERT INTO agent_messages ({names}) VALUES ({marks})", **columns)

    async def set(self, row_id, value):
        await self.sql(
            "UPDATE agent_messages SET message_data = :value WHERE id = :id", value=value, id=row_id
        )

    async def redate(self, row_id, created_at):
        await self.sql(
            "UPDATE agent_messages SET created_at = :time WHERE id = :id",
            time=created_at,
            id=row_id,
        )

    async def set_head(self, head, session_id="s"):
        await self.sql(
            "UPDATE agent_sessions_heads SET head = :head WHERE session_id = :session_id",
            head=head,
            session_id=session_id,
        )

    async def delete_head(self, session_id="s"):
        await self.sql(
            "DELETE FROM agent_sessions_heads WHERE session_id = :session_id",
            session_id=session_id,
        )

    async def delete_rows(self, session_id="s"):
        await self.sql(
            "DELETE FROM agent_messages WHERE session_id = :session_id", session_id=session_id
        )

    async def restore_rows(self, snapshot, session_id="s"):
        await self.delete_rows(session_id)
        present = await self.sql(
            "SELECT session_id FROM agent_sessions WHERE session_id = :session_id",
            session_id=session_id,
        )
        if not present:
            for name, created, updated in snapshot.parents:
                await self.sql(
                    "INSERT INTO agent_sessions (session_id, created_at, updated_at) "
                    "VALUES (:name, :created, :updated)",
                    name=name,
                    created=created,
                    updated=updated,
                )
        for row in snapshot.rows:
            await self.insert(row)

    async def restore_head(self, snapshot, session_id="s"):
        await self.delete_head(session_id)
        for head in snapshot.heads:
            if head is not None:
                await self.sql(
                    "INSERT INTO agent_sessions_heads (session_id, head) "
                    "VALUES (:session_id, :head)",
                    session_id=session_id,
                    head=head,
                )

    async def restore(self, snapshot, session_id="s"):
        """Put a session back to what it was, in full."""
        await self.restore_rows(snapshot, session_id)
        await self.restore_head(snapshot, session_id)
