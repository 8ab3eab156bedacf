"""Whether runs lie off a level that was named once: a step that came too slowly to be one. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from benchbook.stats.changes import SMALLEST
from benchbook.stats.spread import Spread

ALPHA = 0.001


def off_level(named: float, levels: Sequence[float], spread: Spread | None) -> float | None:
    """p that runs of this spread lie as far from one named run's level; None for fewer than SMALLEST or no spread.

    Of the runs the median counts, so that a spike has no say: its error is taken as sqrt(pi / 2) of the mean's.
    """
    if len(levels) < SMALLEST or spread is None:
        return None
    off = abs(statistics.median(levels) - named)
    if spread.sd == 0:
        return 0.0 if off else 1.0
    from scipy.special import stdtr

    t = off / (spread.sd * math.sqrt(1 + math.pi / 2 / len(levels)))
    return 2 * float(stdtr(spread.df, -t))
