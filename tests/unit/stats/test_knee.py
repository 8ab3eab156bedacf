"""The knee of a curve, on curves whose knee is plain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbook.stats.knee import Knee, gain, knee


@pytest.mark.parametrize(
    ("points", "found"),
    [
        ([(1, 10), (2, 20), (4, 40), (8, 42), (16, 42)], Knee(4, 8, pytest.approx(0.05))),
        ([(8, 42), (1, 10), (4, 40), (2, 20)], Knee(4, 8, pytest.approx(0.05))),
        ([(1, 10), (2, 15), (4, 22.5)], None),  # each step gains exactly half
        ([(1, 10), (2, 14.9)], Knee(1, 2, pytest.approx(0.49))),
        ([(1, 10), (2, 5)], Knee(1, 2, pytest.approx(-0.5))),
        ([(1, 0), (2, 5), (4, 10)], None),  # nothing came out at first: no gain to speak of
        ([(1, 10)], None),
        ([], None),
    ],
)
def test_the_knee_lies_before_the_first_step_that_gains_too_little(
    points: list[tuple[float, float]], found: Knee | None
) -> None:
    assert knee(points) == found


def test_how_little_is_too_little_is_asked() -> None:
    points = [(1.0, 10.0), (2.0, 18.0), (4.0, 20.0)]
    assert knee(points, least=0.9) == Knee(1, 2, pytest.approx(0.8))
    assert knee(points, least=0.1) is None


@given(st.floats(0.1, 1e4), st.floats(1.01, 10), st.floats(0.1, 1e4))
def test_the_gain_is_one_while_throughput_grows_with_the_load(load: float, factor: float, out: float) -> None:
    assert gain((load, out), (load * factor, out * factor)) == pytest.approx(1)
    assert gain((load, out), (load * factor, out)) == pytest.approx(0)
