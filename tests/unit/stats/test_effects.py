"""Effects of paired sides: mirror images, scale, refusals, and what runs add to prompts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchbook.metrics import COMPARED, LATENCY_METRICS, METRIC_DIRECTION
from benchbook.stats.compare import sign_flip_p
from benchbook.stats.effects import FAILURES, MEDIAN, P95, SCORE, Effect, Known, effect, pooled
from benchbook.stats.spread import Spread
from benchbook.stats.verdicts import sense

Run = Mapping[int, Sequence[float]]
positive = st.floats(0.01, 1e5)
runs = st.dictionaries(st.integers(0, 30), st.lists(positive, min_size=1, max_size=6), min_size=6, max_size=15)


def known(seed: int = 7, history: Spread | None = None, *, alike: bool = False) -> Known:
    return Known(np.random.default_rng(seed), history=history, alike=alike)


def scaled(run: Run, factor: float) -> Run:
    return {case: [factor * value for value in values] for case, values in run.items()}


def noisy(run: Run, seed: int, level: float = 0.1) -> Run:
    noise = np.random.default_rng(seed)
    return {case: [value * math.exp(noise.normal(level, 0.4)) for value in values] for case, values in run.items()}


def drawn(seed: int, cases: int = 12, trials: int = 6) -> Run:
    noise = np.random.default_rng(seed)
    return {case: noise.lognormal(3, 0.6, trials).tolist() for case in range(cases)}


def mirrored(forth: Effect, back: Effect) -> None:
    """Whatever is said of B against A is said of A against B with the opposite sign, to the last bit."""
    for low, high in (("low", "high"), ("prompts_low", "prompts_high"), ("change", "change")):
        assert getattr(forth, low) == -getattr(back, high)
    assert (forth.a, forth.b, forth.only_a) == (back.b, back.a, back.only_b)
    assert (forth.p, forth.p_prompts, forth.p_runs, forth.spread) == (back.p, back.p_prompts, back.p_runs, back.spread)
    assert forth.cliffs_delta == -(back.cliffs_delta or 0)
    assert sense(forth, higher_is_better=True) == sense(back, higher_is_better=False)


@settings(max_examples=15, deadline=None)
@given(runs, st.integers(0, 100), st.booleans())
def test_swapping_sides_inverts_everything(run: Run, seed: int, alike: bool) -> None:
    a, b = ([noisy(run, 3 * seed + i, level) for i in range(2)] for level in (0, 0.1))
    history = Spread(0.05, 3, 4)
    forth, back = (effect(MEDIAN, *s, known(history=history, alike=alike)) for s in ((a, b), (b, a)))
    mirrored(forth, back)
    assert forth.low is not None
    assert forth.prompts_low is not None
    assert forth.low <= forth.prompts_low <= (forth.change or 0.0)


@pytest.mark.parametrize("what", [P95, SCORE, FAILURES])
def test_swapping_inverts_p95s_and_shares(what: str) -> None:
    draws = np.random.default_rng(5)
    if what == P95:
        a, b = ([drawn(seed), drawn(seed + 9)] for seed in (1, 2))
    else:
        a, b = ([{case: draws.integers(0, 2, 4).tolist() for case in range(9)} for _ in range(2)] for _ in "ab")
    forth, back = (effect(what, *s, known()) for s in ((a, b), (b, a)))
    mirrored(forth, back)
    if what == P95:
        assert forth.difference == -(back.difference or 0)
        assert forth.difference_low == pytest.approx(-(back.difference_high or 0))


@settings(max_examples=15, deadline=None)
@given(runs)
def test_identical_sides(run: Run) -> None:
    found = effect(MEDIAN, [run], [run], known())
    assert (found.change, found.low, found.high, found.p_prompts, found.cliffs_delta) == (0, 0, 0, 1, 0)
    assert found.p is None
    assert sense(found, higher_is_better=False) is None


@settings(max_examples=15, deadline=None)
@given(runs, st.sampled_from((0.5, 0.9, 1.2, 3.0)))
def test_a_constant_factor_is_found_with_its_sign(run: Run, factor: float) -> None:
    found = effect(MEDIAN, [run], [scaled(run, factor)], known())
    assert (found.change, found.low, found.high) == pytest.approx((math.log(factor),) * 3, abs=1e-9)
    assert sense(found, higher_is_better=False) == ("better" if factor < 1 else "worse")
    assert found.p_prompts is not None
    assert 0 < found.p_prompts <= 1


@pytest.mark.parametrize("what", [MEDIAN, P95])
def test_the_unit_does_not_matter(what: str) -> None:
    a, b = [drawn(1), drawn(2)], [drawn(3), drawn(4)]
    in_ms = effect(what, a, b, known())
    in_s = effect(what, *([scaled(run, 0.001) for run in side] for side in (a, b)), known())
    for name in ("change", "low", "high", "p_prompts", "p_runs", "cliffs_delta"):
        assert getattr(in_s, name) == pytest.approx(getattr(in_ms, name))
    if what == P95:
        for name in ("difference", "difference_low", "difference_high"):
            assert getattr(in_s, name) == pytest.approx(getattr(in_ms, name) / 1000)


def test_a_case_that_one_run_lacks_takes_no_part() -> None:
    a, b = [drawn(1), {c: v for c, v in drawn(2).items() if c != 3}], [drawn(3), {**drawn(4), 7: []}]
    found = effect(MEDIAN, a, b, known())
    assert (found.cases, found.only_a, found.only_b) == (10, 2, 2)
    few = {case: values for case, values in drawn(4).items() if case < 5}
    assert effect(MEDIAN, a, [few], known()) == Effect(4, 8, 1, refused="needs 6 paired cases, has 4")


@pytest.mark.parametrize("what", [MEDIAN, SCORE, FAILURES, P95])
def test_one_trial_a_side_is_refused(what: str) -> None:
    found = effect(what, [{0: [1.0]}], [{0: [1.0]}], known())
    assert found.refused == "needs 6 paired cases, has 1"
    assert (found.change, found.p) == (None, None)


def test_no_ratio_of_values_without_a_logarithm() -> None:
    run = {case: [float(case)] * 10 for case in range(8)}
    assert effect(MEDIAN, [run], [run], known()).refused == "a median is 0 or less, and a ratio needs more"
    assert effect(P95, [run], [run], known()).refused == "a value is 0 or less, and a ratio of p95s needs more"
    nothing = {case: [0.0] for case in range(8)}
    found = effect(MEDIAN, [nothing], [nothing], known())
    assert (found.change, found.low, found.high, found.refused) == (0, 0, 0, None)


def test_a_p95_needs_as_many_trials_as_its_interval_does() -> None:
    run = drawn(1, cases=58, trials=1)
    assert effect(P95, [run], [run], known()).refused == "a p95 needs 59 trials a run, has 58"
    run = drawn(1, cases=59, trials=1)
    assert effect(P95, [run], [run], known()).change == 0


def test_the_case_is_the_unit_not_the_trial() -> None:
    """A thousand repeats of each prompt add nothing to what six prompts can say."""
    a = {case: [100.0] for case in range(6)}
    b = {case: [100.0 * factor] for case, factor in enumerate((0.8, 0.9, 1.0, 1.1, 1.3, 1.2))}
    repeated = [{case: values * 1_000 for case, values in side.items()} for side in (a, b)]
    assert effect(MEDIAN, [a], [b], known()) == effect(MEDIAN, [repeated[0]], [repeated[1]], known())


def test_a_spread_between_runs_widens_the_interval_and_gives_a_p() -> None:
    run = drawn(1)
    alone = effect(MEDIAN, [run], [scaled(run, 1.2)], known())
    assert (alone.spread, alone.p_runs, alone.p) == (None, None, None)
    told = effect(MEDIAN, [run], [scaled(run, 1.2)], known(history=Spread(0.05, 8, 9)))
    assert told.low is not None
    assert told.low < 0.15 < math.log(1.2)
    assert told.p == told.p_runs == pytest.approx(0.032, abs=0.002)
    quiet = effect(MEDIAN, [run], [scaled(run, 1.2)], known(history=Spread(0.0, 8, 9)))
    assert (quiet.low, quiet.p_runs, quiet.p) == (pytest.approx(math.log(1.2)), None, quiet.p_prompts)


def test_targets_of_the_same_runs_are_paired_run_by_run() -> None:
    """A drift that both share is in neither's favour: the difference is known far better than the levels."""
    a = [scaled(drawn(1), drift) for drift in (1, 1.5, 0.7)]
    b = [scaled(run, factor) for run, factor in zip(a, (1.2, 1.21, 1.19), strict=True)]
    apart, paired = (effect(MEDIAN, a, b, known(alike=alike)) for alike in (False, True))
    assert apart.p is not None
    assert paired.p is not None
    assert apart.p > 0.5
    assert paired.p < 0.001


