"""The report of a run: ``docs/benchmarks.md`` and its plots.

What it says beside its figures lies in ``report_texts.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import plots
from all_codecs import BYTES_TARGETS
from contenders import AGENTS, BARE_FLOOR, FLOOR, POOL
from network import PAIRS, concurrencies, speedup
from network import TARGETS as NETWORK_TARGETS
from prose import LENGTHS
from sidebyside import BULK, FLOOR_TARGETS, OTHERS, pairs_of, ratio, summary
from upkeep import CODECS as LEDGERED

Run = dict[str, Any]
DASH = "\N{EN DASH}"


def write(run: Run, folder: Path) -> list[Path]:
    """Write the report and its plots, and return their paths."""
    pictures = folder / "benchmarks"
    pictures.mkdir(parents=True, exist_ok=True)
    files = {folder / "benchmarks.md": _document(run)}
    files |= {pictures / f"{name}.svg": drawing for name, drawing in plots.draw(run).items()}
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
    return list(files)


def _document(run: Run) -> str:
    parts = [
        *_text("Benchmarks", level=1),
        *_machine(run),
        *_codecs(run),
        *_peers(run),
        *_floor(run),
        *_network(run),
        *_stalls(run),
        *_scale(run),
        *_ledger(run),
        *_maintenance(run),
        *_corpus(run),
    ]
    return "\n\n".join(parts) + "\n"


# Pieces -------------------------------------------------------------------------------------------


def _text(title: str, *, level: int = 2, **figures: Any) -> list[str]:
    """Return a section's title, and what ``report_texts.md`` says under it."""
    texts = (Path(__file__).parent / "report_texts.md").read_text(encoding="utf-8")
    body = texts.partition(f"\n## {title}\n")[2].partition("\n## ")[0].strip()
    return ["#" * level + f" {title}", *([body.format(**figures)] if body else [])]


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]], *, words: int = 1) -> str:
    """Return a table in Markdown; its first columns hold words, and the others figures."""
    rule = ["---"] * words + ["---:"] * (len(head) - words)
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in (head, rule, *rows))


def _details(title: str, text: str) -> str:
    return f"<details>\n<summary>{title}</summary>\n\n{text}\n\n</details>"


def _ms(seconds: float) -> str:
    milliseconds = seconds * 1000
    return f"{milliseconds:.2f}" if milliseconds < 10 else f"{milliseconds:.1f}"


def _times(figure: tuple[float, ...], least: float | None = None, most: float | None = None) -> str:
    """Return a ratio and its quartiles, in bold if it is not what it has to be."""
    value, low, high = figure
    text = f"{value:.1f} ({low:.1f}{DASH}{high:.1f})"
    short = least is not None and round(value, 1) < least
    return f"**{text}**" if short or (most is not None and round(value, 1) > most) else text


# Sections -----------------------------------------------------------------------------------------


def _machine(run: Run) -> list[str]:
    machine = run["machine"]
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    rows = [
        ("Date", f"{machine['date']}, in {run['seconds'] / 60:.1f} minutes"),
        ("Machine", f"{machine['cpu']}, {machine['cores']} cores, {machine['memory']}"),
        ("System", f"{machine['system']}; {machine['python']}; load before: {machine['load']}"),
        ("Data on", machine["data"]),
        *((version, run["settings"][name]) for name, version in run["versions"].items()),
        ("Packages", packages),
    ]
    skipped = [f"Not measured: {name} ({reason})." for name, reason in run["skipped"].items()]
    return [*_text("Where and with what"), _table(("", ""), rows, words=2), *skipped]


