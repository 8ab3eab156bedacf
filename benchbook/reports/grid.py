"""Rows and columns as lines of text, fitted to a width. Pure: what is drawn depends on the arguments alone.

Without a width every row is one line, for pipes. Within one, text wraps at words, headings wrap at blanks and
underscores, and a cell's second thought (an interval) stands below it. Where that is not enough, columns are left out,
the least important first, and named by the caller; none is squeezed into shreds.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len, chop_cells

GAP = "  "
_WORD_MOST = 28
"""A longer word (a hash) may be broken."""

Line = list[tuple[str, str]]
"""One line as (text, style) pieces; styles are rich's."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in one place. below: a second line where there is room for one; whole: both in one line."""

    text: str
    below: str = ""
    whole: str = ""
    style: str = ""

    def lines(self, *, stacked: bool) -> tuple[str, ...]:
        """Its lines, before any wrapping."""
        if not self.below:
            return (clean(self.text),)
        return (clean(self.text), clean(self.below)) if stacked else (clean(self.whole or f"{self.text} {self.below}"),)


@dataclass(frozen=True, slots=True)
class Column:
    """A column. right: its cells end at the right, and never wrap; rank: of importance, lower stays longer."""

    name: str
    right: bool = False
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Drawn:
    """The lines, and the names of columns that did not fit."""

    lines: tuple[Line, ...]
    left_out: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class _Strip:
    """One column being laid out: its cells' lines, and the widths it could have."""

    column: Column
    cells: list[tuple[str, ...]]
    styles: Mapping[int, str]
    below: frozenset[int]
    """Rows whose cell has its second thought on a line of its own."""
    least: int = field(init=False)
    natural: int = field(init=False)

    def __post_init__(self) -> None:
        widths = [cell_len(line) for lines in self.cells for line in lines]
        words = [cell_len(word) for word in re.split(r"[ _\n]", self.column.name)]
        body = max(widths, default=0)
        self.natural = max(body, cell_len(self.column.name))
        if not self.column.right:
            body = max((_longest_word(line) for lines in self.cells for line in lines), default=0)
        self.least = max(*words, body, 1)


def draw(columns: Sequence[Column], rows: Sequence[Sequence[Cell | str]], width: int | None = None) -> Drawn:
    """A heading, a rule, and the rows; no line is wider than `width`, as long as one column fits at all."""
    if not columns:
        return Drawn(())
    strips = [_strip(column, [row[i] for row in rows], stacked=width is not None) for i, column in enumerate(columns)]
    kept = strips if width is None else _kept(strips, width)
    widths = _widths(kept, width)
    left_out = tuple(strip.column.name for strip in strips if strip not in kept)
    return Drawn(tuple(_lines(kept, widths, len(rows))), left_out)


def hoisted(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell | str]]
) -> tuple[list[tuple[str, str]], list[Column], list[list[Cell | str]]]:
    """What is the same in every row, as (name, value), and the table without it."""
    same = {i for i in range(len(columns)) if len({str(row[i]) for row in rows}) == 1}
    said = [(columns[i].name, clean(_cell(rows[0][i]).text)) for i in sorted(same)]
    left = [i for i in range(len(columns)) if i not in same]
    return said, [columns[i] for i in left], [[row[i] for i in left] for row in rows]


def records(columns: Sequence[Column], rows: Sequence[Sequence[Cell | str]], width: int | None = None) -> Drawn:
    """Each row as a list of `column  value` lines, for the few rows that are too wide for a table."""
    name_width = max(cell_len(column.name) for column in columns)
    room = None if width is None else max(20, width - name_width - len(GAP))
    lines: list[Line] = []
    for number, row in enumerate(rows):
        lines += [[("", "")]] if number else []
        for column, cell in zip(columns, row, strict=True):
            for index, part in enumerate(_wrapped(_cell(cell).lines(stacked=False), room)):
                name = column.name if index == 0 else ""
                lines.append([(_padded(name, name_width, right=False) + GAP, "bold"), (part, "")])
    return Drawn(tuple(lines))


def clean(text: str) -> str:
    """On one line, and without characters that a terminal would obey."""
    return visible(" ".join(text.split()) if any(mark in text for mark in "\n\r\t\v\f") else text)


