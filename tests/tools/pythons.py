"""Print an interpreter for each Python version that the classifiers of pyproject.toml name.

    $ python tests/tools/pythons.py
    3.11 /usr/bin/python3.11
    3.12 /home/ada/.pyenv/versions/3.12.1/bin/python

It looks for pythonX.Y on the PATH and for the versions that pyenv has installed. It fails when a
version has no interpreter that works.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
CLASSIFIER = re.compile(r"Programming Language :: Python :: (3\.\d+)")
PROBE = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2], sys.executable)"


def claimed(pyproject: Path = PYPROJECT) -> list[str]:
    """Return the versions of the classifiers, such as "3.11", in their order."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    matches = map(CLASSIFIER.fullmatch, project["classifiers"])
    return [match[1] for match in matches if match]


def find(version: str, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the path of an interpreter of this version that can make a venv, or None."""
    for path in (*_on_path(version, environ), *_in_pyenv(version, environ)):
        # Try it: the shims of pyenv exist for versions that are not chosen, and fail.
        found = _output([str(path), "-I", "-c", PROBE], environ) or ""
        if found.startswith(f"{version} "):
            return Path(found.removeprefix(f"{version} "))
    return None


def _on_path(version: str, environ: Mapping[str, str]) -> Iterator[Path]:
    for name in (f"python{version}", "python3"):
        for folder in environ.get("PATH", "").split(os.pathsep):
            if found := shutil.which(name, path=folder):
                yield Path(found)


def _in_pyenv(version: str, environ: Mapping[str, str]) -> Iterator[Path]:
    roots = [environ.get("PYENV_ROOT")]
    if pyenv := shutil.which("pyenv", path=environ.get("PATH", "")):
        roots.append(_output([pyenv, "root"], environ))
    if home := environ.get("HOME"):
        roots.append(f"{home}/.pyenv")
    for root in filter(None, roots):
        folders = Path(root, "versions").glob(f"{version}.*")
        releases = [folder for folder in folders if folder.name.rpartition(".")[2].isdigit()]
        releases.sort(key=lambda folder: int(folder.name.rpartition(".")[2]), reverse=True)
        yield from (folder / "bin" / "python" for folder in releases)


def _output(command: list[str], environ: Mapping[str, str]) -> str | None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=60, env=dict(environ)
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def main() -> None:
    """Print the interpreters, or say which are missing."""
    interpreters = {version: find(version) for version in claimed()}
    if missing := [version for version, path in interpreters.items() if path is None]:
        raise SystemExit(
            f"There is no Python {', '.join(missing)} here, and the classifiers of pyproject.toml "
            f"name it: put python{missing[0]} on the PATH, or install it with pyenv."
        )
    for version, path in interpreters.items():
        print(version, path)


if __name__ == "__main__":
    main()
