"""What a reader has to say about a file: a place, what is wrong there, what would be right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from string import ascii_letters, digits
from typing import Any

_ID = f"{ascii_letters}{digits}._-"
CRITICAL, WARNING = "critical", "warning"


@dataclass(frozen=True, slots=True)
class Note:
    """One finding. severity: `critical` (the file can't be used) or `warning`; `str()` gives one line."""

    where: str
    what: str
    right: str = ""
    severity: str = WARNING

    def __str__(self) -> str:
        line = f"{self.where}: {self.what}" if self.where else self.what
        return f"{line}; {self.right}" if self.right else line


def in_short(notes: Iterable[str]) -> Iterator[str]:
    """A line for each finding; what holds of several cases of a file alike is said of the first, with how many more."""
    alike: dict[tuple[str, str], list[str]] = {}
    for note in notes:
        head, case, rest = note.partition(", case ")
        said = rest.lstrip(_ID) if case else ""
        alike.setdefault((head.rstrip(digits) if case else note, said), []).append(note)
    for first, *more in alike.values():
        cases = f" (and {len(more)} more cases: benchbook validate)" if len(more) > 1 else " (and 1 more case)"
        yield f"{first}{cases if more else ''}"


def problem(where: str, what: str, right: str = "") -> Note:
    """A finding that makes the file unusable."""
    return Note(where, what, right, CRITICAL)


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a format made of a text: the document (None if there is none), the line on which each test case
    starts (empty where the format does not tell), and what was wrong."""

    document: Any
    lines: Sequence[int] = ()
    problems: tuple[Note, ...] = field(default=())


def place(path: str, line: int | None = None, case: str | None = None, *fields: object) -> str:
    """`datasets/a.yaml:12, case sum-03, field config.temperature`, as far as each is known."""
    parts = [path if line is None else f"{path}:{line}"]
    if case is not None:
        parts.append(f"case {case}")
    if fields:
        parts.append("field " + ".".join(str(name) for name in fields))
    return ", ".join(parts)
