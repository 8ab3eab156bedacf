"""Which load to try next, when the largest one is sought that still meets the objectives.

Doubling from the smallest load until one is violated or the largest is reached; then halving the bracket between the
largest load met and what was tried next above it; then, where loads in between could not be told, the bracket between
the largest of these and the smallest load violated. It takes for granted that a load beyond one that is violated is
violated as well; a load that was met beyond one stays in the list, and out of the bracket.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from benchbook.stats.objectives import CANNOT_TELL, MET, VIOLATED

_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Range:
    """Loads from `low` to `high`; whole: concurrencies; else rates, told apart down to a share of `resolution`."""

    low: float
    high: float
    whole: bool
    resolution: float = 0.1

    def fine(self, below: float, above: float) -> bool:
        """Whether nothing is worth trying between two loads."""
        return above - below <= 1 if self.whole else above / below <= 1 + self.resolution

    def middle(self, below: float, above: float) -> float:
        """Half-way: in the arithmetic mean for whole loads, else in the geometric one."""
        if self.whole:
            return float((below + above) // 2)
        return _rounded(math.sqrt(below * above))


@dataclass(frozen=True, slots=True)
class Bracket:
    """largest_met: None where no load was; smallest_violated: None where none was, up to the largest tried."""

    largest_met: float | None
    smallest_violated: float | None
    undecided: tuple[float, ...] = ()
    """Loads between them that could not be told."""


def bracket(tried: Mapping[float, str]) -> Bracket:
    """What the words at the loads tried so far come to."""
    violated = min((load for load, word in tried.items() if word == VIOLATED), default=None)
    below = {load: word for load, word in tried.items() if violated is None or load < violated}
    met = max((load for load, word in below.items() if word == MET), default=None)
    unsure = (load for load, word in below.items() if word == CANNOT_TELL and (met is None or load > met))
    return Bracket(met, violated, tuple(sorted(unsure)))


def next_load(tried: Mapping[float, str], within: Range) -> float | None:
    """The load to try next, None when there is nothing left to find out."""
    if not tried:
        return within.low
    found = bracket(tried)
    if found.smallest_violated is None:
        largest = max(tried)
        return min(within.high, 2 * largest) if largest < within.high else _halved(tried, within, found)
    return _halved(tried, within, found)


def _halved(tried: Mapping[float, str], within: Range, found: Bracket) -> float | None:
    """The middle of the bracket, from its lower end first."""
    if found.largest_met is not None:
        above = min((load for load in tried if load > found.largest_met), default=None)
        if above is not None and not within.fine(found.largest_met, above):
            return _new(within.middle(found.largest_met, above), tried)
    if found.undecided and found.smallest_violated is not None:
        below = found.undecided[-1]
        if not within.fine(below, found.smallest_violated):
            return _new(within.middle(below, found.smallest_violated), tried)
    return None


def _new(load: float, tried: Mapping[float, str]) -> float | None:
    return None if load in tried else load


def _rounded(load: float) -> float:
    """To three significant digits: loads are read by people."""
    return float(f"{load:.{_DIGITS}g}")
