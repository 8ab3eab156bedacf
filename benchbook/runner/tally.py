"""What has come of one target so far, kept per finished trial in constant space and constant time.

Nothing here grows with the run: counters, fixed arrays of bucket counts, and the last few TTFTs in a ring. Sums of
tallies are tallies (`merged`), so several measuring processes can be told of as one. Latencies are those of the
final table: measured trials that succeeded, a trial's last attempt. A tally is for a live view and for metrics;
results are computed from the journal and from nothing else.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchbook.measure.timing import e2e_ms, ttft_ms
from benchbook.records import PHASES, STATUSES, Call, Trial

RECENT = 32
"""So many of the newest TTFTs are kept for a median of the moment."""

BUCKETS_S: Mapping[str, tuple[float, ...]] = {
    "ttft": (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    "e2e": (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
    "response": (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
    "schedule_lag": (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0),
}
"""Histogram -> inclusive upper edges in seconds; a last bucket takes the rest. The first three rows are those that
OpenTelemetry's GenAI conventions advise for a server's time to first token and for an operation's duration."""


@dataclass(slots=True)
class Histogram:
    """Counts per bucket (one more than `edges_s`) and the sum of what was counted, in seconds."""

    edges_s: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    sum_s: float = 0.0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.edges_s) + 1)

    def add(self, value_s: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.edges_s, value_s)] += 1
        self.sum_s += value_s


@dataclass(slots=True)
class Tally:
    """One target so far. trials: phase -> status -> count; call_errors: error kind -> attempts that ended in it.

    tokens and cost_usd are over all attempts that reported usage; unpriced counts those that were answered and whose
    cost is unknown. in_flight and state (a word about the target, empty where there is nothing to say) are of the
    moment.
    """

    planned: int = 0
    in_flight: int = 0
    state: str = ""
    trials: dict[str, dict[str, int]] = field(
        default_factory=lambda: {phase: dict.fromkeys(STATUSES, 0) for phase in PHASES}
    )
    calls: int = 0
    retries: int = 0
    call_errors: dict[str, int] = field(default_factory=dict)
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0
    histograms: dict[str, Histogram] = field(
        default_factory=lambda: {name: Histogram(edges) for name, edges in BUCKETS_S.items()}
    )
    recent_ttft_ms: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))

    def take(self, trial: Trial, costs_usd: Sequence[float | None]) -> None:
        """Count a finished trial; costs_usd: what each of its calls cost, None where that is unknown."""
        self.trials[trial.planned.phase][trial.status] += 1
        for call, cost in zip(trial.calls, costs_usd, strict=True):
            self.calls += 1
            self.cost_usd += cost or 0.0
            self.unpriced += cost is None and call.error_kind is None
            self.retries += call.attempt > 1
            self.tokens_in += call.usage.input or 0
            self.tokens_out += call.usage.output or 0
            if call.error_kind is not None:
                self.call_errors[call.error_kind] = self.call_errors.get(call.error_kind, 0) + 1
        if trial.planned.phase == "measured" and trial.status != "skipped":
            self._time(trial)

    def _time(self, trial: Trial) -> None:
        self.histograms["schedule_lag"].add((trial.started_ns - trial.intended_ns) / 1e9)
        if trial.status != "success" or not trial.calls:
            return
        if trial.by_agents:  # it has no single answer: its calls have their times, and it its wall time
            self.histograms["response"].add((trial.ended_ns - trial.intended_ns) / 1e9)
            for call in trial.calls:
                if call.error_kind is None:
                    self._time_call(call)
            return
        last = trial.calls[-1]
        e2e = self._time_call(last)
        if e2e is not None and last.sent_ns is not None:
            self.histograms["response"].add((e2e * 1_000_000 + last.sent_ns - trial.intended_ns) / 1e9)

    def _time_call(self, call: Call) -> float | None:
        """Count a call's TTFT and end to end; the latter in ms."""
        ttft, e2e = ttft_ms(call), e2e_ms(call)
        if ttft is not None:
            self.histograms["ttft"].add(ttft / 1000)
            self.recent_ttft_ms.append(ttft)
        if e2e is not None and call.sent_ns is not None:
            self.histograms["e2e"].add(e2e / 1000)
        return e2e

    def fields(self) -> dict[str, Any]:
        """As plain data; `tally_of` reads it back."""
        return {
            "planned": self.planned,
            "in_flight": self.in_flight,
            "state": self.state,
            "trials": {phase: dict(counts) for phase, counts in self.trials.items()},
            "calls": self.calls,
            "retries": self.retries,
            "call_errors": dict(self.call_errors),
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            "cost_usd": self.cost_usd,
            "unpriced": self.unpriced,
            "histograms": {
                name: {"counts": list(kept.counts), "sum_s": kept.sum_s} for name, kept in self.histograms.items()
            },
            "recent_ttft_ms": list(self.recent_ttft_ms),
        }


def tally_of(fields: Mapping[str, Any]) -> Tally:
    """The tally that `Tally.fields` gave."""
    kept = {
        name: Histogram(edges, list(fields["histograms"][name]["counts"]), fields["histograms"][name]["sum_s"])
        for name, edges in BUCKETS_S.items()
    }
    recent = deque(fields["recent_ttft_ms"], maxlen=max(RECENT, len(fields["recent_ttft_ms"])))
    return Tally(**{**fields, "histograms": kept, "recent_ttft_ms": recent})


def merged(tallies: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Several processes' `Tally.fields` of one target as one of the same form.

    Counts are sums, states are joined; the recent TTFTs are all of theirs, so at most RECENT a process.
    """
    total = Tally()
    states, recent = [], []
    for fields in tallies:
        _add(total, tally_of(fields))
        states.append(fields["state"])
        recent += fields["recent_ttft_ms"]
    total.state = ", ".join(sorted({state for state in states if state}))
    return {**total.fields(), "recent_ttft_ms": recent}


def _add(total: Tally, part: Tally) -> None:
    for name in ("planned", "in_flight", "calls", "retries", "tokens_in", "tokens_out", "cost_usd", "unpriced"):
        setattr(total, name, getattr(total, name) + getattr(part, name))
    for phase, counts in part.trials.items():
        for status, count in counts.items():
            total.trials[phase][status] += count
    for kind, count in part.call_errors.items():
        total.call_errors[kind] = total.call_errors.get(kind, 0) + count
    for name, kept in part.histograms.items():
        mine = total.histograms[name]
        mine.counts = [a + b for a, b in zip(mine.counts, kept.counts, strict=True)]
        mine.sum_s += kept.sum_s
