"""Calibration: the numbers out of known errors, and one run's out of several."""

from __future__ import annotations

import pytest

from benchbook.stats.calibration import Burst, calibrated, of_run

ERRORS = [0.01 * n for n in range(1, 201)]


def test_bias_is_the_median_and_u_half_of_the_middle_95_percent() -> None:
    found = calibrated(ERRORS, [*ERRORS, *ERRORS], Burst(streams=30, chunks=1920, seconds=0.5))
    assert found.ttft_bias_ms == pytest.approx(1.005)
    assert found.ttft_bias_low_ms is not None
    assert found.ttft_bias_high_ms is not None
    assert found.ttft_bias_low_ms < 1.005 < found.ttft_bias_high_ms
    assert found.ttft_u_ms == pytest.approx(0.95 * 1.99 / 2)
    assert found.chunk_error_p99_ms == pytest.approx(1.98, abs=0.01)
    assert (found.streams_per_s, found.chunks_per_s) == (60, 3840)


def test_what_n_can_not_carry_is_refused() -> None:
    few = calibrated(ERRORS[:118], ERRORS[:298])
    assert few.ttft_bias_ms is not None
    assert (few.ttft_u_ms, few.chunk_error_p99_ms, few.streams_per_s) == (None, None, None)
    assert calibrated([], []).ttft_bias_ms is None


def test_before_and_after_together_widen_the_statement() -> None:
    before = {"ttft_bias_ms": 0.1, "ttft_u_ms": 0.05, "chunk_error_p99_ms": 0.3, "streams_per_s": 900.0}
    after = {"ttft_bias_ms": 0.3, "ttft_u_ms": 0.02, "chunk_error_p99_ms": 0.2, "streams_per_s": 700.0}
    found = of_run([before, after])
    assert (found["ttft_bias_ms"], found["ttft_u_ms"]) == (pytest.approx(0.2), pytest.approx(0.15))
    assert (found["chunk_error_p99_ms"], found["streams_per_s"]) == (0.3, 700.0)
    assert set(of_run([]).values()) == {None}
    assert of_run([before])["ttft_u_ms"] == 0.05
