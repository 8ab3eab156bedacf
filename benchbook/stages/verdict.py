"""A run's verdict: VALID, DEGRADED or INVALID, with its reasons. Pure.

INVALID: the stored facts contradict themselves (a critical check failed), or nothing was measured.
DEGRADED: more of the attempted trials failed than the plan lets pass, planned trials are missing or were
skipped, or a warning check on the results failed. VALID: none of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchbook.records import Check

VALID, DEGRADED, INVALID = "VALID", "DEGRADED", "INVALID"


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the planned trials, warm-up included."""

    planned: int
    succeeded: int
    failed: int
    timed_out: int
    skipped: int

    @property
    def not_started(self) -> int:
        return self.planned - self.succeeded - self.failed - self.timed_out - self.skipped

    @property
    def attempted(self) -> int:
        return self.succeeded + self.failed + self.timed_out

    @property
    def failure_share(self) -> float | None:
        """Failed and timed-out trials over attempted ones; None where none was attempted."""
        return (self.failed + self.timed_out) / self.attempted if self.attempted else None


def verdict(counts: Counts, checks: Sequence[Check], max_failure_share: float) -> tuple[str, tuple[str, ...]]:
    """The verdict and its reasons, the gravest first."""
    invalid = [_said(check) for check in checks if not check.success and check.severity == "critical"]
    if counts.succeeded == 0:
        invalid.append("no trial was attempted" if counts.attempted == 0 else "no trial succeeded")
    degraded = [*_shortfalls(counts, max_failure_share)]
    degraded += [_said(check) for check in checks if not check.success and check.severity != "critical"]
    reasons = tuple(dict.fromkeys((*invalid, *degraded)))
    return (INVALID if invalid else DEGRADED if degraded else VALID), reasons


def _shortfalls(counts: Counts, max_failure_share: float) -> list[str]:
    found = []
    share = counts.failure_share
    if share is not None and share > max_failure_share:
        failed = counts.failed + counts.timed_out
        found.append(f"{failed} of {counts.attempted} attempted trials failed, at most {max_failure_share:.0%} may")
    if counts.not_started:
        found.append(f"{counts.not_started} of {counts.planned} planned trials were not started")
    if counts.skipped:
        found.append(f"{counts.skipped} of {counts.planned} planned trials were skipped")
    return found


def _said(check: Check) -> str:
    return f"check {check.name} on {check.subject} failed ({check.unexpected} of {check.observed})"
