"""Tenants that share a database: a keyring and a namespace for each.

    python examples/multi_tenant.py

Every tenant has keys of its own, so nothing that one tenant's process or configuration can reach
opens another's rows. The namespace keeps rows apart even where two tenants were given one key by
mistake. All of them share one engine and one pair of tables; the session ids begin with the
tenant, since one table holds them all. The exit code is 0 only if everything that is shown is so.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from strongroom import (
    AuthenticationError,
    DecodeError,
    Key,
    Keyring,
    SessionStore,
    SQLAlchemySession,
    UnknownKeyError,
)


class Tenants:
    """The stores of all tenants, on one engine; a store is made when its tenant first comes."""

    def __init__(self, engine: AsyncEngine, keyrings: dict[str, Keyring]) -> None:
        self._engine = engine
        self._keyrings = keyrings
        self._stores: dict[str, SessionStore] = {}

    def session(self, tenant: str, user: str) -> SQLAlchemySession:
        """Return the conversation of a tenant's user."""
        if tenant not in self._stores:
            self._stores[tenant] = SessionStore(
                self._engine,
                create_tables=True,
                codec="orjson+aesgcm",
                keys=self._keyrings[tenant],
                namespace=tenant,
            )
        return self._stores[tenant].session(f"{tenant}/{user}")


async def copy_rows(engine: AsyncEngine, source: str, target: str) -> None:
    """Do what somebody can who writes the database: put rows into another session."""
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO agent_messages (session_id, message_data) "
                "SELECT :target, message_data FROM agent_messages WHERE session_id = :source"
            ),
            {"source": source, "target": target},
        )


async def refusal(session: SQLAlchemySession) -> DecodeError | None:
    """Return the error that reading a session raises, or None."""
    try:
        await session.get_items()
    except DecodeError as error:
        return error
    return None


def claim(text: str, error: DecodeError | None, expected: type[DecodeError]) -> None:
    """Print what was refused, or end the program if it was not."""
    if type(error) is not expected:
        sys.exit(f"NOT TRUE: {text}: {error!r}")
    print(f"{text}: {expected.__name__}")


async def run(engine: AsyncEngine) -> None:
    """Write as two tenants, and try to read across."""
    keys = {"acme": Keyring(Key.generate()), "bolt": Keyring(Key.generate())}
    tenants = Tenants(engine, keys)
    for tenant in keys:
        session = tenants.session(tenant, "ada")
        await session.add_items([{"role": "user", "content": f"I work for {tenant}."}])
        print(f"{tenant} reads its own: {(await session.get_items())[0]['content']}")

    curious = Tenants(engine, {"acme": keys["bolt"]})
    error = await refusal(curious.session("acme", "ada"))
    claim("bolt's keys on acme's session", error, UnknownKeyError)

    await copy_rows(engine, "acme/ada", "bolt/ada")
    error = await refusal(tenants.session("bolt", "ada"))
    claim("acme's row, moved into bolt's session", error, UnknownKeyError)

    mistaken = Tenants(engine, {"acme": keys["acme"], "corp": keys["acme"]})
    await mistaken.session("corp", "ada").add_items([{"role": "user", "content": "Hello."}])
    await copy_rows(engine, "acme/ada", "corp/ada")
    error = await refusal(mistaken.session("corp", "ada"))
    claim("acme's row, moved to a tenant with the same key", error, AuthenticationError)


async def main() -> None:
    """Run on a database file that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="strongroom-") as folder:
        engine = create_async_engine(f"sqlite+aiosqlite:///{Path(folder, 'tenants.db')}")
        try:
            await run(engine)
        finally:
            await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main())