def test_shares_without_a_failure_are_known_as_well_as_so_many_trials_tell() -> None:
    run = {case: [0.0] * 5 for case in range(20)}
    found = effect(FAILURES, [run], [run], known())
    assert (found.change, found.high) == (0, pytest.approx(0.037, abs=0.001))
    scores = effect(SCORE, [run], [run], known())
    assert (scores.change, scores.high) == (0, pytest.approx(0.161, abs=0.001))
    assert scores.solved is not None
    assert (scores.solved.only_a, scores.solved.only_b, scores.solved.p) == (0, 0, 1)


def test_graded_scores_have_no_discordant_pairs() -> None:
    run = {case: [0.5] for case in range(8)}
    assert effect(SCORE, [run], [run], known()).solved is None


def test_a_case_is_solved_by_more_than_half_of_its_trials() -> None:
    a = {case: [1, 0] for case in range(8)}
    b = {case: [1, 1, 0] if case < 5 else [0] for case in range(8)}
    solved = effect(SCORE, [a], [b], known()).solved
    assert solved is not None
    assert (solved.only_a, solved.only_b, solved.p) == (0, 5, 0.0625)


def test_spreads_are_pooled_by_what_they_stand_on() -> None:
    found = pooled(Spread(0.1, 3, 4), None, Spread(0.2, 1, 2))
    assert found == Spread(pytest.approx(math.sqrt((3 * 0.01 + 0.04) / 4)), 4, 6)
    assert pooled(None) is None


