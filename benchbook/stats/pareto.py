"""Who is dominated, when every axis is known only to within an interval. Pure.

`a` dominates `b` when a is better on some axis and not worse on any. With intervals there are two words for it:

    dominated          better: the gain's interval is clear of 0 and the gain is beyond the margin; not worse on an
                       axis: the whole interval lies above -margin
    may be dominated   the same of the gains themselves, as if they were known exactly

A loss within the margin counts as none, so dominance need not be transitive, and three targets could dominate each
other in a ring. Who is dominated only from within such a ring stays: there is always a front. Two never dominate
each other.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

FRONT, MAYBE, DOMINATED = "front", "may be dominated", "dominated"
T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Gain:
    """By how much one is better than another on an axis (positive: better), with its interval; None: not known.

    margin: a loss up to it counts as none, a gain up to it as nothing gained.
    """

    value: float | None
    low: float | None
    high: float | None
    margin: float = 0.0

    @property
    def better(self) -> bool:
        """Better for sure."""
        return self.value is not None and self.low is not None and self.low > 0 and self.value > self.margin

    @property
    def not_worse(self) -> bool:
        """Not worse for sure: the whole interval lies above -margin (or at 0, where margin and loss are nothing)."""
        return self.low is not None and (self.low > -self.margin or self.low >= 0)

    def exactly(self) -> Gain:
        """As if the value were known without error."""
        return Gain(self.value, self.value, self.value, self.margin)

    def turned(self) -> Gain:
        """The other one's gain."""
        low, value, high = (None if x is None else -x for x in (self.high, self.value, self.low))
        return Gain(value, low, high, self.margin)


@dataclass(frozen=True, slots=True)
class Standing(Generic[T]):
    """word: FRONT, MAYBE or DOMINATED; by: who dominates, or may."""

    word: str
    by: tuple[T, ...] = ()


Gains = Mapping[tuple[T, T], Mapping[str, Gain]]
"""(a, b) -> axis -> what a gains over b. One direction of a pair is enough."""


def dominates(gains: Iterable[Gain]) -> bool:
    """Whether the one with these gains dominates the other; never without an axis."""
    listed = list(gains)
    return all(gain.not_worse for gain in listed) and any(gain.better for gain in listed)


def standings(names: Iterable[T], gains: Gains[T]) -> dict[T, Standing[T]]:
    """How each stands among the others. Who has no gain said against anyone is at the front."""
    listed = list(names)
    ways = {**{(b, a): _turned(found) for (a, b), found in gains.items()}, **gains}
    sure = {(a, b) for (a, b), found in ways.items() if dominates(found.values())}
    likely = {(a, b) for (a, b), found in ways.items() if dominates(gain.exactly() for gain in found.values())}
    ringed = _ringed(sure)
    found: dict[T, Standing[T]] = {}
    for name in listed:
        by = tuple(a for a in listed if (a, name) in sure - ringed)
        maybe = tuple(a for a in listed if (a, name) in sure | likely)
        found[name] = Standing(DOMINATED, by) if by else Standing(MAYBE, maybe) if maybe else Standing(FRONT)
    return found


def _turned(gains: Mapping[str, Gain]) -> dict[str, Gain]:
    return {axis: gain.turned() for axis, gain in gains.items()}


def _ringed(edges: set[tuple[T, T]]) -> set[tuple[T, T]]:
    """The edges that lie on a ring: from whose end one comes back to their start."""
    return {(a, b) for a, b in edges if a in _reached(b, edges)}


def _reached(start: T, edges: set[tuple[T, T]]) -> set[T]:
    reached, ahead = {start}, [start]
    while ahead:
        at = ahead.pop()
        new = {b for a, b in edges if a == at} - reached
        reached |= new
        ahead += new
    return reached
