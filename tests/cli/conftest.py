"""A folder with a store and a key file, and a command line to try on them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from commandline import ITEMS, CommandLine

from databases import Database


@pytest.fixture
def strongroom_(tmp_path: Path) -> CommandLine:
    """Return the command line, and a folder with nothing but a key file."""
    return CommandLine(tmp_path)


@pytest.fixture
def filled(strongroom_: CommandLine) -> CommandLine:
    """Return the command line, and a store with two sealed sessions."""
    return _fill(strongroom_)


@pytest.fixture
def served(database: Database, tmp_path: Path) -> CommandLine:
    """Return the same on each database that the test's marker names."""
    return _fill(CommandLine(tmp_path, database.url.render_as_string(hide_password=False)))


def _fill(strongroom_: CommandLine) -> CommandLine:
    strongroom_.add("user-123", ITEMS)
    strongroom_.add("trial-1", ITEMS[:1])
    return strongroom_
