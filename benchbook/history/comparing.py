"""Two sides of stored runs, metric by metric: what changed, by how much, and how sure one can be.

A side is a run, a set of runs, or one target of them (`selecting`). Runs are alike when their workload hashes are equal
(`comparable`). Latencies are those of measured trials that succeeded; what that leaves out, each side's failure share,
is a metric of its own. Seeds come from what is compared and not from which side is which, so swapping inverts all.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchbook.errors import UnknownRunError, UserError
from benchbook.history.comparable import Paired, paired
from benchbook.history.differing import SERVED, differences
from benchbook.history.evidence import Evidence, Stored
from benchbook.history.neighbours import Neighbours
from benchbook.history.questions import select_many
from benchbook.history.rules import GATED, Rules
from benchbook.history.selecting import Side
from benchbook.history.values import CASES, Values, Where, by_run
from benchbook.metrics import AGENT_METRICS, COMPARED_P95, LATENCY_METRICS, METRIC_DIRECTION
from benchbook.records import TEAM_WORKLOADS
from benchbook.stats.effects import FAILURES, MEDIAN, P95, SCORE, Effect, Known, effect
from benchbook.stats.verdicts import (
    BENJAMINI_HOCHBERG,
    CANNOT_TELL,
    HOLM,
    Margins,
    Question,
    adjusted,
    gate,
    judge,
    sense,
)

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Compared:
    """The whole of a comparison. rows: one per target pair, workload and metric; exit_code: of the gate;
    differences: facts that differ (`what`, `a`, `b`); notes: what a reader must know beside the numbers."""

    a: Side
    b: Side
    rules: Rules
    rows: tuple[Mapping[str, Any], ...]
    differences: tuple[Mapping[str, str], ...]
    notes: tuple[str, ...]
    exit_code: int


@dataclass(frozen=True, slots=True)
class _Pair:
    """What rows stand on: whose trials on either side, out of which runs. alike: both sides are the same runs;
    prompts: hashes of those that are paired where the workloads are not one."""

    a: Where
    b: Where
    runs_a: tuple[str, ...]
    runs_b: tuple[str, ...]
    alike: bool
    barred: str
    prompts: frozenset[str] | None

    @property
    def sides(self) -> tuple[tuple[tuple[str, ...], Where], tuple[tuple[str, ...], Where]]:
        return (self.runs_a, self.a), (self.runs_b, self.b)


@dataclass(frozen=True, slots=True)
class _Outside:
    """What a pair's values alone don't say: the spread of other stored runs, and how alike neighbouring trials are."""

    evidence: Evidence
    neighbours: Neighbours

    @classmethod
    def of(cls, results: Path, chosen: Paired) -> _Outside:
        return cls(Evidence.of(results, chosen), Neighbours.of(results, {*chosen.a, *chosen.b}))

    def known(self, pair: _Pair, metric: str, what: str, rules: Rules) -> Known:
        import numpy as np

        rng = np.random.default_rng(_seed(pair, metric, what))
        history = self.evidence.spread((pair.a, pair.b), metric, what, alike=pair.alike)
        return Known(rng, rules.confidence, history, pair.alike, self.neighbours.inflation(pair.sides, metric))


@dataclass(frozen=True, slots=True)
class Held:
    """Runs of one workload hash, read once for several comparisons among them."""

    tables: Sequence[Sequence[Mapping[str, Any]]]
    neighbours: Neighbours
    stored: Stored

    @classmethod
    def of(cls, results: Path, runs: Sequence[str], digest: str) -> Held:
        """Of these runs, whose workload hash is `digest`."""
        tables = select_many(results, _TEXTS, runs=set(runs))
        return cls(tables, Neighbours.of(results, runs), Stored.of(results, digest, len(runs)))

    def of_runs(self, runs: set[str]) -> list[list[Mapping[str, Any]]]:
        """The rows of these runs, as they would be read."""
        return [[row for row in rows if row["run_id"] in runs] for rows in self.tables]


_TEXTS = ("select * from runs", CASES, SERVED)


def compare_sides(
    results: str | Path, a: Side, b: Side, rules: Rules | None = None, *, held: Held | None = None
) -> Compared:
    """Hold b against a. Raises UserError where they are unlike, the same, or share no target and workload.

    held: what was read before of these runs, among others.
    """
    results, rules = Path(results), rules or Rules()
    runs = {*a.runs, *b.runs}
    stored, cases, served = select_many(results, _TEXTS, runs=runs) if held is None else held.of_runs(runs)
    rows = {row["run_id"]: row for row in stored}
    for run_id in (*a.runs, *b.runs):
        if run_id not in rows:
            raise UnknownRunError("", f"no run {run_id!r} in {results}", "see `benchbook runs`")
    values = by_run(cases)
    wheres, notes = _pairs(values, a, b)
    sides, more = _apart(a, b, wheres)
    targets = list(dict.fromkeys((of_a.target, of_b.target) for of_a, of_b in wheres))
    chosen = paired(results, _of(rows, sides[0]), _of(rows, sides[1]), targets)
    pairs = [pair for of_a, of_b in wheres if (pair := _pair(values, chosen, of_a, of_b)) is not None]
    outside = _Outside.of(results, chosen) if held is None else _Outside(held.stored.evidence(chosen), held.neighbours)
    found = _rows(outside, values, pairs, rules)
    differing = differences(_of(rows, chosen.a), _of(rows, chosen.b), served, targets)
    used = replace(a, runs=chosen.a), replace(b, runs=chosen.b)
    doubts = _doubtful(_of(rows, sorted({*chosen.a, *chosen.b})))
    return Compared(*used, rules, tuple(found), tuple(differing), (*notes, *more, *chosen.notes, *doubts), gate(found))


def _doubtful(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Runs that are compared although they are not VALID: few by name, many by number."""
    found = [(row["run_id"], row["verdict"]) for row in rows if row["verdict"] != "VALID"]
    if len(found) > _NAMED:
        return [f"{len(found)} of {len(rows)} runs are not VALID: see `benchbook runs`"]
    return [f"run {run_id} is {verdict}: see `benchbook show {run_id}`" for run_id, verdict in found]


