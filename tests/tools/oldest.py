"""Print the oldest supported version of each dependency, as constraints for pip.

    python tests/tools/oldest.py > oldest.txt
    pip install --constraint oldest.txt .

They are the minima that pyproject.toml states for running strongroom. What only its development
needs is left as it is.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
EXTRAS = ("postgresql", "mysql", "zstd", "cli")

REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(\[[\w,.-]+\])?(?P<versions>[<>=!~\w.,]+)")
MINIMUM = re.compile(r">=([\w.]+)")


def oldest(requirement: str) -> str:
    """Return the constraint of a requirement: without its extras, which constraints cannot have."""
    match = REQUIREMENT.fullmatch(requirement)
    if match is None:
        raise SystemExit(f"{requirement!r} has no versions: write name>=version.")
    minimum = MINIMUM.search(match["versions"])
    return match["name"] + (f"=={minimum[1]}" if minimum else match["versions"])


def main() -> None:
    """Read pyproject.toml and print."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    requirements = list(project["dependencies"])
    for extra in EXTRAS:
        requirements += project["optional-dependencies"][extra]
    for requirement in requirements:
        print(oldest(requirement))


if __name__ == "__main__":
    main()
