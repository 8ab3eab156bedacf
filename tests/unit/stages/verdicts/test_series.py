"""What the verdict makes of latencies in order of time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchbook.config import StoreSection
from benchbook.stages.verdicts import Counts, Evidence, verdict
from tests.unit.stages.verdicts.evidence import EMPTY, at_ns, codes, judged, trials


def series(values: Any, metric: str = "ttft_ms") -> Evidence:
    size = len(values)
    order = np.random.default_rng(1).permutation(size)
    at = np.arange(size)[order] / 10
    rows = trials(size, **{metric: np.asarray(values)[order]}, intended_ns=at_ns(at), started_ns=at_ns(at))
    return replace(
        EMPTY, trials=rows.set_column(rows.schema.get_field_index("ended_ns"), "ended_ns", [at_ns(at + 0.05)])
    )


NOISE = np.random.default_rng(2).normal(200, 5, 500)


def test_drift_and_warm_up_are_found_in_order_of_start_and_not_of_rows() -> None:
    ramp = NOISE * (1 + 0.4 * np.arange(500) / 500)
    code, severity, value, limit = judged(series(ramp))[0]
    assert (code, severity, limit) == ("no_steady_state", "DEGRADED", 0.1)
    assert value == pytest.approx(0.33, abs=0.1)
    slow = np.concatenate([NOISE[:50] * 2, NOISE[50:]])
    assert codes(series(slow)) == ["warm_up_measured"]
    assert codes(series(NOISE)) == []
    assert codes(series(ramp, "e2e_ms")) == ["no_steady_state"]
    assert codes(series(ramp), drift=None) == ["neighbours_alike"]
    assert codes(series(ramp), drift=None, inflation=None) == []


def test_neighbours_that_are_alike_speak_for_fewer() -> None:
    """Correlation 0.6 from one to the next: the mean of them varies four times as much as that of independent ones."""
    alike = np.random.default_rng(3).normal(0, 1, 400)
    for place in range(1, 400):
        alike[place] = 0.6 * alike[place - 1] + 0.8 * alike[place]
    ((code, severity, value, limit),) = judged(series(200 + 5 * alike))
    assert (code, severity, limit) == ("neighbours_alike", "DEGRADED", 2.0)
    assert value == pytest.approx(4, abs=1)
    assert codes(series(200 + 5 * alike), inflation=None) == []
    assert codes(series(200 + 5 * alike), inflation=8) == []
    assert codes(series(200 + 5 * np.random.default_rng(4).permutation(alike))) == []
    assert codes(series((200 + 5 * alike)[:49])) == []


def test_too_few_samples_for_the_wanted_quantile() -> None:
    assert judged(series(NOISE[:58]), quantile=0.95) == [("too_few_samples", "DEGRADED", 58.0, 59.0)]
    assert codes(series(NOISE[:59]), quantile=0.95) == []
    assert codes(series(NOISE[:298]), quantile=0.99) == ["too_few_samples"]
    assert codes(series(NOISE[:3]), quantile=None) == []


@pytest.mark.parametrize(
    ("measured", "succeeded", "missing", "said"),
    [
        (10, 10, 0, "there are 10 (the plan is small: 6 times its trials would do"),
        (10, 10, 5, "there are 10"),
        (80, 20, 0, "there are 20 of 80 tried"),
    ],
)
def test_a_plan_is_called_small_only_if_all_of_it_was_tried(
    measured: int, succeeded: int, missing: int, said: str
) -> None:
    rows = trials(measured, status=["success"] * succeeded + ["failure"] * (measured - succeeded))
    counts = Counts(measured + missing, succeeded, measured - succeeded, 0, 0)
    found = verdict(replace(EMPTY, trials=rows, counts=counts), StoreSection()).reasons
    sentence = next(one.sentence for one in found if one.code == "too_few_samples")
    assert said in sentence
    assert ("the plan is small" in sentence) is ("the plan is small" in said)
