"""Paired comparison: sign, symmetry, refusals, and words that claim no more than one run a side can."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchbook.metrics import LATENCY_METRICS, METRIC_DIRECTION
from benchbook.stats.compare import (
    Comparison,
    Values,
    compare,
    sense,
    sign_flip_p,
    word,
)

positive = st.floats(0.01, 1e5)
sides = st.dictionaries(st.integers(0, 30), st.lists(positive, min_size=1, max_size=6), min_size=6, max_size=15)


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def scaled(side: Values, factor: float) -> Values:
    return {case: [factor * value for value in values] for case, values in side.items()}


@settings(max_examples=20, deadline=None)
@given(sides, st.integers(0, 100))
def test_swapping_sides_inverts_everything(a: Values, seed: int) -> None:
    noise = np.random.default_rng(seed)
    b = {case: [value * math.exp(noise.normal(0.1, 0.4)) for value in values] for case, values in a.items()}
    forth, back = compare(a, b, rng()), compare(b, a, rng())
    assert forth.ratio is not None
    assert forth.low is not None
    assert forth.high is not None
    assert back.ratio == pytest.approx(1 / forth.ratio)
    assert (back.low, back.high) == pytest.approx((1 / forth.high, 1 / forth.low))
    assert forth.low <= forth.ratio <= forth.high
    assert back.p == forth.p
    assert back.cliffs_delta == pytest.approx(-(forth.cliffs_delta or 0))
    assert word(forth) == word(back)
    for metric in METRIC_DIRECTION:
        assert {sense(metric, forth), sense(metric, back)} in ({None}, {"better", "worse"})


@settings(max_examples=20, deadline=None)
@given(sides)
def test_identical_sides(a: Values) -> None:
    found = compare(a, a, rng())
    assert (found.ratio, found.low, found.high, found.p, found.cliffs_delta) == (1, 1, 1, 1, 0)
    assert word(found) == "EQUIVALENT within 5 %"
    assert sense("ttft_ms", found) is None


@settings(max_examples=20, deadline=None)
@given(sides, st.sampled_from((0.5, 0.9, 1.2, 3.0)))
def test_a_constant_factor_is_found_with_its_sign(a: Values, factor: float) -> None:
    found = compare(a, scaled(a, factor), rng())
    assert (found.ratio, found.low, found.high) == pytest.approx((factor,) * 3)
    assert sense("ttft_ms", found) == ("better" if factor < 1 else "worse")
    assert sense("tokens_per_s_user", found) == ("worse" if factor < 1 else "better")
    assert word(found) == "CANNOT TELL: one run a side"
    assert found.p is not None
    assert 0 < found.p <= 1


@settings(max_examples=20, deadline=None)
@given(sides, sides)
def test_never_changed_and_p_never_zero(a: Values, b: Values) -> None:
    found = compare(a, b, rng())
    assert "CHANGED" not in word(found)
    if found.refused is None:
        assert found.p is not None
        assert found.cliffs_delta is not None
        assert 0 < found.p <= 1
        assert -1 <= found.cliffs_delta <= 1
    assert found.cases + found.only_a == len(a)
    assert found.cases + found.only_b == len(b)


def test_too_few_pairs_are_refused_by_number() -> None:
    a = {case: [1.0, 2.0] for case in range(8)}
    b = {case: [1.0] for case in range(3, 12)} | {7: [], 3: []}
    found = compare(a, b, rng())
    assert found == Comparison(3, 5, 4, refused="needs 6 paired cases, has 3")
    assert word(found) == "CANNOT TELL: needs 6 paired cases, has 3"
    assert sense("ttft_ms", found) is None


def test_no_ratio_of_values_without_a_logarithm() -> None:
    a = {case: [float(case)] for case in range(8)}
    assert compare(a, a, rng()).refused == "a median is 0 or less, and a ratio needs more"


def test_the_case_is_the_unit_not_the_trial() -> None:
    """A thousand repeats of each prompt add nothing to what six prompts can say."""
    a = {case: [100.0] for case in range(6)}
    b = {case: [100.0 * factor] for case, factor in enumerate((0.8, 0.9, 1.0, 1.1, 1.3, 1.2))}
    repeated = [{case: values * 1_000 for case, values in side.items()} for side in (a, b)]
    assert compare(a, b, rng()) == compare(*repeated, rng())


def test_words_at_the_margin() -> None:
    found = Comparison(9, 0, 0, ratio=1.0, low=0.97, high=1.04, p=0.5, cliffs_delta=0.0)
    assert word(found) == "EQUIVALENT within 5 %"
    assert word(found, margin=0.1) == "EQUIVALENT within 10 %"
    assert word(found, margin=0.02) == "CANNOT TELL: one run a side"
    assert word(replace(found, high=1.06)) == "CANNOT TELL: one run a side"
    assert word(replace(found, low=0.94)) == "CANNOT TELL: one run a side"
    assert word(Comparison(0, 0, 0)) == "CANNOT TELL: no interval"


def test_the_same_seed_says_the_same() -> None:
    noise = np.random.default_rng(3)
    a, b = ({case: noise.lognormal(3, 1, 4).tolist() for case in range(9)} for _ in range(2))
    assert compare(a, b, np.random.default_rng(1)) == compare(a, b, np.random.default_rng(1))
    assert compare(a, b, np.random.default_rng(1)) != compare(a, b, np.random.default_rng(2))


def test_very_many_cases_take_fewer_resamples_and_bounded_memory() -> None:
    p = sign_flip_p([0.01] * 15_000, rng())
    assert p == 1 / 1334


def test_every_latency_metric_has_a_direction() -> None:
    assert set(LATENCY_METRICS) <= set(METRIC_DIRECTION)
    assert set(METRIC_DIRECTION.values()) == {"lower", "higher"}
    assert [name for name in LATENCY_METRICS if METRIC_DIRECTION[name] == "higher"] == ["tokens_per_s_user"]
