"""What readers pass over: a file, or a line of it, named with the reason. Never fatal, never silent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Damaged:
    """A file, or a line of it (counted from 1), and why it is not read."""

    file: str
    line: int | None
    why: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.why}; passed over"
