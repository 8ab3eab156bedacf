"""The near past of a run, kept by whoever watches it: what each second brought, in rings of fixed size.

Reports of progress hold totals; the difference of two is what happened between them. It is put down to the second
of the later one. A viewer that joins late, or a run that is resumed, starts from the first report it sees.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

SECONDS = 60
BARS = "▁▂▃▄▅▆▇█"
ASCII_BARS = "_.-=*#%@"


@dataclass(slots=True)
class Second:
    """What one second brought a target. ttft_ms: the median of its newest ones; None where none came."""

    number: int
    finished: int = 0
    errors: int = 0
    tokens_out: int = 0
    ttft_ms: float | None = None


@dataclass(slots=True)
class Trend:
    """One target's first and last totals and its last SECONDS seconds, oldest first."""

    first: Mapping[str, float]
    last: Mapping[str, float]
    seconds: deque[Second] = field(default_factory=lambda: deque(maxlen=SECONDS))

    def take(self, number: int, totals: Mapping[str, float], ttft_ms: float | None) -> None:
        """Put the difference to the last totals down to a second; seconds without a report are empty."""
        newest = self.seconds[-1].number if self.seconds else number - 1
        for missing in range(max(newest + 1, number - SECONDS + 1), number + 1):
            self.seconds.append(Second(missing))
        second = self.seconds[-1]
        second.finished += int(totals["finished"] - self.last["finished"])
        second.errors += int(totals["errors"] - self.last["errors"])
        second.tokens_out += int(totals["tokens_out"] - self.last["tokens_out"])
        if totals["ttfts"] > self.last["ttfts"]:
            second.ttft_ms = ttft_ms
        self.last = totals

    def since_first(self, name: str) -> float:
        """How much a total has grown since the first report."""
        return self.last[name] - self.first[name]


class Trends:
    """All targets' trends, from the reports of one run."""

    def __init__(self) -> None:
        self.targets: dict[str, Trend] = {}
        self.begun_s: float | None = None
        self.elapsed_s = 0.0

    def take(self, report: Mapping[str, Any]) -> None:
        """Take a `Progress.report` in."""
        self.elapsed_s = report["elapsed_s"]
        if self.begun_s is None:
            self.begun_s = self.elapsed_s
        for name, tally in report["targets"].items():
            totals = totals_of(tally)
            if name not in self.targets:
                self.targets[name] = Trend(totals, totals)
            self.targets[name].take(int(self.elapsed_s), totals, recent_ttft_ms(tally))

    def per_s(self, target: str, name: str) -> float | None:
        """The mean rate of a total since the first report; None before a tenth of a second."""
        watched_s = self.elapsed_s - (self.begun_s or 0.0)
        return self.targets[target].since_first(name) / watched_s if watched_s >= 0.1 else None


def totals_of(tally: Mapping[str, Any]) -> dict[str, float]:
    """A target's totals: trials finished (skipped ones are not), errors, output tokens, TTFTs counted."""
    sums = dict.fromkeys(("success", "failure", "timeout"), 0)
    for counts in tally["trials"].values():
        for status in sums:
            sums[status] += counts[status]
    return {
        "finished": sum(sums.values()),
        "errors": sums["failure"] + sums["timeout"],
        "tokens_out": tally["tokens_out"],
        "ttfts": sum(tally["histograms"]["ttft"]["counts"]),
    }


def recent_ttft_ms(tally: Mapping[str, Any]) -> float | None:
    """The median of the newest TTFTs, in ms."""
    return median(tally["recent_ttft_ms"]) if tally["recent_ttft_ms"] else None


def rates(seconds: Sequence[Second]) -> list[float | None]:
    """Trials finished in each second."""
    return [float(second.finished) for second in seconds]


def ttfts(seconds: Sequence[Second]) -> list[float | None]:
    """Recent TTFT in each second, in ms."""
    return [second.ttft_ms for second in seconds]


def error_shares(seconds: Sequence[Second]) -> list[float | None]:
    """The share of each second's finished trials that failed or timed out; None where none finished."""
    return [second.errors / second.finished if second.finished else None for second in seconds]


def sparkline(values: Sequence[float | None], width: int, top: float | None = None, bars: str = BARS) -> str:
    """The last `width` values as bars from 0 to `top` (their largest by default); None is a blank, and what is
    above 0 never looks like it."""
    shown = values[-width:] if width > 0 else []
    highest = max([value for value in shown if value is not None], default=0.0) if top is None else top
    return "".join(" " if value is None else bars[_step(value, highest, len(bars))] for value in shown).rjust(width)


def _step(value: float, highest: float, steps: int) -> int:
    if value <= 0 or highest <= 0:
        return 0
    return max(1, min(steps - 1, round(value / highest * (steps - 1))))


LATE_MS = 20.0
"""A lag of the harness's own event loop that is told: the verdict's default limit at the 99th percentile."""


def lateness(report: Mapping[str, Any]) -> str | None:
    """What is said while the harness itself is late; None while it is not, or measures no more."""
    if report["loop_lag_ms"] <= LATE_MS or report["ended"]:
        return None
    return f"harness late by {report['loop_lag_ms']:,.0f} ms: latencies read high (fewer in flight, or --workers)"
