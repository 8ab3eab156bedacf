"""Where a history of run levels steps to another level, read as it grew: run by run, not with later knowledge. Pure.

E-divisive means (Matteson & James, arXiv 1306.4933) says where: the split of a window at which the energy distance
between both sides, weighed by their sizes, is largest. A t-test of the two sides says whether (Fleming et al., arXiv
2301.03034, who put it in the place of random permutations, so that the answer is the same every time; a window keeps
an old step from hiding a new one). No side has fewer than `SMALLEST` runs.

A spike is no step: a run far from its own side counts as no evidence, and so neither makes a step nor hides one.
A step that later runs take back is withdrawn. What each look may cost in false alarms is fixed in `_allowed`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import NamedTuple

Levels = Sequence[float]

SMALLEST = 3
"""Runs that a side of a change has at least."""

WINDOW = 50
"""A change is looked for in the newest runs since the change before, this many at most."""

ALPHA = 0.0034
"""What a look may take for a change by chance where it is easiest to see: the newest three runs against `SETTLED`."""

SETTLED = 20
"""Runs on the older side from which on the newest three are held to `ALPHA`, and no more strictly."""

VISIBLE = 0.07
"""The spread between runs (sd of levels) up to which the newest three can show a step of 15 %: half of ln 1.15."""

_STRICT = 1 / 160
"""The part of alpha that any other look is held to: there are many, and a step in them has had its look before."""

_KEEP = 0.01
"""A change whose p rises beyond this as runs come in is withdrawn, if they went back at least half the way."""

_YOUNG = 3 * SMALLEST
"""Runs after a change's first detection for which its place is still looked at anew."""

_SPIKE = 3.5
"""A run further than this many robust standard deviations from its side's median is a spike."""

_AGREES = 0.4
"""A run that came less than this share of the way to the new level says that there is none."""

_LEAST_P = 1e-12


@dataclass(frozen=True, slots=True)
class Change:
    """A step between run `index` - 1 and run `index` of a history.

    before, after: the levels on both sides, spikes left out; p: of the t-test between them, two-sided; seen: the run
    with which it was first found; ended: the run with which it was withdrawn, None while it stands.
    """

    index: int
    before: float
    after: float
    p: float
    seen: int
    ended: int | None = None


def change_points(levels: Levels, *, alpha: float = ALPHA) -> tuple[Change, ...]:
    """The changes that stand at the end of a history of levels (logs of medians, or shares), in order of time."""
    return tuple(change for change in replay(levels, alpha=alpha) if change.ended is None)


def replay(levels: Levels, *, alpha: float = ALPHA) -> tuple[Change, ...]:
    """Every change that was ever found, looking after each run, with what became of it; in order of `seen`.

    The answer for the first n runs of a history is part of the answer for all of it.
    """
    series = [float(level) for level in levels]
    standing: list[Change] = []
    withdrawn: list[Change] = []
    for runs in range(2 * SMALLEST, len(series) + 1):
        if standing and runs - 1 - standing[-1].seen <= _YOUNG:
            _look_again(series[:runs], standing, withdrawn)
        start = standing[-1].index if standing else 0
        found = _newest(series[max(start, runs - WINDOW) : runs], alpha)
        if found:
            standing.append(replace(found, index=found.index + max(start, runs - WINDOW), seen=runs - 1))
    return tuple(sorted([*standing, *withdrawn], key=lambda change: (change.seen, change.index)))


def spikes(levels: Levels, changes: Sequence[Change]) -> tuple[int, ...]:
    """The runs that lie alone, far off the stretch between changes that they are in; none where they are many."""
    cuts = [0, *(change.index for change in changes), len(levels)]
    return tuple(low + at for low, high in pairwise(cuts) for at in _alone(levels[low:high]))


def _alone(side: Levels) -> list[int]:
    if len(side) <= SMALLEST:
        return []
    off = _off(side)
    limit = _SPIKE * _scale(off, 1)
    found = [at for at, far in enumerate(off) if far > limit] if limit > 0 else []
    return found if len(found) <= _some(side) else []


def _newest(window: Levels, alpha: float) -> Change | None:
    """The change in a window, if there is one: at the newest three runs, or where the sides are furthest apart."""
    size = len(window)
    if size < 2 * SMALLEST:
        return None
    for at in dict.fromkeys((size - SMALLEST, _furthest(_drawn_in(window)))):
        seen = _tested(window[:at], window[at:])
        if seen.p < _allowed(at, seen, alpha):
            return Change(at, seen.before, seen.after, seen.p, size - 1)
    return None


def _allowed(older: int, seen: _Tested, alpha: float) -> float:
    """The p that a look must stay below. The longer the older side, the less it takes to keep the same power.

    Two runs that agree beside a spike, and runs that lie too far apart for three to show much, must be as clear as in
    any other look.
    """
    if seen.newer == SMALLEST and older >= SETTLED and seen.sd <= VISIBLE:
        return float(alpha * (SETTLED / older) ** 2)
    return alpha * _STRICT


