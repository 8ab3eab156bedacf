"""Gamma gaps: a mean rate with as much burstiness as one likes."""

from __future__ import annotations

import random
from array import array
from dataclasses import dataclass

from benchbook.schedules.poisson import summed
from benchbook.schedules.shape import Load


@dataclass(frozen=True, slots=True)
class Gamma(Load):
    """Independent gamma gaps of mean 1 / rate. `burstiness` is the gamma's shape: 1 is a Poisson process, less comes
    in bursts, more is more even (gaps' standard deviation over their mean is 1 / sqrt(burstiness)); `seed` overrides
    the run's."""

    rate: float
    burstiness: float
    seed: int | None = None

    @property
    def rate_per_s(self) -> float | None:
        return self.rate

    def offsets_ns(self, count: int, seed: int) -> array[int]:
        chance = random.Random(seed if self.seed is None else self.seed)  # noqa: S311
        scale = 1 / (self.rate * self.burstiness)
        return summed(lambda: chance.gammavariate(self.burstiness, scale), count)
