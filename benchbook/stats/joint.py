"""Intervals of what is summed or ranked over test cases, the case being the cluster; alone and against a rival. Pure.

Ratios of sums (cost a trial, cost a solved task, cost against a rival's) get the jackknife's error over cases, of the
log, with Student's t of C - 1 (Efron and Stein, Annals of Statistics 9, 1981). Shares and scores never get an
interval of no width: that no case differed in 40 does not say that none would in 4,000. Quantiles are resampled by
whole cases, both rivals by the same draws, so that what a case adds to both cancels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from benchbook.stats.proportions import CLUSTERS_NEEDED, clustered, student_t

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DRAWS = 999


@dataclass(frozen=True, slots=True)
class Bounded:
    """A value over `cases` with its interval; None where `refused` says why. The value may stand without interval."""

    cases: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    refused: str | None = None


def ratio(above: Sequence[float], below: Sequence[float], confidence: float = 0.95) -> Bounded:
    """sum(above) / sum(below), each a sum per case, none negative; the interval is of the log."""
    cases, total = len(above), math.fsum(below)
    if cases == 0 or total <= 0:
        return Bounded(cases, refused="there is nothing to divide by")
    value = math.fsum(above) / total
    if cases < CLUSTERS_NEEDED:
        return Bounded(cases, value, refused=_lacking(cases))
    if value <= 0:
        return Bounded(cases, value, refused="it is 0, and an interval of a ratio needs more")
    whole = math.fsum(above)
    without = [(whole - a, total - b) for a, b in zip(above, below, strict=True)]
    if any(a <= 0 or b <= 0 for a, b in without):
        return Bounded(cases, value, refused="one case holds all of it")
    logs = [math.log(a / b) for a, b in without]
    middle = math.fsum(logs) / cases
    se = math.sqrt((cases - 1) / cases * math.fsum((log - middle) ** 2 for log in logs))
    reach = _t(cases - 1, confidence) * se
    return Bounded(cases, value, value * math.exp(-reach), value * math.exp(reach))


def mean_of_shares(values: Sequence[float], trials: int, confidence: float = 0.95) -> Bounded:
    """The mean of cases' mean scores, each in 0..1, over so many trials (`proportions.clustered`)."""
    if not values:
        return Bounded(0, refused="no answer was scored")
    bounds = clustered(values, trials, confidence)
    value = math.fsum(values) / len(values)
    return (
        Bounded(len(values), value, *bounds) if bounds else Bounded(len(values), value, refused=_lacking(len(values)))
    )


def share_difference(
    a: Sequence[float], b: Sequence[float], confidence: float = 0.95, *, graded: bool = False
) -> Bounded:
    """mean(b) - mean(a) over cases' mean scores in 0..1, paired by place.

    Student's interval of the paired differences; where trials pass or fail (not graded), or no difference varies, at
    least the one that Wilson's intervals of the shares of cases won and lost give (Zou and Donner's square-and-add,
    Statistics in Medicine 27, 2008): where none of 40 cases differs, 9 of 100 others may still.
    """
    cases = len(a)
    if cases < CLUSTERS_NEEDED:
        return Bounded(cases, refused=_lacking(cases))
    differences = [y - x for x, y in zip(a, b, strict=True)]
    mean = math.fsum(differences) / cases
    sd = math.sqrt(math.fsum((d - mean) ** 2 for d in differences) / (cases - 1))
    reach = _t(cases - 1, confidence) * sd / math.sqrt(cases)
    low, high = mean - reach, mean + reach
    if not graded or sd == 0:
        won, lost = (math.fsum(max(0.0, sign * d) for d in differences) for sign in (1, -1))
        (won_low, won_high), (lost_low, lost_high) = (_wilson(count, cases, confidence) for count in (won, lost))
        low = min(low, mean - math.hypot(won / cases - won_low, lost_high - lost / cases))
        high = max(high, mean + math.hypot(won_high - won / cases, lost / cases - lost_low))
    return Bounded(cases, mean, max(-1.0, low), min(1.0, high))


def quantile_ratio(a: Drawn, b: Drawn, confidence: float = 0.95) -> Bounded:
    """The quantile of b's values over that of a's, both drawn of the same cases with the same seed and draws."""
    cases = a.cases
    if cases < CLUSTERS_NEEDED:
        return Bounded(cases, refused=_lacking(cases))
    if not a.positive or not b.positive:
        return Bounded(cases, refused="a value is 0 or less, and a ratio needs more")
    import numpy as np

    value = b.log - a.log
    tail = NormalDist().cdf(-_t(cases - 1, confidence) * math.sqrt(cases / (cases - 1)))
    low, high = np.quantile(b.logs - a.logs, [tail, 1 - tail])
    return Bounded(cases, math.exp(value), math.exp(min(float(low), value)), math.exp(max(float(high), value)))