def _look_again(series: Levels, standing: list[Change], withdrawn: list[Change]) -> None:
    """The newest change, with what has been measured since: its place and levels, or that it is none."""
    last = standing.pop()
    start = max(standing[-1].index if standing else 0, min(len(series) - WINDOW, last.index - SMALLEST))
    window, place = series[start:], last.index - start
    near = _furthest(_drawn_in(window))
    places = range(min(near, place), max(near, place) + 1) if abs(near - place) <= SMALLEST else (place,)
    best, at = max((_tested(window[:at], window[at:]), at) for at in places)
    way = (median(window[place:]) - last.before) / (last.after - last.before)
    if best.p < _KEEP and (best.after > best.before) == (last.after > last.before):
        standing.append(replace(last, index=at + start, before=best.before, after=best.after, p=best.p))
    elif way > 0.5:  # what came since lies elsewhere again, but not where it was before
        standing.append(last)
    else:
        withdrawn.append(replace(last, ended=len(series) - 1))


def _drawn_in(window: Levels) -> list[float]:
    """No run lies outside of the range of its two neighbours on each side: where the split is, no spike has a say."""
    drawn = []
    for at, level in enumerate(window):
        around = (*window[max(0, at - 2) : at], *window[at + 1 : at + 3])
        drawn.append(min(max(level, min(around)), max(around)))
    return drawn


def _furthest(levels: Levels) -> int:
    """The split at which the weighed energy distance of both sides (exponent 1) is largest."""
    import numpy as np

    window, size = np.asarray(levels), len(levels)
    sums = np.zeros((size + 1, size + 1))
    sums[1:, 1:] = np.abs(window[:, None] - window[None, :]).cumsum(0).cumsum(1)
    older = np.arange(SMALLEST, size - SMALLEST + 1)
    newer = size - older
    within_older = sums[older, older]
    across = sums[older, size] - within_older
    within_newer = sums[size, size] - within_older - 2 * across
    apart = 2 * across / (older * newer)
    spread = within_older / (older * (older - 1)) + within_newer / (newer * (newer - 1))
    return int(older[np.argmax(older * newer / size * (apart - spread))])


class _Tested(NamedTuple):
    """Two sides against each other: |t|, its p, both levels; sd within them, and runs of the newer side, no spikes."""

    t: float
    p: float
    before: float
    after: float
    sd: float = 0.0
    newer: int = 0


def _tested(older: Levels, newer: Levels) -> _Tested:
    """The t-test of both sides without their spikes; t = 0 where too many runs of a side contradict its level."""
    sides = (older, newer)
    off = [_off(side) for side in sides]
    limit = _SPIKE * _scale([*off[0], *off[1]], 2)
    kept = [
        [level for level, far in zip(side, fars, strict=True) if far <= limit or limit == 0]
        for side, fars in zip(sides, off, strict=True)
    ]
    if any(len(side) < len(whole) - _some(whole) for side, whole in zip(kept, sides, strict=True)):
        return _Tested(0.0, 1.0, median(older), median(newer))
    before, after = (sum(side) / len(side) for side in kept)
    free = len(kept[0]) + len(kept[1]) - 2
    squares = sum((level - mean) ** 2 for side, mean in zip(kept, (before, after), strict=True) for level in side)
    sd = math.sqrt(squares / free)
    if before == after or _contradicted(older, newer, (before, after, sd)):
        return _Tested(0.0, 1.0, before, after)
    error = sd * math.sqrt(1 / len(kept[0]) + 1 / len(kept[1]))
    t = abs(after - before) / error if error else math.inf
    return _Tested(t, _p(t, free), before, after, sd, len(kept[1]))


def _p(t: float, free: int) -> float:
    """Two-sided, of Student's t; never 0, also for levels without spread."""
    from scipy.special import stdtr

    return max(_LEAST_P, 2 * float(stdtr(free, -t)))


def _contradicted(older: Levels, newer: Levels, found: tuple[float, float, float]) -> bool:
    """Whether more runs of a side than one in five look like the other side's."""
    before, after, sd = found
    step = abs(after - before)
    way = max(_AGREES * step, step - 3 * sd)
    for side, here, there in ((older, before, after), (newer, after, before)):
        sign = math.copysign(1.0, here - there)
        if sum(-3 * sd <= (level - there) * sign < way for level in side) > len(side) // 5:
            return True
    return False


def _off(side: Levels) -> list[float]:
    """How far each run lies off its side's median."""
    middle = median(side)
    return [abs(level - middle) for level in side]


def _some(side: Levels) -> int:
    """How many spikes a side may have: one, or a quarter."""
    return max(1, len(side) // 4)


def _scale(off: Levels, centres: int) -> float:
    """A robust standard deviation of distances from `centres` medians, each of them at a value or near one.

    Where most runs lie at their median it is taken from the mean distance.
    """
    return 1.4826 * median(sorted(off)[centres:]) or 1.2533 * sum(off) / len(off)
