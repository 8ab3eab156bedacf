"""GuideLLM. Seconds inside; latencies per token and to the first one printed in ms, request latency in s (here ms)."""

from __future__ import annotations

from collections.abc import Iterable

from benchbook.measure.definitions.facts import NS_PER_MS, Attempt, Figure, Observed, rate
from benchbook.measure.definitions.percentiles import inverse

SOURCE = (
    "vllm-project/guidellm: src/guidellm/schemas/base/request_stats.py (31c74ea2), statistics.py (02804675), "
    "src/guidellm/benchmark/schemas/generative/metrics.py (06cef291)"
)
RULES = (
    "first attempt only (never retries); figures of successful requests, failed ones apart; its warm-up and cool-down "
    "shares are 0 here; a percentile is the smallest value that reaches it, weighted; a missing number counts as 0"
)
FORMULAS = {
    "first_token_ms": "first content iteration - start; 0 if not streamed",
    "per_token_ms": "(last token - first) / (N_out - 1), weighted by N_out - 1",
    "per_token_whole_ms": "(last token - start) / N_out, weighted by N_out",
    "end_to_end_ms": "stream closed - start",
    "requests_per_s": "mean rate: succeeded / (last end - first start)",
    "output_tokens_per_s": "mean rate: sum N_out / (last token - first token of all)",
}
_PERCENTS = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0}
STATISTICS = ("mean", *_PERCENTS)


def figures(observed: Observed) -> list[Figure]:
    """What it would print for this target, but that it merges instants within 0.1 ms before taking rates."""
    done = [r.first for r in observed.requests if not r.first.failed]
    ends = observed.window((r.started_ns for r in observed.requests), (r.first.end_ns for r in observed.requests))
    stream = observed.window(
        (a.content_ns[0] for a in done if a.content_ns), (a.content_ns[-1] for a in done if a.content_ns)
    )
    tokens = sum(_tokens(attempt) for attempt in done)
    return [
        *_weighted("first_token_ms", "TTFT", ((_ttft_ms(a), 1.0) for a in done)),
        *_weighted("per_token_ms", "ITL", ((_itl_ms(a), max(_tokens(a), 1) - 1.0) for a in done)),
        *_weighted("per_token_whole_ms", "TPOT", ((_tpot_ms(a), float(_tokens(a))) for a in done)),
        *_weighted("end_to_end_ms", "Request Latency", (((a.end_ns - a.start_ns) / NS_PER_MS, 1.0) for a in done)),
        rate("requests_per_s", "Requests per Second", len(done), ends),
        rate("output_tokens_per_s", "Output Tokens per Second", tokens, stream, "" if stream.ns else "one instant"),
    ]


def _weighted(quantity: str, name: str, pairs: Iterable[tuple[float, float]]) -> list[Figure]:
    """Mean and percentiles of weighted values; weight 0 leaves a value out, unless all are 0."""
    found = sorted(pairs)
    weighted = [(value, weight) for value, weight in found if weight > 0] or [(value, 1.0) for value, _ in found]
    if not weighted:
        return [Figure(quantity, statistic, name, None, 0, "no value") for statistic in STATISTICS]
    mean = sum(value * weight for value, weight in weighted) / sum(weight for _, weight in weighted)
    values = {"mean": mean, **{statistic: inverse(weighted, percent) for statistic, percent in _PERCENTS.items()}}
    return [Figure(quantity, statistic, name, value, len(found)) for statistic, value in values.items()]


def _tokens(attempt: Attempt) -> int:
    """As reported; else one per iteration."""
    return len(attempt.content_ns) if attempt.tokens_out is None else attempt.tokens_out


def _ttft_ms(attempt: Attempt) -> float:
    return (attempt.content_ns[0] - attempt.start_ns) / NS_PER_MS if attempt.content_ns else 0.0


def _itl_ms(attempt: Attempt) -> float:
    if not attempt.content_ns or _tokens(attempt) < 2:
        return 0.0
    return (attempt.content_ns[-1] - attempt.content_ns[0]) / NS_PER_MS / (_tokens(attempt) - 1)


def _tpot_ms(attempt: Attempt) -> float:
    ends = attempt.content_ns[-1] if attempt.content_ns else attempt.end_ns
    return (ends - attempt.start_ns) / NS_PER_MS / _tokens(attempt) if _tokens(attempt) else 0.0
