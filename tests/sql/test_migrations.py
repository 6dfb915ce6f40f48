"""Alembic, run for real, with the env.py that docs/migrations.md shows."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest
from agents.extensions.memory import SQLAlchemySession as TheirSession

from histories import n
from strongroom import Key, Keyring, Ledger

DOCS = Path(__file__).parents[2] / "docs" / "migrations.md"
TEMPLATE = """
from alembic import op
import sqlalchemy as sa
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade():
    ${upgrades}


def downgrade():
    ${downgrades}
"""
MAKE_STORE = "SessionStore.from_url(url)"

pytestmark = [
    pytest.mark.databases("sqlite-file", "postgresql", "mysql-aiomysql", "mysql-asyncmy"),
    pytest.mark.no_tables,
]


def env_py():
    (code,) = [
        block
        for block in re.findall(
            r"^```python\n(.*?)^```$", DOCS.read_text(), re.DOTALL | re.MULTILINE
        )
        if "context.configure" in block
    ]
    assert MAKE_STORE in code
    return code


class Alembic:
    """A folder with Alembic's files, and its command."""

    def __init__(self, database, folder, options, configure=""):
        self.folder = folder
        url = database.url.render_as_string(hide_password=False).replace("%", "%%")
        (folder / "migrations" / "versions").mkdir(parents=True)
        (folder / "alembic.ini").write_text(
            "[alembic]\nscript_location = migrations\npath_separator = os\n"
            f"sqlalchemy.url = {url}\n"
        )
        (folder / "migrations" / "script.py.mako").write_text(TEMPLATE)
        options = ", ".join(f"{name}={value}" for name, value in options.items())
        code = env_py().replace(MAKE_STORE, f"SessionStore.from_url(url, {options})")
        code = code.replace("store.metadata)", f"store.metadata{configure})")
        (folder / "migrations" / "env.py").write_text("from strongroom import *\n" + code)

    async def __call__(self, *words):
        """Run a command; returns its exit code and what it printed."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "alembic", *words),
            cwd=self.folder,
            env={**os.environ},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return process.returncode, output.decode()


def alembic_of(database, folder, configure="", **options):
    options = {"column_type": repr(database.column_type), **options}
    return Alembic(database, folder, options, configure)


async def test_autogenerate_finds_no_difference_after_create_tables(database, tmp_path):
    await database.store().create_tables()
    code, output = await alembic_of(database, tmp_path)("check")
    assert code == 0, output
    assert "No new upgrade operations detected" in output


async def test_nor_with_a_ledger_and_names_of_ones_own(database, tmp_path):
    names = {"sessions_table": "Odd sessions", "messages_table": "messages2"}
    ledger = Ledger(Keyring(Key.generate()))
    await database.store(ledger=ledger, **names).create_tables()
    options = {name: repr(value) for name, value in names.items()}
    options["ledger"] = "Ledger(Keyring(Key.generate()))"
    code, output = await alembic_of(database, tmp_path, **options)("check")
    assert code == 0, output


@pytest.mark.databases("postgresql")
async def test_nor_in_a_schema(database, tmp_path):
    await database.execute("DROP SCHEMA IF EXISTS memory CASCADE")
    await database.execute("CREATE SCHEMA memory")
    await database.store(schema="memory").create_tables()
    alembic = alembic_of(
        database,
        tmp_path,
        configure=", include_schemas=True, "
        "include_name=lambda name, kind, parents: kind != 'schema' or name == 'memory'",
        schema="'memory'",
    )
    code, output = await alembic("check")
    assert code == 0, output


@pytest.mark.slow
async def test_a_generated_migration_makes_tables_that_work(database, tmp_path):
    alembic = alembic_of(database, tmp_path)
    code, output = await alembic("revision", "--autogenerate", "-m", "first")
    assert code == 0, output
    for command in (("upgrade", "head"), ("check",)):
        code, output = await alembic(*command)
        assert code == 0, output
    session = database.session(create_tables=False)
    await session.add_items(n(1, 2, 3))
    popped = [row_id for row_id, _ in await database.rows()][-1]
    assert await session.pop_item() == {"n": 3}
    await session.add_items(n(4))
    assert (await database.rows())[-1][0] > popped
    assert await session.get_items() == n(1, 2, 4)
    assert await database.store(create_tables=False, engine=database.engine()).upgrade() is False


@pytest.mark.databases("sqlite-file", "postgresql", column_types=("text",))
async def test_a_difference_is_found(database, tmp_path):
    """Show that the tests above can fail."""
    theirs = TheirSession("s", engine=database.shared, create_tables=True)
    await theirs.add_items(n(1))
    code, output = await alembic_of(database, tmp_path)("check")
    assert code != 0
    assert "idx_agent_messages_session_id" in output
