"""Closed loop: a fixed number of slots, each with one trial in flight."""

from __future__ import annotations

from dataclasses import dataclass

from benchbook.schedules.shape import Load


@dataclass(frozen=True, slots=True)
class Closed(Load):
    """`concurrency` slots; each takes the next trial when its last one has ended."""

    concurrency: int

    @property
    def slots(self) -> int | None:
        return self.concurrency
