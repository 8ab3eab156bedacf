"""How far side B lies from side A in one metric: the change, its intervals, its p values. Pure.

A side is one or several runs; a run is its cases with the values of their trials. Only cases that every run of both
sides has take part, so that no run's level moves because of what it was asked. Durations and costs are compared as
logs (a case's number is the median of its trials), shares as they are (the mean of its trials).

Two things make the change uncertain, and neither knows of the other. Over *prompts*: whole cases are resampled.
Between *runs*: the run is the replicate, its spread comes from the sides' own runs and from stored ones (`spread`),
with Student's t. `low` and `high` hold both, joined as the square root of the sum of squares on either side (Zou and
Donner, Statistics in Medicine 27, 2008). Where no spread between runs is known they hold the prompts' alone.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from benchbook.stats.compare import (
    CASES_NEEDED,
    Discordant,
    cliffs_delta,
    cluster_interval,
    mcnemar,
    outer,
    sign_flip_p,
)
from benchbook.stats.quantiles import interpolated, needs
from benchbook.stats.spread import Spread, between_runs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Run = Mapping[Any, Sequence[float]]
"""Test case -> the metric of each of its trials, in any order."""

MEDIAN, P95, SCORE, FAILURES = "median", "p95", "score", "failures"
"""What can be compared: medians and p95s of logs, mean scores, shares of failures."""

_P95_DRAWS = 1_999
_P95_WORK = 40_000_000
_BATCH = 1_000_000


@dataclass(frozen=True, slots=True)
class Known:
    """What a comparison takes from outside.

    history: the spread of levels of other stored runs; alike: both sides are the same runs in the same order (two
    targets of one run), so that run by run their drift cancels and history is the spread of their differences;
    inflation: how many times the variance of trials exceeds that of independent ones, since neighbours in time are
    alike (`stats.alike`): whole cases are resampled, and what trials of different cases share is not seen in them.
    """

    rng: np.random.Generator
    confidence: float = 0.95
    history: Spread | None = None
    alike: bool = False
    inflation: float = 1.0

    def widened(self, middle: float, bounds: tuple[float, float]) -> tuple[float, float]:
        """The bounds of an interval over prompts, moved out by the root of the inflation."""
        root, (low, high) = math.sqrt(self.inflation), bounds
        return middle - root * max(0.0, middle - low), middle + root * max(0.0, high - middle)


@dataclass(frozen=True, slots=True)
class Effect:
    """B against A. change, low, high: differences of natural logs (or of shares), B minus A; None when `refused`.

    a, b: each side's level in the metric's unit (geometric mean over cases and runs; of shares the mean);
    prompts_low, prompts_high: the interval of the prompts alone, of these runs;
    difference and its bounds: B minus A in the metric's unit, of a p95; cliffs_delta: P(b > a) - P(b < a) within a
    case, averaged over cases; p_prompts: sign flips (of a p95: resampling); p_runs: Student's t on run levels;
    spread: between runs, None where unknown; solved: McNemar, of scores that are all 0 or 1.
    """

    cases: int
    only_a: int
    only_b: int
    a: float | None = None
    b: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    prompts_low: float | None = None
    prompts_high: float | None = None
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    cliffs_delta: float | None = None
    p_prompts: float | None = None
    p_runs: float | None = None
    spread: Spread | None = None
    solved: Discordant | None = None
    refused: str | None = None

    @property
    def p(self) -> float | None:
        """The p that a gate adjusts: between runs; where runs show no spread at all, over prompts."""
        if self.spread is None:
            return None
        return self.p_prompts if self.p_runs is None else self.p_runs


def effect(what: str, a: Sequence[Run], b: Sequence[Run], known: Known) -> Effect:
    """Compare two sides of at least one run each; `what` is MEDIAN, P95, SCORE or FAILURES."""
    cases, counts = _common(a, b)
    if len(cases) < CASES_NEEDED:
        return Effect(*counts, refused=f"needs {CASES_NEEDED} paired cases, has {len(cases)}")
    sides = [[{case: run[case] for case in cases} for run in side] for side in (a, b)]
    if what == P95:
        return _p95(sides, counts, known)
    return _median(sides, counts, known) if what == MEDIAN else _share(what, sides, counts, known)


def pooled(*spreads: Spread | None) -> Spread | None:
    """One spread out of several, each weighted by its degrees of freedom; None where none is known."""
    found = [spread for spread in spreads if spread is not None and spread.df > 0]
    if not found:
        return None
    df = math.fsum(spread.df for spread in found)
    variance = math.fsum(spread.df * spread.sd**2 for spread in found) / df
    return Spread(math.sqrt(variance), df, sum(spread.runs for spread in found), found[0].kind)


def _common(a: Sequence[Run], b: Sequence[Run]) -> tuple[list[Any], tuple[int, int, int]]:
    """The cases that every run has values of, in an order that no side sets; and how many each side has besides."""
    held = [[{case for case, values in run.items() if len(values)} for run in side] for side in (a, b)]
    everywhere = set.intersection(*(cases for side in held for cases in side))
    only = [len(set().union(*side) - everywhere) for side in held]
    return sorted(everywhere), (len(everywhere), only[0], only[1])


def _median(sides: Sequence[Sequence[Run]], counts: tuple[int, int, int], known: Known) -> Effect:
    medians = [[[statistics.median(values) for values in run.values()] for run in side] for side in sides]
    smallest = min(min(run) for side in medians for run in side)
    if smallest <= 0:
        if max(abs(value) for side in medians for run in side for value in run) == 0:
            return _nothing(counts)
        return Effect(*counts, refused="a median is 0 or less, and a ratio needs more")
    logs = [[[math.log(value) for value in run] for run in side] for side in medians]
    found = _paired(logs, counts, known)
    levels = [math.exp(statistics.fmean(map(statistics.fmean, side))) for side in logs]
    return replace(found, a=levels[0], b=levels[1], cliffs_delta=_delta(sides))


def _share(what: str, sides: Sequence[Sequence[Run]], counts: tuple[int, int, int], known: Known) -> Effect:
    means = [[[statistics.fmean(values) for values in run.values()] for run in side] for side in sides]
    found = _paired(means, counts, known, room=_room(what, sides, known.confidence))
    levels = [statistics.fmean(map(statistics.fmean, side)) for side in means]
    return replace(found, a=levels[0], b=levels[1], cliffs_delta=_delta(sides), solved=_solved(what, sides))


def _paired(
    numbers: Sequence[Sequence[Sequence[float]]],
    counts: tuple[int, int, int],
    known: Known,
    room: tuple[float, float] = (0.0, 0.0),
) -> Effect:
    """What differences of cases' numbers say, each side run by run; `room` is how far from the change the prompts'
    interval reaches at least, down and up."""
    cases = [[math.fsum(of) / len(side) for of in zip(*side, strict=True)] for side in numbers]
    differences = [of_b - of_a for of_a, of_b in zip(*cases, strict=True)]
    change = math.fsum(differences) / len(differences)
    low, high = known.widened(change, cluster_interval(differences, known.rng, confidence=known.confidence))
    low, high = min(low, change - room[0]), max(high, change + room[1])
    found = Effect(*counts, change=change, prompts_low=low, prompts_high=high)
    found = replace(found, p_prompts=sign_flip_p(differences, known.rng))
    return _with_runs(found, [[math.fsum(run) / len(run) for run in side] for side in numbers], known)


def _with_runs(found: Effect, levels: Sequence[Sequence[float]], known: Known) -> Effect:
    """The same with what the runs' levels say: the spread between them, its p, and the interval that holds both."""
    spread, error = _error(levels, known)
    change, low, high = found.change or 0.0, found.prompts_low or 0.0, found.prompts_high or 0.0
    if spread is None:
        return replace(found, low=low, high=high)
    from scipy.special import stdtr, stdtrit

    reach = float(stdtrit(spread.df, (1 + known.confidence) / 2)) * error
    return replace(
        found,
        low=change - math.hypot(change - low, reach),
        high=change + math.hypot(high - change, reach),
        p_runs=2 * float(stdtr(spread.df, -abs(change) / error)) if error > 0 else None,
        spread=spread,
    )


