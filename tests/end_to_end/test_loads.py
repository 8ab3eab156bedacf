"""Loads as they are measured: a cap that waits or drops in plain sight, a closed loop that its time ends, thinking."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from benchbook.history import ask, run_row
from benchbook.records import Trial
from benchbook.schedules import think_ns
from benchbook.stages.execute import execute
from benchbook.stages.store import store

MS = 1_000_000


def measured(bench: Any, **plan: Any) -> list[Trial]:
    """The trials in their planned order; no warm-up."""
    bench.execute = {"warmup": 0, **plan}
    assert execute(bench.job()).status == "finished"
    return sorted(bench.trials(), key=lambda trial: trial.planned.position)


def most_in_flight(trials: list[Trial]) -> int:
    """The largest number of exchanges under way at once, by their own stamps."""
    steps = [(call.sent_ns or call.taken_up_ns, 1) for trial in trials for call in trial.calls]
    steps += [(call.closed_ns, -1) for trial in trials for call in trial.calls]
    level = most = 0
    for _, step in sorted(steps):
        level += step
        most = max(most, level)
    return most


def test_what_finds_no_room_is_dropped_as_a_row(bench: Any) -> None:
    bench.law = {"ttft_ms": 400}
    load = {"kind": "constant", "rate": 1000}
    trials = measured(bench, load=load, trials=30, max_in_flight=3, on_full="drop")
    dropped = [trial for trial in trials if trial.error_kind == "dropped"]
    sent = [trial for trial in trials if trial.calls]
    assert [trial.status for trial in trials[:3]] == ["success"] * 3
    assert len(dropped) + len(sent) == 30
    assert dropped
    assert {trial.status for trial in dropped} == {"failure"}
    assert all(trial.started_ns >= trial.intended_ns for trial in dropped)
    assert dropped[0].error_message == "3 in flight already (execute.max_in_flight)"
    assert most_in_flight(trials) <= 3
    store(bench.job())
    (goodput,) = ask("goodput", bench.results, slos={"ttft_ms": 60_000})
    assert (goodput["attempted"], goodput["good"]) == (30, len(sent))
    (row,) = [row for row in ask("errors", bench.results) if row["level"] == "trial"]
    assert (row["error_kind"], row["n"]) == ("dropped", len(dropped))
    run = run_row(bench.results, bench.run_ids()[-1])
    assert run["planned"] == run["succeeded"] + run["failed"] == 30


def test_what_waits_for_room_keeps_its_intended_start(bench: Any) -> None:
    bench.law = {"ttft_ms": 30}
    trials = measured(bench, load={"kind": "constant", "rate": 1000}, trials=9, max_in_flight=2)
    assert {trial.status for trial in trials} == {"success"}
    assert [later.intended_ns - earlier.intended_ns for earlier, later in pairwise(trials)] == [MS] * 8
    assert most_in_flight(trials) <= 2
    assert trials[-1].started_ns - trials[-1].intended_ns > 4 * 30 * MS - 8 * MS  # four pairs of answers before it


def test_a_retry_waits_for_room_as_well(bench: Any) -> None:
    bench.faults = [{"kind": "server_error", "every": 2}]
    trials = measured(bench, load={"kind": "constant", "rate": 1000}, trials=8, max_in_flight=1)
    assert {trial.status for trial in trials} == {"success"}
    assert max(len(trial.calls) for trial in trials) > 1
    assert most_in_flight(trials) == 1


@pytest.mark.parametrize(
    "load",
    [
        {"kind": "soak", "concurrency": 2, "duration_s": 0.3},
        {"kind": "steps", "steps": [{"concurrency": 1, "for_s": 0.1}, {"concurrency": 3, "for_s": 0.2}]},
    ],
    ids=lambda load: load["kind"],
)
def test_a_closed_load_with_an_end_leaves_rows_of_what_is_left_over(bench: Any, load: dict[str, Any]) -> None:
    bench.law = {"ttft_ms": 40}
    trials = measured(bench, load=load, trials=200)
    taken = [trial for trial in trials if trial.status == "success"]
    left = [trial for trial in trials if trial.error_kind == "time_up"]
    assert len(taken) + len(left) == 200
    assert taken
    assert {trial.status for trial in left} == {"skipped"}
    assert max(trial.intended_ns for trial in taken) - trials[0].intended_ns < 300 * MS
    assert most_in_flight(trials) <= (2 if load["kind"] == "soak" else 3)
    store(bench.job())
    run = run_row(bench.results, bench.run_ids()[-1])
    assert (run["status"], run["skipped"], run["not_started"]) == ("finished", len(left), 0)
    assert not any("were skipped" in reason for reason in run["reasons"])


def test_a_user_thinks_between_two_trials(bench: Any) -> None:
    law = {"kind": "uniform", "from_s": 0.01, "to_s": 0.03}
    trials = measured(bench, load={"kind": "closed", "concurrency": 1}, trials=6, think_s=law)
    for earlier, later in pairwise(trials):
        assert later.intended_ns - earlier.calls[-1].closed_ns == think_ns(law, earlier.planned.seed)
