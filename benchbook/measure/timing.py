"""The latencies of a call and of a trial, from their stamps.

Letters as in the metric definitions: s intended, d taken up, a sent, b first byte, c_i chunks, o first visible
text, e the end: the last content chunk of a streamed answer, the last body byte of one that was not streamed.
A failed call has no end, so e2e, response, decode and normalized are missing; ttfb, ttft and ttfo stay where
they were stamped, for they happened. Nothing is clamped.
"""

from __future__ import annotations

from itertools import pairwise

from benchbook.measure.provenance import DERIVED, MEASURED, Known, Metrics, metrics_of, missing
from benchbook.metrics import LATENCY_METRICS
from benchbook.records import Call, Trial

_NS_PER_MS = 1_000_000

METRIC_NAMES = (*LATENCY_METRICS, "connect_ms")
"""Every column that `call_metrics` and `trial_metrics` give, in the tables' order."""

_SEE_CALLS = missing("several calls, see calls")
_CONNECT_PARTS = {"dns_ms": "dns_ns", "tcp_ms": "tcp_ns", "proxy_ms": "tunnel_ns", "tls_ms": "tls_ns"}


def call_metrics(call: Call) -> Metrics:
    """All of METRIC_NAMES for one call, each with its provenance. Stored columns are these and no others."""
    decode = _decode(call)
    return metrics_of(
        {
            "ttfb_ms": _from_sent(call, _first_byte(call)),
            "ttft_ms": _from_sent(call, _first_chunk(call)),
            "ttfo_ms": _from_sent(call, _first_output(call)),
            "e2e_ms": _from_sent(call, _end(call)),
            "response_ms": _since(call.intended_ns, _end(call)),
            "decode_ms_per_token": decode,
            "normalized_ms_per_token": _normalized(call),
            "tokens_per_s_user": _per_second(decode),
            "schedule_lag_ms": ((call.taken_up_ns - call.intended_ns) / _NS_PER_MS, MEASURED),
            "connect_ms": _connect(call),
        }
    )


def trial_metrics(trial: Trial, last_metrics: Metrics | None = None) -> Metrics:
    """All of METRIC_NAMES for a trial of one answer: its last attempt's, except that `response_ms` runs from
    the trial's intended start and `schedule_lag_ms` to its taking up, whatever the retries cost. An agent's trial has
    no latency of its own: its calls have theirs.

    last_metrics: `call_metrics` of the last attempt, where they are known already.
    """
    lag: Known = ((trial.started_ns - trial.intended_ns) / _NS_PER_MS, MEASURED)
    if trial.by_agents and trial.calls:
        return metrics_of(dict.fromkeys(METRIC_NAMES, _SEE_CALLS) | {"schedule_lag_ms": lag})
    if not trial.calls:
        nothing = missing("skipped" if trial.status == "skipped" else "no call was made")
        return metrics_of(dict.fromkeys(METRIC_NAMES, nothing) | {"schedule_lag_ms": lag})
    last = trial.calls[-1]
    known = (last_metrics or call_metrics(last)).known
    return metrics_of({**known, "response_ms": _since(trial.intended_ns, _end(last)), "schedule_lag_ms": lag})


def ttft_ms(call: Call) -> float | None:
    """`ttft_ms` alone, for counting while a run goes."""
    return _from_sent(call, _first_chunk(call))[0]


def e2e_ms(call: Call) -> float | None:
    """`e2e_ms` alone, for counting while a run goes."""
    return _from_sent(call, _end(call))[0]


def connect_metrics(call: Call) -> Metrics:
    """The parts of `connect_ms` of one call: `dns_ms`, `tcp_ms`, `proxy_ms` (the tunnel alone) and `tls_ms`.

    Together they are `connect_ms`. Through a proxy the name looked up and the address connected to are the proxy's.
    """
    return metrics_of({name: _connect_part(call, part) for name, part in _CONNECT_PARTS.items()})


