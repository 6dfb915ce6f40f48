"""The reports of store-wide work, as JSON and as a person reads them."""

from __future__ import annotations

from typing import Any

from strongroom.cli.console import note, print_table, say
from strongroom.cli.errors import name_options
from strongroom.cli.formatting import format_count

_SHOWN_FAILURES = 20


def as_dict(report: Any) -> dict[str, Any]:
    """Return a report's fields, and those of what it lists."""
    return {
        name: [_entry(entry) for entry in value] if isinstance(value, tuple) else value
        for name, value in vars(report).items()
    }


def print_failures(report: Any) -> None:
    """Print the first failures of a report."""
    if not report.failed:
        return
    shown = report.failures[:_SHOWN_FAILURES]
    reasons: dict[tuple[str, str], list[Any]] = {}
    for failure in shown:
        reasons.setdefault((failure.error, name_options(failure.message)), []).append(failure)
    for (error, message), failures in reasons.items():
        say("")
        say(f"{error}: {message}", "red")
        print_table(("session", "row>"), ((f.session_id, str(f.row_id or "")) for f in failures))
    if report.failed > len(shown):
        note(f"… and {format_count(report.failed - len(shown), 'more rows')}; --json lists 1,000.")


def _entry(entry: Any) -> dict[str, Any]:
    fields = dict(vars(entry))
    if "message" in fields:
        fields["message"] = name_options(fields["message"])
    return fields
