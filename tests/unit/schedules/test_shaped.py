"""Loads with an end of their own: where their trials lie, how many there are, and the laws that every shape keeps."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbook.schedules import LOADS, Level, Load, load_of, starts_ns
from benchbook.schedules.ramp import Ramp
from benchbook.schedules.soak import Soak
from benchbook.schedules.spike import Spike
from benchbook.schedules.steps import Steps
from benchbook.schedules.trace import Trace

S = 1_000_000_000


def starts_s(load: Load, seed: int = 1) -> list[float]:
    assert load.count is not None
    offsets = load.offsets_ns(load.count, seed)
    assert offsets is not None
    assert offsets.typecode == "q"
    return [round(at / S, 3) for at in offsets]


@pytest.mark.parametrize(
    ("load", "starts", "rate_per_s"),
    [
        (Ramp(0, 2, 4), [0, 2, 2.828, 3.464], 1),  # the integral is t^2 / 4
        (Ramp(2, 0, 4), [0, 0.536, 1.172, 2], 1),
        (Ramp(3, 3, 1), [0, 0.333, 0.667], 3),
        (Ramp(1, 1, 2.5), [0, 1, 2], 1),
        (Soak(2, rate=2.0), [0, 0.5, 1, 1.5], 2),
        (Soak(0.1, rate=1.0), [0], 1),
        (Spike(1, 4, at_s=2, for_s=1), [0, 1, 2, 2.25, 2.5, 2.75, 3, 4], 8 / 5),
        (Spike(0, 2, at_s=1, for_s=1), [1, 1.5], 2 / 3),
        (Spike(1, 2, at_s=0, for_s=1, duration_s=3), [0, 0.5, 1, 2], 4 / 3),
        (Steps([{"rate": 1, "for_s": 2}, {"rate": 4, "for_s": 0.5}]), [0, 1, 2, 2.25], 4 / 2.5),
        (Steps([{"rate": 2, "for_s": 1}, {"rate": 0, "for_s": 5}, {"rate": 1, "for_s": 1}]), [0, 0.5, 6], 3 / 7),
        (Trace("f", [0, S, 3 * S]), [0, 1, 3], 2 / 3),
        (Trace("f", [0, S, 3 * S], speed=2.0), [0, 0.5, 1.5], 4 / 3),
    ],
    ids=str,
)
def test_where_trials_lie(load: Load, starts: list[float], rate_per_s: float) -> None:
    assert starts_s(load) == starts
    assert load.count == len(starts)
    assert load.rate_per_s == pytest.approx(rate_per_s)
    assert load.slots is None
    assert load.levels == ()


rates = st.floats(0, 50)
some = st.floats(0.5, 50)
times = st.floats(0.1, 20)
kinds = st.sampled_from(["even", "poisson"])
shapes = st.one_of(
    st.builds(Ramp, rates, some, times, kinds),
    st.builds(Ramp, some, rates, times, kinds),
    st.builds(lambda s, rate, kind: Soak(s, rate=rate, arrivals=kind), times, some, kinds),
    st.builds(
        lambda base, peak, at, lasts, kind: Spike(base, peak, at, lasts, arrivals=kind),
        rates,
        some,
        times,
        times,
        kinds,
    ),
    st.builds(
        lambda steps, kind: Steps([{"rate": rate, "for_s": s} for rate, s in steps], kind),
        st.lists(st.tuples(some, times), min_size=1, max_size=4),
        kinds,
    ),
)


@given(shapes, st.integers(0, 99))
def test_every_shape_keeps_its_laws(load: Load, seed: int) -> None:
    assert load.count is not None
    assert load.lasts_s is not None
    offsets = load.offsets_ns(load.count, seed)
    assert offsets is not None
    assert offsets == load.offsets_ns(load.count, seed)
    assert len(offsets) == load.count
    assert offsets.tolist() == sorted(offsets)
    assert offsets[0] >= 0
    assert offsets[-1] <= load.lasts_s * S + 1
    assert load.rate_per_s is not None
    assert load.count == pytest.approx(load.rate_per_s * load.lasts_s, abs=1)


def test_poisson_arrivals_follow_the_rate() -> None:
    load = Steps([{"rate": 100, "for_s": 50}, {"rate": 300, "for_s": 50}], "poisson")
    assert load.count == 20_000
    offsets = load.offsets_ns(load.count, seed=3)
    assert offsets is not None
    early = sum(at < 50 * S for at in offsets)
    assert early == pytest.approx(5_000, abs=5 * 61)  # five standard deviations of a binomial(20,000, 1/4)
    assert offsets != load.offsets_ns(load.count, seed=4)
    own = Steps(load.steps, "poisson", seed=9)
    assert own.offsets_ns(100, seed=1) == own.offsets_ns(100, seed=2)


def test_closed_shapes_have_levels_and_an_end_and_no_count() -> None:
    stairs = Steps([{"concurrency": 2, "for_s": 10}, {"concurrency": 8, "for_s": 5}, {"concurrency": 1, "for_s": 5}])
    assert (stairs.slots, stairs.count, stairs.rate_per_s, stairs.lasts_s) == (8, None, None, 20)
    assert stairs.levels == (Level(0, 2), Level(10 * S, 8), Level(15 * S, 1))
    assert starts_ns(stairs, 1, 5, 1) is None
    soak = Soak(60, concurrency=3)
    assert (soak.slots, soak.levels, soak.count, soak.lasts_s) == (3, (Level(0, 3),), None, 60)
    assert soak.offsets_ns(3, 1) is None


@pytest.mark.parametrize(
    ("load", "starts"),
    [
        (Soak(2, rate=2.0), [0, 0.5, 1, 1.5, 2, 2.5]),
        (Ramp(0, 2, 2), [0, 1, 2, 3.414]),  # opens with no rate: the mean stands in
        (Spike(4, 8, 0.5, 0.25), [0, 0.25, 0.5, 0.75, 1, 1.125, 1.25, 1.5]),
    ],
    ids=str,
)
def test_warm_up_comes_before_the_shape_at_the_rate_that_it_opens_with(load: Load, starts: list[float]) -> None:
    assert load.count is not None
    made = starts_ns(load, 2, load.count, 1)
    assert made is not None
    assert [round(at / S, 3) for at in made] == starts


def test_a_trace_has_lengths_and_says_where_it_has_none() -> None:
    assert Trace("f", [0, 1], [5, 6], [7, None]).lengths() == [(5, 7), (6, None)]
    assert Trace("f", [0, 1]).lengths() == [(None, None)] * 2


FIELDS: dict[str, dict[str, Any]] = {
    "closed": {"concurrency": 2},
    "constant": {"rate": 2.0},
    "poisson": {"rate": 2.0, "seed": None},
    "gamma": {"rate": 2.0, "burstiness": 0.5, "seed": 1},
    "ramp": {"from_rate": 0.0, "to_rate": 2.0, "duration_s": 3.0, "arrivals": "even", "seed": None},
    "steps": {"steps": [{"rate": 2.0, "concurrency": None, "for_s": 1.0}], "arrivals": "even", "seed": None},
    "spike": {"base_rate": 1.0, "peak_rate": 2.0, "at_s": 1.0, "for_s": 1.0, "duration_s": None},
    "soak": {"duration_s": 1.0, "rate": None, "concurrency": 2},
    "trace": {"file": "f", "at_ns": (0,), "input_tokens": (1,), "output_tokens": (1,), "speed": 1.0},
}


@pytest.mark.parametrize("kind", LOADS)
def test_every_kind_is_built_from_a_plans_fields(kind: str) -> None:
    made = type(load_of({"kind": kind, **FIELDS[kind]}))
    assert f"{made.__module__}.{made.__name__}" == LOADS[kind]