def chunk_gaps_ms(call: Call) -> tuple[float, ...]:
    """Gaps between the arrivals of neighbouring chunks: one fewer than there are chunks."""
    return tuple((later - earlier) / _NS_PER_MS for earlier, later in pairwise(call.columns.at_ns))


# ---------------------------------------------------------------- stamps: an int, or why there is none


def _first_byte(call: Call) -> int | str:
    if call.first_byte_ns is None:
        return "failed before the first byte" if call.error_kind else "the first byte was not stamped"
    return call.first_byte_ns


def _first_chunk(call: Call) -> int | str:
    if not call.streamed:
        return "not streamed"
    stamps = call.columns.at_ns
    if not stamps:
        return "failed before the first chunk" if call.error_kind else "no content"
    return stamps[0]


def _first_output(call: Call) -> int | str:
    first = _first_chunk(call)
    if isinstance(first, str):
        return first
    at = call.columns.first_ns("text")
    if at is None:
        return "failed before the first visible text" if call.error_kind else "no visible text"
    return at


def _end(call: Call) -> int | str:
    if call.error_kind:
        return f"failed ({call.error_kind})"
    if not call.streamed:
        return "the last byte was not stamped" if call.last_byte_ns is None else call.last_byte_ns
    stamps = call.columns.at_ns
    return stamps[-1] if stamps else "no content"


# ---------------------------------------------------------------- durations and rates


def _since(start_ns: int, stamp: int | str) -> Known:
    if isinstance(stamp, str):
        return missing(stamp)
    return (stamp - start_ns) / _NS_PER_MS, MEASURED


def _from_sent(call: Call, stamp: int | str) -> Known:
    if call.sent_ns is None:
        return missing("never sent")
    return _since(call.sent_ns, stamp)


def _decode(call: Call) -> Known:
    """(e - c_1) / (N_out - 1); where reasoning was counted but never shown, (e - o) over the visible tokens."""
    first, end = _first_chunk(call), _end(call)
    if isinstance(first, str):
        return missing(first)
    if isinstance(end, str):
        return missing(end)
    tokens = call.usage.output
    if tokens is None:
        return missing("tokens_out not reported")
    if call.usage.reasoning and call.columns.first_ns("reasoning") is None:
        return _hidden_reasoning(call, end, tokens - call.usage.reasoning)
    return _rate(call, first, end, tokens)


def _hidden_reasoning(call: Call, end: int, visible: int) -> Known:
    output = _first_output(call)
    return missing(output) if isinstance(output, str) else _rate(call, output, end, visible)


def _rate(call: Call, first: int, end: int, tokens: int) -> Known:
    if tokens < 2:
        return missing("fewer than two tokens")
    if max(call.columns.at_ns) <= first:  # `first` is one of them
        return missing("fewer than two distinct arrivals")
    return (end - first) / _NS_PER_MS / (tokens - 1), DERIVED


def _normalized(call: Call) -> Known:
    value, provenance = _from_sent(call, _end(call))
    if value is None:
        return value, provenance
    if call.usage.output is None:
        return missing("tokens_out not reported")
    if call.usage.output < 1:
        return missing("no output tokens")
    return value / call.usage.output, DERIVED


def _per_second(decode: Known) -> Known:
    value, provenance = decode
    if value is None:
        return value, provenance
    return missing("no time between first and last token") if value == 0 else (1000 / value, DERIVED)


def _connect(call: Call) -> Known:
    if call.connect_ns is not None:
        return call.connect_ns / _NS_PER_MS, MEASURED
    if call.sent_ns is None:
        return missing("no connection")
    return missing("not stamped" if call.cold else "reused connection")


def _connect_part(call: Call, part: str) -> Known:
    whole, provenance = _connect(call)
    if whole is None:
        return None, provenance
    if not call.connect_parts:
        return missing("not stamped")
    if part not in call.connect_parts:
        return missing("no tunnel" if part == "tunnel_ns" else "no TLS" if part == "tls_ns" else "not stamped")
    return call.connect_parts[part] / _NS_PER_MS, MEASURED