def visible(text: str) -> str:
    """Without characters that a terminal would obey, line ends excepted."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def _cell(value: Cell | str) -> Cell:
    return value if isinstance(value, Cell) else Cell(value)


def _strip(column: Column, values: Sequence[Cell | str], *, stacked: bool) -> _Strip:
    cells = [_cell(value) for value in values]
    styles = {index: cell.style for index, cell in enumerate(cells) if cell.style}
    below = frozenset(index for index, cell in enumerate(cells) if stacked and cell.below)
    return _Strip(column, [cell.lines(stacked=stacked) for cell in cells], styles, below)


def _longest_word(line: str) -> int:
    longest = max(map(cell_len, line.split(" ")), default=0)
    return min(longest, _WORD_MOST)


def _kept(strips: Sequence[_Strip], width: int) -> list[_Strip]:
    """The strips that fit side by side at their least; the last of the highest rank goes first."""
    kept = list(strips)
    while len(kept) > 1 and sum(s.least for s in kept) + len(GAP) * (len(kept) - 1) > width:
        worst = max(range(len(kept)), key=lambda i: (kept[i].column.rank, i))
        del kept[worst]
    return kept


def _widths(strips: Sequence[_Strip], width: int | None) -> list[int]:
    """Each strip's width: natural where there is room, else text columns share what is left, the small ones first."""
    if width is None:
        return [strip.natural for strip in strips]
    widths = [strip.least for strip in strips]
    room = width - sum(widths) - len(GAP) * (len(strips) - 1)
    wanting = sorted(
        (i for i, s in enumerate(strips) if not s.column.right), key=lambda i: strips[i].natural - widths[i]
    )
    for done, index in enumerate(wanting):
        more = min(strips[index].natural - widths[index], max(0, room) // (len(wanting) - done))
        widths[index] += more
        room -= more
    return widths


def _lines(strips: Sequence[_Strip], widths: Sequence[int], count: int) -> Iterator[Line]:
    headings = [_heading(strip.column.name, width) for strip, width in zip(strips, widths, strict=True)]
    height = max(map(len, headings))
    padded = [("",) * (height - len(lines)) + lines for lines in headings]
    yield from _side_by_side(strips, widths, padded, [("bold", "bold")] * len(strips))
    yield [("\N{BOX DRAWINGS LIGHT HORIZONTAL}" * (sum(widths) + len(GAP) * (len(widths) - 1)), "dim")]
    for row in range(count):
        cells = [_wrapped(strip.cells[row], width) for strip, width in zip(strips, widths, strict=True)]
        yield from _side_by_side(strips, widths, cells, [_styles(strip, row) for strip in strips])


def _styles(strip: _Strip, row: int) -> tuple[str, str]:
    """Of a cell's first line, and of those below it."""
    style = strip.styles.get(row, "")
    return style, "dim" if row in strip.below else style


def _side_by_side(
    strips: Sequence[_Strip],
    widths: Sequence[int],
    cells: Sequence[tuple[str, ...]],
    styles: Sequence[tuple[str, str]],
) -> Iterator[Line]:
    for level in range(max(map(len, cells))):
        line: Line = []
        for strip, width, lines, (first, below) in zip(strips, widths, cells, styles, strict=True):
            text = _padded(lines[level] if level < len(lines) else "", width, right=strip.column.right)
            piece = (text, below if level else first)
            line += [(GAP, ""), piece] if line else [piece]
        yield line


def _heading(name: str, width: int) -> tuple[str, ...]:
    """A heading in as few lines as fit, broken at newlines, blanks and underscores."""
    lines = [""]
    for word in re.findall(r"[^ _\n]+[ _]?|\n", name):
        if word == "\n" or (lines[-1] and cell_len(lines[-1] + word.rstrip()) > width):
            lines.append("")
        lines[-1] += word if word != "\n" else ""
    return tuple(line.rstrip() if cell_len(line.rstrip()) <= width else line[:width] for line in lines)


def _wrapped(lines: Sequence[str], width: int | None) -> tuple[str, ...]:
    if width is None or all(cell_len(line) <= width for line in lines):
        return tuple(lines)
    wrapped: list[str] = []
    for line in lines:
        parts = textwrap.wrap(line, width, break_on_hyphens=False) or [""]
        wide = any(cell_len(part) > width for part in parts)
        wrapped += chop_cells(line, width) if wide else parts
    return tuple(wrapped)


def _padded(text: str, width: int, *, right: bool) -> str:
    blanks = " " * (width - cell_len(text))
    return blanks + text if right else text + blanks
