"""The harness against its own sender: the same path as a provider's, stamps joined by request, nothing left behind."""

from __future__ import annotations

import threading
from typing import Any

from benchbook.results.journal import read_run
from benchbook.results.store import read_table
from benchbook.runner.harness.calibrating import calibrate, calibration_seconds
from benchbook.runner.harness.loopback import CHUNKS, PACED
from benchbook.stages.execute import execute
from benchbook.stages.store import store
from tests.conftest import Bench


async def test_it_takes_in_every_chunk_after_it_was_sent() -> None:
    before = threading.active_count()
    found = await calibrate(0.2, streams=2)
    assert found.n > 0
    assert found.chunks == found.n * CHUNKS[PACED]
    assert found.streams_per_s is not None
    assert found.chunks_per_s is not None
    assert found.chunks_per_s / found.streams_per_s > 1
    errors = [found.ttft_bias_low_ms, found.chunk_error_p50_ms]
    assert all(error is None or error > 0 for error in errors), "no byte arrives before it was sent"
    assert threading.active_count() == before


def test_what_a_plan_may_say() -> None:
    assert [calibration_seconds(asked) for asked in (True, False, 0.1, 2.0)] == [0.3, 0.0, 0.1, 2.0]


def calibrations(bench: Bench, repetitions: int) -> list[Any]:
    """What a run of four cases leaves of its calibrations in the journal."""
    bench.execute = {"calibrate": 0.1, "repetitions": repetitions, "warmup": 0}
    run = read_run(bench.results, execute(bench.job()).run_id)
    return [event.fields for _, event in run.events() if (event.kind, event.name) == ("harness", "calibration")]


def test_a_run_is_calibrated_after_it_and_a_long_one_before_as_well(bench: Bench) -> None:
    (after,) = calibrations(bench, 2)
    assert [one["when"] for one in calibrations(bench, 125)] == ["before", "after"]
    job = bench.job()
    first = bench.run_ids()[0]
    store(job, first)
    run = read_table(bench.results, "runs", [first])[0].to_pylist()[0]
    assert after["when"] == "after"
    assert run["calibration_streams_per_s"] == after["streams_per_s"] > 0
    assert run["calibration_ttft_bias_ms"] == after["ttft_bias_ms"]


def test_a_calibration_is_no_part_of_what_is_measured(bench: Bench) -> None:
    def measured(asked: Any) -> Any:
        bench.execute = {"calibrate": asked}
        return bench.job().spec().measured()

    assert measured(True) == measured(False) == measured(2.0)
