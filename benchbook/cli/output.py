"""How verbs print: JSON for scripts, rich tables for people, plain text where there is no terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click


def print_json(value: Any) -> None:
    """Indented JSON on stdout; times as ISO 8601."""
    import orjson

    options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    click.echo(orjson.dumps(value, option=options, default=str).decode())


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table on stdout: numbers to the right, everything else to the left."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from benchbook.reports.terminal import show

    listed = [tuple(row) for row in rows]
    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(columns):
        numeric = bool(listed) and all(_is_number(row[index]) or row[index] is None for row in listed)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in listed:
        table.add_row(*(Text(cell(value)) for value in row))
    show(table)


def cell(value: Any) -> str:
    """One value as a person reads it; missing is a dash."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={cell(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(cell(part) for part in value)
    return str(value)


def note(line: str) -> None:
    """A remark on stderr."""
    click.echo(f"{click.style('note:', fg='yellow')} {line}", err=True)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
