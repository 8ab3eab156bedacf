"""Kubernetes SIGs' inference-perf. Seconds inside and in its report (here ms)."""

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
    "inference_perf/reportgen/base.py, inference_perf/apis/streaming_parser.py and chat.py, "
    "inference_perf/client/modelserver/openai_client.py"
)
RULES = (
    "first attempt only (request_retries is 0 unless set; with it, retries are inside its latency); the clock starts "
    "before the connection; failed requests reported apart; only visible text is a token; numpy.percentile, linear; "
    "N_out by its own tokenizer unless use_server_output_tokens, here the server's less reasoning; mean and percentiles"
)
FORMULAS = {
    "first_token_ms": "first token - start; needs more than one token",
    "per_token_ms": "(last token - first) / (N_out - 1), N_out > 1",
    "per_token_whole_ms": "(end - start) / N_out; 0 without tokens",
    "gap_ms": "gaps between tokens, pooled; tokens of one chunk are 0 apart",
    "end_to_end_ms": "end of the response - start",
    "requests_per_s": "succeeded / (last end - first start, failed ones too)",
    "output_tokens_per_s": "sum N_out of succeeded / (last end - first start, failed ones too)",
    "goodput_per_s": "succeeded that met every limit / (last end - first start of succeeded)",
    "goodput_share": "good / succeeded",
}
STATISTICS = {
    "mean": mean,
    "p50": lambda v: linear(v, 50),
    "p90": lambda v: linear(v, 90),
    "p95": lambda v: linear(v, 95),
    "p99": lambda v: linear(v, 99),
}
_SPELT = {
    "ttft_ms": "ttft",
    "decode_ms_per_token": "tpot",
    "normalized_ms_per_token": "ntpot",
    "e2e_ms": "request_latency",
}
_ONE = "one token a chunk assumed"


def figures(observed: Observed) -> list[Figure]:
    """What it would print for this target."""
    every = [request.first for request in observed.requests]
    done = [attempt for attempt in every if not attempt.failed]
    whole = observed.window((a.start_ns for a in every), (a.end_ns for a in every))
    successes = observed.window((a.start_ns for a in done), (a.end_ns for a in done))
    tokens = None if any(a.tokens_text is None for a in done) else sum(a.tokens_text or 0 for a in done)
    count = "" if tokens is not None else "it would count tokens itself where none are reported"
    known = [_metrics(attempt) for attempt in done]
    met = [good(metrics, observed.slos, _SPELT) for metrics in known]
    limits, meeting = "it has no such limit" if None in met else "", None if None in met else sum(map(bool, met))

    def of(name: str) -> list[float]:
        return [value for metrics in known if (value := metrics[name]) is not None]

    gaps = [gap for a in done for gap in _gaps_ms(a)]
    guessed = _ONE if any(a.tokens_text is None for a in done if a.streamed) else ""
    return [
        *distribution("first_token_ms", "time_to_first_token", of("ttft"), STATISTICS),
        *distribution("per_token_ms", "time_per_output_token", of("tpot"), STATISTICS),
        *distribution("per_token_whole_ms", "normalized_time_per_output_token", of("ntpot"), STATISTICS),
        *distribution("gap_ms", "inter_token_latency", gaps, STATISTICS, guessed),
        *distribution("end_to_end_ms", "request_latency", of("request_latency"), STATISTICS),
        rate("requests_per_s", "requests_per_sec", len(done), whole),
        rate("output_tokens_per_s", "output_tokens_per_sec", tokens, whole, count),
        rate("goodput_per_s", "request_goodput", meeting, successes, limits),
        share("goodput_percentage / 100", meeting, len(done), limits),
    ]


def _latency_ms(attempt: Attempt) -> float:
    return (attempt.end_ns - attempt.start_ns) / NS_PER_MS


def _metrics(attempt: Attempt) -> dict[str, float | None]:
    stamps, tokens = attempt.text_ns, attempt.tokens_text
    several = attempt.streamed and bool(stamps) and max(len(stamps), tokens or 0) > 1
    per_token = several and tokens is not None and tokens > 1
    return {
        "request_latency": _latency_ms(attempt),
        "ttft": (stamps[0] - attempt.start_ns) / NS_PER_MS if several else None,
        "tpot": (stamps[-1] - stamps[0]) / NS_PER_MS / ((tokens or 0) - 1) if per_token else None,
        "ntpot": None if tokens is None else _latency_ms(attempt) / tokens if tokens else 0.0,
    }


def _gaps_ms(attempt: Attempt) -> list[float]:
    """Between chunks, and a 0 for each token that came in one with another."""
    between = [(later - earlier) / NS_PER_MS for earlier, later in pairwise(attempt.text_ns)]
    within = max((attempt.tokens_text or 0) - len(attempt.text_ns), 0) if attempt.text_ns else 0
    return between + [0.0] * within