def _codecs(run: Run) -> list[str]:
    if "codecs" not in run:
        return []
    figures = run["codecs"]["figures"]
    mix = {(one["codec"], one["column"]): one for one in figures if one["shape"] == "mix"}
    plain = mix[AGENTS, "text"]["bytes"]
    rows = []
    for codec in dict.fromkeys(codec for codec, _ in mix):
        text, binary = mix[codec, "text"], mix.get((codec, "binary"))
        times = binary or text
        rows.append(
            (
                f"`{codec}`",
                f"{text['bytes'] / plain:.2f}",
                f"{binary['bytes'] / plain:.2f}" if binary else "",
                f"{times['encode'] * 1e6:.1f}",
                f"{times['decode'] * 1e6:.1f}",
            )
        )
    sizes = [
        (f"`{spec}`", *(f"{value:.2f}" for value in shares.values()), BYTES_TARGETS.get(spec, ""))
        for spec, shares in run["codecs"]["sizes"].items()
    ]
    everything = [
        (
            f"`{one['codec']}`",
            one["shape"],
            one["column"],
            f"{one['bytes']:,.0f}",
            f"{one['encode'] * 1e6:,.1f}",
            f"{one['decode'] * 1e6:,.1f}",
        )
        for one in figures
    ]
    return [
        *_text("Which codec"),
        _table(("codec", "bytes, text", "bytes, binary", "encode µs", "decode µs"), rows),
        _details(
            "Every codec on every kind of item: bytes and microseconds an item",
            _table(("codec", "items", "column", "bytes", "encode", "decode"), everything, words=3),
        ),
        *_text("Bytes against EncryptedSession", level=3),
        _table(("codec", "the mix", "without images", "median row", "at most"), sizes),
    ]


def _peers(run: Run) -> list[str]:
    if "sidebyside" not in run:
        return []
    parts = _text("Beside openai-agents", pool=POOL, others=OTHERS)
    for name, times in run["sidebyside"].items():
        head = ["operation"]
        rows: list[list[Any]] = [[operation] for operation in times]
        for ours, peer, targets in pairs_of(name):
            head += [f"`{ours}` : `{peer}`", *(["to reach"] if targets else [])]
            for index, (row, taken) in enumerate(zip(rows, times.values(), strict=True)):
                target = targets[index] if index < len(targets) else None
                row.append(_times(ratio(taken[peer], taken[ours]), least=target))
                row += [target or ""] if targets else []
        picture = f"![Ratios on {name}](benchmarks/{name.lower()}.svg)"
        parts += [f"### {name}", picture, _table(head, rows), _raw(times)]
    return parts


def _raw(times: dict[str, dict[str, list[float]]]) -> str:
    names = list(next(iter(times.values())))
    rows = []
    for operation, taken in times.items():
        row = [operation]
        for name in names:
            one = summary(taken[name])
            row.append(f"{_ms(one['median'])} ({_ms(one['q1'])}{DASH}{_ms(one['q3'])})")
        rows.append(row)
    head = ("operation", *(f"`{name}`" for name in names))
    return _details("Raw figures: medians and quartiles in milliseconds", _table(head, rows))


def _floor(run: Run) -> list[str]:
    head = ["`orjson` : floor"]
    rows: dict[str, list[Any]] = {}
    for name, times in run.get("sidebyside", {}).items():
        floors = [one for one in (FLOOR, BARE_FLOOR) if one in next(iter(times.values()))]
        if not floors:
            continue
        head += [name + floor.removeprefix(FLOOR) for floor in floors] + ["at most"]
        for operation, taken in times.items():
            most = FLOOR_TARGETS[name][operation in BULK]
            row = rows.setdefault(operation, [operation])
            for floor in floors:
                figure = ratio(taken["orjson"], taken[floor])
                row.append(_times(figure, most=most if floor == FLOOR else None))
            row.append(most)
    return [*_text("Beside the driver alone"), _table(head, rows.values())] if rows else []


