"""A rate that rises, or falls, in a straight line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchbook.schedules.pieces import Piece, Shaped


@dataclass(frozen=True, slots=True)
class Ramp(Shaped):
    """From `from_rate` to `to_rate` within `duration_s`."""

    from_rate: float
    to_rate: float
    duration_s: float
    arrivals: str = "even"
    seed: int | None = None

    @property
    def pieces(self) -> Sequence[Piece]:
        return (Piece(self.duration_s, self.from_rate, self.to_rate),)
