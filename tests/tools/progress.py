"""A pytest plugin that shows the progress of xdist in lines, where the output is no terminal.

    PYTHONPATH=tests/tools python -m pytest -p progress -n 2

pytest shows a dot for each test, and a file or a pipe receives dots only by the line or by the
buffer. With this plugin it receives a line every few seconds that counts the tests that are done,
and a line for each test that fails. On a terminal nothing changes, nor does it without xdist.
"""

from __future__ import annotations

import threading
import time

import pytest

SECONDS = 15


class Progress:
    """Counts the tests that are done, and prints the count from a thread of its own."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal
        self._session: pytest.Session | None = None
        self._start = time.monotonic()
        self._done = 0
        self._failed = 0
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._print_every_few_seconds, daemon=True)

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Start to print."""
        self._session = session
        self._thread.start()

    def pytest_sessionfinish(self) -> None:
        """Stop printing."""
        self._finished.set()
        self._thread.join()

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(
        self, report: pytest.CollectReport | pytest.TestReport
    ) -> tuple[str, str, str] | None:
        """Count a test as pytest does, without a dot for it."""
        if hasattr(report, "wasxfail"):
            return None
        if report.when == "call" or report.skipped:
            return report.outcome, "", ""
        return ("error", "", "") if report.failed else None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test, and name it at once if it failed."""
        if report.failed:
            self._failed += 1
            self._print(f"failed in its {report.when}: {report.nodeid}")
        if report.when == "teardown":
            self._done += 1

    def _print_every_few_seconds(self) -> None:
        while not self._finished.wait(SECONDS):
            total = self._session.testscollected if self._session else 0
            tests = f"{self._done} of {total} tests done" if total else "collecting tests"
            failed = f", {self._failed} failed" if self._failed else ""
            self._print(tests + failed)

    def _print(self, line: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self._start), 60)
        self._terminal.write_line(f"[{minutes:2}:{seconds:02}] {line}")
        self._terminal.flush()


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Take over from the dots in the process that prints."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if config.getoption("dist", "no") == "no" or terminal is None or terminal.isatty:
        return
    config.pluginmanager.register(Progress(terminal), "strongroom-progress")