def _error(levels: Sequence[Sequence[float]], known: Known) -> tuple[Spread | None, float]:
    """The spread between runs, and the standard error of the change that it makes."""
    if known.alike:
        differences = [of_b - of_a for of_a, of_b in zip(*levels, strict=True)]
        spread = pooled(between_runs([differences]), known.history)
        share = 1 / len(differences)
    else:
        spread = pooled(between_runs(levels), known.history)
        share = sum(1 / len(side) for side in levels)
    return spread, 0.0 if spread is None else spread.sd * math.sqrt(share)


def _p95(sides: Sequence[Sequence[Run]], counts: tuple[int, int, int], known: Known) -> Effect:
    """Each run's p95 over all its trials, as a log; whole cases are resampled, the same ones on both sides."""
    import numpy as np

    fewest = min(sum(map(len, run.values())) for side in sides for run in side)
    if fewest < needs(0.95, known.confidence):
        return Effect(*counts, refused=f"a p95 needs {needs(0.95, known.confidence)} trials a run, has {fewest}")
    flat = [
        [np.concatenate([np.asarray(values, dtype=float) for values in run.values()]) for run in side] for side in sides
    ]
    if min(values.min() for side in flat for values in side) <= 0:
        return Effect(*counts, refused="a value is 0 or less, and a ratio of p95s needs more")
    p95s = [[interpolated(np.sort(values).tolist(), 0.95) for values in side] for side in flat]
    levels = [[math.log(value) for value in side] for side in p95s]
    a, b = (math.exp(statistics.fmean(side)) for side in levels)
    drawn = _p95_draws(sides, known.rng)
    logs = np.log(drawn[1]) - np.log(drawn[0])
    change = statistics.fmean(levels[1]) - statistics.fmean(levels[0])
    low, high = known.widened(change, outer(logs, cases=counts[0], confidence=known.confidence))
    found = Effect(*counts, a=a, b=b, change=change, prompts_low=min(low, change), prompts_high=max(high, change))
    found = _with_runs(replace(found, p_prompts=_two_sided(logs), cliffs_delta=_delta(sides)), levels, known)
    plain = outer(drawn[1] - drawn[0], cases=counts[0], confidence=known.confidence)
    return _in_units(found, known.widened(b - a, plain))


