"""Opening the store that the options describe."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from strongroom.cli.configuration import read_codec, read_ledger
from strongroom.cli.errors import CommandError
from strongroom.cli.options import CodecOptions, LedgerOptions, TableOptions
from strongroom.cli.redaction import keep_secret

if TYPE_CHECKING:
    from sqlalchemy import URL

    from strongroom import SessionStore
    from strongroom.core.unreadable import OnError

T = TypeVar("T")

_SECONDS_FOR_A_THREAD = 1.0


def run_async(work: Callable[..., Coroutine[Any, Any, T]], *arguments: Any) -> T:
    """Run a coroutine function in an event loop of its own."""
    import asyncio

    return asyncio.run(_outlive_threads(work(*arguments)))


async def _outlive_threads(work: Coroutine[Any, Any, T]) -> T:
    """Wait for the threads of a driver: one that outlives the event loop prints a traceback."""
    before = threading.enumerate()
    try:
        return await work
    finally:
        for thread in threading.enumerate():
            if thread not in before and not thread.name.startswith("asyncio_"):
                thread.join(_SECONDS_FOR_A_THREAD)


@asynccontextmanager
async def open_store(
    where: TableOptions, *, create: bool = False, writes: bool = False, on_error: OnError = None
) -> AsyncIterator[SessionStore]:
    """Open the store that the options describe; without codec options one that needs no key.

    A command that ``writes`` new rows has to be told its codec: the default would write plaintext.
    """
    from strongroom import SessionStore

    options: dict[str, Any] = {}
    if isinstance(where, CodecOptions):
        options = {
            "codec": read_codec(where, writes=writes),
            "namespace": where.namespace,
            "ledger": read_ledger(where),
        }
    elif isinstance(where, LedgerOptions):
        options = {"namespace": where.namespace, "ledger": read_ledger(where)}
    store = SessionStore.from_url(
        _url(where.url, create=create),
        engine_kwargs={"hide_parameters": True},
        create_tables=create,
        column_type=where.column_type.value,
        schema=where.schema,
        sessions_table=where.sessions_table,
        messages_table=where.messages_table,
        on_error=on_error,
        **options,
    )
    async with store:
        if create:
            await store.create_tables()  # also where nothing is written then
        yield store


def _url(text: str | None, *, create: bool) -> URL:
    """Return the URL; its password is never printed from now on."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    if not text:
        raise CommandError(
            "There is no database: pass --url, or set STRONGROOM_URL, such as "
            "sqlite+aiosqlite:///memory.db or postgresql+asyncpg://user@host/name."
        )
    keep_secret(text.partition("://")[2].rpartition("@")[0].partition(":")[2])
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # The error may hold a part of the password.
        url = None  # raised below, without that error behind it
    if url is None or not 0 <= (url.port or 0) < 2**16:
        raise CommandError(
            "The database URL cannot be parsed; one looks like "
            "postgresql+asyncpg://user:password@host:5432/name, and a password's own / @ : are "
            "written %2F %40 %3A."
        )
    keep_secret(str(url.password or ""))
    path = url.database or ""
    is_file = url.get_backend_name() == "sqlite" and path not in {"", ":memory:"}
    if is_file and not path.startswith("file:") and not create and not Path(path).exists():
        raise CommandError(f"There is no database file {path}: check the URL.")
    return url
