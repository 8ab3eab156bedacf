"""What a resumed trial carries over from the processes before it: parts that are done, and the time they took.

Each earlier process's stamps are shifted by one constant, so that its last checkpoint falls on the instant at which the
next one took the trial up. So the dead time between them is in no wall, and neither is what was done after that last
checkpoint and is done again; everything else is, once, and in its order. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from benchbook.records import Answer, Call, Chunks, Span
from benchbook.results.checkpoints import Part, Session


@dataclass(frozen=True, slots=True)
class Carried:
    """intended_ns, started_ns: of the trial, on the present process's clock; parts: shifted; redone: keys that a kill
    cut off, so that what was done of them then is not counted; shifts_ns: what was added to each session's raw stamps,
    the first one's first."""

    intended_ns: int
    started_ns: int
    parts: tuple[Part, ...] = ()
    redone: tuple[str, ...] = ()
    shifts_ns: tuple[int, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def resumed(self) -> int:
        """How often the trial was taken up again."""
        return len(self.shifts_ns)


def carried(earlier: Sequence[Session], intended_ns: int, taken_up_ns: int) -> Carried:
    """What is there when a process takes a trial up at `taken_up_ns`; without earlier sessions it begins then."""
    starts = [session.opened_ns for session in earlier[1:]] + [taken_up_ns]
    shifts = [0] * len(earlier)
    for place in reversed(range(len(earlier))):
        later = shifts[place + 1] if place + 1 < len(earlier) else 0
        shifts[place] = starts[place] + later - earlier[place].ends_ns
    if not earlier:
        return Carried(intended_ns, taken_up_ns)
    parts = {
        part.key: shifted(part, shift) for session, shift in zip(earlier, shifts, strict=True) for part in session.parts
    }
    cut_off = dict.fromkeys(key for session in earlier for key in session.begun if key not in session.keys)
    return Carried(
        earlier[0].intended_ns + shifts[0],
        earlier[0].opened_ns + shifts[0],
        tuple(parts.values()),
        tuple(cut_off),
        tuple(shifts),
        {key: part.value for key, part in parts.items()},
    )


def shifted(part: Part, by_ns: int) -> Part:
    """The part with all of its stamps moved."""
    return replace(
        part,
        calls=tuple(_call(call, by_ns) for call in part.calls),
        answers=tuple(_answer(answer, by_ns) for answer in part.answers),
        spans=tuple(_span(span, by_ns) for span in part.spans),
    )


_CALL = ("intended_ns", "taken_up_ns", "sent_ns", "closed_ns", "first_byte_ns", "last_byte_ns")


def _call(call: Call, by_ns: int) -> Call:
    stamps = {name: value + by_ns for name in _CALL if (value := getattr(call, name)) is not None}
    old = call.columns
    return replace(call, **stamps, chunks=Chunks(tuple(at + by_ns for at in old.at_ns), old.sizes, old.kinds))


def _answer(answer: Answer, by_ns: int) -> Answer:
    return replace(answer, piece_at_ns=tuple(at + by_ns for at in answer.piece_at_ns))


def _span(span: Span, by_ns: int) -> Span:
    return replace(span, started_ns=span.started_ns + by_ns, ended_ns=span.ended_ns + by_ns)


def excused_ns(parts: Sequence[Part]) -> int:
    """How long people were waited for: the union of the `human_wait` spans."""
    waits = sorted((s.started_ns, s.ended_ns) for part in parts for s in part.spans if s.kind == "human_wait")
    total, until = 0, waits[0][0] if waits else 0
    for started_ns, ended_ns in waits:
        total += max(0, ended_ns - max(started_ns, until))
        until = max(until, ended_ns)
    return total
