"""Adding a command whose parameters name whole groups of options."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from operator import attrgetter
from typing import Any, get_type_hints

import typer

from strongroom.cli.errors import AGAIN_MESSAGE, CommandError
from strongroom.cli.exit_codes import INTERRUPTED, USAGE


def add_command(application: typer.Typer, command: Callable[..., None]) -> None:
    """Add a command under the name of its function, with its docstring as its help."""
    text = inspect.cleandoc(command.__doc__ or "").replace("\\b\n", "\b\n")
    short = text.partition(".")[0].partition(":")[0] + "."
    name = command.__name__.rstrip("_")
    application.command(name, help=text, short_help=short)(_with_options(command))


def _with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each field of the groups that its parameters name."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    options: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name in groups:
            options += _options_of(groups[name])
        else:
            options.append(parameter.replace(annotation=hints[name]))

    @functools.wraps(command)
    def wrapper(**given: Any) -> None:
        for name, value in given.items():
            _check_text(name, value)
        for name, kind in groups.items():
            given[name] = kind(**{field.name: given.pop(field.name) for field in fields(kind)})
        try:
            command(**given)
        except KeyboardInterrupt:  # typer would end without a word
            raise CommandError(f"Interrupted. {AGAIN_MESSAGE}", INTERRUPTED) from None

    ordered = sorted(options, key=attrgetter("kind"))
    wrapper.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {option.name: option.annotation for option in ordered}
    return wrapper


def _options_of(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=hints[field.name],
        )
        for field in fields(group)
    ]


def _check_text(name: str, value: Any) -> None:
    """Refuse text that is no UTF-8, which no database holds; paths may be anything."""
    texts = value if isinstance(value, list) else [value]
    if any(isinstance(text, str) and not text.isascii() and _is_torn(text) for text in texts):
        option = name.replace("_", "-")
        raise CommandError(f"The value of {option} is no UTF-8.", USAGE)


def _is_torn(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
