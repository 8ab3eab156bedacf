"""Change points of run levels: what is found, when, and what is not taken for a step."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence

import pytest

from benchbook.stats.changes import SMALLEST, change_points, replay, spikes


def quiet(seed: int, runs: int, sd: float = 0.02) -> list[float]:
    rng = random.Random(seed)
    return [6.0 + rng.gauss(0, sd) for _ in range(runs)]


def stepped(levels: Sequence[float], at: int, by: float) -> list[float]:
    return [*levels[:at], *(level + by for level in levels[at:])]


@pytest.mark.parametrize("by", [0.3, -0.3, 1.5], ids=["worse", "better", "a lot worse"])
def test_a_step_is_found_with_its_third_run_and_stays(by: float) -> None:
    levels = stepped(quiet(1, 40), 25, by)
    for runs in range(len(levels) + 1):
        found = change_points(levels[:runs])
        if runs < 25 + SMALLEST:
            assert not found
        else:
            (change,) = found
            assert (change.index, change.seen) == (25, 27)
            assert change.after - change.before == pytest.approx(by, abs=0.03)
            assert 0 < change.p < 0.003


@pytest.mark.parametrize("at", range(20, 31), ids=str)
@pytest.mark.parametrize("by", [0.4, -0.4, 3.0])
def test_one_spike_is_no_step(at: int, by: float) -> None:
    levels = quiet(2, 31)
    levels[at] += by
    assert replay(levels) == ()
    assert at in spikes(levels, ())


@pytest.mark.parametrize("at", range(17, 30), ids=str)
@pytest.mark.parametrize("by", [0.7, -0.7])
def test_one_spike_hides_no_step(at: int, by: float) -> None:
    levels = stepped(quiet(3, 30), 22, 0.3)
    levels[at] += by
    (change,) = change_points(levels)
    assert abs(change.index - 22) <= (1 if at in (21, 22) else 0)
    assert change.seen <= 22 + SMALLEST + 2


def test_two_spikes_among_three_runs_are_no_step() -> None:
    for ends in itertools.permutations((0.4, 0.0, 0.5)):
        levels = quiet(4, 33)
        for at, by in zip(range(30, 33), ends, strict=True):
            levels[at] += by
        assert change_points(levels) == ()


def test_several_steps_each_way() -> None:
    levels = stepped(stepped(stepped(quiet(5, 90), 25, 0.25), 50, -0.4), 70, 0.1)
    assert [change.index for change in change_points(levels)] == [25, 50, 70]
    assert [change.after > change.before for change in change_points(levels)] == [True, False, True]


@pytest.mark.parametrize("by", [0.3, -0.3])
def test_steps_upon_steps(by: float) -> None:
    levels = stepped(stepped(stepped(quiet(5, 40), 22, by), 28, by), 34, by)
    assert [change.index for change in change_points(levels)] == [22, 28, 34]
    assert all(change.ended is None for change in replay(levels))


def test_what_went_back_is_withdrawn_or_a_step_of_its_own() -> None:
    bump = quiet(6, 40)
    for at in (25, 26, 27):
        bump[at] += 0.12
    found = replay(bump)
    assert found
    assert found[0].index == 25
    assert change_points(bump[:28])
    standing = change_points(bump)
    assert len(standing) in (0, 2)
    assert all(change.ended is None or change.ended > change.seen for change in found)


def test_the_past_is_read_as_it_was() -> None:
    levels = stepped(stepped(quiet(7, 60, sd=0.05), 22, 0.2), 41, -0.2)
    told = [change.seen for change in replay(levels)]
    assert len(told) >= 2
    for runs in range(len(levels)):
        assert [change.seen for change in replay(levels[:runs])] == [seen for seen in told if seen < runs]


def test_levels_shifted_or_scaled_or_mirrored_change_alike() -> None:
    levels = stepped(quiet(8, 50, sd=0.05), 30, 0.2)
    wanted = [(change.index, change.seen) for change in replay(levels)]
    assert wanted
    for other in ([x + 9 for x in levels], [x / 3 for x in levels], [-x for x in levels]):
        assert [(change.index, change.seen) for change in replay(other)] == wanted


@pytest.mark.parametrize("runs", range(8), ids=str)
def test_few_runs_hold_no_change(runs: int) -> None:
    assert change_points(stepped(quiet(9, runs), runs // 2, 0.01)) == ()


def test_where_runs_lie_far_apart_three_must_be_clearer() -> None:
    levels = stepped(quiet(13, 50, sd=0.05), 30, 0.15)
    (soon,) = change_points(levels)
    (late,) = change_points([3 * level for level in levels])
    assert (soon.index, soon.seen) == (30, 32)
    assert (late.index, late.seen) == (30, 34)


def test_levels_without_spread() -> None:
    assert replay([5.0] * 60) == ()
    (change,) = change_points([5.0] * 10 + [5.5] * 3)
    assert (change.index, change.before, change.after) == (10, 5.0, 5.5)
    assert math.isfinite(change.p)
    assert change.p > 0


def test_false_alarms_and_power_are_about_what_they_are_said_to_be() -> None:
    """A small draw of what benchmarks/statistics.py does at length: rough bounds that a broken rule would miss."""
    rng = random.Random(10)
    null = [[rng.gauss(0, 0.05) + 0.4 * (rng.random() < 0.05) for _ in range(40)] for _ in range(60)]
    assert sum(bool(replay(levels)) for levels in null) <= 7
    step = math.log(1.15)
    drawn = [stepped([rng.gauss(0, 0.05) for _ in range(28)], 25, step) for _ in range(80)]
    assert sum(bool(change_points(levels)) for levels in drawn) >= 52
