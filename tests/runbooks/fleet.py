"""Workers as processes, rolled from one configuration to the next."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

import strongroom

WORKER = Path(__file__).with_name("worker.py")
ROUNDS = 4
PRELUDE = f"""
set -euo pipefail
strongroom() {{ '{sys.executable}' -m strongroom.cli "$@"; }}
python() {{ '{sys.executable}' "$@"; }}
[ -f .variables ] && . ./.variables
"""
EPILOGUE = "\ndeclare -p OLD NEW > .variables 2>/dev/null || true\n"


@dataclass
class Worker:
    """A running worker."""

    name: str
    process: asyncio.subprocess.Process

    async def rounds(self, count: int = ROUNDS) -> None:
        """Wait until it has done some more work."""
        for _ in range(count):
            if not await self.process.stdout.readline():
                await self.fail()

    async def stop(self) -> dict[str, list]:
        """Let it end, and return what it knows to be stored."""
        out, err = await self.process.communicate(b"stop\n")
        assert self.process.returncode == 0, f"{self.name}: {err.decode()}"
        return json.loads(out.splitlines()[-1])

    async def fail(self) -> None:
        """Say why it ended."""
        _, err = await self.process.communicate()
        raise AssertionError(f"{self.name} ended by itself: {err.decode()}")


@dataclass
class Fleet:
    """All workers of an application, and what they know to be stored."""

    folder: Path
    url: str
    environment: dict[str, str] = field(default_factory=dict)
    size: int = 2
    config: str = ""
    ordered: bool = True
    stored: dict[str, list] = field(default_factory=dict)
    workers: list[Worker] = field(default_factory=list)
    started: int = 0

    @property
    def env(self) -> dict[str, str]:
        """Return the environment of workers and commands."""
        source = str(Path(strongroom.__file__).parents[1])
        known = {k: v for k, v in os.environ.items() if not k.startswith("STRONGROOM_")}
        return known | {"PYTHONPATH": source, "STRONGROOM_URL": self.url} | self.environment

    async def start(self) -> Worker:
        """Start one worker with the present configuration, and wait until it works."""
        self.started += 1
        name = f"w{self.started}"
        config = self.folder / f"{name}.py"
        config.write_text(self.config)
        task = {"name": name, "url": self.url, "config": str(config), "ordered": self.ordered}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(WORKER),
            json.dumps(task),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.folder,
            env=self.env,
            limit=2**24,
        )
        worker = Worker(name, process)
        self.workers.append(worker)
        await worker.rounds(2)
        return worker

    async def stop(self, worker: Worker) -> None:
        """Stop one worker, and keep what it knows."""
        self.workers.remove(worker)
        for session_id, items in (await worker.stop()).items():
            self.stored.setdefault(session_id, []).extend(items)

    async def start_all(self) -> None:
        """Start every worker."""
        for _ in range(self.size):
            await self.start()

    async def stop_all(self) -> None:
        """Stop every worker."""
        for worker in list(self.workers):
            await self.stop(worker)

    async def roll_out(self) -> None:
        """Replace the workers one by one; old and new ones work beside each other."""
        if not self.workers:
            await self.start_all()
            return
        for old in list(self.workers):
            await self.start()
            await asyncio.gather(*(worker.rounds() for worker in self.workers))
            await self.stop(old)
        await self.all_work()

    async def all_work(self) -> None:
        """Wait until each worker has done some more work."""
        await asyncio.gather(*(worker.rounds() for worker in self.workers))

    async def shell(self, code: str) -> str:
        """Run commands of the docs, and return what they print."""
        process = await asyncio.create_subprocess_exec(
            "bash",
            "-c",
            PRELUDE + code + EPILOGUE,
            cwd=self.folder,
            env=self.env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode == 0, f"{code}\n{out.decode()}\n{err.decode()}"
        return out.decode()

    async def __aenter__(self) -> Fleet:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """End what still runs after a failure."""
        for worker in self.workers:
            if worker.process.returncode is None:
                worker.process.kill()
            await worker.process.communicate()
