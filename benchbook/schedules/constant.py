"""Evenly spaced starts."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from benchbook.schedules.shape import SECOND_NS, Load


@dataclass(frozen=True, slots=True)
class Constant(Load):
    """Trial i starts at i / rate."""

    rate: float

    @property
    def rate_per_s(self) -> float | None:
        return self.rate

    def offsets_ns(self, count: int, seed: int) -> array[int]:  # noqa: ARG002
        return array("q", (round(index * SECOND_NS / self.rate) for index in range(count)))
