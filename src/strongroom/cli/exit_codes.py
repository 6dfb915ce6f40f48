"""The exit codes of the command line."""

PROBLEMS = 1
USAGE = 2
CONFIGURATION = 3
AGAIN = 4
UNEXPECTED = 70
INTERRUPTED = 130
