"""A series of runs that differ in their load alone: what a sweep and a search are made of.

Each point is a run of its own in the journal, whose manifest names the series. Nothing else is kept: what has been
done is what the manifests say, so a series that was interrupted can be gone on with.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchbook import clock
from benchbook.config import PlanSpec, build_plan, thaw
from benchbook.errors import PlanError, UnknownRunError
from benchbook.results import journal
from benchbook.stages import Executed, Job, OnProgress
from benchbook.stages.execute import execute_apart
from benchbook.stages.store import store

AXES = ("concurrency", "rate")
_NOUNS = {"sweep": ("sweep", "sweeps"), "search": ("search", "searches")}
Measure = Callable[[Job, OnProgress | None], Executed]


@dataclass(slots=True)
class Means:
    """What a series may use. workers: measuring processes of each run; budget_usd: for all of its runs together, those
    of earlier sessions too, None without a bound; spent_usd: by each of its runs so far."""

    workers: int = 1
    budget_usd: float | None = None
    spent_usd: dict[str, float] = field(default_factory=dict)

    @property
    def spent(self) -> bool:
        """Whether there is nothing left."""
        return self.budget_usd is not None and sum(self.spent_usd.values()) >= self.budget_usd

    def left_usd(self, besides: str | None = None) -> float | None:
        """What is left for a run; one that is resumed counts its own earlier sessions itself."""
        if self.budget_usd is None:
            return None
        return self.budget_usd - sum(usd for run_id, usd in self.spent_usd.items() if run_id != besides)


@dataclass(frozen=True, slots=True)
class Series:
    """Runs of one plan under several loads.

    document: the plan as plain data; axis: `concurrency` or `rate`; grid: the loads asked for, empty for a search;
    asked: what else the manifests of its runs keep of it; means: what it may use; measure: what runs a job, a process
    of its own unless told otherwise.
    """

    sweep_id: str
    document: Mapping[str, Any]
    source: str
    axis: str
    results: str
    grid: tuple[float, ...] = ()
    asked: Mapping[str, Any] = field(default_factory=dict)
    means: Means = field(default_factory=Means, compare=False)
    measure: Measure = field(default=execute_apart, compare=False)

    def job(self, load: float, **changes: Any) -> Job:
        """The job of the point at this load."""
        document = with_load(self.document, self.axis, load)
        origin = {"sweep_id": self.sweep_id, "sweep_axis": self.axis, "sweep_value": load, "sweep_grid": self.grid}
        origin.update(self.asked)
        return Job(plan=self.source, document=document, results=self.results, origin=origin, **changes)

    def spec(self, load: float) -> PlanSpec:
        """The validated plan of a point. Raises PlanError."""
        return build_plan(with_load(self.document, self.axis, load), self.source)

    def run(self, load: float, on_progress: OnProgress | None = None, resume: str | None = None) -> Executed:
        """Measure one point, or what is missing of its run, and store it."""
        means = self.means
        job = self.job(load, resume=resume, workers=means.workers, budget_usd=means.left_usd(besides=resume))
        executed = self.measure(job, on_progress)
        means.spent_usd[executed.run_id] = executed.progress["spent_usd"]
        store(job, executed.run_id)
        return executed


@dataclass(frozen=True, slots=True)
class Point:
    """A run of a series, as its manifest has it. targets: the names of those that it measures."""

    run_id: str
    load: float
    finished: bool
    targets: tuple[str, ...]


def begin(kind: str, job: Job, axis: str, grid: tuple[float, ...] = (), *, trials: int | None = None) -> Series:
    """A new series over the job's plan, every load of the grid known to fit it. Raises PlanError.

    trials: measured trials of a target at each load, instead of the plan's own number.
    """
    spec = job.spec()
    document = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    if trials is not None:
        document["execute"]["trials"] = trials
    sweep_id = f"{kind}-{journal.mint_run_id(clock.SystemClock(), random.SystemRandom())}"
    series = Series(sweep_id, document, spec.source, axis, job.results, grid)
    for load in grid:
        series.spec(load)
    return series


def with_load(document: Mapping[str, Any], axis: str, load: float) -> dict[str, Any]:
    """The plan with this concurrency, or this rate, in place of its load."""
    execute = dict(document["execute"])
    now = dict(execute.get("load", {}))
    if axis == "concurrency":
        kept = {name: now[name] for name in now if now.get("kind") == "closed"}
        execute["load"] = {**kept, "kind": "closed", "concurrency": int(load)}
    else:
        kept = now if now.get("kind") in ("constant", "poisson", "gamma") else {"kind": "poisson"}
        execute["load"] = {**kept, "rate": load}
    return {**document, "execute": execute}


def resumed(results: str, text: str) -> Series:
    """The sweep that `text` names: an id, the start of one, or `latest`. Raises UnknownRunError."""
    manifest = kept("sweep", results, text)
    document, source = document_of(manifest)
    grid = tuple(float(load) for load in manifest["sweep_grid"])
    return Series(manifest["sweep_id"], document, source, manifest["sweep_axis"], results, grid)


def kept(kind: str, results: str, text: str) -> Mapping[str, Any]:
    """The newest manifest of the sweep, search or experiment of this kind that `text` names: an id, the start of one,
    or `latest`. Raises UnknownRunError."""
    found = {m["sweep_id"]: m for m in manifests(Path(results)) if m["sweep_id"].startswith(f"{kind}-")}
    known, nouns = sorted(found), _NOUNS.get(kind, ("experiment", "experiments"))
    matches = known[-1:] if text == "latest" else [name for name in known if name.startswith(text)]
    if len(matches) != 1:
        what = f"is the start of {len(matches)} {nouns[1]}" if matches else f"no such {nouns[0]}"
        raise UnknownRunError(text, what, f"there are {', '.join(known[-5:]) or 'none'}")
    return found[matches[0]]


def document_of(manifest: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The plan of a run as plain data, and where it was read from."""
    spec = thaw(manifest["plan"])
    return spec.model_dump(mode="json", by_alias=True, exclude_none=True), spec.source


