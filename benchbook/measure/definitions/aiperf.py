"""NVIDIA's AIPerf. Nanoseconds inside, printed in ms."""

from __future__ import annotations

from itertools import pairwise

from benchbook.measure.definitions.facts import (
    NS_PER_MS,
    Attempt,
    Figure,
    Observed,
    distribution,
    good,
    rate,
)
from benchbook.measure.definitions.percentiles import linear, mean

SOURCE = (
    "ai-dynamo/aiperf: docs/metrics-reference.md (0176f594), src/aiperf/metrics/types/ttft_metric.py (58028d5b), "
    "request_latency_metric.py (4f7ccffd), inter_token_latency_metric.py (58dd5dea), metrics/metric_dicts.py (0fec57a6)"
)
RULES = (
    "first attempt only (never retries); failed requests left out; warm-up phase left out; numpy.percentile, linear; "
    "N_out by its own tokenizer, here the server's"
)
FORMULAS = {
    "first_token_ms": "first content response - start",
    "per_token_ms": "(request latency - TTFT) / (N_out - 1), N_out >= 2",
    "gap_ms": "gaps between content responses, all requests pooled",
    "end_to_end_ms": "last content response - start; not streamed: the response",
    "requests_per_s": "succeeded / (last response - first start)",
    "output_tokens_per_s": "sum N_out of succeeded / (last response - first start)",
    "goodput_per_s": "succeeded that met every limit / (last response - first start)",
}
STATISTICS = {
    "mean": mean,
    "p50": lambda v: linear(v, 50),
    "p90": lambda v: linear(v, 90),
    "p95": lambda v: linear(v, 95),
    "p99": lambda v: linear(v, 99),
}
_SPELT = {"ttft_ms": "ttft", "decode_ms_per_token": "itl", "e2e_ms": "latency"}


def figures(observed: Observed) -> list[Figure]:
    """What it would print for this target."""
    done = [r.first for r in observed.requests if not r.first.failed]
    window = observed.window((a.start_ns for a in done), (a.end_ns for a in done))
    tokens = None if any(a.tokens_out is None for a in done) else sum(a.tokens_out or 0 for a in done)
    met = [
        good({"ttft": _ttft_ms(a), "itl": _itl_ms(a), "latency": _latency_ms(a)}, observed.slos, _SPELT) for a in done
    ]
    limits = "it has no such limit" if None in met else ""
    return [
        *distribution("first_token_ms", "TTFT", [v for a in done if (v := _ttft_ms(a)) is not None], STATISTICS),
        *distribution(
            "per_token_ms", "Inter Token Latency", [v for a in done if (v := _itl_ms(a)) is not None], STATISTICS
        ),
        *distribution("gap_ms", "Inter Chunk Latency", [gap for a in done for gap in _gaps_ms(a)], STATISTICS),
        *distribution("end_to_end_ms", "Request Latency", map(_latency_ms, done), STATISTICS),
        rate("requests_per_s", "Request Throughput", len(done), window),
        rate(
            "output_tokens_per_s",
            "Output Token Throughput",
            tokens,
            window,
            "" if tokens is not None else _COUNT,
        ),
        rate("goodput_per_s", "Goodput", None if None in met else sum(map(bool, met)), window, limits),
    ]


_COUNT = "it would count tokens itself where none are reported"


def _ttft_ms(attempt: Attempt) -> float | None:
    if not attempt.streamed or not attempt.content_ns:
        return None
    return (attempt.content_ns[0] - attempt.start_ns) / NS_PER_MS


def _latency_ms(attempt: Attempt) -> float:
    ends = attempt.content_ns[-1] if attempt.content_ns else attempt.last_byte_ns or attempt.end_ns
    return (ends - attempt.start_ns) / NS_PER_MS


def _itl_ms(attempt: Attempt) -> float | None:
    ttft_ms = _ttft_ms(attempt)
    if ttft_ms is None or attempt.tokens_out is None or attempt.tokens_out < 2:
        return None
    return (_latency_ms(attempt) - ttft_ms) / (attempt.tokens_out - 1)


def _gaps_ms(attempt: Attempt) -> list[float]:
    return [(later - earlier) / NS_PER_MS for earlier, later in pairwise(attempt.content_ns)]
