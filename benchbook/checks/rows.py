"""Where a row of the datasets' frame comes from: what a failure line needs to name its place."""

from __future__ import annotations

from dataclasses import dataclass

from benchbook.datasets import Examined
from benchbook.datasets.notes import place
from benchbook.records import Case


@dataclass(frozen=True, slots=True)
class Row:
    """Where a frame's row comes from; case None = the file's own fields."""

    seen: Examined
    index: int | None = None

    @property
    def case(self) -> Case | None:
        return None if self.index is None or self.seen.dataset is None else self.seen.dataset.cases[self.index]

    @property
    def number(self) -> int:
        return self.seen.numbers[self.index or 0]

    @property
    def name(self) -> str:
        case = self.case
        return case.id if case is not None and case.id.strip() else f"number {self.number}"

    def place(self, *fields: object) -> str:
        if self.index is None:
            return place(self.seen.path, None, None, *fields)
        return place(self.seen.path, self.seen.lines[self.index], self.name, *fields)
