"""How verbs print: JSON for scripts, tables for people, plain text where there is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

import click


def print_json(value: Any) -> None:
    """Indented JSON on stdout; times as ISO 8601, bytes as text."""
    import orjson

    options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    click.echo(orjson.dumps(value, option=options, default=_plain).decode())


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """CSV on stdout as `benchbook export` writes it: missing is empty, nested values are JSON texts."""
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_csv_cell(value) for value in row] for row in rows)


def _csv_cell(value: Any) -> Any:
    import orjson

    if isinstance(value, dict | list | tuple):
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS, default=_plain).decode()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat()
    return _plain(value) if isinstance(value, bytes) else value


def _plain(value: Any) -> str:
    """What JSON has no form for."""
    from benchbook.reports.export import text

    return text(value) if isinstance(value, bytes) else str(value)


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    ranks: Mapping[str, int] = MappingProxyType({}),
) -> None:
    """A table on stdout, numbers to the right. Columns that the terminal is too narrow for are named on stderr.

    ranks: columns that go before others, the highest first; else the last ones go.
    """
    from benchbook.reports.grid import Column
    from benchbook.reports.terminal import show_grid, show_words

    listed = [tuple(row) for row in rows]
    if title:
        show_words((title, "bold"))
    drawn = [
        Column(name, right=_is_numeric([row[index] for row in listed]), rank=ranks.get(name, 0))
        for index, name in enumerate(columns)
    ]
    left_out = show_grid(drawn, [[cell(value) for value in row] for row in listed])
    if left_out:
        note(f"too narrow for {len(left_out)} columns ({', '.join(left_out)}); they show in a pipe, e.g. | less -S")


def cell(value: Any) -> str:
    """One value as a person reads it; missing is a dash."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={cell(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(cell(part) for part in value)
    return _scalar(value)


def _scalar(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.4g}"
    return value.isoformat(" ", "milliseconds") if isinstance(value, datetime) else str(value)


def tell(line: str) -> None:
    """A line on stderr, above the live line where there is one: rich stands in for `sys.stderr` then, and
    `click.echo` would write past it."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def note(line: str) -> None:
    """A remark on stderr."""
    from benchbook.reports.grid import visible

    mark = click.style("note:", fg="yellow") if sys.stderr.isatty() else "note:"
    tell(f"{mark} {visible(line)}")


def _is_numeric(values: Sequence[Any]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in known)
