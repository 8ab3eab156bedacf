"""How lines reach stdout: in colour and within the width on a terminal, plain and as wide as they are elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from benchbook.reports.grid import Cell, Column, Line, draw, hoisted, records, visible

_FEW_ROWS = 3


def width() -> int | None:
    """Columns of the terminal; without one what COLUMNS says, and else None: as wide as it takes."""
    console = Console()
    if console.is_terminal:
        return console.width
    said = os.environ.get("COLUMNS", "")
    return int(said) if said.isdecimal() and int(said) > 0 else None


def show_lines(lines: Sequence[Line]) -> None:
    """Print lines of (text, style) pieces as they are; no line is wrapped or cut."""
    console = Console(highlight=False)
    if not console.is_terminal or console.no_color:
        sys.stdout.write("".join("".join(text for text, _ in line).rstrip() + "\n" for line in lines))
        return
    for line in lines:
        console.print(Text.assemble(*line), soft_wrap=True)


def show_words(*pieces: tuple[str, str]) -> None:
    """Print one line of (text, style) pieces, wrapped at words where it is wider than the terminal."""
    line = [(visible(text), style) for text, style in pieces]
    if width() is None:
        show_lines([line])
    else:
        Console(highlight=False).print(Text.assemble(*line))


def show_grid(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell | str]], *, hoist: bool = True
) -> tuple[str, ...]:
    """Print a table and return the names of columns that found no room.

    hoist: of a table that is too wide, few rows become records, and what all rows share is said once above them.
    """
    room = width()
    drawn = draw(columns, rows, room)
    if drawn.left_out and hoist and len(rows) <= _FEW_ROWS:
        drawn = records(columns, rows, room)
    elif drawn.left_out and hoist:
        said, rest, shorter = hoisted(columns, rows)
        if said and rest:
            drawn = draw(rest, shorter, room)
            show_words(("in every row: " + ", ".join(f"{name} {value}" for name, value in said), ""))
    show_lines(drawn.lines)
    return drawn.left_out
