"""pass^k and pass@k against counting every draw, and their intervals against scipy and against chance."""

from __future__ import annotations

import math
import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchbook.stats.passes import pass_at_k, pass_hat_k
from benchbook.stats.proportions import clustered, student_t, wilson

TRIES = st.integers(1, 6).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))


@given(cases=st.lists(TRIES, min_size=1, max_size=8), k=st.integers(1, 6))
def test_shares_are_those_of_counting_every_draw(cases: list[tuple[int, int]], k: int) -> None:
    every, one = pass_hat_k(cases, k), pass_at_k(cases, k)
    if min(n for n, _ in cases) < k:
        refused = f"needs {k} repetitions of each test case, has {min(n for n, _ in cases)}"
        assert (every.share, every.low, every.refused) == (None, None, refused)
        return
    draws = [list(combinations([place < c for place in range(n)], k)) for n, c in cases]
    assert every.share == pytest.approx(sum(sum(map(all, of)) / len(of) for of in draws) / len(cases))
    assert one.share == pytest.approx(sum(sum(map(any, of)) / len(of) for of in draws) / len(cases))
    for rate in (every, one):
        assert (rate.low is None) == (len(cases) < 6) == (rate.refused is not None)
        if rate.low is not None and rate.high is not None and rate.share is not None:
            assert 0 <= rate.low <= rate.share <= rate.high <= 1


def test_cases_that_all_passed_leave_room_for_failure() -> None:
    rate = pass_hat_k([(5, 5)] * 12, 5)
    assert rate.share == rate.high == 1
    assert rate.low is not None
    assert 0.6 < rate.low < (wilson(12, 12).low or 0)


def test_an_interval_speaks_of_cases_and_not_of_trials() -> None:
    """Cases that pass always or never: ten tries at each say no more than one."""
    few = clustered([1.0] * 6 + [0.0] * 6, 12)
    assert clustered([1.0] * 6 + [0.0] * 6, 120) == few
    scattered = clustered([0.5] * 6 + [0.4, 0.6] * 3, 120)
    assert few is not None
    assert scattered is not None
    assert scattered[1] - scattered[0] < few[1] - few[0]


@pytest.mark.parametrize(("confidence", "degrees"), [(0.8, 5), (0.95, 5), (0.99, 5), (0.95, 11), (0.99, 40)])
def test_student_t(confidence: float, degrees: int) -> None:
    z = float(stats.norm.ppf((1 + confidence) / 2))
    assert student_t(degrees, z) == pytest.approx(float(stats.t.ppf((1 + confidence) / 2, degrees)), rel=1e-3)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Cases drawn from a known population, 400 times; 95 % of the intervals of pass^3 hold its truth, E p^3."""
    rng, held = random.Random(3), 0
    truth = 2 / 5  # E p^3 of Beta(2, 1)
    for _ in range(400):
        cases = [(4, sum(rng.random() < p for _ in range(4))) for p in (math.sqrt(rng.random()) for _ in range(12))]
        rate = pass_hat_k(cases, 3)
        held += rate.low is not None and rate.high is not None and rate.low <= truth <= rate.high
    assert held >= 372


def test_what_is_no_count_is_refused() -> None:
    assert pass_at_k([], 1).refused == "no test case was judged"
    for cases, k in (([(2, 3)], 1), ([(2, -1)], 1), ([(2, 1)], 0)):
        with pytest.raises(ValueError, match="a pass rate needs"):
            pass_hat_k(cases, k)
