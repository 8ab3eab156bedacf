"""The five stages of the one pipeline, as plain functions: paths in, paths and small records out.

    validate -> execute -> store -> aggregate -> report

The same word names the stage in `dvc.yaml`, its section in `params.yaml`, the task in `tasks/` and the function
here. None of them knows Prefect or DVC. A `Job` says what a pipeline run is about; it is plain data, so that it
can be a flow's parameter or a file. Plans are read late: a process of ours prepares itself before pydantic is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbook.errors import UserError
from benchbook.results.paths import DEFAULT_RESULTS

if TYPE_CHECKING:
    from benchbook.config import PlanSpec

DEFAULT_PLAN = "params.yaml"
STAGES = ("validate", "execute", "store", "aggregate", "report")
PROFILES = ("all", "cpu", "memory")
"""What `Job.profile` may ask for."""

OnStored = Callable[[str, int, int], None]
"""Takes how far `store` has come with a run: its id, trials read, trials planned."""
OnProgress = Callable[[Mapping[str, Any]], None]
"""Takes `runner.progress.Progress.report()`: run_id, planned, done, succeeded, failed, timed_out, skipped,
in_flight, current, elapsed_s, spent_usd, rate_per_s, eta_s, workers, ended, and `targets`: name -> `Tally.fields()`."""


@dataclass(frozen=True, slots=True)
class Job:
    """One pipeline run, as plain JSON-able data.

    plan: a plan file; document: a plan given as data instead (then `plan` only names it); overrides: `-S` texts;
    resume: a run to finish instead of a new one; again: measure although this plan has a finished run;
    preflight: refuse when no target can be reached; profile: `all`, `cpu` or `memory` profiles of the harness itself,
    none if empty; workers: measuring processes among which the load is shared; origin: facts of the caller for the
    manifest.
    """

    plan: str = DEFAULT_PLAN
    document: Mapping[str, Any] | None = None
    overrides: tuple[str, ...] = ()
    results: str = DEFAULT_RESULTS
    resume: str | None = None
    budget_usd: float | None = None
    again: bool = True
    preflight: bool = True
    profile: str = ""
    workers: int = 1
    origin: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.profile and self.workers > 1:
            raise UserError("--profile", "goes with one measuring process", "leave --workers out")

    def spec(self) -> PlanSpec:
        """The validated plan; of a job that resumes a run, that run's own. Raises PlanError, UnknownRunError."""
        if self.resume:
            return _stored_spec(Path(self.results), self.resume)
        from benchbook.config import build_plan, load_plan

        if self.document is not None:
            return build_plan(self.document, self.plan)
        return load_plan(self.plan, self.overrides)

    def fields(self) -> dict[str, Any]:
        """As plain data; `job_from` reads it back."""
        return asdict(self)


def _stored_spec(results: Path, run: str) -> PlanSpec:
    from benchbook.config import thaw
    from benchbook.results import journal

    return thaw(journal.read_run(results, journal.find_run(results, run)).manifest["plan"])


def job_from(fields: Mapping[str, Any]) -> Job:
    """The job that `Job.fields` gave."""
    return Job(**{**fields, "overrides": tuple(fields.get("overrides", ()))})


@dataclass(frozen=True, slots=True)
class Validated:
    """What `validate` found: counts, warnings as lines, and where the checks lie."""

    datasets: int
    cases: int
    checks: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Executed:
    """What `execute` came to. measured: False when a finished run of this plan was found instead.

    status: `finished`, `interrupted` or `budget`; progress: the last `Progress.fields()`.
    """

    run_id: str
    status: str
    measured: bool
    progress: Mapping[str, Any]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """What `store` wrote: run ids newly stored, those already current, and files that it had to pass over."""

    stored: tuple[str, ...]
    current: tuple[str, ...]
    damaged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Aggregated:
    """Files that `aggregate` wrote."""

    tables: tuple[str, ...]
    metrics: str
    views: str


@dataclass(frozen=True, slots=True)
class Reported:
    """Files that `report` wrote, by format, and the run that they are about."""

    run_id: str
    files: Mapping[str, str]


__all__ = [
    "DEFAULT_PLAN",
    "DEFAULT_RESULTS",
    "STAGES",
    "Aggregated",
    "Executed",
    "Job",
    "OnProgress",
    "OnStored",
    "Reported",
    "Stored",
    "Validated",
    "job_from",
]