def _of(rows: Mapping[str, Mapping[str, Any]], runs: Sequence[str]) -> list[Mapping[str, Any]]:
    return [rows[run_id] for run_id in sorted(runs)]


def compare_runs(results: str | Path, a: str, b: str, *, confidence: float = 0.95) -> list[dict[str, Any]]:
    """The rows of two runs by their whole ids, as `compare_sides`. Raises UserError."""
    found = compare_sides(results, Side(a, (a,)), Side(b, (b,)), Rules(confidence))
    return [dict(row) for row in found.rows]


def _pairs(values: Values, a: Side, b: Side) -> tuple[list[tuple[Where, Where]], tuple[str, ...]]:
    """The (target, workload) of A and of B that are held against each other; and what has no partner."""
    held = [{where for run_id in side.runs for where in values.held(run_id)} for side in (a, b)]
    targets = _matched("target", a.target, b.target, held)
    workloads = _matched("workload", a.workload, b.workload, held)
    found, alone = [], []
    for target in targets:
        for workload in workloads:
            of = [Where(names[0], names[1]) for names in zip(target, workload, strict=True)]
            there = [where in side for where, side in zip(of, held, strict=True)]
            if all(there):
                found.append((of[0], of[1]))
            elif any(there):
                where, name = (of[0], "A") if there[0] else (of[1], "B")
                alone.append(f"{where.target} ({where.workload}) is in {name} only and left out")
    if not found:
        said = ["; ".join(f"{where.target} ({where.workload})" for where in sorted(side)) or "nothing" for side in held]
        right = "say target= or workload= on either side"
        raise UserError("", f"nothing to hold against each other: A has {said[0]}, B has {said[1]}", right)
    return found, tuple(alone)


