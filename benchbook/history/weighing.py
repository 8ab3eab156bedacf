"""Each target's axes with their intervals, and what one gains over another on each: numbers only, no advice.

Alone, a quantile has the interval of these prompts (order statistics), as in a run's tables. Against a rival, both are
taken on the cases that they share, the case being the cluster; and where stored runs say how far runs of this workload
lie apart, that spread widens the interval of a latency.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchbook.history.contenders import Case, Contender
from benchbook.stats.effects import pooled
from benchbook.stats.joint import (
    Bounded,
    Drawn,
    drawn,
    mean_of_shares,
    quantile_ratio,
    ratio,
    share_difference,
)
from benchbook.stats.pareto import Gain
from benchbook.stats.proportions import wilson
from benchbook.stats.quantiles import needs, quantile
from benchbook.stats.spread import Spread, spread_of

LATENCIES = ("e2e_ms", "ttft_ms")
"""What the latency axes may be of; a team's trial has `wall_ms` in the place of either."""
ALL_LATENCIES = (*LATENCIES, "wall_ms")

MARGINS: Mapping[str, float] = {
    "score": 0.03,
    "p50": math.log(1.05),
    "p95": math.log(1.10),
    "cost_usd": math.log(1.05),
    "failure_share": 0.03,
}
"""What counts as no difference: points of a score or share, else the log of a ratio."""

Levels = Mapping[tuple[str, str, str], Mapping[str, float]]
"""(target, workload, latency metric) -> session -> the level of its runs, in order of time."""

_QUANTILES = {"p50": 0.5, "p95": 0.95}


@dataclass(slots=True)
class Draws:
    """Resampled quantiles of contenders, each made once. A seed names the axis and the workload, so that rivals on the
    same cases are drawn alike."""

    made: dict[tuple[str, str, str, tuple[Case, ...]], Drawn] = field(default_factory=dict)

    def of(self, one: Contender, axis: str, cases: tuple[Case, ...]) -> Drawn:
        """The quantile of one contender over these cases."""
        key = (one.target, one.workload, axis, cases)
        if key not in self.made:
            metric, name = axis.rsplit("_", 1)
            values, digest = one.values(metric), hashlib.sha256(f"{one.workload}\n{axis}".encode()).digest()
            seed = int.from_bytes(digest[:8], "big")
            self.made[key] = drawn([values[case] for case in cases], _QUANTILES[name], seed)
        return self.made[key]


@dataclass(frozen=True, slots=True)
class Scale:
    """How contenders are weighed. latency: one of LATENCIES; levels: what stored runs of the workload say of how runs
    differ; sessions: run -> the session that it belongs to."""

    latency: str = "e2e_ms"
    confidence: float = 0.95
    margins: Mapping[str, float] = field(default_factory=lambda: MARGINS)
    levels: Levels = field(default_factory=dict)
    sessions: Mapping[str, str] = field(default_factory=dict)
    draws: Draws = field(default_factory=Draws)

    def axes(self, one: Contender) -> tuple[str, ...]:
        """The axes that standings under its workload are about."""
        latency = self.latency if self.latency in one.latencies else one.latencies[0]
        return ("score", f"{latency}_p50", f"{latency}_p95", "cost_usd", "failure_share")

    def margin(self, axis: str) -> float:
        """The margin of one of the axes."""
        return self.margins[axis if axis in self.margins else axis.rsplit("_", 1)[1]]


def axes_of(one: Contender, scale: Scale) -> dict[str, Any]:
    """NAME, NAME_low, NAME_high and NAME_refused of every axis, and of cost_usd_per_solved."""
    found = {"score": _score(one, scale.confidence)}
    for metric in ALL_LATENCIES:
        pooled = [value for values in one.values(metric).values() for value in values]
        for name, q in _QUANTILES.items():
            known = quantile(pooled, q, scale.confidence)
            why = None if metric not in one.latencies else known.refused if pooled else _absent(one, metric)
            bounded = Bounded(len(one.cases), known.value, known.low, known.high, why)
            found[f"{metric}_{name}"] = bounded if metric in one.latencies else Bounded(len(one.cases))
    found["cost_usd"] = cost_a_trial(one, scale.confidence)
    found["cost_usd_per_solved"] = _cost_a_solved(one, scale.confidence)
    failures = wilson(one.failed, len(one.rows), scale.confidence)
    found["failure_share"] = Bounded(len(one.cases), failures.share, failures.low if one.failed else 0.0, failures.high)
    return {key: value for name, bounded in found.items() for key, value in columns(name, bounded).items()}