def _network(run: Run) -> list[str]:
    if "PostgreSQL" not in run.get("network", {}):
        return []
    found = run["network"]["PostgreSQL"]
    counts = concurrencies(found)
    head = ["operation"]
    for peer, ours in PAIRS:
        head += [f"`{ours}` : `{peer}`, {count} at once" for count in counts]
    rows, raw = [], []
    for name, figures in found["operations"].items():
        row: list[Any] = [name]
        for peer, ours in PAIRS:
            for count in counts:
                least = NETWORK_TARGETS[name] if count == 1 else None
                row.append(_times(speedup(figures, peer, ours, count), least=least))
        rows.append([*row, NETWORK_TARGETS[name]])
        for contender, measured in figures.items():
            every = [measured[str(count)] for count in counts]
            cells = [f"{one['rate']:,.0f}/s, {_ms(one['p50'])}, {_ms(one['p99'])}" for one in every]
            raw.append((name, f"`{contender}`", f"{measured['trips']:.1f}", *cells))
    raw_head = ("operation", "", "trips", *(f"{count} at once" for count in counts))
    return [
        *_text("A managed database: 1 ms each way", ping=_ms(found["ping"]), pool=found["pool"]),
        _table([*head, "to reach"], rows),
        _details(
            "Raw figures: round trips, operations a second, p50 and p99 in milliseconds",
            _table(raw_head, raw, words=2),
        ),
    ]


def _stalls(run: Run) -> list[str]:
    if "stalls" not in run:
        return []
    parts = _text("The event loop under load", size=run["stall_bytes"] // 1_000_000)
    for name, figures in run["stalls"].items():
        rows = [
            (
                f"`{contender}`",
                f"{one['write gap'] * 1000:.0f}",
                f"{one['write']:.2f}",
                f"{one['read gap'] * 1000:.0f}",
                f"{one['read']:.2f}",
            )
            for contender, one in figures.items()
        ]
        parts.append(_table((name, "write: gap", "seconds", "read: gap", "seconds"), rows))
    return parts


def _scale(run: Run) -> list[str]:
    if "scale" not in run:
        return []
    found = run["scale"]
    reads = next(iter(found.values()))["times"]
    rows = [[read, *(_ms(one["times"][read]) for one in found.values())] for read in reads]
    memories = [one["memory"] for one in found.values()]
    rows.append(
        [
            f"iter_items over {memories[0]['rows']:,} rows",
            *(f"{one['bytes'] / 2**20:.1f} MiB in {one['seconds']:.1f} s" for one in memories),
        ]
    )
    return [*_text("Long sessions, many sessions"), _table(("", *found), rows)]


def _ledger(run: Run) -> list[str]:
    if "ledger" not in run:
        return []
    found = run["ledger"]
    rows = []
    for operation in next(iter(found.values()))["times"]:
        row = [operation]
        for one in found.values():
            times = one["times"][operation]
            row += [_times(ratio(times[f"{codec}, ledger"], times[codec])) for codec in LEDGERED]
        rows.append(row)
    head = ["operation", *(f"{name}, `{codec}`" for name in found for codec in LEDGERED)]
    conflicts = ", ".join(f"{one['conflicts']:.2f} on {name}" for name, one in found.items())
    return [*_text("A ledger", conflicts=conflicts), _table(head, rows)]


def _maintenance(run: Run) -> list[str]:
    if "maintenance" not in run:
        return []
    found = run["maintenance"]
    rows = [
        [work, *(f"{one[work]:,.0f}" for one in found.values())]
        for work in next(iter(found.values()))
    ]
    return [*_text("Maintenance", rows=f"{run['upkeep_rows']:,}"), _table(("", *found), rows)]


def _corpus(run: Run) -> list[str]:
    head = ["language", "real text"]
    for length in LENGTHS:
        head += [f"{length:,} real", "generated"]
    rows = [
        (
            language,
            name,
            *("" if value is None else f"{value:.2f}" for pair in pairs for value in pair),
        )
        for language, name, pairs in run["prose"]
    ]
    return [*_text("The corpus"), _table(head, rows, words=2)]
