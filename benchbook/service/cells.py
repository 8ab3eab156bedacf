"""Rows of any question or query as a table of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from benchbook.reports import words
from benchbook.reports.pages.tables import Cell, Column, Table

_LONGEST = 400
_WIDE = 40


def table_of(caption: str, rows: Sequence[Mapping[str, Any]], note: str = "") -> Table:
    """A table of rows with the same keys, of which there is at least one."""
    return grid_of(caption, list(rows[0]), [list(row.values()) for row in rows], note)


def grid_of(caption: str, names: Sequence[str], rows: Sequence[Sequence[Any]], note: str = "") -> Table:
    """A table of rows of values under these names."""
    columns = [Column(name, _kind([row[place] for row in rows])) for place, name in enumerate(names)]
    return Table(caption, columns, [[cell(value) for value in row] for row in rows], note)


def cell(value: Any) -> Cell:
    """A value as a person reads it; missing is a dash, long texts are cut and say so."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        text = f"{value:,}" if isinstance(value, int) and abs(value) >= 10_000 else words.number(value, 6)
        return Cell(str(value) if isinstance(value, int) and abs(value) < 10_000 else text, sort=float(value))
    text = said(value)
    return Cell(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)")


def said(value: Any) -> str:
    """A value that is no number, as text."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={said(part)}" for key, part in value.items()) or words.MISSING
    if isinstance(value, list | tuple):
        return "; ".join(map(said, value)) or words.MISSING
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return words.MISSING if value is None else words.moment(value) if isinstance(value, datetime) else str(value)


def _kind(values: Sequence[Any]) -> str:
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        return "number"
    return "long" if any(len(said(value)) > _WIDE for value in known) else "text"
