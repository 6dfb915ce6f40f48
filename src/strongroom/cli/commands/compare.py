"""``compare``: the codecs, tried on rows of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from strongroom.cli.console import note, print_json, print_table, say
from strongroom.cli.formatting import format_count, format_size
from strongroom.cli.open_store import open_store, run_async
from strongroom.cli.options import CodecOptions, ColumnType, Prefix, ReportOptions
from strongroom.cli.progress import progress

_BEST = "* "


def compare(
    output: ReportOptions,
    file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Take the items of this JSONL file: lines of an export, or an item a line.",
        ),
    ] = None,
    rows: Annotated[int, typer.Option(min=1, metavar="N", help="Take at most so many.")] = 500,
    stored_as: Annotated[
        ColumnType | None,
        typer.Option(help="Measure for this column type; that of the store if left out."),
    ] = None,
    prefix: Prefix = None,
    *,
    where: CodecOptions,
) -> None:
    r"""Try every codec on a sample of your own rows: bytes, and microseconds an item.

    Nothing is written, and no key of yours is used but for reading. A ratio is against json. The
    best of those that encrypt, and of those that do not, are marked with *.

    \b
    Examples:
      strongroom compare
      strongroom compare --codec orjson+aesgcm --key-file keys --rows 2000
      strongroom compare --file items.jsonl --stored-as binary
    """
    from strongroom.maintenance.compare import compare as compare_codecs
    from strongroom.maintenance.sample import read_items

    if file is None:
        items = run_async(_sample, where, rows, prefix)
    else:
        with file.open(encoding="utf-8", errors="surrogateescape") as lines:
            items = read_items(lines, rows)
    column = stored_as or where.column_type
    with progress("codecs") as draw:
        report = compare_codecs(items, column_type=column.value, progress=draw)
    if output.json:
        print_json(
            {"items": report.items, "bytes": report.bytes, "column_type": column.value}
            | {"codecs": [vars(figures) for figures in report.codecs]}
            | {"left_out": dict(report.left_out)}
        )
        return
    _print_report(report, column)


def _print_report(report: Any, column: ColumnType) -> None:
    items, size = format_count(report.items, "items"), format_size(report.bytes)
    say(f"{items}, {size} as json, in a {column.value} column. Microseconds are of one item.")
    say("")
    for encrypted in (False, True):
        group = [figures for figures in report.codecs if figures.encrypted is encrypted]
        if group:
            _print_group(group, "encrypted" if encrypted else "not encrypted")
            say("")
    for spec, reason in report.left_out.items():
        note(f"{spec} was left out: {reason}")


def _print_group(group: list[Any], heading: str) -> None:
    def cell(value: float, name: str, text: str) -> str:
        best = value == min(getattr(figures, name) for figures in group)
        return _BEST + text if best else text

    print_table(
        (heading, "bytes>", "ratio>?", "encode µs>", "decode µs>"),
        (
            (
                figures.spec,
                cell(figures.bytes, "bytes", format_count(figures.bytes)),
                f"{figures.ratio:.2f}",
                cell(figures.encode_us, "encode_us", f"{figures.encode_us:,.1f}"),
                cell(figures.decode_us, "decode_us", f"{figures.decode_us:,.1f}"),
            )
            for figures in group
        ),
        best=_BEST,
    )


async def _sample(where: CodecOptions, rows: int, prefix: str | None) -> list[Any]:
    from strongroom.maintenance.sample import sample_items

    async with open_store(where) as store:
        return await sample_items(store, rows, prefix=prefix)
