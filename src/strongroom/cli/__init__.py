"""The command line: ``strongroom COMMAND``. It has no logic of its own.

Exit codes: 0 done, and nothing is wrong; 1 something is: rows that do not open, sessions that
differ, a session that is not there, an answer "no"; 2 the command line cannot be read; 3 what was
configured does not fit: no URL, no key, a missing table or package; 4 the database, the network or
the disk failed, and the same command may be run again; 70 an error that strongroom does not know;
130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; the console script passes it to the shell."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        import rich  # noqa: F401 - only to know that it is there
        import typer  # noqa: F401 - the same
    except ModuleNotFoundError:
        sys.stderr.write('The command line needs two packages: pip install "strongroom[cli]"\n')
        return 3
    from strongroom.cli.run import run

    return run(arguments)