def _pair(values: Values, chosen: Paired, a: Where, b: Where) -> _Pair | None:
    """The pair with the runs that hold it; None where no chosen run of one side does."""
    runs_a, runs_b = (
        tuple(run_id for run_id in runs if where in values.held(run_id))
        for runs, where in ((chosen.a, a), (chosen.b, b))
    )
    alike = chosen.a == chosen.b
    if alike:
        runs_a = runs_b = tuple(run_id for run_id in runs_a if run_id in runs_b)
    prompts = None if chosen.common is None else chosen.common[a.target, b.target]
    return _Pair(a, b, runs_a, runs_b, alike, chosen.barred, prompts) if runs_a and runs_b else None


def _matched(key: str, a: str | None, b: str | None, held: Sequence[set[Where]]) -> list[tuple[str, str]]:
    """Names of A's and B's that go together: those asked for, or each with its own."""
    names = [sorted({getattr(where, key) for where in side}) for side in held]
    if a is None and b is None:
        return [(name, name) for name in sorted({*names[0], *names[1]})]
    said = a or b or ""
    return [(a or _only(said, names[0]), b or _only(said, names[1]))]


def _only(partner: str, names: Sequence[str]) -> str:
    """The name of a side that says none: the other's, or the only one it has."""
    if partner in names or len(names) != 1:
        return partner
    return names[0]


def _apart(
    a: Side, b: Side, wheres: Sequence[tuple[Where, Where]]
) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], tuple[str, ...]]:
    """Both sides' runs, of which none may say the same thing twice; runs of both sides are paired within themselves."""
    both = sorted({*a.runs} & {*b.runs})
    if not both:
        return (a.runs, b.runs), ()
    if any(of_a == of_b for of_a, of_b in wheres):
        what = f"run {both[0]} is on both sides" if len(both) == 1 else f"{len(both)} runs are on both sides"
        raise UserError("", what, "choose other runs, or another target= on either side")
    gone = len({*a.runs, *b.runs}) - len(both)
    said = (f"{gone} runs that are on one side only are left out: the others are paired run by run",) if gone else ()
    return (tuple(both), tuple(both)), said


def _rows(outside: _Outside, values: Values, pairs: Sequence[_Pair], rules: Rules) -> list[dict[str, Any]]:
    drafts = [
        (pair, metric, what, _effect(values, outside, pair, (metric, what), rules))
        for pair in pairs
        for metric, what in _quantities(pair)
        if _there(values, pair, metric)
    ]
    keys = {_key(metric, what) for _, metric, what, _ in drafts}
    for name in rules.gate or ():
        if name not in keys:
            raise UserError(f"--gate {name}", "is no metric of these runs", f"one of {', '.join(sorted(keys))}")
    gates = [_key(metric, what) in (rules.gate or GATED) for _, metric, what, _ in drafts]
    p_values = [found.p for *_, found in drafts]
    holm = iter(adjusted([p for p, gated in zip(p_values, gates, strict=True) if gated], HOLM))
    reported = adjusted(p_values, BENJAMINI_HOCHBERG)
    p_adjusted = [next(holm) if gated else p for p, gated in zip(reported, gates, strict=True)]
    return [
        _row(values, draft, rules, gated=gated, p_adjusted=p)
        for draft, gated, p in zip(drafts, gates, p_adjusted, strict=True)
    ]


def _quantities(pair: _Pair) -> list[tuple[str, str]]:
    """Metric and what of it is compared, in the order of rows."""
    teams = [where.workload in TEAM_WORKLOADS for where in (pair.a, pair.b)]
    agents = AGENT_METRICS if all(teams) else AGENT_METRICS[:1] if any(teams) else ()
    found: list[tuple[str, str]] = []
    for metric in (*LATENCY_METRICS, *agents):
        found += [(metric, MEDIAN), *([(metric, P95)] if metric in COMPARED_P95 else [])]
    return [*found, ("score", SCORE), ("failure_share", FAILURES), ("cost_usd", MEDIAN)]


def _key(metric: str, what: str) -> str:
    return f"{metric}:p95" if what == P95 else metric


def _there(values: Values, pair: _Pair, metric: str) -> bool:
    """Whether either side has a value: what neither has (say, of answers not streamed) is left out."""
    return any(values.count(runs, where, metric) for runs, where in pair.sides)


