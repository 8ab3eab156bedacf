"""Laws of targets that take turns: whole blocks of legs, the same cases for all, each trial in one place."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchbook.config import build_plan
from benchbook.errors import PlanError
from benchbook.runner.lanes import Share
from benchbook.runner.measuring import Left
from benchbook.runner.turns import turns, whole_legs
from tests.unit.runner.test_plan import plan


@settings(deadline=None)
@given(st.integers(1, 4), st.integers(0, 4), st.integers(1, 40), st.integers(1, 12), st.integers(0, 9))
def test_every_place_has_a_position_and_back(lanes: int, warmup: int, measured: int, leg: int, seed: int) -> None:
    taken = turns(lanes, warmup, measured, leg, seed)
    order = [(each, place) for each in taken.legs() for place in range(each.start, each.stop)]
    assert len(order) == lanes * (warmup + measured)
    for position, (each, place) in enumerate(order):
        assert taken.of(each.lane, place) == (position, each.block, each.place)
        assert taken.at(position) == (each.lane, place)


def test_a_block_runs_forth_and_back_and_the_first_way_is_drawn() -> None:
    legs = [leg for leg in turns(2, 3, 400, 1, seed=1).legs() if leg.block is not None]
    blocks = ["".join("AB"[leg.lane] for leg in block) for _, block in groupby(legs, key=lambda leg: leg.block)]
    found = Counter(blocks)
    assert set(found) == {"ABBA", "BAAB"}
    assert 70 < found["ABBA"] < 130
    assert [leg.place for leg in legs[:8]] == [0, 1, 2, 3, 0, 1, 2, 3]
    warmed = Counter(next(turns(2, 3, 4, 1, seed).legs()).lane for seed in range(100))
    assert 30 < warmed[0] < 70
    three = [leg.lane for leg in turns(3, 0, 2, 1, seed=1).legs()]
    assert three in ([0, 1, 2, 2, 1, 0], [2, 1, 0, 0, 1, 2])


@pytest.mark.parametrize(
    ("measured", "units", "leg"), [(20, 4, 5), (8, 4, 4), (4, 4, 2), (40, 4, 4), (1, 4, 1), (7, 2, 2)]
)
def test_legs_are_about_a_pass_and_blocks_are_whole(measured: int, units: int, leg: int) -> None:
    assert whole_legs(measured, units) == leg


def test_all_targets_are_asked_the_same_in_the_same_order_at_the_same_gaps() -> None:
    made = plan(targets=2, cases=5, repetitions=4, warmup=1, order="abba", load={"kind": "poisson", "rate": 9})
    one, other = made.trials.lanes
    assert [(t.test_id, t.repetition, t.phase) for t in one] == [(t.test_id, t.repetition, t.phase) for t in other]
    assert one.offsets_ns == other.offsets_ns
    assert [t.position for t in made.trials] == list(range(len(made.trials)))
    assert [made.trials[at].trial_id for at in range(50)] == [t.trial_id for t in made.trials]
    assert [(t.block, t.block_place) for t in made.trials][:10] == [(None, None)] * 10
    alone = [name for name, _ in groupby(t.target for t in made.trials)]
    assert len(alone) <= 2 + 2 * 4
    for _, legs in groupby((t for t in made.trials if t.block is not None), key=lambda t: t.block):
        assert Counter(t.block_place for t in legs) == dict.fromkeys(range(4), 5)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 3), st.booleans())
def test_shares_hold_every_trial_once_leg_by_leg(of: int, leg: int, slots: int, some: bool) -> None:
    made = plan(
        cases=3, repetitions=3, warmup=1, order="abba", leg_trials=leg, load={"kind": "closed", "concurrency": slots}
    )
    done = frozenset(t.trial_id for t in list(made.trials)[:7]) if some else frozenset()
    left, seen = Left(made, done, {}), Counter[str]()
    for number in range(of):
        share = Share(0, number, of)
        parts = [[t for todo in part.values() for t in todo.trials] for part in left.todo(share)]
        for part in parts:
            assert len({t.target for t in part}) <= 1
            assert all(left.holds(t, share) for t in part)
        mine = Counter(t.target for part in parts for t in part)
        assert mine == Counter(left.planned(share))
        seen += Counter(t.trial_id for part in parts for t in part)
    assert seen == Counter(t.trial_id for t in made.trials if t.trial_id not in done)


def test_the_order_is_in_the_plan_hash_and_not_in_the_workload_hash() -> None:
    usual, said, taken = plan(), plan(order="interleaved"), plan(order="abba")
    assert usual.plan_hash == said.plan_hash != taken.plan_hash
    assert usual.workload_hash == taken.workload_hash
    assert plan(order="abba", leg_trials=2).plan_hash != taken.plan_hash


@pytest.mark.parametrize(
    ("execute", "says"),
    [
        ({"leg_trials": 3}, "leg_trials goes with order: abba"),
        ({"order": "abba", "load": {"kind": "soak", "duration_s": 5, "rate": 2}}, "goes without a soak load"),
        ({"order": "baab"}, "execute.order"),
    ],
)
def test_an_order_that_does_not_fit_is_refused(execute: dict[str, Any], says: str) -> None:
    with pytest.raises(PlanError, match=says):
        plan(**execute)


def test_one_target_takes_no_turns() -> None:
    target = {"name": "t", "provider": "openai", "model": "m"}
    document = {"validate": {"datasets": ["d"]}, "execute": {"targets": [target], "order": "abba"}}
    with pytest.raises(PlanError, match="name at least two"):
        build_plan(document, "p")
