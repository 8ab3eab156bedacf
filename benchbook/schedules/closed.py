"""Closed loop: a fixed number of slots, each with one trial in flight."""

from __future__ import annotations

from dataclasses import dataclass

from benchbook.schedules.shape import Load


@dataclass(frozen=True, slots=True)
class Closed(Load):
    """`concurrency` slots; each takes the next trial when its last one has ended.

    ramp_s: over which they open, one by one; None: 0.1 ms a slot, so that a start is no burst.
    """

    concurrency: int
    ramp_s: float | None = None

    @property
    def slots(self) -> int | None:
        return self.concurrency
