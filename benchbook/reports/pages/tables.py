"""Tables of a page as plain facts: columns, rows, cells. The macro `table` draws them; nothing here is markup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

KINDS = ("number", "text", "long", "code")


@dataclass(frozen=True, slots=True)
class Column:
    """A heading and how its cells are set: `number` (to the right), `text`, `long` (wraps), `code` (wraps, as written).

    hint: what the heading means, shown on hovering and read out.
    """

    name: str
    kind: str = "number"
    hint: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"a column is one of {', '.join(KINDS)}, not {self.kind!r}")


@dataclass(frozen=True, slots=True)
class Cell:
    """A value, what stands below it in small (an interval, a model), and what it is sorted by if not by its text.

    link: where it leads, relative to the page or within it; made of parts that were quoted.

    style: `bad`, `low`, `good`, `strong` or nothing. A colour never says it alone: the text does.
    """

    text: str
    below: str = ""
    style: str = ""
    sort: float | None = None
    link: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """caption: what the table says, read before it; note: how to read it, below. The first column names the row."""

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell | str]]
    note: str = ""

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"a row of {self.caption!r} has not {len(self.columns)} cells")

    @property
    def cells(self) -> list[list[Cell]]:
        """The rows, every cell a `Cell`."""
        return [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in self.rows]
