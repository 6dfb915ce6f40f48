"""The forms, by their names."""

from __future__ import annotations

from collections.abc import Callable

from fuzzing.commands import Commands
from fuzzing.exports import Exports
from fuzzing.form import Form
from fuzzing.keyfiles import KeyFiles
from fuzzing.ledgers import Ledgers
from fuzzing.rows import Rows
from fuzzing.sessions import Sessions

FORMS: dict[str, Callable[[], Form]] = {
    form.name: form for form in (Rows, Sessions, Ledgers, Exports, KeyFiles, Commands)
}
