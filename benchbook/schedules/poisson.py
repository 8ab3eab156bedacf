"""A Poisson process: starts that know nothing of each other, as those of many independent users."""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable
from dataclasses import dataclass

from benchbook.schedules.shape import SECOND_NS, Load


@dataclass(frozen=True, slots=True)
class Poisson(Load):
    """Independent exponential gaps of mean 1 / rate; `seed` overrides the run's."""

    rate: float
    seed: int | None = None

    @property
    def rate_per_s(self) -> float | None:
        return self.rate

    def offsets_ns(self, count: int, seed: int) -> array[int]:
        chance = random.Random(seed if self.seed is None else self.seed)  # noqa: S311
        return summed(lambda: chance.expovariate(self.rate), count)


def summed(gap_s: Callable[[], float], count: int) -> array[int]:
    """`count` starts, the first at 0, each a gap after the one before."""
    at, offsets = 0.0, array("q")
    for _ in range(count):
        offsets.append(round(at * SECOND_NS))
        at += gap_s()
    return offsets
