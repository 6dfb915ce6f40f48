"""What the Markdown files tell users to run can be run.

Python blocks are executed, each in an empty folder with a key file named ``keys``; the blocks of a
file share their names, in order, and may use ``await`` outside functions. A model that a block asks
answers "Hello." by script. Of shell blocks, the commands that begin with ``make`` or ``strongroom``
have to exist, and the extras that ``pip install`` lines name. The README's blocks that use
``strongroom`` are run as they stand. A block that cannot be run has a line above it that says why:
``<!-- test: skip because it needs a server -->``.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import json
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from agents import set_tracing_disabled
from agents.extensions.memory import SQLAlchemySession as TheirSession
from agents.models.multi_provider import MultiProvider
from agents.testing import ScriptedModel, assistant_message
from sqlalchemy.ext.asyncio import create_async_engine

from strongroom import Key, Keyring, SessionStore

ROOT = Path(__file__).parents[1]
FILES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

FENCE = re.compile(
    r"^(?:<!-- test: skip(?P<because> because .+?)? -->\n+)?"
    r"^```(?P<language>\w+)[^\n]*\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a Markdown file."""

    file: Path
    line: int
    language: str
    code: str


def blocks(file: Path, *languages: str) -> list[Block]:
    """Return the blocks of a file that are not marked as skipped."""
    text = file.read_text(encoding="utf-8")
    return [
        Block(file, text.count("\n", 0, match.start("code")) + 1, match["language"], match["code"])
        for match in FENCE.finditer(text)
        if match["language"] in languages and match["because"] is None
    ]


def commands(file: Path) -> Iterator[str]:
    """Yield the commands of a file's shell blocks; of a console, those behind the prompt."""
    for block in blocks(file, "bash", "sh", "shell", "console"):
        for line in block.code.replace("\\\n", " ").splitlines():
            if block.language != "console":
                yield line.strip()
            elif line.startswith("$ "):
                yield line.removeprefix("$ ").strip()


def execute(block: Block, namespace: dict[str, Any]) -> None:
    """Run a block; line numbers in tracebacks are those of its file."""
    code = compile(
        "\n" * (block.line - 1) + block.code,
        str(block.file),
        "exec",
        flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
    )
    result = eval(code, namespace)
    if inspect.iscoroutine(result):
        asyncio.run(result)


@pytest.fixture
def _scripted_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def get_model(self: object, model_name: str | None) -> ScriptedModel:
        return ScriptedModel([[assistant_message("Hello.")]])

    set_tracing_disabled(True)
    monkeypatch.setattr(MultiProvider, "get_model", get_model)


def write_keys(folder: Path) -> None:
    keys = folder / "keys"
    keys.touch(mode=0o600)
    keys.write_text(Key.generate().to_base64() + "\n")


@pytest.mark.usefixtures("_scripted_model")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_python_blocks_run(file: Path, tmp_path: Path) -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(file, "python"):
        folder = tmp_path / str(block.line)
        folder.mkdir()
        write_keys(folder)
        with contextlib.chdir(folder):
            execute(block, namespace)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_shell_commands_exist(file: Path) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    known = set(extras["optional-dependencies"])
    for command in commands(file):
        words = shlex.split(command, comments=True)
        if words[:1] == ["make"]:
            checked = subprocess.run(
                ["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False
            )
            assert checked.returncode == 0, f"{command}: {checked.stderr}"
        elif words[:1] == ["strongroom"]:
            assert_subcommand(*words[1:2])
        elif words[:2] == ["pip", "install"]:
            named = set(re.findall(r"[\w-]+", "".join(re.findall(r"\[(.*?)\]", command))))
            assert named <= known, command


@cache
def assert_subcommand(*words: str) -> None:
    program = shutil.which("strongroom", path=f"{Path(sys.executable).parent}{os.pathsep}")
    assert program, "there is no command strongroom"
    checked = subprocess.run([program, *words, "--help"], capture_output=True, check=False)
    assert checked.returncode == 0, shlex.join(words)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_a_skipped_block_gives_its_reason(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    marks = re.findall(r"^<!-- test: skip.*$", text, re.MULTILINE)
    reasons = [match["because"] for match in FENCE.finditer(text) if match["because"]]
    assert len(marks) == len(reasons), "a mark without a reason, or without a block below it"


def test_the_readme_says_how_to_run_the_demo_and_the_tests() -> None:
    assert {"make demo", "make test", "pip install ."} <= set(commands(ROOT / "README.md"))


ITEMS: Any = [{"role": "user", "content": f"Grüße {n}"} for n in range(3)]
OLD, NEW = Key.generate(), Key.generate()


@pytest.fixture
def rotating(tmp_path: Path) -> SessionStore:
    """Return a store in the README's file, its rows under the old of the two keys of ``keys``."""
    keys = tmp_path / "keys"
    keys.touch(mode=0o600)
    keys.write_text(f"{NEW.to_base64()}\n{OLD.to_base64()}\n")
    store = SessionStore.from_url(
        f"sqlite+aiosqlite:///{tmp_path / 'memory.db'}",
        create_tables=True,
        codec="orjson+aesgcm",
        keys=Keyring(OLD),
    )

    async def write() -> None:
        async with store:
            await store.session("user-123").add_items(ITEMS)

    asyncio.run(write())
    return store


def run_script(part: str, folder: Path) -> str:
    """Run the README's block that holds a text, and answer its questions; return what it prints."""
    (block,) = (block for block in blocks(ROOT / "README.md", "bash") if part in block.code)
    env = {name: value for name, value in os.environ.items() if not name.startswith("STRONGROOM_")}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    leader, follower = pty.openpty()  # commands ask only where somebody can answer
    try:
        os.write(leader, b"y\n")
        done = subprocess.run(
            ["bash", "-e", "-u", "-o", "pipefail", "-c", block.code],
            cwd=folder,
            env=env,
            stdin=follower,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        os.close(leader)
        os.close(follower)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_readmes_rotation_leaves_no_row_and_no_key_behind(
    rotating: SessionStore, tmp_path: Path
) -> None:
    async def keys_of_rows() -> dict[str, int]:
        async with rotating:
            return dict((await rotating.stats()).key_ids)

    run_script("--drop", tmp_path)
    assert [key.id for key in Keyring.from_file(tmp_path / "keys")] == [NEW.id]
    assert asyncio.run(keys_of_rows()) == {NEW.id: len(ITEMS)}


def test_the_readmes_look_at_a_store_shows_the_conversation(
    rotating: SessionStore, tmp_path: Path
) -> None:
    assert "Grüße 2" in run_script("strongroom show", tmp_path)


def test_the_readmes_way_back_leaves_rows_that_openai_agents_reads(
    rotating: SessionStore, tmp_path: Path
) -> None:
    async def read() -> tuple[Any, list[str]]:
        engine = create_async_engine(rotating.engine.url)
        try:
            async with engine.connect() as connection:
                query = "SELECT message_data FROM agent_messages ORDER BY id"
                stored = list((await connection.exec_driver_sql(query)).scalars())
            return await TheirSession("user-123", engine=engine).get_items(), stored
        finally:
            await engine.dispose()

    run_script("--codec json", tmp_path)
    theirs, stored = asyncio.run(read())
    assert theirs == ITEMS
    assert stored == [json.dumps(item, separators=(",", ":")) for item in ITEMS]
