"""Latencies from stamps: a table by hand, then the laws."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbook.measure.provenance import is_missing
from benchbook.measure.timing import METRIC_NAMES, call_metrics, chunk_gaps_ms, connect_metrics, trial_metrics
from benchbook.records import Call, Chunk, PlannedTrial, Trial, Usage

MS = 1_000_000


def text(*at_ms: float) -> tuple[Chunk, ...]:
    return tuple(Chunk(round(at * MS), 4, "text") for at in at_ms)


CALL = Call(
    call_id="c",
    attempt=1,
    model_requested="m",
    streamed=True,
    intended_ns=0,
    taken_up_ns=2 * MS,
    sent_ns=10 * MS,
    closed_ns=90 * MS,
    first_byte_ns=30 * MS,
    last_byte_ns=80 * MS,
    chunks=text(40, 50, 60, 70),
    connect_ns=3 * MS,
    cold=True,
    http_status=200,
    usage=Usage(input=5, output=4),
)
PLANNED = PlannedTrial("t", 0, "d", "1", "case", "", "target", "api", 0, "measured", "", 1)


@pytest.mark.parametrize(
    ("changes", "values", "reasons"),
    [
        ({}, {}, {"missing: not stamped"}),
        ({"connect_ns": None, "cold": False}, {}, {"missing: reused connection"}),
        (
            {"connect_parts": {"dns_ns": MS, "tcp_ns": 2 * MS}},
            {"dns_ms": 1.0, "tcp_ms": 2.0},
            {"missing: no tunnel", "missing: no TLS"},
        ),
        (
            {"connect_parts": {"dns_ns": 1, "tcp_ns": MS, "tunnel_ns": MS // 2, "tls_ns": 7}},
            {"dns_ms": 1e-6, "tcp_ms": 1.0, "proxy_ms": 0.5, "tls_ms": 7e-6},
            set(),
        ),
    ],
)
def test_parts_of_a_connection(changes: dict[str, object], values: dict[str, float], reasons: set[str]) -> None:
    metrics = connect_metrics(replace(CALL, **changes))  # type: ignore[arg-type]
    assert {name: value for name, value in metrics.values.items() if value is not None} == values
    assert {provenance for provenance in metrics.provenance.values() if provenance != "measured"} == reasons
    assert list(metrics.values) == ["dns_ms", "tcp_ms", "proxy_ms", "tls_ms"]


def test_a_streamed_call_by_hand() -> None:
    metrics = call_metrics(CALL)
    assert metrics.values == {
        "ttfb_ms": 20.0,
        "ttft_ms": 30.0,
        "ttfo_ms": 30.0,
        "e2e_ms": 60.0,
        "response_ms": 70.0,
        "decode_ms_per_token": 10.0,
        "normalized_ms_per_token": 15.0,
        "tokens_per_s_user": 100.0,
        "schedule_lag_ms": 2.0,
        "connect_ms": 3.0,
    }
    derived = {"decode_ms_per_token", "normalized_ms_per_token", "tokens_per_s_user"}
    assert metrics.provenance == {name: "derived" if name in derived else "measured" for name in METRIC_NAMES}
    assert chunk_gaps_ms(CALL) == (10.0, 10.0, 10.0)


def test_an_answer_that_was_not_streamed_ends_with_its_last_byte() -> None:
    metrics = call_metrics(replace(CALL, streamed=False, chunks=()))
    assert (metrics.values["e2e_ms"], metrics.values["response_ms"]) == (70.0, 80.0)
    assert metrics.values["normalized_ms_per_token"] == 17.5
    for name in ("ttft_ms", "ttfo_ms", "decode_ms_per_token", "tokens_per_s_user"):
        assert metrics.values[name] is None
        assert metrics.provenance[name] == "missing: not streamed"
    assert chunk_gaps_ms(replace(CALL, chunks=())) == ()


THINKING = (Chunk(20 * MS, 4, "reasoning"), Chunk(30 * MS, 4, "reasoning"), *text(60, 80))
TOOL = (Chunk(40 * MS, 4, "tool"), Chunk(50 * MS, 4, "tool"))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"chunks": THINKING, "usage": Usage(output=13, reasoning=9)}, 5.0),
        ({"chunks": THINKING, "usage": Usage(output=13)}, 5.0),
        ({"usage": Usage(output=104, reasoning=100)}, 10.0),
        ({"usage": Usage(output=4, reasoning=0)}, 10.0),
        ({"chunks": (*TOOL, *text(60, 70)), "usage": Usage(output=6, reasoning=4)}, 10.0),
        ({"chunks": (*TOOL, *text(60)), "usage": Usage(output=6, reasoning=4)}, "fewer than two distinct arrivals"),
        ({"chunks": TOOL, "usage": Usage(output=9, reasoning=4)}, "no visible text"),
        ({"usage": Usage(output=4, reasoning=3)}, "fewer than two tokens"),
        ({"usage": Usage(output=1)}, "fewer than two tokens"),
        ({"usage": Usage()}, "tokens_out not reported"),
        ({"chunks": text(40, 40, 40)}, "fewer than two distinct arrivals"),
        ({"chunks": text(40)}, "fewer than two distinct arrivals"),
        ({"chunks": ()}, "no content"),
        ({"error_kind": "reset"}, "failed (reset)"),
        ({"error_kind": "reset", "chunks": ()}, "failed before the first chunk"),
    ],
)
def test_decode_per_token(changes: dict[str, object], expected: float | str) -> None:
    metrics = call_metrics(replace(CALL, **changes))
    value, provenance = metrics.values["decode_ms_per_token"], metrics.provenance["decode_ms_per_token"]
    if isinstance(expected, str):
        assert (value, provenance) == (None, f"missing: {expected}")
        assert metrics.values["tokens_per_s_user"] is None
    else:
        assert (value, provenance) == (pytest.approx(expected), "derived")
        assert metrics.values["tokens_per_s_user"] == pytest.approx(1000 / expected)


@pytest.mark.parametrize(
    ("changes", "name", "reason"),
    [
        ({"sent_ns": None}, "ttfb_ms", "never sent"),
        ({"sent_ns": None, "connect_ns": None}, "connect_ms", "no connection"),
        ({"connect_ns": None, "cold": False}, "connect_ms", "reused connection"),
        ({"connect_ns": None}, "connect_ms", "not stamped"),
        ({"first_byte_ns": None}, "ttfb_ms", "the first byte was not stamped"),
        ({"first_byte_ns": None, "error_kind": "timeout"}, "ttfb_ms", "failed before the first byte"),
        ({"chunks": TOOL}, "ttfo_ms", "no visible text"),
        ({"chunks": TOOL, "error_kind": "reset"}, "ttfo_ms", "failed before the first visible text"),
        ({"chunks": ()}, "e2e_ms", "no content"),
        ({"streamed": False, "last_byte_ns": None}, "e2e_ms", "the last byte was not stamped"),
        ({"error_kind": "truncated"}, "e2e_ms", "failed (truncated)"),
        ({"error_kind": "truncated"}, "response_ms", "failed (truncated)"),
        ({"error_kind": "truncated"}, "normalized_ms_per_token", "failed (truncated)"),
        ({"usage": Usage()}, "normalized_ms_per_token", "tokens_out not reported"),
        ({"usage": Usage(output=0)}, "normalized_ms_per_token", "no output tokens"),
        ({"chunks": text(40, 50, 40)}, "tokens_per_s_user", "no time between first and last token"),
    ],
)
def test_a_missing_number_says_why(changes: dict[str, object], name: str, reason: str) -> None:
    metrics = call_metrics(replace(CALL, **changes))
    assert (metrics.values[name], metrics.provenance[name]) == (None, f"missing: {reason}")


def test_a_failed_call_keeps_what_happened_before() -> None:
    metrics = call_metrics(replace(CALL, error_kind="truncated"))
    assert (metrics.values["ttfb_ms"], metrics.values["ttft_ms"], metrics.values["ttfo_ms"]) == (20.0, 30.0, 30.0)


def test_nothing_is_clamped() -> None:
    metrics = call_metrics(replace(CALL, first_byte_ns=4 * MS, taken_up_ns=-MS))
    assert (metrics.values["ttfb_ms"], metrics.values["schedule_lag_ms"]) == (-6.0, -1.0)


def test_a_trial_takes_its_last_attempt_but_its_own_intended_start() -> None:
    first = replace(CALL, error_kind="overloaded", chunks=())
    trial = Trial(PLANNED, "success", -20 * MS, -10 * MS, 95 * MS, (first, CALL))
    metrics = trial_metrics(trial)
    assert (metrics.values["ttft_ms"], metrics.values["e2e_ms"]) == (30.0, 60.0)
    assert (metrics.values["response_ms"], metrics.values["schedule_lag_ms"]) == (90.0, 10.0)


@pytest.mark.parametrize(("status", "reason"), [("skipped", "skipped"), ("failure", "no call was made")])
def test_a_trial_without_calls_has_no_latency(status: str, reason: str) -> None:
    metrics = trial_metrics(Trial(PLANNED, status, 0, 5 * MS, 5 * MS))
    assert metrics.values["schedule_lag_ms"] == 5.0
    assert {metrics.provenance[name] for name in METRIC_NAMES if name != "schedule_lag_ms"} == {f"missing: {reason}"}


# ---------------------------------------------------------------- laws

gaps = st.integers(0, 10**12)
kinds = st.sampled_from(["text", "reasoning", "tool"])
counts = st.none() | st.integers(0, 10_000)


@st.composite
def calls(draw: st.DrawFn) -> Call:
    """A call whose stamps are in the order in which things happen."""
    at = [draw(st.integers(0, 10**15))]
    for _ in range(4):
        at.append(at[-1] + draw(gaps))
    chunks = []
    for step, kind in draw(st.lists(st.tuples(gaps, kinds), max_size=6)):
        at.append(at[-1] + step)
        chunks.append(Chunk(at[-1], 1, kind))
    end = at[-1] + draw(gaps)
    streamed = draw(st.booleans())
    return Call(
        call_id="c",
        attempt=1,
        model_requested="m",
        streamed=streamed,
        intended_ns=at[0],
        taken_up_ns=at[1],
        sent_ns=draw(st.none() | st.just(at[2])),
        closed_ns=end + draw(gaps),
        first_byte_ns=draw(st.none() | st.just(at[3])),
        last_byte_ns=draw(st.none() | st.just(end)),
        chunks=tuple(chunks) if streamed else (),
        connect_ns=draw(st.none() | gaps),
        error_kind=draw(st.none() | st.just("reset")),
        usage=Usage(output=draw(counts), reasoning=draw(counts)),
    )


@given(calls())
def test_every_column_has_a_value_or_a_reason(call: Call) -> None:
    metrics = call_metrics(call)
    assert tuple(metrics.values) == tuple(metrics.provenance) == METRIC_NAMES
    for name, value in metrics.values.items():
        assert (value is None) == is_missing(metrics.provenance[name])
        assert value is None or value >= 0


@given(calls())
def test_ttfb_then_ttft_then_e2e_then_response(call: Call) -> None:
    values = call_metrics(call).values
    order = ("ttfb_ms", "ttft_ms", "ttfo_ms", "e2e_ms", "response_ms")
    present = [values[name] for name in order if values[name] is not None]
    assert present == sorted(present)  # type: ignore[type-var]


@given(calls())
def test_the_gaps_add_up_to_the_decode_phase(call: Call) -> None:
    gaps_ms = chunk_gaps_ms(call)
    assert len(gaps_ms) == max(0, len(call.chunks) - 1)
    if gaps_ms:
        assert sum(gaps_ms) == pytest.approx((call.chunks[-1].at_ns - call.chunks[0].at_ns) / MS)
