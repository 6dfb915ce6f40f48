"""Run the benchmarks and write the report: ``make bench``, ``bench-quick``, ``bench-compare``.

A run is saved as JSON under ``.benchmarks/``; a full one also writes ``docs/benchmarks.md`` and its
plots. ``--only`` runs some parts, ``--report FILE`` writes the report of a saved run again, and
``--compare [FILE]`` runs what a saved run ran and shows both beside each other.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, strftime
from typing import Any

import all_codecs
import limits
import machine
import network
import prose
import readme
import report
import servers
import sidebyside
import terminal
import upkeep
from servers import Site, database_servers

ROOT = Path(__file__).parents[1]
SAVED = ROOT / ".benchmarks"


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    codec_rounds: int
    rounds: int
    network: network.Effort
    stall_bytes: int
    rows: int
    sessions: int
    scale_rounds: int
    ledger_rounds: int
    upkeep_rows: int


FULL = Effort(9, 200, network.Effort(), limits.STALL_BYTES, 1_000_000, 100_000, 200, 60, 50_000)
QUICK = Effort(
    1, 16, network.Effort((1, 8), 2, 0.1), limits.STALL_BYTES // 10, 20_000, 1000, 20, 8, 2000
)
PARTS = ("codecs", "sidebyside", "network", "stalls", "scale", "ledger", "maintenance")


def main() -> None:
    options = _parse()
    if options.report:
        run = json.loads(options.report.read_text())
    else:
        before = _saved(options.compare) if options.compare else None
        quick = options.quick or bool(before and before["quick"])
        only = options.only.split(",") if options.only else before["only"] if before else PARTS
        run = _run(QUICK if quick else FULL, only, quick=quick)
        _save(run)
        if before is not None:
            print(terminal.comparison(before, run))
            return
    print(terminal.summary(run))
    if options.report or (not run["quick"] and set(run["only"]) == set(PARTS)):
        written = report.write(run, ROOT / "docs")
        readme.write(run, ROOT / "README.md")
        print("Written:", ", ".join(str(path.relative_to(ROOT)) for path in written))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a minute, no report")
    parser.add_argument("--only", help=f"parts, comma-separated: {','.join(PARTS)}")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write its report again")
    parser.add_argument(
        "--compare",
        nargs="?",
        type=Path,
        metavar="FILE",
        const=SAVED / "latest.json",
        help="run the same as a saved run, and compare",
    )
    return parser.parse_args()


def _saved(path: Path) -> dict[str, Any]:
    if not path.is_file():
        sys.exit(f"There is no saved run {path}: `make bench` or `make bench-quick` makes one.")
    saved: dict[str, Any] = json.loads(path.read_text())
    return saved


def _save(run: dict[str, Any]) -> None:
    SAVED.mkdir(exist_ok=True)
    (SAVED / ".gitignore").write_text("*\n")
    text = json.dumps(run, indent=1)
    for name in (f"{strftime('%Y%m%d-%H%M%S')}.json", "latest.json"):
        (SAVED / name).write_text(text)


def _run(effort: Effort, only: Any, *, quick: bool) -> dict[str, Any]:
    begin = perf_counter()
    run: dict[str, Any] = {
        "quick": quick,
        "only": list(only),
        "machine": machine.describe(),
        "stall_bytes": effort.stall_bytes,
        "upkeep_rows": effort.upkeep_rows,
        "settings": dict(servers.SETTINGS),
        "versions": {},
        "skipped": {},
        "prose": prose.comparison(),
    }
    if "codecs" in only:
        _say("codecs")
        run["codecs"] = all_codecs.measure(effort.codec_rounds)
    for name in servers.DATABASES:
        try:
            with servers.site(name) as site:
                run["versions"][name] = asyncio.run(machine.server_version(site))
                for part, measure in _parts(site, effort).items():
                    if part in only:
                        _say(f"{part} on {name}")
                        run.setdefault(part, {})[name] = asyncio.run(measure())
        except database_servers.MissingDatabaseError as error:
            run["skipped"][name] = str(error)
    run["seconds"] = perf_counter() - begin
    return run


def _parts(site: Site, effort: Effort) -> dict[str, Callable[[], Any]]:
    """Return what is measured on a database, in order."""
    parts: dict[str, Callable[[], Any]] = {
        "sidebyside": lambda: sidebyside.compare(site, effort.rounds)
    }
    if site.name == "PostgreSQL":
        parts["network"] = lambda: network.measure(site, effort.network)
    if site.name != "MariaDB":
        parts["stalls"] = lambda: limits.stalls(site, effort.stall_bytes)
        parts["scale"] = lambda: limits.scale(
            site, effort.rows, effort.sessions, effort.scale_rounds
        )
    parts["ledger"] = lambda: upkeep.ledger(site, effort.ledger_rounds)
    parts["maintenance"] = lambda: upkeep.throughput(site, effort.upkeep_rows)
    return parts


def _say(what: str) -> None:
    print(f"{strftime('%H:%M:%S')} {what} (load {os.getloadavg()[0]:.1f})", file=sys.stderr)


if __name__ == "__main__":
    main()
