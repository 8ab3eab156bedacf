"""A search: the largest load that still meets the objectives, with how sure one can be.

At each load the plan is run, and its measured trials are judged objective by objective. What can't be told from one
run is run again, and the trials of all runs at that load are judged together, up to a bound. Which load comes next is
`stats/search.py`'s. Each run's manifest says what the search asked for, and nothing else is kept: a search that was
interrupted or killed is walked again from its first load, and a run that is there is judged instead of measured, a
half-done one after its missing trials.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from benchbook.config.slos import ERROR_RATE, Slo, parse_slo
from benchbook.datasets import files, read
from benchbook.errors import PlanError
from benchbook.results.store import read_table
from benchbook.runner.plan import freeze
from benchbook.stages import OnProgress
from benchbook.stages.aggregate import aggregate
from benchbook.stages.points import Means, Point, Series, count_spent, document_of, grid_of, kept, points
from benchbook.stages.validate import validate
from benchbook.stats.objectives import CANNOT_TELL, MET, Judgement, judged, overall, trials_needed
from benchbook.stats.search import Range, bracket, next_load

OnLoad = Callable[[str, float, str], None]
"""Takes a target, a load, and the word on it; before that `measuring` or `resuming`, unless the run is there."""


MAX_RUNS, REPEATS = 20, 3


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a search goes. max_runs: runs a target; repeats: runs at one load before it stays `cannot tell`."""

    within: Range
    max_runs: int = MAX_RUNS
    repeats: int = REPEATS
    confidence: float = 0.95


@dataclass(slots=True)
class Tried:
    """One load: its runs, and the judgement on all their trials."""

    load: float
    runs: list[str] = field(default_factory=list)
    word: str = CANNOT_TELL
    judgements: tuple[Judgement, ...] = ()


@dataclass(slots=True)
class Found:
    """What a search found for one target. status: `finished`, `interrupted`, `budget` or `max runs`; of a target that
    was not begun, that of the one before it."""

    target: str
    status: str = "finished"
    tried: list[Tried] = field(default_factory=list)

    @property
    def words(self) -> dict[float, str]:
        return {point.load: point.word for point in self.tried}

    def fields(self) -> dict[str, Any]:
        """As plain data, with the bracket."""
        ends = bracket(self.words)
        tried = [_point_fields(point) for point in sorted(self.tried, key=lambda point: point.load)]
        return {"target": self.target, "status": self.status, **asdict(ends), "tried": tried}


def _point_fields(point: Tried) -> dict[str, Any]:
    """As plain data: JSON has no infinity, so a number that falls on a failure is null and named in `unbounded`."""
    found = asdict(point)
    for each in found["judgements"]:
        unbounded = [name for name in ("value", "low", "high") if math.isinf(each[name] or 0.0)]
        each.update(dict.fromkeys(unbounded), unbounded=unbounded)
    return found


def objectives(texts: Sequence[str]) -> tuple[Slo, ...]:
    """The objectives of a search. Raises PlanError for one that is none, or is about single trials."""
    if not texts:
        raise PlanError("benchbook search", "needs an objective", "e.g. --slo 'ttft_ms p95 < 500'")
    try:
        slos = tuple(parse_slo(text) for text in texts)
    except ValueError as error:
        raise PlanError("--slo", str(error)) from None
    for slo in slos:
        if slo.quantile is None and slo.metric != ERROR_RATE:
            right = f"write a quantile, e.g. {slo.metric} p95"
            raise PlanError(f"--slo {slo.text}", "is a limit on single trials, and a search judges many", right)
    return slos


def range_of(text: str, axis: str) -> Range:
    """`1..64` as a range of loads. Raises PlanError."""
    low, dots, high = text.partition("..")
    loads = (*grid_of(low, axis), *grid_of(high, axis)) if dots else ()
    if len(loads) != 2 or loads[0] >= loads[1]:
        raise PlanError(f"--{axis} {text}", "is no range", "write MIN..MAX, e.g. 1..64")
    return Range(loads[0], loads[1], whole=axis == "concurrency")


def check(slos: Sequence[Slo], series: Series, limits: Limits) -> None:
    """Refuse loads that don't fit the plan, and objectives that its trials could never be told to meet.

    Raises PlanError.
    """
    series.spec(limits.within.high)
    spec = series.spec(limits.within.low)
    plan = freeze(spec, [read(path).dataset for path in files(spec.validate_.datasets)])
    counts = Counter(trial.target for trial in plan.trials if trial.phase == "measured")
    trials = min(counts.values(), default=0)
    for slo in slos:
        most, needed = trials * limits.repeats, trials_needed(slo, limits.confidence)
        if most < needed:
            raise PlanError(
                f"--slo {slo.text}",
                f"takes at least {needed} trials at a load to be met, and {limits.repeats} runs of {trials} are {most}",
                f"add --trials {needed}",
            )


def search(
    series: Series, slos: Sequence[Slo], limits: Limits, on_load: OnLoad, on_progress: OnProgress | None = None
) -> list[Found]:
    """Search target by target, and measure what has no finished run yet. An interrupt ends it, between runs too; what
    was found so far is given back. Raises UserError."""
    series = replace(series, asked=_asked(series, slos, limits))
    done = points(series)
    count_spent(series, done)
    session = _Search(series, slos, limits, done, (on_load, on_progress))
    found: list[Found] = []
    for target in (each["name"] for each in series.document["execute"]["targets"]):
        ended = found[-1].status if found else ""
        found.append(Found(target, ended) if ended in _ENDS else session.run(target))
    if session.measured:
        aggregate(series.job(limits.within.low))
    return found


