"""What each tool would print for four requests, worked out by hand from four_requests.json; then the edges."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchbook.measure.definitions import QUANTITIES, RELEASES, TOOLS, figures, tool
from benchbook.measure.definitions.facts import Attempt, Figure, Observed, Request
from benchbook.measure.definitions.percentiles import exclusive, inverse, linear

SLOS = {"ttft_ms": 150.0}


def _attempt(fields: dict[str, Any]) -> Attempt:
    def ns(name: str) -> tuple[int, ...]:
        return tuple(at * 1_000_000 for at in fields.get(name, ()))

    stamps = {"content_ns": ns("content"), "text_ns": ns("content"), "output_ns": ns("output")}
    rest = {"failed": fields.get("failed", False), "tokens_out": fields.get("tokens_out")}
    start_ns, end_ns, sent_ns = (fields[name] * 1_000_000 for name in ("start", "end", "sent"))
    return Attempt(start_ns, end_ns, sent_ns, **stamps, **rest)


def four_requests() -> Observed:
    file = Path(__file__).parent / "four_requests.json"
    requests = [
        Request(r["started"] * 1_000_000, r["ended"] * 1_000_000, tuple(map(_attempt, r["attempts"])))
        for r in json.loads(file.read_text())["requests"]
    ]
    return Observed(tuple(requests), SLOS)


EXPECTED = {
    # requests 1, 2, 4: the third one's first attempt failed. Window 0 to 260 ms
    "vllm": {
        "first_token_ms": {"mean": 320 / 3, "p50": 90, "p99": 197.8},  # 90, 200, 30
        "per_token_ms": {"mean": 15, "p50": 15, "p99": 19.9},  # (130-90)/4, (240-200)/2
        "gap_ms": {"mean": 40 / 3, "p50": 15, "p99": 20},  # 10 10 20 0, 20 20
        "end_to_end_ms": {"mean": 400 / 3, "p50": 130, "p99": 237.8},  # 130, 240, 30
        "requests_per_s": {"rate": 3 / 0.26},
        "output_tokens_per_s": {"rate": 9 / 0.26},
        "goodput_per_s": {"rate": 2 / 0.26},  # TTFT 90 and 30, not 200
    },
    # the same three. Window 0 to 250 ms, the last content
    "aiperf": {
        "first_token_ms": {"mean": 110, "p50": 100, "p90": 180, "p95": 190, "p99": 198},  # 100, 200, 30
        "per_token_ms": {"mean": 13.75, "p50": 13.75, "p90": 18.75, "p95": 19.375, "p99": 19.875},  # 30/4, 40/2
        "gap_ms": {"mean": 14, "p50": 20, "p90": 20, "p95": 20, "p99": 20},  # 10 20 0, 20 20
        "end_to_end_ms": {"mean": 400 / 3, "p50": 130, "p90": 218, "p95": 229, "p99": 237.8},  # 130, 240, 30
        "requests_per_s": {"rate": 12},
        "output_tokens_per_s": {"rate": 36},
        "goodput_per_s": {"rate": 8},
        "goodput_share": {"share": 0.5},  # of four, the failed one too
    },
    # latencies of these three, the second from 20 ms, when its connection stood; rates over all four in 260 ms
    "guidellm": {
        "first_token_ms": {"mean": 320 / 3, "p50": 100, "p90": 190, "p95": 190, "p99": 190},  # 100, 190, 30
        "per_token_ms": {"mean": 70 / 6, "p50": 7.5, "p90": 20, "p95": 20, "p99": 20},  # 7.5 x 4, 20 x 2, one token x 0
        "per_token_whole_ms": {
            "mean": 130 / 3,
            "p50": 26,
            "p90": 230 / 3,
            "p95": 230 / 3,
            "p99": 230 / 3,
        },  # 26 x 5, 230/3 x 3, 30 x 1
        "end_to_end_ms": {"mean": 430 / 3, "p50": 150, "p90": 240, "p95": 240, "p99": 240},  # closed: 150, 240, 40
        "requests_per_s": {"rate": 4 / 0.26},
        "output_tokens_per_s": {"rate": 9 / 0.26},
        "goodput_per_s": {"rate": 2 / 0.26},  # TTFT 100 and 30, not 190
        "goodput_share": {"share": 0.5},
    },
    # all four, the third from its first attempt's start: 350-20 and 360-20. Starts 0 to 40 ms, the run 0 to 370 ms
    "llmeter": {
        "first_token_ms": {"mean": 165, "p50": 150, "p90": 395, "p99": 453.5},  # 100, 200, 330, 30
        "per_token_ms": {"mean": 12.5, "p50": 10, "p90": 26, "p99": 29.6},  # 7.5, 20, 10
        "end_to_end_ms": {"mean": 185, "p50": 185, "p90": 390, "p99": 435},  # 130, 240, 340, 30
        "requests_per_s": {"rate": 100},
        "output_tokens_per_s": {"rate": 11 / 0.37},
    },
    "inference-perf": {
        "first_token_ms": {
            "mean": 150,
            "p50": 150,
            "p90": 190,
            "p95": 195,
            "p99": 199,
        },  # 100, 200: one token is too few
        "per_token_ms": {"mean": 13.75, "p50": 13.75, "p90": 18.75, "p95": 19.375, "p99": 19.875},
        "per_token_whole_ms": {
            "mean": 460 / 9,
            "p50": 40,
            "p90": 224 / 3,
            "p95": 79,
            "p99": 1237 / 15,
        },  # 30, 250/3, 40
        "gap_ms": {"mean": 70 / 6, "p50": 15, "p90": 20, "p95": 20, "p99": 20},  # 10 20 0 and 0 in a chunk, 20 20
        "end_to_end_ms": {"mean": 440 / 3, "p50": 150, "p90": 230, "p95": 240, "p99": 248},
        "requests_per_s": {"rate": 3 / 0.26},
        "output_tokens_per_s": {"rate": 9 / 0.26},
        "goodput_per_s": {"rate": 1 / 0.26},  # the fourth has no TTFT
        "goodput_share": {"share": 1 / 3},
    },
}


def by_quantity(found: list[Figure]) -> dict[str, dict[str, float | None]]:
    answer: dict[str, dict[str, float | None]] = {}
    for figure in found:
        answer.setdefault(figure.quantity, {})[figure.statistic] = figure.value
    return answer


@pytest.mark.parametrize("name", TOOLS)
def test_four_requests(name: str) -> None:
    found = by_quantity(figures(name, four_requests()))
    assert list(found) == list(EXPECTED[name])
    for quantity, values in EXPECTED[name].items():
        assert found[quantity] == pytest.approx(values, rel=1e-12), quantity


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_says_what_it_counts_and_where_that_was_read(name: str) -> None:
    words = tool(name)
    assert set(words.formulas) == set(EXPECTED[name]) <= set(QUANTITIES)
    assert list(words.formulas) == [quantity for quantity in QUANTITIES if quantity in words.formulas]
    assert words.release == RELEASES[name]
    assert ".py" in words.source
    assert words.rules


@pytest.mark.parametrize("name", TOOLS)
def test_of_nothing_it_prints_nothing(name: str) -> None:
    failed = Request(0, 5_000_000, (Attempt(0, 5_000_000, failed=True),))
    for observed in (Observed(()), Observed((failed,))):
        found = figures(name, observed)
        assert {figure.value for figure in found} <= {None, 0.0, 200.0}
        assert all(figure.note for figure in found if figure.value is None)


def test_a_run_in_two_sessions_has_no_rate() -> None:
    for name in TOOLS:
        rates = [f for f in figures(name, replace(four_requests(), sessions=2)) if f.statistic == "rate"]
        assert rates
        assert all(f.value is None and "resumed" in f.note for f in rates)


def test_a_limit_that_a_tool_does_not_have() -> None:
    for name in ("vllm", "aiperf", "guidellm"):
        found = figures(name, replace(four_requests(), slos={"normalized_ms_per_token": 9.0}))
        goodput = next(f for f in found if f.quantity == "goodput_per_s")
        assert (goodput.value, goodput.note) == (None, "it has no such limit")


def test_without_bodies_chunks_stand_in_for_token_events() -> None:
    observed = four_requests()
    bare = tuple(replace(r, attempts=tuple(replace(a, output_ns=None) for a in r.attempts)) for r in observed.requests)
    found = [f for f in figures("vllm", replace(observed, requests=bare)) if f.quantity == "first_token_ms"]
    assert {f.statistic: f.value for f in found} == pytest.approx({"mean": 110, "p50": 100, "p99": 198})
    assert {f.note for f in found} == {"content chunks stand in for token events"}


def test_tokens_that_nobody_reported() -> None:
    observed = four_requests()
    bare = tuple(replace(r, attempts=tuple(replace(a, tokens_out=None) for a in r.attempts)) for r in observed.requests)
    for name in ("vllm", "aiperf", "llmeter", "inference-perf"):
        found = by_quantity(figures(name, replace(observed, requests=bare)))
        assert found["output_tokens_per_s"] == {"rate": None}
        assert set(found["per_token_ms"].values()) == {None}
    # one token an iteration: 4 + 3 + 1 in 260 ms
    assert by_quantity(figures("guidellm", replace(observed, requests=bare)))["output_tokens_per_s"]["rate"] == 8 / 0.26


def test_an_answer_that_was_not_streamed() -> None:
    whole = Attempt(0, 90_000_000, streamed=False, last_byte_ns=80_000_000, tokens_out=4)
    observed = Observed((Request(0, 90_000_000, (whole,)),))
    first = {name: by_quantity(figures(name, observed))["first_token_ms"]["mean"] for name in TOOLS}
    assert set(first.values()) == {None}
    ends = {name: by_quantity(figures(name, observed))["end_to_end_ms"]["mean"] for name in TOOLS}
    assert ends == {"guidellm": 90.0, "aiperf": 80.0, "vllm": None, "llmeter": 80.0, "inference-perf": 90.0}


def test_percentiles() -> None:
    assert [linear([1, 2, 4, 8], p) for p in (0, 50, 90, 100)] == pytest.approx([1, 3, 6.8, 8])
    assert [exclusive([1, 2, 4, 8], p) for p in (50, 90, 99)] == pytest.approx([3, 10, 11.8])
    assert exclusive([7], 99) == 7
    assert [inverse([(1, 1), (2, 1), (4, 1), (8, 1)], p) for p in (25, 25.1, 50, 99)] == [1, 2, 2, 8]
    assert inverse([(1, 9), (8, 1)], 90) == 1
    assert inverse([(n, 1) for n in range(1, 11)], 90) == 10  # nine times 0.1 is a little less than 0.9
    assert inverse([(1, 0), (8, 0)], 60) == 8


def test_guidellm_leaves_out_what_a_limit_cannot_be_read_of() -> None:
    found = by_quantity(figures("guidellm", replace(four_requests(), slos={"decode_ms_per_token": 10.0})))
    assert found["goodput_share"] == {"share": pytest.approx(1 / 3)}  # 7.5, 20; one token; failed
    nothing = Observed((four_requests().requests[3],), {"decode_ms_per_token": 10.0})
    notes = {f.quantity: f.note for f in figures("guidellm", nothing)}
    assert notes["goodput_per_s"] == notes["goodput_share"] == "no request whose limits can be read"


def test_inference_perf_counts_visible_text_only() -> None:
    thinking = Attempt(0, 90, 0, content_ns=(10, 20, 40, 60), text_ns=(40, 60), tokens_out=9, tokens_reasoning=6)
    assert thinking.tokens_text == 3
    assert replace(thinking, tokens_reasoning=None).tokens_text is None
    found = by_quantity(figures("inference-perf", Observed((Request(0, 90, (thinking,)),))))
    assert found["first_token_ms"]["mean"] == 40e-6
    assert found["gap_ms"]["mean"] == 10e-6  # 20 between the chunks, 0 inside one
