"""How a run is going: counts kept while trials finish, and the arithmetic of rate and remaining time."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from benchbook.records import Trial

_SECOND_NS = 1_000_000_000


@dataclass(slots=True)
class Progress:
    """A snapshot of a run. `planned` counts all of the run's trials, `earlier` those of earlier sessions."""

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

    def count(self, trial: Trial) -> None:
        """Take a finished trial in."""
        field = {"success": "succeeded", "failure": "failed", "timeout": "timed_out", "skipped": "skipped"}[
            trial.status
        ]
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
        """As plain data, with rate and ETA."""
        return {**asdict(self), "done": self.done, "rate_per_s": self.rate_per_s, "eta_s": self.eta_s}