_ENDS = ("interrupted", "budget")
"""What ends a search for the targets that are left, too."""


def _asked(series: Series, slos: Sequence[Slo], limits: Limits) -> dict[str, Any]:
    """What each run's manifest keeps of the search: a run's own plan has one target, and no range."""
    within = limits.within
    return {
        "search": {
            "targets": series.document["execute"]["targets"],
            "slos": [slo.text for slo in slos],
            "within": [within.low, within.high],
            "max_runs": limits.max_runs,
            "repeats": limits.repeats,
            "budget_usd": series.means.budget_usd,
        }
    }


def resumed(results: str, text: str, means: Means, max_runs: int | None) -> tuple[tuple[Slo, ...], Limits, Series]:
    """The search that `text` names (an id, the start of one, or `latest`), as it was asked for; a budget and a number
    of runs, for the whole of it, may be said anew. Raises UserError."""
    manifest = kept("search", results, text)
    asked, axis = manifest.get("search"), manifest["sweep_axis"]
    if asked is None:
        what = "is of an older version, whose runs don't say what it asked for"
        raise PlanError(f"--resume {manifest['sweep_id']}", what, "search anew")
    document, source = document_of(manifest)
    document["execute"]["targets"] = asked["targets"]
    if means.budget_usd is None:
        means.budget_usd = asked["budget_usd"]
    low, high = asked["within"]
    within = Range(low, high, whole=axis == "concurrency")
    limits = Limits(within, max_runs or asked["max_runs"], asked["repeats"])
    return objectives(asked["slos"]), limits, Series(manifest["sweep_id"], document, source, axis, results, means=means)


def _alone(series: Series, target: str) -> Series:
    """The series with one of its targets."""
    execute = series.document["execute"]
    chosen = [each for each in execute["targets"] if each["name"] == target]
    return replace(series, document={**series.document, "execute": {**execute, "targets": chosen}})


class _Search:
    """One session of a search. done: the runs that earlier sessions left; measured: how many this one has measured."""

    def __init__(
        self,
        series: Series,
        slos: Sequence[Slo],
        limits: Limits,
        done: Sequence[Point],
        tell: tuple[OnLoad, OnProgress | None],
    ) -> None:
        self._series, self._slos, self._limits = series, slos, limits
        self._on_load, self._on_progress = tell
        self._done: dict[tuple[str, float], list[Point]] = defaultdict(list)
        for point in done:
            self._done[point.targets[0], point.load].append(point)
        self.measured = 0

    def run(self, target: str) -> Found:
        found, alone = Found(target), _alone(self._series, target)
        try:
            while found.status == "finished" and (load := next_load(found.words, self._limits.within)) is not None:
                found.tried.append(Tried(load))
                found.status = self._try(alone, found)
        except KeyboardInterrupt:
            found.status = "interrupted"
        found.tried = [point for point in found.tried if point.runs]
        return found

    def _try(self, alone: Series, found: Found) -> str:
        """Run the load tried last until it can be told, or the bounds are reached."""
        point = found.tried[-1]
        left = self._done[found.target, point.load]
        while point.word == CANNOT_TELL and len(point.runs) < self._limits.repeats:
            if sum(len(each.runs) for each in found.tried) >= self._limits.max_runs:
                return "max runs"
            known = left.pop(0) if left else None
            run_id, status = self._measured(alone, found.target, point.load, known)
            if status != "finished":
                return status
            point.runs.append(run_id)
            point.judgements = judgements(alone.results, point.runs, self._slos, self._limits.confidence)
            point.word = overall(each.word for each in point.judgements)
            self._on_load(found.target, point.load, point.word)
        return "finished"

    def _measured(self, alone: Series, target: str, load: float, known: Point | None) -> tuple[str, str]:
        """A run at this load and how it ended: that which is known, or what is missing of it, or a new one."""
        if known is not None and known.finished:
            return known.run_id, "finished"
        if alone.means.spent:
            return "", "budget"
        if not self.measured:
            validate(self._series.job(load))
        self.measured += 1
        self._on_load(target, load, "measuring" if known is None else "resuming")
        executed = alone.run(load, self._on_progress, resume=None if known is None else known.run_id)
        return executed.run_id, executed.status


def judgements(results: str, runs: Sequence[str], slos: Sequence[Slo], confidence: float) -> tuple[Judgement, ...]:
    """The objectives over the measured trials of these runs, pooled."""
    table, _ = read_table(Path(results), "trials", list(runs))
    names = {"phase", "status"} | {slo.metric for slo in slos if slo.metric != ERROR_RATE}
    rows = [row for row in table.select(sorted(names)).to_pylist() if row["phase"] == "measured"]
    return tuple(_over(slo, rows, confidence) for slo in slos)


def _over(slo: Slo, rows: Sequence[Mapping[str, Any]], confidence: float) -> Judgement:
    """A success without the metric counts as a failure: nobody knows that it met anything."""
    tried = [row for row in rows if row["status"] != "skipped"]
    good = [row for row in tried if row["status"] == "success"]
    if slo.metric == ERROR_RATE:
        return judged(slo, [0.0] * len(good), len(tried) - len(good), confidence)
    values = [row[slo.metric] for row in good if row[slo.metric] is not None]
    return judged(slo, values, len(tried) - len(values), confidence)


def met(found: Sequence[Found]) -> bool:
    """Whether every target has a load that meets the objectives."""
    return all(MET in part.words.values() for part in found)