def columns(name: str, found: Bounded) -> dict[str, Any]:
    """A bounded number as four columns."""
    return {
        name: found.value,
        f"{name}_low": found.low,
        f"{name}_high": found.high,
        f"{name}_refused": found.refused,
    }


def cost_a_trial(one: Contender, confidence: float) -> Bounded:
    """The mean cost of a trial that succeeded."""
    if one.cost_unknown:
        return Bounded(len(one.cases), refused=one.cost_unknown)
    costs = one.case_costs.values()
    return ratio([cost for cost, _ in costs], [n for _, n in costs], confidence)


def cost_a_token(one: Contender, confidence: float) -> Bounded:
    """The mean cost of a token, of the prompt or generated."""
    if one.cost_unknown:
        return Bounded(len(one.cases), refused=one.cost_unknown)
    if any(row["tokens_in"] is None or row["tokens_out"] is None for row in one.good):
        return Bounded(len(one.cases), refused="tokens are not reported of every trial")
    sums = [
        (math.fsum(one.cost_of(row) or 0.0 for row in good), sum(row["tokens_in"] + row["tokens_out"] for row in good))
        for good in (facts.good for facts in one.cases.values())
        if good
    ]
    return ratio([cost for cost, _ in sums], [tokens for _, tokens in sums], confidence)


def per_case(one: Contender, above: str, below: str) -> dict[Case, tuple[float, float]]:
    """Sums of two numbers by case, over the successes that have both."""
    found = {}
    for case, facts in one.cases.items():
        both = [(row[above], row[below]) for row in facts.good if row[above] is not None and row[below] is not None]
        if both:
            found[case] = (float(sum(a for a, _ in both)), float(sum(b for _, b in both)))
    return found


def share_of(one: Contender, above: str, below: str, confidence: float) -> Bounded:
    """The ratio of two sums over all successes that have both."""
    sums = per_case(one, above, below).values()
    if not sums:
        return Bounded(0, refused="no trial has both")
    return ratio([a for a, _ in sums], [b for _, b in sums], confidence)


def gains(a: Contender, b: Contender, scale: Scale) -> dict[str, tuple[Bounded, Gain]]:
    """By axis: b against a as a difference or ratio, and what a gains over b."""
    found: dict[str, tuple[Bounded, Gain]] = {}
    for axis in scale.axes(a):
        bounded = against(a, b, axis, scale)
        margin = scale.margin(axis)
        if axis == "score":
            found[axis] = bounded, Gain(bounded.value, bounded.low, bounded.high, margin).turned()
        elif axis == "failure_share":
            found[axis] = bounded, Gain(bounded.value, bounded.low, bounded.high, margin)
        else:
            found[axis] = bounded, Gain(_log(bounded.value), _log(bounded.low), _log(bounded.high), margin)
    return found


def against(a: Contender, b: Contender, axis: str, scale: Scale) -> Bounded:
    """b against a on the cases that both have: a difference of scores or shares, else a ratio."""
    if axis == "score":
        return _score_difference(a, b, scale)
    if axis == "failure_share":
        return _failure_difference(a, b, scale.confidence)
    if axis == "cost_usd":
        return _cost_ratio(a, b, scale.confidence)
    return _latency_ratio(a, b, axis, scale)


def _score_difference(a: Contender, b: Contender, scale: Scale) -> Bounded:
    of_a, of_b = a.scores(), b.scores()
    shared = [case for case in of_a if case in of_b]
    if not shared:
        return Bounded(0, refused="no case was scored on both")
    graded = a.graded or b.graded
    return share_difference([of_a[c] for c in shared], [of_b[c] for c in shared], scale.confidence, graded=graded)


def _failure_difference(a: Contender, b: Contender, confidence: float) -> Bounded:
    """Newcombe's interval from Wilson's two (Statistics in Medicine 17, 1998), trials taken as independent."""
    one, other = (wilson(side.failed, len(side.rows), confidence) for side in (a, b))
    parts = (one.share, one.low, one.high, other.share, other.low, other.high)
    if any(part is None for part in parts):
        return Bounded(0, refused="nothing was attempted")
    p, low, high, q, other_low, other_high = (part or 0.0 for part in parts)
    return Bounded(
        len(a.cases), q - p, q - p - math.hypot(q - other_low, high - p), q - p + math.hypot(other_high - q, p - low)
    )


