"""How much of the spread between runs the hour, or the weekday, of their start explains. Pure.

One-way analysis of variance with runs as replicates. The share is omega squared (Hays, Statistics, 1963): what the
hours explain less what as many hours would explain by chance; it can be below 0 and is told as it is.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

CELL = 3
"""Runs that an hour needs to be looked at."""


@dataclass(frozen=True, slots=True)
class Explained:
    """share: omega squared; p: of the F-test; cells: hours looked at; runs: in them; offsets: cell -> mean level less
    the mean of all."""

    share: float
    p: float
    cells: int
    runs: int
    offsets: Mapping[Hashable, float]


def explained(cells: Mapping[Hashable, Sequence[float]]) -> Explained | None:
    """What cells explain of the spread of levels; None with fewer than two cells of CELL runs, or without spread."""
    kept = {cell: levels for cell, levels in cells.items() if len(levels) >= CELL}
    if len(kept) < 2:
        return None
    runs = sum(map(len, kept.values()))
    mean = math.fsum(level for levels in kept.values() for level in levels) / runs
    means = {cell: math.fsum(levels) / len(levels) for cell, levels in kept.items()}
    between = math.fsum(len(levels) * (means[cell] - mean) ** 2 for cell, levels in kept.items())
    within = math.fsum((level - means[cell]) ** 2 for cell, levels in kept.items() for level in levels)
    free, left = len(kept) - 1, runs - len(kept)
    if within == 0:
        return None
    from scipy.special import fdtrc

    p = float(fdtrc(free, left, between / free / (within / left)))
    share = (between - free * within / left) / (between + within + within / left)
    return Explained(share, p, len(kept), runs, {cell: found - mean for cell, found in means.items()})
