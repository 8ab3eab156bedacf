"""The names of the metrics, and which way each is better: said here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping

METRIC_DIRECTION: Mapping[str, str] = {
    "ttfb_ms": "lower",
    "ttft_ms": "lower",
    "ttfo_ms": "lower",
    "e2e_ms": "lower",
    "response_ms": "lower",
    "decode_ms_per_token": "lower",
    "normalized_ms_per_token": "lower",
    "tokens_per_s_user": "higher",
    "schedule_lag_ms": "lower",
    "connect_ms": "lower",
    "wall_ms": "lower",
    "model_ms": "lower",
    "tool_ms": "lower",
    "orchestration_ms": "lower",
    "cost_usd": "lower",
    "score": "higher",
    "tokens_per_s": "higher",
    "trials_per_s": "higher",
    "goodput_per_s": "higher",
    "failure_share": "lower",
}
"""Metric -> the better direction."""

LATENCY_METRICS = (
    "ttfb_ms",
    "ttft_ms",
    "ttfo_ms",
    "e2e_ms",
    "response_ms",
    "decode_ms_per_token",
    "normalized_ms_per_token",
    "tokens_per_s_user",
    "schedule_lag_ms",
)
"""The metrics of a trial that latency tables hold, in their order."""

AGENT_METRICS = ("wall_ms", "model_ms", "tool_ms", "orchestration_ms")
"""The parts of an agents' trial that comparisons and histories hold, the whole first."""

COMPARED_P95 = ("ttft_ms", "e2e_ms", "response_ms", "wall_ms")
"""The metrics whose p95 is compared beside their median, as `METRIC:p95`."""

COMPARED = (
    *LATENCY_METRICS,
    *AGENT_METRICS,
    *(f"{metric}:p95" for metric in COMPARED_P95),
    "score",
    "failure_share",
    "cost_usd",
)
"""What two sides can be compared in."""
