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
    share,
)
from benchbook.measure.definitions.percentiles import linear, mean

SOURCE = (
    "aiperf/metrics/types/ (ttft, request_latency, inter_token_latency, inter_chunk_latency, request_throughput, "
    "output_token_throughput, goodput, good_request_fraction and benchmark_duration), metrics/metric_dicts.py, "
    "transports/aiohttp_client.py and sse_utils.py, endpoints/openai_chat.py"
)
RULES = (
    "first attempt only (never retries); the clock starts before the connection; failed requests and answers without "
    "content left out (adj_ metrics count failures as infinite); warm-up phase left out; percentiles linear; "
    "N_out by its own tokenizer unless --use-server-token-count, here the server's"
)
FORMULAS = {
    "first_token_ms": "first content response - start",
    "per_token_ms": "(request latency - TTFT) / (N_out - 1), N_out >= 2",
    "gap_ms": "gaps between content responses, all requests pooled",
    "end_to_end_ms": "last content response - start; not streamed: the response",
    "requests_per_s": "succeeded / (last content response - first start, of succeeded)",
    "output_tokens_per_s": "sum N_out of succeeded / the same duration",
    "goodput_per_s": "succeeded that met every limit / the same duration",
    "goodput_share": "good / (succeeded + failed)",
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
    done = [a for r in observed.requests if not (a := r.first).failed and (a.content_ns or not a.streamed)]
    window = observed.window((a.start_ns for a in done), map(_last_ns, done))
    tokens = None if any(a.tokens_out is None for a in done) else sum(a.tokens_out or 0 for a in done)
    met = [
        good({"ttft": _ttft_ms(a), "itl": _itl_ms(a), "latency": _latency_ms(a)}, observed.slos, _SPELT) for a in done
    ]
    limits, count = "it has no such limit" if None in met else "", None if None in met else sum(map(bool, met))
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
        rate("goodput_per_s", "Goodput", count, window, limits),
        share("good_request_fraction", count, len(observed.requests), limits),
    ]


_COUNT = "it would count tokens itself where none are reported"


def _ttft_ms(attempt: Attempt) -> float | None:
    if not attempt.streamed or not attempt.content_ns:
        return None
    return (attempt.content_ns[0] - attempt.start_ns) / NS_PER_MS


def _last_ns(attempt: Attempt) -> int:
    return attempt.content_ns[-1] if attempt.content_ns else attempt.last_byte_ns or attempt.end_ns


def _latency_ms(attempt: Attempt) -> float:
    return (_last_ns(attempt) - attempt.start_ns) / NS_PER_MS


def _itl_ms(attempt: Attempt) -> float | None:
    ttft_ms = _ttft_ms(attempt)
    if ttft_ms is None or attempt.tokens_out is None or attempt.tokens_out < 2:
        return None
    return (_latency_ms(attempt) - ttft_ms) / (attempt.tokens_out - 1)


def _gaps_ms(attempt: Attempt) -> list[float]:
    return [(later - earlier) / NS_PER_MS for earlier, later in pairwise(attempt.content_ns)]
