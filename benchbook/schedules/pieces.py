"""Rates that change with time, as pieces in each of which the rate is linear.

The load up to t is the integral of the rate, L(t). Even arrivals lie where L = 0, 1, 2, ...; a Poisson process of
that rate is a unit-rate one seen through the inverse of L. Its count is settled beforehand, and given its count it is
uniform in L: the partial sums of count + 1 exponential gaps over their total (Devroye, Non-Uniform Random Variate
Generation, V.3).
"""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from benchbook.schedules.shape import SECOND_NS, Load

_SLACK = 1e-9
"""What floating point may add to an integral that is whole."""


@dataclass(frozen=True, slots=True)
class Piece:
    """For `for_s` seconds the rate goes in a straight line from `from_rate` to `to_rate`."""

    for_s: float
    from_rate: float
    to_rate: float

    @property
    def mass(self) -> float:
        """Trials in it, as the integral of its rate."""
        return self.for_s * (self.from_rate + self.to_rate) / 2

    def after_s(self, mass: float) -> float:
        """When this much of its mass has come, in seconds after its start."""
        slope = (self.to_rate - self.from_rate) / self.for_s
        root = math.sqrt(max(0.0, self.from_rate**2 + 2 * slope * mass))
        return min(self.for_s, 2 * mass / (self.from_rate + root)) if mass > 0 else 0.0


class Shaped(Load):
    """A load made of pieces: a kind gives `pieces`, `arrivals` and `seed`."""

    __slots__ = ()
    arrivals: str
    seed: int | None

    @property
    def pieces(self) -> Sequence[Piece]:
        """The rate over time; empty for a closed loop."""
        raise NotImplementedError

    @property
    def rate_per_s(self) -> float | None:
        return _mass(self.pieces) / self.lasts_s if self.lasts_s and self.pieces else None

    @property
    def opening_per_s(self) -> float | None:
        return (self.pieces[0].from_rate if self.pieces else None) or self.rate_per_s

    @property
    def lasts_s(self) -> float | None:
        return math.fsum(piece.for_s for piece in self.pieces)

    @property
    def count(self) -> int | None:
        return max(1, math.ceil(_mass(self.pieces) - _SLACK)) if self.pieces else None

    def offsets_ns(self, count: int, seed: int) -> array[int] | None:
        if not self.pieces:
            return None
        masses: Iterable[float] = range(count)
        if self.arrivals == "poisson":
            masses = _uniform(count, _mass(self.pieces), seed if self.seed is None else self.seed)
        return array("q", _placed(self.pieces, masses))


def _mass(pieces: Sequence[Piece]) -> float:
    return math.fsum(piece.mass for piece in pieces)


def _uniform(count: int, total: float, seed: int) -> Iterator[float]:
    """`count` sorted uniform places in 0..total."""
    chance = random.Random(seed)  # noqa: S311
    gaps = array("d", (chance.expovariate(1.0) for _ in range(count + 1)))
    scale, at = total / math.fsum(gaps), 0.0
    for gap in gaps[:count]:
        at += gap
        yield at * scale


def _placed(pieces: Sequence[Piece], masses: Iterable[float]) -> Iterator[int]:
    """The times, in ns, at which the integral reaches these ascending masses; beyond the end, the end."""
    index, before, since_s = 0, 0.0, 0.0
    for mass in masses:
        while index < len(pieces) - 1 and mass >= before + pieces[index].mass:
            before += pieces[index].mass
            since_s += pieces[index].for_s
            index += 1
        yield round((since_s + pieces[index].after_s(mass - before)) * SECOND_NS)
