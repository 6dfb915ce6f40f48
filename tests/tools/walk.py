"""Count the functions of strongroom that an item passes on its way, per operation.

For each operation: distinct functions, the files that they are in, and the crossings: calls from a
function of strongroom in one file to one in another, libraries between them passed over. The
count is of a warm session, whose tables have been looked at. Run it as

    python tests/tools/walk.py [--list] [DATABASE_URL …]

``--list`` prints the way itself, file by file.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any
from uuid import uuid4

import strongroom
from strongroom import Key, Keyring, Ledger, SessionStore

PACKAGE = str(Path(strongroom.__file__).parent)

_INLINED = {"<listcomp>", "<dictcomp>", "<setcomp>"}
"""Functions of their own up to Python 3.11 only."""


class Walk:
    """The functions of strongroom that were called while it was on."""

    def __init__(self) -> None:
        self.functions: list[CodeType] = []
        self._frames: list[FrameType] = []
        self.crossings = 0

    def __enter__(self) -> Walk:
        sys.setprofile(self._note)
        return self

    def __exit__(self, *exc_info: object) -> None:
        sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(PACKAGE):
            return
        # A coroutine's frame comes again each time that it goes on.
        if code.co_name in _INLINED or any(frame is known for known in self._frames):
            return
        self._frames.append(frame)
        self.functions.append(code)
        caller = frame.f_back
        while caller is not None and not caller.f_code.co_filename.startswith(PACKAGE):
            caller = caller.f_back
        self.crossings += caller is None or caller.f_code.co_filename != code.co_filename

    def figures(self) -> str:
        """Return functions, files and crossings."""
        files = {code.co_filename for code in self.functions}
        return f"{len(set(self.functions)):3} /{len(files):3} /{self.crossings:4}"


async def walks(url: str, *, ledger: bool) -> dict[str, Walk]:
    """Return the walks of an append of 2, a read of 3 and a pop."""
    options: dict[str, Any] = {"codec": "orjson+aesgcm", "keys": Keyring(Key.generate())}
    if ledger:
        options["ledger"] = Ledger(Keyring(Key.generate()))
    found = {}
    async with SessionStore.from_url(
        url,
        create_tables=True,
        sessions_table="walk_sessions",
        messages_table="walk_messages" if not ledger else "walk_linked",
        **options,
    ) as store:
        session = store.session(f"walk {uuid4()}")
        await session.clear_session()
        for _ in range(2):
            await session.add_items([{"n": 1}, {"n": 2}])
            await session.pop_item()
            await session.get_items()
        operations: dict[str, Callable[[], Awaitable[object]]] = {
            "append of 2": lambda: session.add_items([{"n": 1}, {"n": 2}]),
            "read of 3": lambda: session.get_items(3),
            "pop": session.pop_item,
        }
        for name, operation in operations.items():
            with Walk() as walk:
                await operation()
            found[name] = walk
    return found


def main() -> None:
    """Print a line for each operation."""
    parser = argparse.ArgumentParser(description="Count the functions on an item's way.")
    parser.add_argument("--list", action="store_true", help="print the way itself")
    parser.add_argument("urls", nargs="*", metavar="DATABASE_URL")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        urls = arguments.urls or [f"sqlite+aiosqlite:///{folder}/walk.db"]
        print("functions / files / crossings")
        for url in urls:
            for ledger in (False, True):
                for name, walk in asyncio.run(walks(url, ledger=ledger)).items():
                    kind = url.partition(":")[0] + (", ledger" if ledger else "")
                    print(f"{walk.figures()}  {name}, {kind}")
                    if arguments.list:
                        for code in walk.functions:
                            file = Path(code.co_filename).relative_to(PACKAGE)
                            print(f"      {file}: {code.co_qualname}")


if __name__ == "__main__":
    main()
