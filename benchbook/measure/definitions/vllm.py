"""vLLM's client: `vllm bench serve`, once benchmark_serving.py. Seconds inside, printed in ms."""

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

SOURCE = "vllm/benchmarks/serve.py (calculate_metrics, benchmark), vllm/benchmarks/lib/endpoint_request_func.py"
RULES = (
    "first attempt only (never retries); the clock starts before the connection; a token event has text, reasoning "
    "(named reasoning) or a tool call, or empty text without a role; failed requests left out of latencies; its own "
    "warm-up requests left out; numpy.percentile, linear; prints mean, median, p99 of TTFT, TPOT and ITL, of E2EL "
    "where --percentile-metrics asks for it"
)
FORMULAS = {
    "first_token_ms": "first token event - start",
    "per_token_ms": "(last token event - first) / (N_out - 1), N_out > 1",
    "gap_ms": "gaps between token events, all requests pooled",
    "end_to_end_ms": "last token event - start",
    "requests_per_s": "succeeded / (all done - benchmark start)",
    "output_tokens_per_s": "sum N_out of succeeded / (all done - benchmark start)",
    "goodput_per_s": "succeeded that met every limit, a TPOT of one token being 0 / (all done - benchmark start)",
}
STATISTICS = {"mean": mean, "p50": lambda v: linear(v, 50), "p99": lambda v: linear(v, 99)}
_SPELT = {"ttft_ms": "ttft", "decode_ms_per_token": "tpot", "e2e_ms": "e2el"}


def is_token(event: object) -> bool:
    """Whether its client takes a decoded event of an OpenAI stream for a token, by what the first choice brings.

    Empty text counts where no role comes with it: a token may decode to nothing, and the opening event has a role.
    """
    choices = event.get("choices") if isinstance(event, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    delta = first.get("delta") if isinstance(first, dict) else None
    if not isinstance(delta, dict):
        return False
    if any(delta.get(name) for name in ("content", "reasoning", "tool_calls", "function_call")):
        return True
    return delta.get("content") == "" and "role" not in delta


def figures(observed: Observed) -> list[Figure]:
    """What it would print for this target."""
    done = [a for r in observed.requests if not (a := r.first).failed and _events(a)]
    guessed = any(attempt.output_ns is None for attempt in done)
    note = "content chunks stand in for token events" if guessed else ""
    window = observed.window((r.started_ns for r in observed.requests), (r.first.end_ns for r in observed.requests))
    tokens = None if any(not a.tokens_out for a in done) else sum(a.tokens_out or 0 for a in done)
    met = [_good(attempt, observed) for attempt in done]
    return [
        *distribution("first_token_ms", "TTFT", map(_ttft_ms, done), STATISTICS, note),
        *distribution("per_token_ms", "TPOT", [v for a in done if (v := _tpot_ms(a)) is not None], STATISTICS, note),
        *distribution("gap_ms", "ITL", [gap for a in done for gap in _gaps_ms(a)], STATISTICS, note),
        *distribution("end_to_end_ms", "E2EL", map(_e2el_ms, done), STATISTICS, note),
        rate("requests_per_s", "Request throughput", len(done), window),
        rate("output_tokens_per_s", "Output token throughput", tokens, window, _recount(tokens)),
        rate("goodput_per_s", "Request goodput", _sum(met), window, _limits(met)),
    ]


def _events(attempt: Attempt) -> tuple[int, ...]:
    return attempt.content_ns if attempt.output_ns is None else attempt.output_ns


def _ttft_ms(attempt: Attempt) -> float:
    return (_events(attempt)[0] - attempt.start_ns) / NS_PER_MS


def _e2el_ms(attempt: Attempt) -> float:
    return (_events(attempt)[-1] - attempt.start_ns) / NS_PER_MS


def _tpot_ms(attempt: Attempt) -> float | None:
    if attempt.tokens_out is None or attempt.tokens_out < 2:
        return None
    return (_e2el_ms(attempt) - _ttft_ms(attempt)) / (attempt.tokens_out - 1)


def _gaps_ms(attempt: Attempt) -> list[float]:
    return [(later - earlier) / NS_PER_MS for earlier, later in pairwise(_events(attempt))]


def _good(attempt: Attempt, observed: Observed) -> bool | None:
    seen = {"ttft": _ttft_ms(attempt), "tpot": _tpot_ms(attempt) or 0.0, "e2el": _e2el_ms(attempt)}
    return good(seen, observed.slos, _SPELT)


def _sum(met: list[bool | None]) -> int | None:
    return None if None in met else sum(map(bool, met))


def _limits(met: list[bool | None]) -> str:
    return "it has no such limit" if None in met else ""


def _recount(tokens: int | None) -> str:
    return "" if tokens is not None else "it would count tokens itself where none are reported"
