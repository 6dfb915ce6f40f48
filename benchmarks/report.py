"""The report of a run: ``docs/benchmarks.md`` and its plots.

What it says beside its figures lies in ``report_texts.md``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import plots
from all_codecs import BYTES_TARGETS
from contenders import AGENTS
from floors import BARE_FLOOR, FLOOR, POOL
from network import PAIRS, concurrencies, speedup
from network import TARGETS as NETWORK_TARGETS
from pieces import DASH, details, millis, quotient, section, table
from prose import LENGTHS
from sidebyside import BULK, FLOOR_TARGETS, OTHERS, pairs_of, ratio, summary
from upkeep import CODECS as LEDGERED

Run = dict[str, Any]


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
        *section("Benchmarks", level=1),
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
    return [*section("Where and with what"), table(("", ""), rows, words=2), *skipped]


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
        *section("Which codec"),
        table(("codec", "bytes, text", "bytes, binary", "encode µs", "decode µs"), rows),
        details(
            "Every codec on every kind of item: bytes and microseconds an item",
            table(("codec", "items", "column", "bytes", "encode", "decode"), everything, words=3),
        ),
        *_sizes(run),
    ]


def _sizes(run: Run) -> list[str]:
    rows = [
        (f"`{spec}`", *(f"{value:.2f}" for value in shares.values()), BYTES_TARGETS.get(spec, ""))
        for spec, shares in run["codecs"]["sizes"].items()
    ]
    head = ("codec", "the mix", "without images", "median row", "at most")
    return [*section("Bytes against EncryptedSession", level=3), table(head, rows)]


def _peers(run: Run) -> list[str]:
    if "sidebyside" not in run:
        return []
    parts = section("Beside openai-agents", pool=POOL, others=OTHERS)
    for name, times in run["sidebyside"].items():
        head = ["operation"]
        rows: list[list[Any]] = [[operation] for operation in times]
        for ours, peer, targets in pairs_of(name):
            head += [f"`{ours}` : `{peer}`", *(["to reach"] if targets else [])]
            for index, (row, taken) in enumerate(zip(rows, times.values(), strict=True)):
                target = targets[index] if index < len(targets) else None
                row.append(quotient(ratio(taken[peer], taken[ours]), least=target))
                row += [target or ""] if targets else []
        picture = f"![Ratios on {name}](benchmarks/{name.lower()}.svg)"
        parts += [f"### {name}", picture, table(head, rows), _raw(times)]
    return parts


def _raw(times: dict[str, dict[str, list[float]]]) -> str:
    names = list(next(iter(times.values())))
    rows = []
    for operation, taken in times.items():
        row = [operation]
        for name in names:
            one = summary(taken[name])
            row.append(f"{millis(one['median'])} ({millis(one['q1'])}{DASH}{millis(one['q3'])})")
        rows.append(row)
    head = ("operation", *(f"`{name}`" for name in names))
    return details("Raw figures: medians and quartiles in milliseconds", table(head, rows))


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
                row.append(quotient(figure, most=most if floor == FLOOR else None))
            row.append(most)
    return [*section("Beside the driver alone"), table(head, rows.values())] if rows else []


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
                row.append(quotient(speedup(figures, peer, ours, count), least=least))
        rows.append([*row, NETWORK_TARGETS[name]])
        for contender, measured in figures.items():
            every = [measured[str(count)] for count in counts]
            cells = [
                f"{one['rate']:,.0f}/s, {millis(one['p50'])}, {millis(one['p99'])}" for one in every
            ]
            raw.append((name, f"`{contender}`", f"{measured['trips']:.1f}", *cells))
    raw_head = ("operation", "", "trips", *(f"{count} at once" for count in counts))
    return [
        *section(
            "A managed database: 1 ms each way", ping=millis(found["ping"]), pool=found["pool"]
        ),
        table([*head, "to reach"], rows),
        details(
            "Raw figures: round trips, operations a second, p50 and p99 in milliseconds",
            table(raw_head, raw, words=2),
        ),
    ]


def _stalls(run: Run) -> list[str]:
    if "stalls" not in run:
        return []
    parts = section("The event loop under load", size=run["stall_bytes"] // 1_000_000)
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
        parts.append(table((name, "write: gap", "seconds", "read: gap", "seconds"), rows))
    return parts


def _scale(run: Run) -> list[str]:
    if "scale" not in run:
        return []
    found = run["scale"]
    reads = next(iter(found.values()))["times"]
    rows = [[read, *(millis(one["times"][read]) for one in found.values())] for read in reads]
    memories = [one["memory"] for one in found.values()]
    rows.append(
        [
            f"iter_items over {memories[0]['rows']:,} rows",
            *(f"{one['bytes'] / 2**20:.1f} MiB in {one['seconds']:.1f} s" for one in memories),
        ]
    )
    return [*section("Long sessions, many sessions"), table(("", *found), rows)]


def _ledger(run: Run) -> list[str]:
    if "ledger" not in run:
        return []
    found = run["ledger"]
    rows = []
    for operation in next(iter(found.values()))["times"]:
        row = [operation]
        for one in found.values():
            times = one["times"][operation]
            row += [quotient(ratio(times[f"{codec}, ledger"], times[codec])) for codec in LEDGERED]
        rows.append(row)
    head = ["operation", *(f"{name}, `{codec}`" for name in found for codec in LEDGERED)]
    conflicts = ", ".join(f"{one['conflicts']:.2f} on {name}" for name, one in found.items())
    return [*section("A ledger", conflicts=conflicts), table(head, rows)]


def _maintenance(run: Run) -> list[str]:
    if "maintenance" not in run:
        return []
    found = run["maintenance"]
    rows = [
        [work, *(f"{one[work]:,.0f}" for one in found.values())]
        for work in next(iter(found.values()))
    ]
    return [
        *section("Maintenance", rows=f"{run['upkeep_rows']:,}"),
        table(("", *found), rows),
    ]


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
    return [*section("The corpus"), table(head, rows, words=2)]
