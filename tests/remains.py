"""Searches all that hangs on an exception for secrets, deeper than any error tracker looks.

It looks into the texts and attributes of an error, of its causes, contexts and group members, and
into the locals of every frame but the tests' own: a caller's frames hold what the caller holds. A
local is spelled by ``repr`` and taken apart: containers, objects of ours, closures, partials, bound
methods, suspended generators and coroutines, and the results of futures.
"""

from __future__ import annotations

import asyncio
import base64
import concurrent.futures
import functools
import inspect
import traceback
import types
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

TESTS = str(Path(__file__).parent)
_LEAVES = (int, float, complex, type(None), type, types.ModuleType)


def assert_holds_none(error, texts=(), numbers=(), keys=()):
    """Fail if one of the secrets hangs on an error; the message says where."""
    found = [*find(error, spelled(texts, numbers)), *find(error, spelled_keys(keys), deep=False)]
    assert not found, f"{type(error).__name__} holds a secret: {sorted(set(found))}"


def find(error: BaseException, secrets: Iterable[str | bytes], *, deep: bool = True) -> list[str]:
    """Return the places of an error that hold one of the secrets.

    Not ``deep``: as they are shown, so attributes of objects do not count. A key has to be
    somewhere.
    """
    secrets = list(secrets)
    texts = [secret for secret in secrets if isinstance(secret, str)]
    blobs = [secret if isinstance(secret, bytes) else secret.encode() for secret in secrets]
    return [
        place
        for place, value in _Search(deep).of_error(error)
        if any(part in value for part in (texts if isinstance(value, str) else blobs))
    ]


def spelled(texts: Iterable[str], numbers: Iterable[int] = ()) -> Iterator[str | bytes]:
    """Yield secrets as they stand in a repr, in JSON and in msgpack."""
    yield from texts
    for number in numbers:
        yield str(number)
        yield number.to_bytes(8, "big")
        yield repr(number.to_bytes(8, "big"))[2:-1]


def spelled_keys(secrets: Iterable[bytes]) -> Iterator[str | bytes]:
    """Yield the bytes of keys and subkeys, in hex and in base64 too."""
    for secret in secrets:
        yield secret
        yield repr(secret)[2:-1]
        yield secret.hex()
        yield base64.b64encode(secret).decode().rstrip("=")
        yield base64.urlsafe_b64encode(secret).decode().rstrip("=")


class _Search:
    def __init__(self, deep: bool) -> None:
        self._deep = deep
        self._known: dict[int, object] = {}
        self._pending: list[tuple[str, Any]] = []

    def of_error(self, error: BaseException) -> Iterator[tuple[str, str | bytes]]:
        """Yield places and the texts and bytes that are there."""
        self._pending.append((type(error).__name__, error))
        while self._pending:
            place, value = self._pending.pop()
            if isinstance(value, str | bytes):
                yield place, value
            elif isinstance(value, bytearray | memoryview):
                yield place, bytes(value)
            elif id(value) not in self._known and not isinstance(value, asyncio.AbstractEventLoop):
                self._known[id(value)] = value  # alive, so that its id stays its own
                if isinstance(value, _LEAVES):
                    yield place, repr(value)
                else:
                    yield place, _spelled(value)
                    self._take_apart(place, value)

    def _put(self, place: str, values: Iterable[Any]) -> None:
        self._pending += [(place, value) for value in values]

    def _take_apart(self, place: str, value: Any) -> None:
        if isinstance(value, BaseException):
            self._put_error(value)
        elif isinstance(value, Mapping):
            self._put(place, [*value.keys(), *value.values()])
        elif isinstance(value, list | tuple | set | frozenset | types.MappingProxyType):
            self._put(place, value)
        elif isinstance(value, functools.partial):
            self._put(place, [value.func, value.args, value.keywords])
        elif inspect.isgenerator(value):
            self._put_frame(place, value.gi_frame)
        elif inspect.iscoroutine(value):
            self._put_frame(place, value.cr_frame)
            self._put(place, [value.cr_await])
        elif inspect.isasyncgen(value):
            self._put_frame(place, value.ag_frame)
            self._put(place, [value.ag_await])
        elif self._deep:
            self._put_attributes(place, value)

    def _put_error(self, error: BaseException) -> None:
        name = type(error).__name__
        self._put(f"{name}'s text", [str(error), error.args, vars(error)])
        for attribute in ("doc", "object", "obj", "params", "statement", "exceptions"):
            self._put(f"{name}.{attribute}", [getattr(error, attribute, None)])
        for frame, _ in traceback.walk_tb(error.__traceback__):
            self._put_frame("", frame)
        self._put(name, [error.__cause__, error.__context__])

    def _put_frame(self, place: str, frame: types.FrameType | None) -> None:
        if frame is None or frame.f_code.co_filename.startswith(TESTS):
            return
        where = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} {frame.f_code.co_name}"
        for name, value in frame.f_locals.items():
            self._pending.append((f"{place}{' > ' if place else ''}{where}, {name}", value))

    def _put_attributes(self, place: str, value: Any) -> None:
        """Look into what is ours, or may carry what is ours; not into a driver or an engine."""
        if isinstance(value, types.FunctionType):
            if not value.__code__.co_filename.startswith(TESTS):
                cells = value.__closure__ or ()
                self._put(place, [cell.cell_contents for cell in cells if _is_filled(cell)])
        elif isinstance(value, types.MethodType):
            self._put(place, [value.__self__, value.__func__])
        elif isinstance(value, asyncio.Future | concurrent.futures.Future):
            self._put(place, _outcome(value))
            self._put(place, [value.get_coro()] if isinstance(value, asyncio.Task) else [])
        elif _is_ours(type(value)):
            self._put(place, _attributes(value))


def _spelled(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # the repr of an object that is half made
        return ""


def _is_filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - it raises for an empty one
    except ValueError:
        return False
    return True


def _is_ours(kind: type) -> bool:
    return any(base.__module__.partition(".")[0] == "strongroom" for base in kind.__mro__) or (
        kind.__module__ == "concurrent.futures.thread"
    )


def _attributes(value: object) -> list[Any]:
    found = list(getattr(value, "__dict__", {}).values())
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(value, name):
                found.append(getattr(value, name))
    return found


def _outcome(future: Any) -> list[Any]:
    if not future.done() or future.cancelled():
        return []
    error = future.exception()
    return [future.result() if error is None else error]
