"""The help teaches with examples, on a terminal of 80 columns."""

from __future__ import annotations

import inspect
import shutil
import subprocess
import sys


def test_help_teaches_with_examples_and_loads_little():
    assert shutil.which("bash")
    from strongroom.cli.app import COMMANDS
    from strongroom.cli.run import run

    for command in COMMANDS:
        assert "Examples:" in (command.__doc__ or ""), command.__name__
        assert run([command.__name__.rstrip("_"), "--help"]) == 0
    program = (
        "import sys; from strongroom.cli import main; main(['recode', '--help'])\n"
        "sys.exit(any(n in {'cryptography', 'rich.progress', 'sqlalchemy'} "
        "or n.startswith('strongroom.maintenance') for n in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == 0


def test_examples_of_the_help_fit_a_terminal_of_80_columns(strongroom_):
    from strongroom.cli.app import COMMANDS, LEDGER_COMMANDS

    named = [(command.__name__.rstrip("_"),) for command in COMMANDS]
    named += [("ledger", command.__name__) for command in LEDGER_COMMANDS]
    for command, words in zip((*COMMANDS, *LEDGER_COMMANDS), named, strict=True):
        printed = strongroom_(*words, "--help", COLUMNS="80").stdout.splitlines()
        assert max(map(len, printed)) <= 80
        examples = inspect.cleandoc(command.__doc__ or "").partition("Examples:\n")[2]
        for line in examples.splitlines():
            assert f"  {line}" in printed, words


def test_usage_has_one_pair_of_brackets_at_most_around_an_argument(strongroom_):
    for command in ("export", "inspect", "delete"):
        usage = strongroom_(command, "--help", COLUMNS="80").stdout.splitlines()[0]
        assert "SESSION" in usage
        assert "[[" not in usage
