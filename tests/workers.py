"""Processes that work at the same time: the tests start them, and these serve what they are told.

A script calls ``serve(work)``; each line that the test sends is a task for ``work``, and each
answer a line of JSON. What ``work`` raises is sent back, and fails the test.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent
_LINE = 1 << 26


@dataclass
class Workers:
    """Processes that wait for tasks."""

    processes: list[asyncio.subprocess.Process]

    async def run(self, tasks: Iterable[Any]) -> list[Any]:
        """Give each process its task, all at once, and return their answers."""
        lines = [json.dumps(task).encode() + b"\n" for task in tasks]
        for process, line in zip(self.processes, lines, strict=True):
            process.stdin.write(line)
        return await asyncio.gather(*map(self._answer, self.processes))

    async def _answer(self, process: asyncio.subprocess.Process) -> Any:
        line = await process.stdout.readline()
        assert line, f"a process ended with {await process.wait()}"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["result"]


@contextlib.asynccontextmanager
async def workers(script: Path, count: int) -> AsyncIterator[Workers]:
    """Start processes of a script and wait until they are ready."""
    path = os.pathsep.join(filter(None, (str(TESTS), os.environ.get("PYTHONPATH"))))
    pipe = asyncio.subprocess.PIPE
    started = Workers([])
    try:
        for _ in range(count):
            started.processes.append(
                await asyncio.create_subprocess_exec(
                    sys.executable,
                    str(script),
                    stdin=pipe,
                    stdout=pipe,
                    env={**os.environ, "PYTHONPATH": path},
                    limit=_LINE,
                )
            )
        for process in started.processes:
            assert await process.stdout.readline() == b"ready\n"
        yield started
    finally:
        for process in started.processes:
            process.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(20):
                await asyncio.gather(*(process.wait() for process in started.processes))
        for process in started.processes:
            if process.returncode is None:
                process.kill()
                await process.wait()


def serve(work: Callable[[Any], Awaitable[Any]]) -> None:
    """Do what the test tells, until it closes the pipe."""
    asyncio.run(_serve(work))


async def _serve(work: Callable[[Any], Awaitable[Any]]) -> None:
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        try:
            answer = {"result": await work(json.loads(line))}
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), flush=True)
