"""Reasons out of the harness's own record of the run: was it the bottleneck, and did its clock keep still?"""

from __future__ import annotations

from collections.abc import Iterator

from benchbook.config import VerdictSpec
from benchbook.stages.verdicts.evidence import Evidence
from benchbook.stages.verdicts.reasons import Reason, beyond

LEAST_S = 1.0
"""Seconds of record below which shares say nothing."""
LEAST_BEATS = 40
"""Appointments below which a lag's 99th percentile is one bad moment: about five seconds."""
SLEW = 500e-6
"""The most that a clock discipline slews a clock without a step: 500 parts per million (Linux's adjtimex)."""

_FIGURES = {
    "loop_lag": (
        "loop_lag_p99_ms",
        "the event loop was late by {0:.1f} ms at p99 (largest {1:.0f} ms), at most {2:g} ms may be",
    ),
    "cpu_saturated": ("cpu_share", "the measuring thread used {0:.0%} of its core, at most {2:.0%} may be"),
    "run_delay": (
        "run_delay_share",
        "the measuring thread waited for a core {0:.1%} of the time, at most {2:.0%} may be",
    ),
    "cpu_steal": ("steal_share", "{0:.1%} of this host's processor time was stolen, at most {2:.0%} may be"),
    "gc_pause": ("gc_pause_max_ms", "a garbage collection took {0:.0f} ms, at most {2:g} ms may be"),
}
"""Code -> figure, and the sentence over value, largest lag and limit. The limit bears the figure's name."""


def harness(evidence: Evidence, limits: VerdictSpec) -> Iterator[Reason]:
    """Profilers, saturation, pauses, and a wall clock that was set."""
    if evidence.profiled:
        yield Reason("profiled", "the harness was profiled while it measured, which slows it")
    seen = evidence.harness
    if (seen.get("seconds") or 0) >= LEAST_S:
        for code, (name, sentence) in _FIGURES.items():
            value, limit = seen.get(name), getattr(limits, name)
            if code == "loop_lag" and (seen.get("beats") or 0) < LEAST_BEATS:
                continue
            if value is not None and limit is not None and value > limit:
                said = sentence.format(value, seen.get("loop_lag_max_ms") or 0, limit)
                yield Reason(code, said, value, limit, severity=beyond(value, limit, limits.invalid_factor))
    yield from _clock(evidence, limits)


def _clock(evidence: Evidence, limits: VerdictSpec) -> Iterator[Reason]:
    """A step of the wall clock beyond what slewing explains."""
    step, seconds = evidence.harness.get("clock_step_ms"), evidence.harness.get("seconds") or 0
    if step is None or limits.clock_step_ms is None:
        return
    allowed = limits.clock_step_ms + SLEW * seconds * 1000
    if abs(step) > allowed:
        said = (
            f"the wall clock moved by {step:+,.0f} ms against the monotonic one; dates are in doubt, durations are not"
        )
        yield Reason("clock_stepped", said, abs(step), allowed)
