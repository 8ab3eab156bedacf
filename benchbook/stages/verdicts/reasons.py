"""The codes that a verdict's reasons bear. A code is for scripts and never changes its meaning.

One code, one line in CODES: what it says, and where to look further.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

VALID, DEGRADED, INVALID = "VALID", "DEGRADED", "INVALID"


@dataclass(frozen=True, slots=True)
class Code:
    """What a reason means, and the question, check or page that shows more."""

    means: str
    look: str


CODES: Mapping[str, Code] = {
    "nothing_measured": Code("no trial was attempted, or none (of a target) succeeded", "benchbook history errors"),
    "counts_not_conserved": Code("the run's counts are not those of its rows", "benchbook show RUN --checks"),
    "check_failed": Code("another check on the stored rows failed", "benchbook show RUN --checks"),
    "too_many_failures": Code("more attempted trials failed than the plan lets pass", "benchbook history errors"),
    "not_started": Code("planned trials have no record", "benchbook run --resume RUN"),
    "skipped": Code("planned trials were not sent: their target can't do them", "benchbook history skipped"),
    "worker_died": Code("a worker process ended without a word", "events of kind worker"),
    "breaker_opened": Code("a target's breaker held trials back: less was offered", "benchbook history breaker"),
    "profiled": Code("profilers ran inside the measuring process", "results/profiles/RUN"),
    "loop_lag": Code("the harness's event loop came late to its own appointments", "runs.harness_loop_lag_*"),
    "cpu_saturated": Code("the measuring thread used up its core", "runs.harness_cpu_share"),
    "run_delay": Code("the measuring thread was ready and had to wait for a core", "runs.harness_run_delay_share"),
    "cpu_steal": Code("the host's hypervisor gave processor time to others", "runs.harness_steal_share"),
    "gc_pause": Code("a garbage collection held the event loop", "runs.harness_gc_*"),
    "clock_stepped": Code("the wall clock was set during the run; durations are not touched by it", "runs.started_at"),
    "schedule_lag": Code("trials of an open loop started later than intended", "benchbook history latency"),
    "rate_not_reached": Code("trials of an open loop started more slowly than offered", "benchbook history throughput"),
    "concurrency_not_reached": Code("a closed loop kept fewer in flight than asked", "benchbook history throughput"),
    "little_law": Code("mean in flight is not rate times mean time: no steady flow", "benchbook history throughput"),
    "token_mismatch": Code("reported output tokens can't be what was received", "calls.tokens_out, calls.chunk_sizes"),
    "input_tokens_differ": Code("one prompt, counted differently", "trials.tokens_in by prompt_sha256"),
    "wrong_output_length": Code("answers are longer or shorter than asked", "calls.tokens_out, calls.finish_reason"),
    "throttled": Code("the provider refused attempts with HTTP 429", "benchbook history throttling"),
    "cache_contamination": Code("a cold plan was answered from the provider's cache", "benchbook show RUN --checks"),
    "endpoint_changed": Code("the served model or its fingerprint changed", "calls.model_served, system_fingerprint"),
    "no_steady_state": Code("a latency drifted through the measured part", "benchbook history over_time"),
    "warm_up_measured": Code("the first measured trials lie apart from the rest", "benchbook history over_time"),
    "neighbours_alike": Code(
        "neighbouring latencies are alike: intervals are too narrow", "benchbook history over_time"
    ),
    "too_few_samples": Code("fewer successes than the wanted quantile needs", "benchbook history latency"),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason. value and threshold: the number behind it and the limit it passed, in the unit that the sentence
    names; target: None for the run as a whole."""

    code: str
    sentence: str
    value: float | None = None
    threshold: float | None = None
    target: str | None = None
    severity: str = DEGRADED

    @property
    def said(self) -> str:
        """The sentence, with its target in front."""
        return f"{self.target}: {self.sentence}" if self.target else self.sentence

    def fields(self) -> dict[str, Any]:
        """As an element of the column `reason_codes`."""
        return {
            "code": self.code,
            "severity": self.severity,
            "target": self.target,
            "value": None if self.value is None else float(self.value),
            "threshold": None if self.threshold is None else float(self.threshold),
            "look": CODES[self.code].look,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """Reasons, and the word that follows from them."""

    reasons: tuple[Reason, ...]

    @property
    def word(self) -> str:
        severities = {reason.severity for reason in self.reasons}
        return INVALID if INVALID in severities else DEGRADED if severities else VALID

    @property
    def sentences(self) -> tuple[str, ...]:
        return tuple(reason.said for reason in self.reasons)


def beyond(value: float, limit: float, factor: float | None) -> str:
    """The severity of a harness's figure that passed its limit: INVALID from `factor` times the limit on."""
    return INVALID if factor is not None and value > limit * factor else DEGRADED