def _in_units(found: Effect, plain: tuple[float, float]) -> Effect:
    """The difference B - A of a p95 in its own unit: `plain` bounds what prompts do to it; what runs do to the log is
    taken times the mean of both sides."""
    a, b, change = found.a or 0.0, found.b or 0.0, found.change or 0.0
    moved = b - a
    prompts = change - (found.prompts_low or 0.0), (found.prompts_high or 0.0) - change
    whole = change - (found.low or 0.0), (found.high or 0.0) - change
    down, up = (math.sqrt(max(0.0, of**2 - part**2)) * (a + b) / 2 for of, part in zip(whole, prompts, strict=True))
    low, high = min(plain[0], moved), max(plain[1], moved)
    bounds = moved - math.hypot(moved - low, down), moved + math.hypot(high - moved, up)
    return replace(found, difference=moved, difference_low=bounds[0], difference_high=bounds[1])


def _p95_draws(sides: Sequence[Sequence[Run]], rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """Both sides' p95 (geometric mean over runs) for resampled cases; a case drawn twice has its trials twice."""
    import numpy as np

    size = len(sides[0][0])
    trials = sum(len(values) for side in sides for run in side for values in run.values())
    draws = max(199, min(_P95_DRAWS, _P95_WORK // trials))
    weights = rng.multinomial(size, [1 / size] * size, draws)
    found = []
    for side in sides:
        logs = [np.log(_weighted_p95(run, weights)) for run in side]
        found.append(np.exp(sum(logs[1:], logs[0]) / len(logs)))
    return found


def _weighted_p95(run: Run, weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """The type 7 p95 of a run's trials, each counted as often as its case is drawn; one per row of weights."""
    import numpy as np

    values = np.concatenate([np.asarray(of, dtype=float) for of in run.values()])
    cases = np.repeat(np.arange(len(run)), [len(of) for of in run.values()])
    order = np.argsort(values, kind="stable")
    ordered, owners = values[order], cases[order]
    step = max(1, _BATCH // len(values))
    parts = [_p95_rows(ordered, weights[at : at + step, owners]) for at in range(0, len(weights), step)]
    return np.concatenate(parts)


def _p95_rows(ordered: NDArray[np.float64], times: NDArray[np.int64]) -> NDArray[np.float64]:
    """The p95 of sorted values, each there `times` over; a row of `times` an answer."""
    import numpy as np

    cumulated = np.cumsum(times, axis=1)
    at = (cumulated[:, -1] - 1) * 0.95
    below, above = np.floor(at), np.ceil(at)
    first, second = ((cumulated <= rank[:, np.newaxis]).sum(axis=1) for rank in (below, above))
    found: NDArray[np.float64] = ordered[first] + (at - below) * (ordered[second] - ordered[first])
    return found


def _two_sided(draws: NDArray[np.float64]) -> float:
    """Twice the smaller share of draws on one side of 0, never 0."""
    import numpy as np

    smaller = min(np.count_nonzero(draws <= 0), np.count_nonzero(draws >= 0))
    return min(1.0, 2 * (int(smaller) + 1) / (len(draws) + 1))


def _delta(sides: Sequence[Sequence[Run]]) -> float:
    """Cliff's delta within a case over all its trials of a side, averaged over cases."""
    found = []
    for case in sides[0][0]:
        a, b = ([value for run in side for value in run[case]] for side in sides)
        found.append(cliffs_delta(a, b))
    return math.fsum(found) / len(found)


def _room(what: str, sides: Sequence[Sequence[Run]], confidence: float) -> tuple[float, float]:
    """How far down and up from the difference of two shares its interval reaches at least.

    Resampled cases that all agree say that nothing can differ; Wilson's bounds say what so many can tell. Failures:
    of the trials of either side (Newcombe, Statistics in Medicine 17, 1998). Scores: of the cases that differ, for
    the better and for the worse, since pairs that agree say nothing about the difference. Graded scores of which
    no half differ alike need none of it: their scatter says how far they may lie apart.
    """
    if what == FAILURES:
        bounds = [_wilson(*_counted(side), confidence) for side in sides]
    else:
        means = [[statistics.fmean(v for run in side for v in run[case]) for case in side[0]] for side in sides]
        moves = [of_b - of_a for of_a, of_b in zip(*means, strict=True)]
        if max(map(moves.count, set(moves))) <= len(moves) / 2 and not _pass_or_fail(sides):
            return 0.0, 0.0
        parts = ([max(0.0, -move) for move in moves], [max(0.0, move) for move in moves])
        bounds = [_wilson(math.fsum(part), len(part), confidence) for part in parts]
    (a_down, a_up), (b_down, b_up) = bounds
    return math.hypot(a_up, b_down), math.hypot(a_down, b_up)


def _counted(side: Sequence[Run]) -> tuple[float, int]:
    values = [value for run in side for of in run.values() for value in of]
    return math.fsum(values), len(values)


def _wilson(count: float, n: int, confidence: float) -> tuple[float, float]:
    """How far Wilson's interval of count / n reaches down and up from it; a count may be a sum of parts."""
    z = statistics.NormalDist().inv_cdf((1 + confidence) / 2)
    share = min(1.0, count / n)
    centre = (count + z * z / 2) / (n + z * z)
    half = z * math.sqrt(n * share * (1 - share) + z * z / 4) / (n + z * z)
    return max(0.0, share - max(0.0, centre - half)), max(0.0, min(1.0, centre + half) - share)


def _solved(what: str, sides: Sequence[Sequence[Run]]) -> Discordant | None:
    """McNemar over cases, for scores that are all 0 or 1; a case is solved when more than half of its trials are."""
    if what != SCORE or not _pass_or_fail(sides):
        return None
    solved = [[statistics.fmean(v for run in side for v in run[case]) > 0.5 for case in side[0]] for side in sides]
    return mcnemar(*solved)


def _pass_or_fail(sides: Sequence[Sequence[Run]]) -> bool:
    return all(value in (0, 1) for side in sides for run in side for of in run.values() for value in of)


def _nothing(counts: tuple[int, int, int]) -> Effect:
    """All values of both sides are 0: no ratio, and no difference."""
    zero = 0.0
    return Effect(*counts, zero, zero, zero, zero, zero, zero, zero, cliffs_delta=zero, p_prompts=1.0)
