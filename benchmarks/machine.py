"""Where and with what a run was made."""

from __future__ import annotations

import datetime
import os
import platform
import sqlite3
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from servers import Site

PACKAGES = (
    "strongroom",
    "openai-agents",
    "SQLAlchemy",
    "aiosqlite",
    "asyncpg",
    "aiomysql",
    "orjson",
    "msgpack",
    "zstandard",
    "cryptography",
)


def describe() -> dict[str, Any]:
    """Return the machine, the versions and the date."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory": _memory(),
        "system": f"{platform.system()} {platform.release()}, {_distribution()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "data": f"{tempfile.gettempdir()}, {_filesystem(Path(tempfile.gettempdir()).resolve())}",
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "packages": {name: _version(name) for name in PACKAGES},
    }


async def server_version(site: Site) -> str:
    """Return what the database calls itself."""
    if isinstance(site.admin, Path):
        return f"SQLite {sqlite3.sqlite_version}"
    engine = create_async_engine(site.admin, poolclass=NullPool)
    async with engine.connect() as conn:
        answer = str((await conn.execute(text("SELECT version()"))).scalar())
    await engine.dispose()
    return " ".join(answer.split()[:2]) if "PostgreSQL" in answer else f"MariaDB {answer}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "from the source tree" if name == "strongroom" else "not installed"


def _cpu() -> str:
    return _find("/proc/cpuinfo", "model name") or platform.processor() or platform.machine()


def _memory() -> str:
    kilobytes = (_find("/proc/meminfo", "MemTotal") or "0").split()[0]
    return f"{int(kilobytes) / 1024**2:.0f} GiB" if kilobytes != "0" else "unknown"


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.platform()


def _find(path: str, key: str) -> str | None:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), None)


def _filesystem(path: Path) -> str:
    """Return the type of the file system that a path lies on."""
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return "file system unknown"
    own = [(len(m[1]), m[2]) for m in mounts if path == Path(m[1]) or Path(m[1]) in path.parents]
    return max(own, default=(0, "file system unknown"))[1]
