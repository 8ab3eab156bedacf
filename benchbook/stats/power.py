"""Before money is spent: what change n runs a side can show, and how many runs a change takes. Pure.

The two sides' mean levels are n runs each; their difference is normal about the true one with standard error
sd sqrt(2 / n), and sd is itself an estimate with `df` degrees of freedom, to which the runs to come add 2 (n - 1). A
change is seen when |difference| exceeds both t x standard error and the margin. With sd = s sqrt(chi2 / df), power is

    E over s of  Phi((effect - max(margin, t s sqrt(2 / n))) / (sd sqrt(2 / n)))  + the same on the other side

which for a margin of 0 is the noncentral t (what statsmodels' TTestIndPower computes, for df = 2 (n - 1)).
Everything is in the levels' unit: natural logs of latency, or plain shares.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

POWER = 0.8
MOST_RUNS = 1000
"""More runs a side than anyone measures: beyond it the answer is None."""
_POINTS = 64


@dataclass(frozen=True, slots=True)
class Design:
    """sd: between runs, above 0; df: stored degrees of freedom behind it; margin: what is too small to matter.

    confidence: of the interval that must lie clear of 0 (or inside the margin); power: the chance to see it.
    """

    sd: float
    df: float = 0.0
    margin: float = 0.0
    confidence: float = 0.95
    power: float = POWER

    def __post_init__(self) -> None:
        if not self.sd > 0:
            raise ValueError(f"a spread of {self.sd} carries no plan")


def chance(design: Design, runs: int, effect: float) -> float | None:
    """The power to see `effect` with `runs` a side; None where nothing estimates the spread (df 0, one run a side)."""
    df = _df(design, runs)
    if df <= 0:
        return None
    import numpy as np
    from scipy.special import ndtr

    error = math.sqrt(2 / runs)
    bar = np.maximum(design.margin / design.sd, _t(df, design.confidence) * _spreads(df) * error)
    moved = abs(effect) / design.sd
    return float(np.mean(ndtr((moved - bar) / error) + ndtr((-moved - bar) / error)))


def chance_equivalent(design: Design, runs: int, effect: float = 0.0) -> float | None:
    """The chance that the interval lies inside the margin when the true difference is `effect`."""
    df = _df(design, runs)
    if df <= 0:
        return None
    import numpy as np
    from scipy.special import ndtr

    error = math.sqrt(2 / runs)
    room = design.margin / design.sd - _t(df, design.confidence) * _spreads(df) * error
    moved = effect / design.sd
    inside = ndtr((room - moved) / error) - ndtr((-room - moved) / error)
    return float(np.mean(np.where(room > 0, inside, 0.0)))


def detectable(design: Design, runs: int) -> float | None:
    """The smallest true change that `runs` a side show with the design's power, in levels; None as `chance`."""
    if chance(design, runs, 0.0) is None:
        return None
    high = design.margin + design.sd
    while (chance(design, runs, high) or 0.0) < design.power:
        high *= 2
    return _bisected(0.0, high, lambda effect: (chance(design, runs, effect) or 0.0) >= design.power)


def runs_needed(design: Design, effect: float) -> int | None:
    """Fewest runs a side that show `effect`; None for one that no MOST_RUNS can tell from the margin."""
    return _fewest(lambda runs: (chance(design, runs, effect) or 0.0) >= design.power)


def runs_for_equivalence(design: Design, effect: float = 0.0) -> int | None:
    """Fewest runs a side that show that nothing moved by the margin; None where MOST_RUNS don't."""
    return _fewest(lambda runs: (chance_equivalent(design, runs, effect) or 0.0) >= design.power)


def without_margin(design: Design) -> Design:
    """The same with nothing too small to matter."""
    return replace(design, margin=0.0)


def _df(design: Design, runs: int) -> float:
    if runs < 1:
        raise ValueError(f"a side has at least one run, not {runs}")
    return design.df + 2 * (runs - 1)


def _fewest(enough: Any) -> int | None:
    """The smallest number of runs that is enough; power grows with runs, so by doubling and halving."""
    high = 1
    while not enough(high):
        if high >= MOST_RUNS:
            return None
        high = min(2 * high, MOST_RUNS)
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _bisected(low: float, high: float, enough: Any) -> float:
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


@lru_cache(maxsize=4096)
def _t(df: float, confidence: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(df, (1 + confidence) / 2))


@lru_cache(maxsize=1024)
def _spreads(df: float) -> NDArray[np.float64]:
    """s / sd at equally likely points: sqrt(chi2 / df) at the middles of 64 slices, coarse only far in the tails."""
    import numpy as np
    from scipy.special import gammaincinv

    middles = (np.arange(_POINTS) + 0.5) / _POINTS
    found: NDArray[np.float64] = np.sqrt(2 * gammaincinv(df / 2, middles) / df)
    return found
