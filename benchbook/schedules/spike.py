"""A steady rate with one spike in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchbook.schedules.pieces import Piece, Shaped


@dataclass(frozen=True, slots=True)
class Spike(Shaped):
    """`base_rate`, but `peak_rate` for `for_s` from `at_s` on; then the base again for as long as before the spike,
    or until `duration_s`."""

    base_rate: float
    peak_rate: float
    at_s: float
    for_s: float
    duration_s: float | None = None
    arrivals: str = "even"
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.duration_s is None:
            object.__setattr__(self, "duration_s", 2 * self.at_s + self.for_s)

    @property
    def pieces(self) -> Sequence[Piece]:
        after_s = (self.duration_s or 0.0) - self.at_s - self.for_s
        base, peak = self.base_rate, self.peak_rate
        parts = (Piece(self.at_s, base, base), Piece(self.for_s, peak, peak), Piece(after_s, base, base))
        return tuple(part for part in parts if part.for_s > 0)
