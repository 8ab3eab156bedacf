"""A search: the largest load that still meets the objectives, with how sure one can be.

At each load the plan is run, and its measured trials are judged objective by objective. What can't be told from one
run is run again, and the trials of all runs at that load are judged together, up to a bound. Which load comes next is
`stats/search.py`'s; each run stays in the history, tagged with the search.
"""

from __future__ import annotations

import math
from collections import Counter
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
from benchbook.stages.points import Series, grid_of
from benchbook.stages.validate import validate
from benchbook.stats.objectives import CANNOT_TELL, MET, Judgement, judged, overall, trials_needed
from benchbook.stats.search import Range, bracket, next_load

OnLoad = Callable[[str, float, str], None]
"""Takes a target, a load, and the word on it, or `measuring` before."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a search goes. max_runs: runs a target; repeats: runs at one load before it stays `cannot tell`."""

    within: Range
    max_runs: int = 20
    repeats: int = 3
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
    """What a search found for one target. status: `finished`, `interrupted`, `budget` or `max runs`."""

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
    """Search target by target. An interrupt ends it; what was found so far is given back."""
    validate(series.job(limits.within.low))
    found = []
    targets = [target["name"] for target in series.document["execute"]["targets"]]
    for target in targets:
        found.append(_Search(_alone(series, target), slos, limits, on_progress).run(target, on_load))
        if found[-1].status in ("interrupted", "budget"):
            break
    if any(point.runs for part in found for point in part.tried):
        aggregate(series.job(limits.within.low))
    return found


def _alone(series: Series, target: str) -> Series:
    """The series with one of its targets."""
    execute = series.document["execute"]
    chosen = [each for each in execute["targets"] if each["name"] == target]
    return replace(series, document={**series.document, "execute": {**execute, "targets": chosen}})


@dataclass(frozen=True, slots=True)
class _Search:
    series: Series
    slos: Sequence[Slo]
    limits: Limits
    on_progress: OnProgress | None

    def run(self, target: str, on_load: OnLoad) -> Found:
        found = Found(target)
        while (load := next_load(found.words, self.limits.within)) is not None:
            found.tried.append(Tried(load))
            status = self._try(found, found.tried[-1], on_load)
            if status != "finished":
                found.status = status
                break
        found.tried = [point for point in found.tried if point.runs]
        return found

    def _try(self, found: Found, point: Tried, on_load: OnLoad) -> str:
        """Run one load until it can be told, or the bounds are reached."""
        while point.word == CANNOT_TELL and len(point.runs) < self.limits.repeats:
            if sum(len(each.runs) for each in found.tried) >= self.limits.max_runs:
                return "max runs"
            if self.series.means.spent:
                return "budget"
            on_load(found.target, point.load, "measuring")
            executed = self.series.run(point.load, self.on_progress)
            if executed.status != "finished":
                return executed.status
            point.runs.append(executed.run_id)
            point.judgements = judgements(self.series.results, point.runs, self.slos, self.limits.confidence)
            point.word = overall(each.word for each in point.judgements)
            on_load(found.target, point.load, point.word)
        return "finished"


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
