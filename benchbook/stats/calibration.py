"""What the harness adds to a latency, from streams whose every send is stamped. Pure.

The error of a stamp is ours minus the sender's, both on one monotonic clock: the way through the host's loopback, the
event loop's wake-up and our stamping. The bias is the median of the errors of first chunks, with its order-statistic
interval; u is half the width of the middle 95 % of those errors, so `bias +- u` holds 95 % of single readings on a
host as quiet as it was then. Nothing is ever subtracted from a measurement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchbook.stats.quantiles import interpolated, needs, quantile

_LOW, _HIGH = 0.025, 0.975


@dataclass(frozen=True, slots=True)
class Calibration:
    """In ms, but for rates. n: first chunks; chunks: all chunks. Rates are None where no burst was made."""

    n: int
    chunks: int
    ttft_bias_ms: float | None
    ttft_bias_low_ms: float | None
    ttft_bias_high_ms: float | None
    ttft_u_ms: float | None
    chunk_error_p50_ms: float | None
    chunk_error_p99_ms: float | None
    streams_per_s: float | None = None
    chunks_per_s: float | None = None

    def fields(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Burst:
    """A burst at saturation: what was taken in and decoded, and in how long."""

    streams: int
    chunks: int
    seconds: float


def calibrated(first_ms: Sequence[float], all_ms: Sequence[float], burst: Burst | None = None) -> Calibration:
    """The calibration from the errors of first chunks and of all chunks. What n can't carry is None."""
    bias = quantile(first_ms, 0.5)
    enough = len(first_ms) >= needs(_HIGH)
    ordered = sorted(first_ms)
    u = (interpolated(ordered, _HIGH) - interpolated(ordered, _LOW)) / 2 if enough else None
    timed = burst is not None and burst.seconds > 0
    return Calibration(
        n=len(first_ms),
        chunks=len(all_ms),
        ttft_bias_ms=bias.value,
        ttft_bias_low_ms=bias.low,
        ttft_bias_high_ms=bias.high,
        ttft_u_ms=u,
        chunk_error_p50_ms=quantile(all_ms, 0.5).value,
        chunk_error_p99_ms=quantile(all_ms, 0.99).value,
        streams_per_s=burst.streams / burst.seconds if burst is not None and timed else None,
        chunks_per_s=burst.chunks / burst.seconds if burst is not None and timed else None,
    )


FIGURES = (
    "ttft_bias_ms",
    "ttft_u_ms",
    "chunk_error_p50_ms",
    "chunk_error_p99_ms",
    "streams_per_s",
    "chunks_per_s",
)


def of_run(found: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """One run's figures from its calibrations (before, after; of every process).

    bias: the middle of the range of biases; u: the largest u plus half that range, so that a shift between before and
    after widens the statement; chunk errors: the largest; rates: the smallest.
    """
    biases, us = _known(found, "ttft_bias_ms"), _known(found, "ttft_u_ms")
    spread = (max(biases) - min(biases)) / 2 if biases else 0.0
    return {
        "ttft_bias_ms": (max(biases) + min(biases)) / 2 if biases else None,
        "ttft_u_ms": max(us) + spread if us else None,
        "chunk_error_p50_ms": max(_known(found, "chunk_error_p50_ms"), default=None),
        "chunk_error_p99_ms": max(_known(found, "chunk_error_p99_ms"), default=None),
        "streams_per_s": min(_known(found, "streams_per_s"), default=None),
        "chunks_per_s": min(_known(found, "chunks_per_s"), default=None),
    }


def _known(found: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [one[name] for one in found if one.get(name) is not None]
