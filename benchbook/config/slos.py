"""Service-level objectives as people write them: `ttft_ms p95 < 500`, `e2e_ms < 2 s`, `error_rate < 1%`.

    METRIC [pQ] < NUMBER [ms | s | %]

A metric with a quantile is about many trials, one without is a limit that each single trial must meet, and
`error_rate` is the share of attempted trials that failed or timed out. A limit may be reached: `<` and `<=` mean
the same, and so do `>` and `>=`. Which of the two belongs to a metric is settled by its better direction.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from benchbook.metrics import LATENCY_METRICS, METRIC_DIRECTION

ERROR_RATE = "error_rate"
_FORM = re.compile(r"(\w+)(?:\s+p(\d+(?:\.\d+)?))?\s*(<=?|>=?)\s*(\d+(?:\.\d*)?|\.\d+)\s*(ms|s|%)?")
_RIGHT = "write METRIC pQ < NUMBER, e.g. ttft_ms p95 < 500 or error_rate < 1%"


@dataclass(frozen=True, slots=True)
class Slo:
    """One objective. quantile: 0..1, None for a limit on each trial; bound: in the metric's unit, a share as 0..1."""

    metric: str
    quantile: float | None
    bound: float
    text: str

    @property
    def better(self) -> str:
        """`lower` or `higher`."""
        return "lower" if self.metric == ERROR_RATE else METRIC_DIRECTION[self.metric]


def parse_slo(text: str) -> Slo:
    """The objective that a text states. Raises ValueError with one clear line."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no objective: {_RIGHT}")
    metric, quantile, sign, number, unit = found.groups()
    if metric not in (*LATENCY_METRICS, ERROR_RATE):
        raise ValueError(f"{text!r}: no metric {metric}: one of {', '.join((*LATENCY_METRICS, ERROR_RATE))}")
    slo = Slo(metric, _quantile(text, metric, quantile), _bound(text, metric, float(number), unit), text.strip())
    right = "<" if slo.better == "lower" else ">"
    if sign[0] != right:
        raise ValueError(f"{text!r}: of {metric} {slo.better} is better: write {right}")
    return slo


def trial_limits(value: Any) -> Mapping[str, float]:
    """The limits that each trial must meet, from a mapping `{ttft_ms: 500}` or a list of texts. Raises ValueError."""
    if isinstance(value, Mapping):
        wrong = next((name for name in value if name not in LATENCY_METRICS), None)
        if wrong is not None:
            raise ValueError(f"no metric {wrong}: one of {', '.join(LATENCY_METRICS)}")
        return value
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ValueError("write a mapping, {ttft_ms: 500}, or a list, [ttft_ms < 500]")  # noqa: TRY004 - pydantic's way
    slos = [parse_slo(str(text)) for text in value]
    for slo in slos:
        if slo.quantile is not None or slo.metric == ERROR_RATE:
            raise ValueError(f"{slo.text!r}: goodput judges each trial by itself: write e.g. ttft_ms < 500")
    return {slo.metric: slo.bound for slo in slos}


def _quantile(text: str, metric: str, percent: str | None) -> float | None:
    if percent is None:
        return None
    if metric == ERROR_RATE:
        raise ValueError(f"{text!r}: {ERROR_RATE} has no quantile: write {ERROR_RATE} < 1%")
    if not 0 < float(percent) < 100:
        raise ValueError(f"{text!r}: a quantile lies between p0 and p100, as p50, p95 or p99.9")
    return float(percent) / 100


def _bound(text: str, metric: str, number: float, unit: str | None) -> float:
    if metric == ERROR_RATE:
        share = number / 100 if unit == "%" else number
        if unit not in ("%", None) or not 0 < share <= 1:
            raise ValueError(f"{text!r}: a rate of errors is a share: write 1% or 0.01")
        return share
    timed = metric.endswith("_ms") or "_ms_" in metric
    if unit == "%" or (unit is not None and not timed):
        raise ValueError(f"{text!r}: {metric} is not measured in {unit}")
    return number * 1000 if unit == "s" else number