def _effect(values: Values, outside: _Outside, pair: _Pair, of: tuple[str, str], rules: Rules) -> Effect:
    metric, what = of
    sides = [[values.run(run_id, where, metric, pair.prompts) for run_id in runs] for runs, where in pair.sides]
    for name, side, (runs, where) in zip("AB", sides, pair.sides, strict=True):
        if not any(side):
            dead = values.share_failed(runs, where) == 1
            return Effect(0, 0, 0, refused=f"no trial of {name} succeeded" if dead else f"{name} has no value of it")
    return effect(what, sides[0], sides[1], outside.known(pair, metric, what, rules))


def _seed(pair: _Pair, *of: str) -> int:
    """Of what is compared; the sides in an order of their own."""
    sides = sorted("\n".join((*runs, *where)) for runs, where in pair.sides)
    return int.from_bytes(hashlib.sha256("\n".join([*sides, *of]).encode()).digest()[:8], "big")


def _row(
    values: Values,
    draft: tuple[_Pair, str, str, Effect],
    rules: Rules,
    *,
    gated: bool,
    p_adjusted: float | None,
) -> dict[str, Any]:
    pair, metric, what, found = draft
    higher = METRIC_DIRECTION[metric] == "higher"
    margin, fewer = rules.margins.of(what), min(len(pair.runs_a), len(pair.runs_b))
    dead = all(values.share_failed(runs, where) == 1 for runs, where in pair.sides)
    barred = "no trial of either side succeeded: more runs would tell nothing" if dead else pair.barred
    question = Question(margin, higher, fewer, rules.confidence, pair.alike, barred)
    judged = judge(found, p_adjusted, question)
    spread = found.spread
    return {
        "target": _name(pair.a.target, pair.b.target),
        "workload": _name(pair.a.workload, pair.b.workload),
        "metric": metric,
        "statistic": what,
        "scale": "share" if what in (SCORE, FAILURES) else "log",
        "better": METRIC_DIRECTION[metric],
        "gated": gated,
        "verdict": judged.verdict,
        "why": judged.why,
        "word": _word(judged.verdict, judged.why),
        "more_runs": judged.more_runs,
        "sense": sense(found, higher_is_better=higher),
        "margin": _margin(rules.margins, what),
        **_numbers(found, what),
        "p_adjusted": p_adjusted,
        "spread": None if spread is None else asdict(spread),
        "solved": None if found.solved is None else asdict(found.solved),
        "runs_a": len(pair.runs_a),
        "runs_b": len(pair.runs_b),
        "n_a": values.count(pair.runs_a, pair.a, metric),
        "n_b": values.count(pair.runs_b, pair.b, metric),
        "failure_share_a": values.share_failed(pair.runs_a, pair.a),
        "failure_share_b": values.share_failed(pair.runs_b, pair.b),
    }


def _numbers(found: Effect, what: str) -> dict[str, Any]:
    """The effect's numbers in a reader's units: ratios B / A of logs, differences B - A of shares and p95s."""
    names = ("low", "high", "prompts_low", "prompts_high")
    ratios = {"ratio": found.change, **{name: getattr(found, name) for name in names}}
    plain = {name: getattr(found, name) for name in ("difference", "difference_low", "difference_high")}
    if what in (SCORE, FAILURES):
        plain = {"difference": found.change, "difference_low": found.low, "difference_high": found.high}
        ratios = dict.fromkeys(ratios)
    return {
        "a": found.a,
        "b": found.b,
        **{name: None if value is None else math.exp(value) for name, value in ratios.items()},
        **plain,
        **{name: getattr(found, name) for name in ("cliffs_delta", "p_prompts", "p_runs")},
        **{name: getattr(found, name) for name in ("cases", "only_a", "only_b", "refused")},
    }


def _margin(margins: Margins, what: str) -> float:
    if what in (SCORE, FAILURES):
        return margins.share
    return margins.p95 if what == P95 else margins.median


def _word(verdict: str, why: str) -> str:
    return f"{verdict}: {why}" if verdict == CANNOT_TELL and why else verdict


def _name(a: str, b: str) -> str:
    return a if a == b else f"{a} \N{RIGHTWARDS ARROW} {b}"
