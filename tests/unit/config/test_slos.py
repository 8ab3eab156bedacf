"""Objectives as people write them, and the one line that a wrong one gets."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbook.config import build_plan
from benchbook.config.slos import parse_slo, trial_limits
from benchbook.errors import PlanError
from benchbook.metrics import LATENCY_METRICS, METRIC_DIRECTION


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("ttft_ms p95 < 500", ("ttft_ms", 0.95, 500, "lower")),
        ("ttft_ms p99.9<=500ms", ("ttft_ms", 0.999, 500, "lower")),
        ("e2e_ms < 2 s", ("e2e_ms", None, 2000, "lower")),
        ("  decode_ms_per_token p50 < 12.5 ", ("decode_ms_per_token", 0.5, 12.5, "lower")),
        ("tokens_per_s_user p50 > 20", ("tokens_per_s_user", 0.5, 20, "higher")),
        ("error_rate < 1%", ("error_rate", None, 0.01, "lower")),
        ("error_rate <= .5", ("error_rate", None, 0.5, "lower")),
    ],
)
def test_what_an_objective_says(text: str, parts: tuple[Any, ...]) -> None:
    slo = parse_slo(text)
    assert (slo.metric, slo.quantile, slo.bound, slo.better) == pytest.approx(parts)
    assert slo.text == text.strip()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no objective: write METRIC pQ < NUMBER"),
        ("ttft_ms", "is no objective"),
        ("ttft_ms p95 500", "is no objective"),
        ("ttft_ms p95 < -5", "is no objective"),
        ("ttft_ms p95 = 5", "is no objective"),
        ("ttft p95 < 500", "no metric ttft: one of ttfb_ms, ttft_ms"),
        ("ttft_ms p95 > 500", "of ttft_ms lower is better: write <"),
        ("tokens_per_s_user < 5", "of tokens_per_s_user higher is better: write >"),
        ("ttft_ms p100 < 500", "a quantile lies between"),
        ("ttft_ms p0 < 500", "a quantile lies between"),
        ("ttft_ms p95 < 5%", "is not measured in %"),
        ("tokens_per_s_user > 5 ms", "is not measured in ms"),
        ("error_rate p95 < 1%", "has no quantile"),
        ("error_rate < 5", "a rate of errors is a share"),
        ("error_rate < 0", "a rate of errors is a share"),
        ("error_rate < 1 s", "a rate of errors is a share"),
    ],
)
def test_a_wrong_objective_is_one_clear_line(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        parse_slo(text)
    assert "\n" not in str(caught.value)


@given(st.sampled_from(LATENCY_METRICS), st.sampled_from(["", " p50", " p99.5"]), st.integers(0, 10**6))
def test_every_metric_has_an_objective(metric: str, quantile: str, bound: int) -> None:
    sign = "<" if METRIC_DIRECTION[metric] == "lower" else ">"
    slo = parse_slo(f"{metric}{quantile} {sign} {bound}")
    assert (slo.metric, slo.bound) == (metric, bound)


def test_limits_of_a_trial_are_a_mapping_or_a_list() -> None:
    assert trial_limits({"ttft_ms": 500}) == {"ttft_ms": 500}
    assert trial_limits(["ttft_ms < 500", "e2e_ms < 2 s"]) == {"ttft_ms": 500, "e2e_ms": 2000}


@pytest.mark.parametrize(
    ("slos", "words"),
    [
        ({"ttft": 5}, "aggregate.slos: no metric ttft"),
        ({"ttft_ms": "soon"}, "aggregate.slos.ttft_ms"),
        (["ttft_ms p95 < 500"], "goodput judges each trial"),
        (["error_rate < 1%"], "goodput judges each trial"),
        (["ttft_ms > 500"], "write <"),
        ("ttft_ms < 500", "write a mapping"),
        (5, "write a mapping"),
    ],
)
def test_a_wrong_limit_in_a_plan_is_one_clear_line(slos: Any, words: str) -> None:
    targets = [{"name": "t", "provider": "openai", "model": "m"}]
    document = {"validate": {"datasets": ["d"]}, "execute": {"targets": targets}, "aggregate": {"slos": slos}}
    with pytest.raises(PlanError) as caught:
        build_plan(document, "p.yaml")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
