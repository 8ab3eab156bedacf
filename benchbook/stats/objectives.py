"""Whether many trials meet an objective: MET, VIOLATED, or CANNOT TELL.

A quantile is judged by its distribution-free interval: met when the whole interval lies on the good side of the bound,
violated when it lies on the other, else it can't be told from these trials. A failed trial counts as infinitely bad,
so that a service can't meet a latency by refusing to answer. A rate of errors is judged by Wilson's interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from benchbook.stats.proportions import wilson
from benchbook.stats.quantiles import interpolated, interval_ranks, needs

if TYPE_CHECKING:
    from benchbook.config.slos import Slo

MET, VIOLATED, CANNOT_TELL = "met", "violated", "cannot tell"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One objective over n attempted trials. value, low, high: infinite where they fall on a failure, None where n is
    too small (`refused` says what it takes)."""

    slo: str
    word: str
    n: int
    value: float | None
    low: float | None
    high: float | None
    refused: str | None = None


def trials_needed(slo: Slo, confidence: float = 0.95) -> int:
    """The fewest attempted trials, all of them good, that can be told to meet the objective."""
    if slo.quantile is not None:
        return needs(slo.quantile, confidence)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    return math.ceil(z * z * (1 - slo.bound) / slo.bound - 1e-9)


def judged(slo: Slo, values: Sequence[float], failures: int, confidence: float = 0.95) -> Judgement:
    """The objective over these successes' values and so many failures."""
    n = len(values) + failures
    if slo.quantile is None:
        share = wilson(failures, n, confidence)
        refused = None if n else "needs 1, has 0"
        return _judgement(slo, n, (share.share, share.low, share.high), refused)
    ranks = interval_ranks(n, slo.quantile, confidence)
    if ranks is None:
        return _judgement(slo, n, (None, None, None), f"needs {needs(slo.quantile, confidence)}, has {n}")
    worst = math.inf if slo.better == "lower" else -math.inf
    ordered = sorted([*values, *[worst] * failures])
    return _judgement(slo, n, (_between(ordered, slo.quantile), ordered[ranks[0] - 1], ordered[ranks[1] - 1]), None)


def overall(words: Iterable[str]) -> str:
    """Of several objectives: violated if one is, met if all are."""
    found = set(words)
    if VIOLATED in found:
        return VIOLATED
    return MET if found == {MET} else CANNOT_TELL


def _judgement(
    slo: Slo, n: int, numbers: tuple[float | None, float | None, float | None], refused: str | None
) -> Judgement:
    value, low, high = numbers
    word = CANNOT_TELL
    if low is not None and high is not None:
        if (high <= slo.bound) if slo.better == "lower" else (low >= slo.bound):
            word = MET
        elif (low > slo.bound) if slo.better == "lower" else (high < slo.bound):
            word = VIOLATED
    return Judgement(slo.text, word, n, value, low, high, refused)


def _between(ordered: Sequence[float], q: float) -> float:
    """The estimate; infinite as soon as one of its two order statistics is."""
    at = (len(ordered) - 1) * q
    for edge in (ordered[math.floor(at)], ordered[math.ceil(at)]):
        if math.isinf(edge):
            return edge
    return interpolated(ordered, q)
