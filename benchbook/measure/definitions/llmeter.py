"""AWS's LLMeter. Seconds inside and in its statistics (here ms); rates per minute (here per second)."""

from __future__ import annotations

from benchbook.measure.definitions.facts import NS_PER_MS, Figure, Observed, Request, distribution, rate
from benchbook.measure.definitions.percentiles import exclusive, mean

SOURCE = (
    "awslabs/llmeter: llmeter/endpoints/openai.py (0bf61a00), llmeter/runner.py (00bdeba6), "
    "llmeter/utils.py (1d6e5580), llmeter/results.py (08cbc01b)"
)
RULES = (
    "the SDK's retries are inside its clock, so a request is the whole trial; failed ones left out of latencies, "
    "counted in the request rate; no warm-up of its own; statistics.quantiles, exclusive; prints mean, p50, p90, p99"
)
FORMULAS = {
    "first_token_ms": "first visible text - start, retries and waits inside",
    "per_token_ms": "(TTLT - TTFT) / (N_out - 1), N_out > 1",
    "end_to_end_ms": "TTLT: last visible text - start; not streamed: the answer",
    "requests_per_s": "all requests, failed ones too / test time",
    "output_tokens_per_s": "sum N_out / test time",
}
STATISTICS = {
    "mean": mean,
    "p50": lambda v: exclusive(v, 50),
    "p90": lambda v: exclusive(v, 90),
    "p99": lambda v: exclusive(v, 99),
}


def figures(observed: Observed) -> list[Figure]:
    """What it would print for this target."""
    done = [request for request in observed.requests if not request.last.failed]
    window = observed.window((r.started_ns for r in observed.requests), (r.ended_ns for r in observed.requests))
    tokens = None if any(r.last.tokens_out is None for r in done) else sum(r.last.tokens_out or 0 for r in done)
    count = "" if tokens is not None else "it would count tokens itself where none are reported"
    firsts = [value for r in done if (value := _ttft_ms(r)) is not None]
    lasts = [value for r in done if (value := _ttlt_ms(r)) is not None]
    rates = [value for r in done if (value := _tpot_ms(r)) is not None]
    return [
        *distribution("first_token_ms", "time_to_first_token", firsts, STATISTICS),
        *distribution("per_token_ms", "time_per_output_token", rates, STATISTICS),
        *distribution("end_to_end_ms", "time_to_last_token", lasts, STATISTICS),
        rate("requests_per_s", "requests_per_minute / 60", len(observed.requests), window),
        rate("output_tokens_per_s", "average_output_tokens_per_minute / 60", tokens, window, count),
    ]


def _ttft_ms(request: Request) -> float | None:
    text_ns = request.last.text_ns
    return (text_ns[0] - request.first.start_ns) / NS_PER_MS if text_ns else None


def _ttlt_ms(request: Request) -> float | None:
    last = request.last
    if last.streamed:
        return (last.text_ns[-1] - request.first.start_ns) / NS_PER_MS if last.text_ns else None
    return ((last.last_byte_ns or last.end_ns) - request.first.start_ns) / NS_PER_MS


def _tpot_ms(request: Request) -> float | None:
    first_ms, last_ms, tokens = _ttft_ms(request), _ttlt_ms(request), request.last.tokens_out
    if not first_ms or not last_ms or tokens is None or tokens < 2:
        return None
    return (last_ms - first_ms) / (tokens - 1)
