"""Where more load stops paying: the knee of a curve of throughput over load.

The gain of a step is how much of the added load came out as added throughput: (T2 / T1 - 1) / (L2 / L1 - 1). It is 1
while throughput grows with the load and 0 when it stands still. The knee is the load before the first step that gains
less than a given part. One noisy step can be that first one: a knee is where to look, and no verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

LEAST_GAIN = 0.5
"""Twice the load must bring half as much again."""


@dataclass(frozen=True, slots=True)
class Knee:
    """load: the last before a step, to `next_load`, that gained only `gain`."""

    load: float
    next_load: float
    gain: float


def gain(before: tuple[float, float], after: tuple[float, float]) -> float | None:
    """What of the added load came out, of two points (load, throughput); None where nothing was added or came out."""
    (load, out), (more_load, more_out) = before, after
    if more_load <= load or load <= 0 or out <= 0:
        return None
    return (more_out / out - 1) / (more_load / load - 1)


def knee(points: Sequence[tuple[float, float]], least: float = LEAST_GAIN) -> Knee | None:
    """The knee of points (load, throughput), in any order; None where every step gains enough."""
    for before, after in pairwise(sorted(points)):
        found = gain(before, after)
        if found is not None and found < least:
            return Knee(before[0], after[0], found)
    return None