def points(series: Series) -> list[Point]:
    """The runs of a series so far, in order of time."""
    results = Path(series.results)
    return [
        Point(m["run_id"], float(m["sweep_value"]), finished(results, m["run_id"]), _targets(m))
        for m in manifests(results)
        if m["sweep_id"] == series.sweep_id
    ]


def _targets(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(target["name"] for target in manifest["plan"]["sections"]["execute"]["targets"])


def count_spent(series: Series, done: Collection[Point]) -> None:
    """Store what earlier sessions of these runs left, and count what they cost, as far as that is known."""
    for point in done:
        store(series.job(point.load), point.run_id)
    if done and series.means.budget_usd is not None:
        from benchbook.history.questions import select

        runs = tuple(point.run_id for point in done)
        rows = select(Path(series.results), _SPENT, runs=runs)
        series.means.spent_usd.update({row["run_id"]: row["spent_usd"] or 0.0 for row in rows})


_SPENT = "select run_id, sum(cost_usd) as spent_usd from calls group by run_id"


def finished(results: Path, run_id: str) -> bool:
    """Whether the run's last session ended with nothing left to do."""
    return journal.read_run(results, run_id).status == journal.FINISHED


def manifests(results: Path) -> Iterator[Mapping[str, Any]]:
    """Those of the runs that belong to a sweep, a search or an experiment, in order of time."""
    for run_id in journal.runs(results):
        manifest = journal.read_run(results, run_id).manifest
        if manifest.get("sweep_id"):
            yield manifest


def grid_of(text: str, axis: str) -> tuple[float, ...]:
    """`1,2,4,8` as loads, ascending and each once. Raises PlanError."""
    where = f"--{axis} {text}"
    right = "write numbers above 0 with commas between them, e.g. 1,2,4,8"
    try:
        loads = sorted({float(part) for part in text.split(",")})
    except ValueError:
        raise PlanError(where, "is no list of loads", right) from None
    if not all(0 < load <= 1_000_000 for load in loads):
        raise PlanError(where, "holds a load out of range", right)
    if axis == "concurrency" and not all(load.is_integer() for load in loads):
        raise PlanError(where, "holds a concurrency that is no whole number", right)
    return tuple(loads)
