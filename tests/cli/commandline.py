"""The command line, in a folder with a key file."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import sys
import warnings
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest

import strongroom
from strongroom import Key, Keyring, SessionStore
from strongroom.cli import main

with warnings.catch_warnings():  # older typer imports names that today's click deprecates
    warnings.simplefilter("ignore")
    import typer  # noqa: F401 - loaded here, so that no test meets that warning

PASSWORD = "p4ss-w0rd!/@"
ITEMS = [
    {"role": "user", "content": "My train leaves at nine."},
    {
        "type": "function_call",
        "name": "get_weather",
        "call_id": "call_1",
        "arguments": '{"city": "Paris"}',
    },
    {"type": "function_call_output", "call_id": "call_1", "output": "sun\n" * 400},
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "It is sunny."}]},
    {"role": "assistant", "content": [{"type": "output_text", "text": "Take no umbrella."}]},
]
SEALED = ("--codec", "orjson+aesgcm", "--key-file", "keys")


class Done(NamedTuple):
    """The output of a command."""

    stdout: str
    stderr: str


class CommandLine:
    """Runs ``strongroom`` in a folder, its output captured as a pipe does."""

    def __init__(self, folder: Path, url: str = "") -> None:
        self.folder = folder
        self.url = url or f"sqlite+aiosqlite:///{folder / 'memory.db'}"
        self.key = Key.generate()
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("STRONGROOM_")}
        self.env["PYTHONPATH"] = str(Path(strongroom.__file__).parents[1])
        self.env["STRONGROOM_URL"] = self.url
        keys = folder / "keys"
        keys.touch(mode=0o600)
        keys.write_text(self.key.to_base64() + "\n")

    def __call__(self, *arguments: str, code: int = 0, stdin: str | None = None, **env: str):
        """Run a command, and check its exit code and that its output is safe."""
        out, err = io.StringIO(), io.StringIO()
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            for name in list(os.environ):
                patch.delenv(name) if name not in self.env else None
            for name, value in (self.env | env).items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", io.StringIO(stdin or ""))
            returned = main(arguments)
        done = Done(out.getvalue(), err.getvalue())
        said = done.stdout + done.stderr
        assert returned == code, said
        assert not [c for c in said if c != "\n" and not c.isprintable()], repr(said)
        assert self.key.to_base64().rstrip("=") not in said
        assert PASSWORD not in said
        assert quote(PASSWORD, safe="") not in said
        if "--debug" not in arguments:
            assert "Traceback" not in said, said
            if code not in {0, 1}:
                assert 1 <= len(done.stderr.strip().splitlines()) <= 2, done.stderr
        return done

    def store(self, **options) -> SessionStore:
        """Open the store, encrypted."""
        sealed = {"codec": "orjson+aesgcm", "keys": Keyring(self.key)}
        return SessionStore.from_url(self.url, create_tables=True, **(sealed | options))

    def add(self, session_id: str, items: list, **options) -> None:
        """Add items to a session."""

        async def add() -> None:
            async with self.store(**options) as store:
                await store.session(session_id).add_items(items)

        asyncio.run(add())
