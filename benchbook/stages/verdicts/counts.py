"""Reasons out of counts and checks: what is missing, what failed, what contradicts itself."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow.compute as pc

from benchbook.records import Check
from benchbook.stages.verdicts.evidence import Counts, Evidence
from benchbook.stages.verdicts.reasons import DEGRADED, INVALID, Reason

_CODE_OF_CHECK = {"counts_conserved": "counts_not_conserved", "cache_contamination": "cache_contamination"}


def counted(evidence: Evidence, max_failure_share: float) -> Iterator[Reason]:
    """Counts, checks, workers and breakers."""
    yield from _shortfalls(evidence.counts, max_failure_share)
    yield from _of_targets(evidence, max_failure_share)
    yield from dict.fromkeys(_of_check(check) for check in evidence.checks if not check.success)
    for worker in evidence.dead_workers:
        yield Reason("worker_died", f"{worker} ended without a word; what it had finished is kept", 1, 0)
    for target, openings in sorted(evidence.openings.items()):
        times = "once" if openings == 1 else f"{openings} times"
        said = f"its breaker opened {times} and held trials back: the load was not the one that was asked for"
        yield Reason("breaker_opened", said, openings, 0, target)


def _shortfalls(counts: Counts, max_failure_share: float) -> Iterator[Reason]:
    if counts.succeeded == 0:
        said = "no trial was attempted" if counts.attempted == 0 else "no trial succeeded"
        yield Reason("nothing_measured", said, 0, 1, severity=INVALID)
    share = counts.failure_share
    if share is not None and share > max_failure_share:
        failed = counts.failed + counts.timed_out
        said = f"{failed} of {counts.attempted} attempted trials failed, at most {max_failure_share:.0%} may"
        yield Reason("too_many_failures", said, share, max_failure_share)
    if counts.not_started:
        said = f"{counts.not_started} of {counts.planned} planned trials were not started"
        yield Reason("not_started", said, counts.not_started, 0)
    if skipped := counts.skipped - counts.time_up:
        said = f"{skipped} of {counts.planned} planned trials were skipped"
        yield Reason("skipped", said, skipped, 0)


def _of_targets(evidence: Evidence, max_failure_share: float) -> Iterator[Reason]:
    """Where there are several, those that failed by themselves: among many, one that is dead is a small share."""
    targets = evidence.targets if len(evidence.targets) > 1 and evidence.counts.succeeded else []
    for target in targets:
        statuses = evidence.of(target)["status"]
        attempted = len(statuses)
        failed = attempted - (pc.sum(pc.equal(statuses, "success")).as_py() or 0)
        if failed == attempted:
            yield Reason("nothing_measured", f"none of its {attempted} attempted trials succeeded", 0, 1, target)
        elif failed / attempted > max_failure_share:
            said = f"{failed} of {attempted} attempted trials failed, at most {max_failure_share:.0%} may"
            yield Reason("too_many_failures", said, failed / attempted, max_failure_share, target)


def _of_check(check: Check) -> Reason:
    said = (
        f"{check.unexpected} of {check.observed} calls of a cold plan were answered from the provider's cache"
        if check.name == "cache_contamination"
        else f"check {check.name} on {check.subject} failed ({check.unexpected} of {check.observed})"
    )
    severity = INVALID if check.severity == "critical" else DEGRADED
    return Reason(_CODE_OF_CHECK.get(check.name, "check_failed"), said, check.unexpected, 0, severity=severity)
