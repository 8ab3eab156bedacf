"""How a run is going: counts kept while trials finish, and the arithmetic of rate and remaining time.

A measuring process tells of itself in `Progress.report()`, plain data of a size that does not grow with the run.
Several processes of one run are told of as one: `merge` is pure and takes their reports in any order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchbook.records import Trial
from benchbook.runner.tally import Tally, merged, tally_of

_COUNTED_AS = {"success": "succeeded", "failure": "failed", "timeout": "timed_out", "skipped": "skipped"}
_SUMS = ("planned", "earlier", "succeeded", "failed", "timed_out", "skipped", "in_flight", "spent_usd", "workers")


@dataclass(slots=True)
class Progress:
    """A snapshot of a run. `planned` counts all of the run's trials, `earlier` those of earlier sessions.

    loop_lag_ms: how late the measuring event loop came to its worst appointment of the last second or so (of several
    processes, the worst one's); workers: measuring processes that this speaks for; targets: what has come of each
    target; ended: nothing more will come.
    """

    run_id: str
    planned: int
    earlier: int = 0
    succeeded: int = 0
    failed: int = 0
    timed_out: int = 0
    skipped: int = 0
    in_flight: int = 0
    current: str = ""
    elapsed_s: float = 0.0
    spent_usd: float = 0.0
    loop_lag_ms: float = 0.0
    workers: int = 1
    ended: bool = False
    targets: dict[str, Tally] = field(default_factory=dict)

    def expect(self, planned: Mapping[str, int]) -> None:
        """Know how many trials are planned for each target, before the first one is counted."""
        for target, trials in planned.items():
            self.tally(target).planned += trials

    def tally(self, target: str) -> Tally:
        """What has come of a target."""
        found = self.targets.get(target)
        if found is None:
            found = self.targets[target] = Tally()
        return found

    def count(self, trial: Trial, costs_usd: Sequence[float | None]) -> None:
        """Take a finished trial in, and what each of its calls cost (None: unknown)."""
        self.tally(trial.planned.target).take(trial, costs_usd)
        self.spent_usd += sum(cost or 0.0 for cost in costs_usd)
        field = _COUNTED_AS[trial.status]
        setattr(self, field, getattr(self, field) + 1)

    @property
    def done(self) -> int:
        """Finished trials of all sessions."""
        return self.succeeded + self.failed + self.timed_out + self.skipped

    @property
    def not_started(self) -> int:
        return self.planned - self.done

    @property
    def errors(self) -> int:
        return self.failed + self.timed_out

    @property
    def rate_per_s(self) -> float | None:
        """Trials finished per second in this session, None before the first."""
        finished = self.done - self.earlier - self.skipped
        return finished / self.elapsed_s if finished > 0 and self.elapsed_s > 0 else None

    @property
    def eta_s(self) -> float | None:
        """Seconds until the last planned trial at the present rate."""
        return self.not_started / self.rate_per_s if self.rate_per_s else None

    def fields(self) -> dict[str, Any]:
        """The run's own counts as plain data, with rate and ETA: what a session's end is recorded with."""
        counts = {name: getattr(self, name) for name in _FIELDS}
        return {**counts, "done": self.done, "rate_per_s": self.rate_per_s, "eta_s": self.eta_s}

    def report(self) -> dict[str, Any]:
        """`fields`, those of the moment and, for each of `targets`, its `Tally.fields`: what a viewer is told."""
        tallies = {name: tally.fields() for name, tally in self.targets.items()}
        return {**self.fields(), **{name: getattr(self, name) for name in _OF_THE_MOMENT}, "targets": tallies}


_FIELDS = (
    "run_id",
    "planned",
    "earlier",
    "succeeded",
    "failed",
    "timed_out",
    "skipped",
    "in_flight",
    "current",
    "elapsed_s",
    "spent_usd",
)
_OF_THE_MOMENT = ("loop_lag_ms", "workers", "ended")


def progress_of(report: Mapping[str, Any]) -> Progress:
    """The progress that `Progress.report` gave."""
    counts = {name: report[name] for name in (*_FIELDS, *_OF_THE_MOMENT)}
    return Progress(**counts, targets={name: tally_of(fields) for name, fields in report["targets"].items()})


def merge(reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Reports of the processes of one run as one report of the same form.

    Each process reports its own share: counts, money and what is in flight are sums, and so is `planned`. Time and
    loop lag are the largest one's, rate and ETA are computed anew, the current case is one of theirs. A process that
    has ended takes part with its last report, or the sums would fall.
    """
    total = Progress(reports[0]["run_id"], planned=0, workers=0, ended=all(report["ended"] for report in reports))
    for report in reports:
        for name in _SUMS:
            setattr(total, name, getattr(total, name) + report[name])
        total.elapsed_s = max(total.elapsed_s, report["elapsed_s"])
        total.loop_lag_ms = max(total.loop_lag_ms, 0.0 if report["ended"] else report["loop_lag_ms"])
        total.current = report["current"] or total.current
    names = dict.fromkeys(name for report in reports for name in report["targets"])
    tallies = {
        name: merged([report["targets"][name] for report in reports if name in report["targets"]]) for name in names
    }
    return {**total.report(), "targets": tallies}