@dataclass(frozen=True, slots=True)
class Drawn:
    """The log of a quantile over all values, and over those of each draw of whole cases; nothing where a value is not
    above 0."""

    cases: int
    positive: bool
    log: float
    logs: NDArray[np.float64]


def drawn(by_case: Sequence[Sequence[float]], q: float, seed: int, draws: int = DRAWS) -> Drawn:
    """A quantile of values by case, resampled by whole cases: of the same number of cases, the same seed draws the
    same ones."""
    import numpy as np

    cases = len(by_case)
    if cases < CLUSTERS_NEEDED or min(map(min, by_case)) <= 0:
        return Drawn(cases, positive=cases < CLUSTERS_NEEDED, log=0.0, logs=np.zeros(0))
    ranked = _Ranked.of(by_case)
    whole = float(ranked.quantiles(np.ones((1, cases)), q)[0])
    weights = _multiplicities(np.random.default_rng(seed), draws, cases)
    return Drawn(cases, positive=True, log=whole, logs=ranked.quantiles(weights, q))


def cases_needed(found: Bounded, margin: float) -> int | None:
    """About how many cases would put a difference's interval inside the margin; None where the difference itself does
    not lie inside it."""
    if found.value is None or found.low is None or found.high is None or abs(found.value) >= margin:
        return None
    half = max(found.value - found.low, found.high - found.value)
    return math.ceil(found.cases * (half / (margin - abs(found.value))) ** 2)


@dataclass(frozen=True, slots=True)
class _Ranked:
    """All values of a side as sorted logs, each with the place of its case; and, of each block of that many of them in
    a row, how many are of which case, so that a rank is looked for among blocks first."""

    logs: NDArray[np.float64]
    places: NDArray[np.intp]
    counts: NDArray[np.float64]
    block: int

    @classmethod
    def of(cls, by_case: Sequence[Sequence[float]]) -> _Ranked:
        import numpy as np

        logs = np.log(np.concatenate([np.asarray(values, dtype=float) for values in by_case]))
        places = np.repeat(np.arange(len(by_case)), [len(values) for values in by_case])
        order = np.argsort(logs, kind="stable")
        places, block = places[order], math.isqrt(len(logs)) + 1
        counts = np.zeros((len(by_case), -(-len(logs) // block)))
        np.add.at(counts, (places, np.arange(len(logs)) // block), 1)
        return cls(logs[order], places, counts, block)

    def quantiles(self, weights: NDArray[np.float64], q: float) -> NDArray[np.float64]:
        """Type 7 of the values repeated as often as their cases were drawn, one for each row of weights."""
        import numpy as np

        reached = np.cumsum(weights @ self.counts, axis=1)
        at = (reached[:, -1] - 1) * q
        below, above = (self._ranked(weights, reached, np.maximum(rank, 0)) for rank in (np.floor(at), np.ceil(at)))
        values: NDArray[np.float64] = below + (at - np.floor(at)) * (above - below)
        return values

    def _ranked(
        self, weights: NDArray[np.float64], reached: NDArray[np.float64], rank: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The value at a 0-based rank of each row: the first whose count reaches past it."""
        import numpy as np

        rows, last = np.arange(len(weights)), len(self.logs) - 1
        block = np.minimum((reached <= rank[:, np.newaxis]).sum(axis=1), reached.shape[1] - 1)
        before = np.where(block > 0, reached[rows, block - 1], 0.0)
        members = (block * self.block)[:, np.newaxis] + np.arange(self.block)
        drawn = np.where(members <= last, weights[rows[:, np.newaxis], self.places[np.minimum(members, last)]], 0.0)
        inside = (before[:, np.newaxis] + np.cumsum(drawn, axis=1) <= rank[:, np.newaxis]).sum(axis=1)
        return self.logs[np.minimum(block * self.block + inside, last)]


def _multiplicities(rng: np.random.Generator, draws: int, cases: int) -> NDArray[np.float64]:
    """How often each case was drawn, with replacement, in each of so many draws."""
    import numpy as np

    return rng.multinomial(cases, np.full(cases, 1 / cases), size=draws).astype(float)


def _wilson(count: float, n: int, confidence: float) -> tuple[float, float]:
    """Wilson's interval for a count that need not be whole."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = count / n
    centre = (count + z * z / 2) / (n + z * z)
    half = z * math.sqrt(n * share * (1 - share) + z * z / 4) / (n + z * z)
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def _t(degrees: int, confidence: float) -> float:
    return student_t(degrees, NormalDist().inv_cdf((1 + confidence) / 2))


def _lacking(cases: int) -> str:
    return f"an interval needs {CLUSTERS_NEEDED} test cases, has {cases}"
