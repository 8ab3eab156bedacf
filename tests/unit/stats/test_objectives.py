"""Objectives judged: by the interval, with failures as infinitely bad, or not at all."""

from __future__ import annotations

import math
import random

import pytest

from benchbook.config.slos import parse_slo
from benchbook.stats.objectives import CANNOT_TELL, MET, VIOLATED, judged, overall, trials_needed
from benchbook.stats.proportions import wilson
from benchbook.stats.quantiles import quantile

HUNDRED = [float(value) for value in range(1, 101)]


@pytest.mark.parametrize(
    ("text", "failures", "word", "low", "high"),
    [
        ("ttft_ms p50 < 61", 0, MET, 40, 60),
        ("ttft_ms p50 < 60", 0, MET, 40, 60),  # a limit may be reached
        ("ttft_ms p50 < 50", 0, CANNOT_TELL, 40, 60),
        ("ttft_ms p50 < 39", 0, VIOLATED, 40, 60),
        ("tokens_per_s_user p50 > 40", 0, MET, 40, 60),
        ("tokens_per_s_user p50 > 61", 0, VIOLATED, 40, 60),
        ("ttft_ms p95 < 1000", 10, CANNOT_TELL, 100, math.inf),
        ("ttft_ms p95 < 1000", 30, VIOLATED, math.inf, math.inf),
        ("tokens_per_s_user p50 > 1", 200, VIOLATED, -math.inf, -math.inf),
    ],
)
def test_a_quantile_is_judged_by_its_interval(text: str, failures: int, word: str, low: float, high: float) -> None:
    found = judged(parse_slo(text), HUNDRED, failures)
    assert (found.word, found.low, found.high, found.n) == (word, low, high, 100 + failures)


def test_the_numbers_are_those_of_the_quantile() -> None:
    chance = random.Random(4)
    values = [chance.expovariate(0.01) for _ in range(200)]
    found, expected = judged(parse_slo("e2e_ms p95 < 1"), values, 0), quantile(values, 0.95)
    assert (found.value, found.low, found.high) == (expected.value, expected.low, expected.high)


def test_too_few_trials_say_what_it_takes() -> None:
    found = judged(parse_slo("ttft_ms p95 < 500"), HUNDRED[:10], 0)
    assert (found.word, found.value, found.refused) == (CANNOT_TELL, None, "needs 59, has 10")
    assert judged(parse_slo("error_rate < 1%"), [], 0).word == CANNOT_TELL


@pytest.mark.parametrize(
    ("good", "bad", "word"), [(381, 0, MET), (380, 0, CANNOT_TELL), (100, 1, CANNOT_TELL), (90, 10, VIOLATED)]
)
def test_a_rate_of_errors_is_judged_by_wilsons_interval(good: int, bad: int, word: str) -> None:
    found = judged(parse_slo("error_rate < 1%"), [0.0] * good, bad)
    assert found.word == word
    assert (found.low, found.high) == (wilson(bad, good + bad).low, wilson(bad, good + bad).high)


@pytest.mark.parametrize(
    "text", ["ttft_ms p50 < 5", "ttft_ms p95 < 5", "ttft_ms p99.9 < 5", "error_rate < 1%", "error_rate < 0.05"]
)
def test_what_is_needed_is_what_is_enough(text: str) -> None:
    slo = parse_slo(text)
    needed = trials_needed(slo)
    assert judged(slo, [0.0] * needed, 0).word == MET
    assert judged(slo, [0.0] * (needed - 1), 0).word == CANNOT_TELL


def test_all_objectives_together() -> None:
    assert overall([MET, MET]) == MET
    assert overall([MET, CANNOT_TELL]) == CANNOT_TELL
    assert overall([MET, CANNOT_TELL, VIOLATED]) == VIOLATED
    assert overall([]) == CANNOT_TELL