def test_the_same_seed_says_the_same() -> None:
    a, b = [drawn(3)], [drawn(4)]
    assert effect(MEDIAN, a, b, known(1)) == effect(MEDIAN, a, b, known(1))
    assert effect(MEDIAN, a, b, known(1)) != effect(MEDIAN, a, b, known(2))


def test_very_many_cases_take_fewer_resamples_and_bounded_memory() -> None:
    assert sign_flip_p([0.01] * 15_000, np.random.default_rng(7)) == 1 / 1334


def test_every_compared_metric_has_a_direction() -> None:
    assert {name.removesuffix(":p95") for name in COMPARED} <= set(METRIC_DIRECTION)
    assert set(METRIC_DIRECTION.values()) == {"lower", "higher"}
    assert [name for name in LATENCY_METRICS if METRIC_DIRECTION[name] == "higher"] == ["tokens_per_s_user"]


def test_graded_scores_that_scatter_need_no_floor_and_pass_or_fail_do() -> None:
    graded = {case: [0.6 + 0.01 * case] for case in range(12)}
    moved = {case: [value[0] + (0.01 if case % 2 else -0.01)] for case, value in graded.items()}
    narrow = effect(SCORE, [graded], [moved], known())
    assert narrow.high is not None
    assert narrow.low is not None
    assert narrow.high - narrow.low < 0.03
    passed: Run = {case: [1.0] for case in range(12)}
    wide = effect(SCORE, [passed], [passed], known())
    assert wide.high is not None
    assert wide.high > 0.2
    assert effect(SCORE, [graded], [graded], known()).high == wide.high, "differences that are all alike say as little"
