"""Imports of lines that somebody has written or damaged, into stores that may hold rows already."""

from __future__ import annotations

from random import Random
from typing import Any

from fuzzing import export_lines, golden, leaks, tables
from fuzzing.cases import Case
from fuzzing.export_lines import GIVEN
from fuzzing.findings import PLAINTEXT, WRONG, Finding, foreign
from fuzzing.good_rows import NEIGHBOUR, codec_of, good, good_item
from fuzzing.row_cases import SMALL
from fuzzing.rows import KEY_TEXTS
from fuzzing.sealing import CONTEXT, NAMESPACE
from fuzzing.tables import TIME
from strongroom import EncodeError, PayloadError, StrongroomError


class Exports:
    """Lines that are imported, exported, and imported again."""

    name = "exports"

    def __init__(self) -> None:
        self._shelf = tables.Shelf()
        self._log = leaks.Log()

    def generate(self, rng: Random) -> Case:
        """Return lines, and what the store holds before."""
        return {
            "spec": rng.choice(("orjson+aesgcm", "msgpack+zstd+aesgcm", "json+fernet")),
            "column": rng.choice(("text", "binary")),
            "lines": export_lines.lines(rng),
            "held": rng.choice((0, 0, 1, 2)),
            "append": rng.random() < 0.5,
            "batch": rng.choice((1, 2, 500)),
        }

    def run(self, case: Case) -> str:
        """Import the lines, and look at what the store holds then."""
        options = {"codec": codec_of(case["spec"]), "namespace": NAMESPACE}
        options |= {"column_type": case["column"], "on_error": "raise"}
        name = (case["spec"], case["column"])
        first, second = (self._shelf.store((*name, n), **options) for n in (1, 2))
        label = self._shelf.run(_try(first, second, case))
        self._log.check([GIVEN, NEIGHBOUR])
        return label

    def max_size(self, case: Case) -> int:
        """Return the codec's bound."""
        return SMALL

    def close(self) -> None:
        """Close the databases."""
        self._shelf.close()
        self._log.close()


async def _try(first: Any, second: Any, case: Case) -> str:
    values = [good(case["spec"], case["column"], CONTEXT, n) for n in range(case["held"])]
    rows = [(n, value, TIME) for n, value in enumerate(values, 1)]
    await tables.fill(first, [{"id": CONTEXT, "rows": rows}] if rows else [])
    outcome = await _imported(first, case["lines"], case)
    expected, complete = _expected(case)
    held = await _held(first)
    if complete is None:
        return "nested too deeply to compare"
    if isinstance(outcome, Exception):
        _check_prefix(held, expected)
        return type(outcome).__name__
    if not complete:
        raise Finding(WRONG, "a line was imported that is none", ["a bad line was imported"])
    if not golden.same(held, dict(sorted(expected.items()))):
        raise Finding(WRONG, f"the import made {str(held)[:200]}", ["import"])
    await _check_round_trip(first, second, case)
    return "imported"


async def _imported(store: Any, lines: list[str], case: Case) -> Any:
    errors = leaks.Leaks([NEIGHBOUR], KEY_TEXTS)
    try:
        return await store.import_items(lines, append=case["append"], batch_rows=case["batch"])
    except StrongroomError as error:
        hung: BaseException | None = error
        while hung is not None:
            if GIVEN in f"{hung!r} {hung} {vars(hung)}":
                place = f"{type(hung).__name__}'s text"
                raise Finding(PLAINTEXT, "a line in the message of an error", [place]) from None
            hung = hung.__cause__ or hung.__context__
        # The lines that are given may hold what the store holds, and are in frames.
        if NEIGHBOUR not in "".join(lines):
            errors.look(error, "import_items")
        errors.done()
        return error
    except Exception as error:
        raise foreign(error, "import_items") from None


def _expected(case: Case) -> tuple[dict[str, list[Any]], bool | None]:
    """Return the items of each session after an import, and whether all lines are good.

    None if the second reader cannot say, whose nesting is limited more than strongroom's.
    """
    held = [good_item(number) for number in range(case["held"])]
    found: dict[str, list[Any]] = {CONTEXT: list(held)} if held else {}
    passed: dict[str, int] = {}
    for line in case["lines"]:
        if not line.strip():
            continue
        try:
            session_id, _, item = export_lines.read(line)
        except RecursionError:
            return found, None
        except (ValueError, AttributeError):
            return found, False
        items = found.setdefault(session_id, [])
        place = passed[session_id] = passed.get(session_id, 0) + 1
        known = session_id == CONTEXT and place <= len(held) and not case["append"]
        if not known or not golden.same(items[place - 1], item):
            items.append(item)
    return found, True


async def _held(store: Any) -> dict[str, list[Any]]:
    """Return the items of each session."""
    found = {}
    for info in await store.list_sessions(limit=1_000):
        found[info.session_id] = await store.session(info.session_id).get_items()
    return dict(sorted(found.items()))


def _check_prefix(held: dict[str, list[Any]], expected: dict[str, list[Any]]) -> None:
    """Refuse rows that an import which failed has made of nothing."""
    for session_id, items in held.items():
        wanted = expected.get(session_id, [])
        if len(items) > len(wanted) or not golden.same(items, wanted[: len(items)]):
            detail = f"a failed import left {str(items)[:200]}"
            raise Finding(WRONG, detail, ["a failed import"])


async def _check_round_trip(first: Any, second: Any, case: Case) -> None:
    """Export, import and export again: the lines are the same."""
    try:
        lines = [line async for line in first.export_items()]
        await tables.fill(second, [])
        await second.import_items(lines)
        again = [line async for line in second.export_items()]
    except (EncodeError, PayloadError) as error:
        raise Finding(
            WRONG, f"what was imported is not exported: {error}", ["round trip"]
        ) from None
    except Exception as error:
        raise foreign(error, "a round trip of lines") from None
    if lines != again:
        raise Finding(WRONG, "the lines of a second export differ", ["second export"])
