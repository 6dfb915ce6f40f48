"""``upgrade``: add what tables of openai-agents lack."""

from __future__ import annotations

from strongroom.cli.console import say
from strongroom.cli.open_store import open_store, run_async
from strongroom.cli.options import OutputOptions, TableOptions
from strongroom.cli.progress import waiting


def upgrade(output: OutputOptions, *, where: TableOptions) -> None:
    r"""Add the index that tables of openai-agents lack. No key is needed.

    Reading the latest items of a long session is slow without it. On PostgreSQL and MySQL writers
    go on meanwhile; on SQLite they wait.

    \b
    Examples:
      strongroom upgrade
    """
    added = run_async(_upgrade, where)
    say("Added the index on (session_id, id)." if added else "Nothing to do: the index is there.")


async def _upgrade(where: TableOptions) -> bool:
    async with open_store(where) as store:
        with waiting("building the index"):
            return await store.upgrade()
