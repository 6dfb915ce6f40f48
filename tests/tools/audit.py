"""Ask an advisory database about the packages that are installed in folders of site-packages.

    python tests/tools/audit.py SITE_PACKAGES …

Needs pip-audit. Fails for a known vulnerability of a package that strongroom requires, also for an
extra that users install, and reports those of contributors' tools. Where no advisory database
answers, it says so and passes: nothing was checked then.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))[
    "project"
]
TOOLS = {"dev", "docs", "coverage"}
"""Extras that only a contributor installs."""


def required() -> set[str]:
    """Return the names of the packages that users of strongroom install."""
    lines = list(PROJECT["dependencies"])
    for extra, requirements in PROJECT["optional-dependencies"].items():
        if extra not in TOOLS:
            lines += requirements
    names = [re.match(r"[\w.-]+", line) for line in lines]
    return {re.sub(r"[-_.]+", "-", name[0]).lower() for name in names if name}


def audit(site: str) -> list[dict[str, Any]]:
    """Return pip-audit's word on each package in a folder."""
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"]
    result = subprocess.run(
        [*command, "--path", site], capture_output=True, text=True, timeout=300, check=False
    )
    if not result.stdout.strip():
        print(result.stderr.strip().splitlines()[-1:] or "pip-audit printed nothing")
        return []
    packages: list[dict[str, Any]] = json.loads(result.stdout)["dependencies"]
    return packages


def problems(packages: list[dict[str, Any]], names: set[str]) -> tuple[int, list[str], list[str]]:
    """Return how many packages were looked up, and the advisories for ours and for others."""
    ours: list[str] = []
    others: list[str] = []
    for package in packages:
        for advisory in package.get("vulns", []):
            fixed = ", ".join(advisory.get("fix_versions", [])) or "no version"
            line = f"{package['name']} {package['version']}: {advisory['id']}, fixed in {fixed}"
            (ours if package["name"].lower() in names else others).append(line)
    looked_up = sum("skip_reason" not in package for package in packages)
    return looked_up, ours, others


def main(sites: list[str]) -> int:
    """Audit each folder; returns the exit code."""
    failed = False
    for site in sites:
        packages = audit(site)
        looked_up, ours, others = problems(packages, required())
        if not looked_up:
            print("No advisory database can be reached from here: no package was checked.")
            continue
        print(f"{looked_up} of {len(packages)} packages looked up in an advisory database.")
        for line in ours:
            print(f"  a package that strongroom requires: {line}")
        for line in others:
            print(f"  a tool: {line}")
        failed = failed or bool(ours)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
