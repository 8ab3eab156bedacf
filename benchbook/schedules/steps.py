"""Stairs: one level after another, of a rate (open loop) or of a concurrency (closed loop)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchbook.schedules.pieces import Piece, Shaped
from benchbook.schedules.shape import SECOND_NS, Level


@dataclass(frozen=True, slots=True)
class Step:
    """`rate` or `concurrency` for `for_s` seconds."""

    for_s: float
    rate: float | None = None
    concurrency: int | None = None


@dataclass(frozen=True, slots=True)
class Steps(Shaped):
    """`steps`, one after another; all of them have a rate, or all a concurrency."""

    steps: Sequence[Step | Mapping[str, Any]]
    arrivals: str = "even"
    seed: int | None = None

    def __post_init__(self) -> None:
        made = tuple(step if isinstance(step, Step) else Step(**step) for step in self.steps)
        object.__setattr__(self, "steps", made)

    @property
    def slots(self) -> int | None:
        return max((level.slots for level in self.levels), default=None)

    @property
    def levels(self) -> tuple[Level, ...]:
        found, at_s = [], 0.0
        for step in self._made:
            if step.concurrency is not None:
                found.append(Level(round(at_s * SECOND_NS), step.concurrency))
            at_s += step.for_s
        return tuple(found)

    @property
    def lasts_s(self) -> float | None:
        return math.fsum(step.for_s for step in self._made)

    @property
    def pieces(self) -> Sequence[Piece]:
        return tuple(Piece(step.for_s, step.rate, step.rate) for step in self._made if step.rate is not None)

    @property
    def _made(self) -> tuple[Step, ...]:
        return self.steps  # type: ignore[return-value]