def _cost_ratio(a: Contender, b: Contender, confidence: float) -> Bounded:
    """Of mean costs a trial, each case weighing the same on both sides."""
    for side in (a, b):
        if side.cost_unknown:
            return Bounded(0, refused=f"the cost of {side.target} is unknown: {side.cost_unknown}")
    of_a, of_b = a.case_costs, b.case_costs
    shared = [case for case in of_a if case in of_b]
    means = [[side[case][0] / side[case][1] for case in shared] for side in (of_a, of_b)]
    if any(math.fsum(side) <= 0 for side in means):
        return Bounded(len(shared), refused="one of them costs nothing, and a ratio needs more")
    return ratio(means[1], means[0], confidence)


def _latency_ratio(a: Contender, b: Contender, axis: str, scale: Scale) -> Bounded:
    metric, name = axis.rsplit("_", 1)
    q = _QUANTILES[name]
    of_a, of_b = a.values(metric), b.values(metric)
    shared = [case for case in of_a if case in of_b]
    fewest = min(sum(len(side[case]) for case in shared) for side in (of_a, of_b))
    if fewest < needs(q, scale.confidence):
        return Bounded(len(shared), refused=f"needs {needs(q, scale.confidence)} trials of each, has {fewest}")
    cases = tuple(shared)
    found = quantile_ratio(scale.draws.of(a, axis, cases), scale.draws.of(b, axis, cases), scale.confidence)
    return widened(found, *_between_runs(a, b, metric, scale), scale.confidence)


def _between_runs(a: Contender, b: Contender, metric: str, scale: Scale) -> tuple[Spread | None, float]:
    """The spread between runs, and the sum of 1 / n that it enters with. Of two that were measured in the same runs it
    is that of their differences: what the time did to both cancels."""
    levels = [scale.levels.get((side.target, side.workload, metric), {}) for side in (a, b)]
    sessions = [{scale.sessions.get(run, run) for run in side.runs} for side in (a, b)]
    if sessions[0] == sessions[1]:
        both = [levels[1][session] - levels[0][session] for session in levels[0] if session in levels[1]]
        return spread_of(both), 1 / len(sessions[0])
    alone = [spread_of(list(of.values())) for of in levels]
    return pooled(*alone), sum(1 / len(of) for of in sessions)


def widened(found: Bounded, spread: Spread | None, part: float, confidence: float) -> Bounded:
    """A ratio's interval with what the spread between runs adds; part: of its variance, 1 / n for a mean of n."""
    if spread is None or found.value is None or found.low is None or found.high is None:
        return found
    from scipy.stats import t

    reach = float(t.ppf((1 + confidence) / 2, spread.df)) * spread.sd * math.sqrt(part)
    down = math.hypot(math.log(found.value / found.low), reach)
    up = math.hypot(math.log(found.high / found.value), reach)
    return Bounded(found.cases, found.value, found.value * math.exp(-down), found.value * math.exp(up))


def _score(one: Contender, confidence: float) -> Bounded:
    scores = one.scores()
    trials = sum(row["score"] is not None for row in one.good)
    found = mean_of_shares(list(scores.values()), trials, confidence)
    return found if scores or one.good else Bounded(0, refused="no trial succeeded")


def _cost_a_solved(one: Contender, confidence: float) -> Bounded:
    """What was spent on the cases that are judged, over what was solved; whatever failed is paid for all the same."""
    judged = {case: facts for case, facts in one.cases.items() if any(row["passed"] is not None for row in facts.rows)}
    tried = [row for facts in judged.values() for row in facts.rows]
    solved = [
        sum(row["passed"] is True and row["status"] == "success" for row in facts.rows) for facts in judged.values()
    ]
    unknown = sum(one.cost_of(row) is None for row in tried)
    if not judged:
        return Bounded(0, refused="no answer was scored" if one.good else "no trial succeeded")
    if unknown:
        return Bounded(len(judged), refused=f"the cost of {unknown} of {len(tried)} trials is unknown")
    if not any(solved):
        return Bounded(len(judged), refused="no task was solved")
    spent = [math.fsum(one.cost_of(row) or 0.0 for row in facts.rows) for facts in judged.values()]
    return ratio(spent, solved, confidence)


def _log(ratio: float | None) -> float | None:
    return None if ratio is None or ratio <= 0 else math.log(ratio)


def _absent(one: Contender, metric: str) -> str:
    if not one.good:
        return "no trial succeeded"
    return "not streamed" if metric == "ttft_ms" else "no trial has it"
