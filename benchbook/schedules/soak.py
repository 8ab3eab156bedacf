"""One load for a long time: an open loop at a rate, or a closed loop that ends with its time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchbook.schedules.pieces import Piece, Shaped


@dataclass(frozen=True, slots=True)
class Soak(Shaped):
    """`rate`, or `concurrency`, for `duration_s`."""

    duration_s: float
    rate: float | None = None
    concurrency: int | None = None
    arrivals: str = "even"
    seed: int | None = None

    @property
    def slots(self) -> int | None:
        return self.concurrency

    @property
    def lasts_s(self) -> float | None:
        return self.duration_s

    @property
    def pieces(self) -> Sequence[Piece]:
        return () if self.rate is None else (Piece(self.duration_s, self.rate, self.rate),)
