"""GuideLLM. Seconds inside; latencies per token and to the first one printed in ms, request latency in s (here ms).

Its rates are means of a step function: events over the time from the run's first request to its last end, instants
within 0.1 ms of an earlier one merged into that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchbook.measure.definitions.facts import NS_PER_MS, Attempt, Figure, Observed, Window, rate, share
from benchbook.measure.definitions.percentiles import inverse

SOURCE = (
    "guidellm/schemas/base/request_stats.py and statistics.py, guidellm/schemas/benchmark/goodput.py, "
    "guidellm/benchmark/schemas/metrics.py and accumulator.py, guidellm/backends/openai/http.py and request_handlers.py"
)
RULES = (
    "first attempt only (never retries); the clock starts with the request's header, the connection's set-up left out; "
    "latencies and goodput of successful requests, rates over all; an empty answer is a failure; its warm-up and "
    "cool-down shares are 0 here; a percentile is the smallest value that reaches it, weighted"
)
FORMULAS = {
    "first_token_ms": "first content iteration - start",
    "per_token_ms": "(last content iteration - first) / (N_out - 1), weighted by N_out - 1; 0 if not streamed",
    "per_token_whole_ms": "(last content iteration - start) / N_out, weighted by N_out",
    "end_to_end_ms": "stream closed - start",
    "requests_per_s": "mean rate: all requests, failed ones too / (last end - first start)",
    "output_tokens_per_s": "mean rate: sum N_out, of broken ones their iterations / (last end - first start)",
    "goodput_per_s": "mean rate: succeeded that met every limit / (last end - first start)",
    "goodput_share": "good / (succeeded whose limits can all be read + failed)",
}
_PERCENTS = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0}
STATISTICS = ("mean", *_PERCENTS)
_SPELT = {"ttft_ms": "ttft_ms", "decode_ms_per_token": "tpot_ms", "e2e_ms": "e2el_ms"}
_MERGED_NS = 100_000


def figures(observed: Observed) -> list[Figure]:
    """What it would print for this target."""
    every = [request.first for request in observed.requests]
    done = [attempt for attempt in every if not _failed(attempt)]
    met = [_met(attempt, observed.slos) for attempt in done]
    good = [attempt for attempt, reached in zip(done, met, strict=True) if reached]
    determined = len(every) - met.count(None)
    limits = _limits(observed.slos, determined)
    tokens = sum(map(_tokens, every))
    return [
        *_weighted("first_token_ms", "TTFT", ((v, 1.0) for a in done if (v := _ttft_ms(a)) is not None)),
        *_weighted("per_token_ms", "ITL", ((_itl_ms(a) or 0.0, max(_tokens(a), 1) - 1.0) for a in done)),
        *_weighted("per_token_whole_ms", "TPOT", ((_tpot_ms(a), float(_tokens(a))) for a in done)),
        *_weighted("end_to_end_ms", "Request Latency", ((_latency_ms(a), 1.0) for a in done)),
        rate("requests_per_s", "Requests Per Sec", len(every), _window(observed, [a.end_ns for a in every])),
        rate("output_tokens_per_s", "Output Tokens Per Sec", tokens, _window(observed, _iterations(every))),
        rate(
            "goodput_per_s",
            "Goodput Per Sec",
            None if limits else len(good),
            _window(observed, [a.end_ns for a in good]),
            limits,
        ),
        share("Goodput Attainment / 100", None if limits else len(good), determined, limits),
    ]


def _window(observed: Observed, instants: Iterable[int]) -> Window:
    """From the first request to the last end, as it stands once instants near each other are one."""
    every = [request.first for request in observed.requests]
    bounds = observed.window((a.written_ns for a in every), (a.end_ns for a in every))
    first_ns = min((a.written_ns for a in every), default=0)
    group_ns = first_ns
    for at_ns in sorted([*instants, first_ns + bounds.ns]):
        if at_ns - group_ns > _MERGED_NS:
            group_ns = at_ns
    return Window(group_ns - first_ns, bounds.requests, bounds.sessions)


def _iterations(attempts: Sequence[Attempt]) -> Iterable[int]:
    """Where it places tokens: evenly from the first iteration to the last; without two, at the last or the end."""
    for attempt in attempts:
        stamps = attempt.content_ns
        if len(stamps) < 2:
            yield stamps[0] if stamps else attempt.end_ns
        elif _tokens(attempt) > 1:
            step_ns = (stamps[-1] - stamps[0]) / (len(stamps) - 1)
            yield from (round(stamps[0] + step_ns * place) for place in range(len(stamps)))
        else:
            yield stamps[0]


def _weighted(quantity: str, name: str, pairs: Iterable[tuple[float, float]]) -> list[Figure]:
    """Mean and percentiles of weighted values; weight 0 leaves a value out, unless all are 0."""
    found = sorted(pairs)
    weighted = [(value, weight) for value, weight in found if weight > 0] or [(value, 1.0) for value, _ in found]
    if not weighted:
        return [Figure(quantity, statistic, name, None, 0, "no value") for statistic in STATISTICS]
    mean = sum(value * weight for value, weight in weighted) / sum(weight for _, weight in weighted)
    values = {"mean": mean, **{statistic: inverse(weighted, percent) for statistic, percent in _PERCENTS.items()}}
    return [Figure(quantity, statistic, name, value, len(found)) for statistic, value in values.items()]


# ---------------------------------------------------------------- one request


def _failed(attempt: Attempt) -> bool:
    return attempt.failed or not (attempt.content_ns or attempt.tokens_out)


def _tokens(attempt: Attempt) -> int:
    """As reported; of a failed one, or without a report, one per iteration."""
    return len(attempt.content_ns) if attempt.tokens_out is None or attempt.failed else attempt.tokens_out


def _latency_ms(attempt: Attempt) -> float:
    return (attempt.end_ns - attempt.written_ns) / NS_PER_MS


def _ttft_ms(attempt: Attempt) -> float | None:
    return (attempt.content_ns[0] - attempt.written_ns) / NS_PER_MS if attempt.content_ns else None


def _itl_ms(attempt: Attempt) -> float | None:
    if not attempt.content_ns or _tokens(attempt) < 2:
        return None
    return (attempt.content_ns[-1] - attempt.content_ns[0]) / NS_PER_MS / (_tokens(attempt) - 1)


def _tpot_ms(attempt: Attempt) -> float:
    ends = attempt.content_ns[-1] if attempt.content_ns else attempt.end_ns
    return (ends - attempt.written_ns) / NS_PER_MS / _tokens(attempt) if _tokens(attempt) else 0.0


# ---------------------------------------------------------------- limits


def _met(attempt: Attempt, slos: Mapping[str, float]) -> bool | None:
    """None where a limit's number is missing: then the request is left out, not counted as missing its limit."""
    seen = {"ttft_ms": _ttft_ms(attempt), "decode_ms_per_token": _itl_ms(attempt), "e2e_ms": _latency_ms(attempt)}
    values = [seen.get(metric) for metric in slos]
    if None in values:
        return None
    return all(value is not None and value <= limit for value, limit in zip(values, slos.values(), strict=True))


def _limits(slos: Mapping[str, float], determined: int) -> str:
    if not slos or not set(slos) <= set(_SPELT):
        return "it has no such limit"
    return "" if determined else "no request whose limits can be read"
