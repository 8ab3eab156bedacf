"""AWS's LLMeter. Seconds inside and in its statistics (here ms); rates per minute (here per second)."""

from __future__ import annotations

from benchbook.measure.definitions.facts import NS_PER_MS, Figure, Observed, Request, distribution, rate
from benchbook.measure.definitions.percentiles import exclusive, mean

SOURCE = (
    "llmeter/endpoints/openai.py and base.py (the streamed chat endpoint), llmeter/runner.py, "
    "llmeter/utils.py (RunningStats, summary_stats_from_list)"
)
RULES = (
    "the SDK's retries are inside its clock, so a request is the whole trial; a broken answer's times stay in, refused "
    "ones have none; no warm-up of its own; statistics.quantiles, exclusive; prints mean, p50, p90, p99"
)
FORMULAS = {
    "first_token_ms": "first visible text - start, retries and waits inside",
    "per_token_ms": "(last visible text - first) / (N_out - 1), N_out > 1",
    "end_to_end_ms": "last visible text - start; without text, or not streamed: the answer",
    "requests_per_s": "all requests, failed ones too / (last start - first start)",
    "output_tokens_per_s": "sum N_out as reported, failed ones too / (end of the run - first start)",
}
STATISTICS = {
    "mean": mean,
    "p50": lambda v: exclusive(v, 50),
    "p90": lambda v: exclusive(v, 90),
    "p99": lambda v: exclusive(v, 99),
}


def figures(observed: Observed) -> list[Figure]:
    """What it would print for this target."""
    every = observed.requests
    starts = [request.first.start_ns for request in every]
    sending = observed.window(starts, starts)
    running = observed.window(starts, (request.ended_ns for request in every))
    uncounted = any(r.last.tokens_out is None and not r.last.failed for r in every)
    tokens = None if uncounted else sum(r.last.tokens_out or 0 for r in every)
    count = "it would count tokens itself where none are reported" if uncounted else ""
    firsts = [value for r in every if (value := _ttft_ms(r)) is not None]
    lasts = [value for r in every if (value := _ttlt_ms(r)) is not None]
    rates = [value for r in every if (value := _tpot_ms(r)) is not None]
    started = "" if sending.ns else "one start"
    return [
        *distribution("first_token_ms", "time_to_first_token", firsts, STATISTICS),
        *distribution("per_token_ms", "time_per_output_token", rates, STATISTICS),
        *distribution("end_to_end_ms", "time_to_last_token", lasts, STATISTICS),
        rate("requests_per_s", "requests_per_minute / 60", len(every), sending, started),
        rate("output_tokens_per_s", "output_tps", tokens, running, count),
    ]


def _ttft_ms(request: Request) -> float | None:
    text_ns = request.last.text_ns if request.last.streamed else ()
    return (text_ns[0] - request.first.start_ns) / NS_PER_MS if text_ns else None


def _ttlt_ms(request: Request) -> float | None:
    last = request.last
    if last.streamed and last.text_ns:
        return (last.text_ns[-1] - request.first.start_ns) / NS_PER_MS
    return None if last.failed else ((last.last_byte_ns or last.end_ns) - request.first.start_ns) / NS_PER_MS


def _tpot_ms(request: Request) -> float | None:
    first_ms, last_ms, tokens = _ttft_ms(request), _ttlt_ms(request), request.last.tokens_out
    if not first_ms or not last_ms or tokens is None or tokens < 2:
        return None
    return (last_ms - first_ms) / (tokens - 1)
