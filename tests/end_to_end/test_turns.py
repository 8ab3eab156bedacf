"""Targets that take turns, in real runs: one at a time is under load, in the order of the plan, whoever measures."""

from __future__ import annotations

import os
import signal
from itertools import groupby, pairwise
from typing import Any

from benchbook.records import Trial
from benchbook.results import journal
from benchbook.results.store import read_table
from benchbook.stages.execute import execute, execute_apart
from benchbook.stages.store import store
from tests.conftest import Bench

ABBA = {"order": "abba", "leg_trials": 4, "repetitions": 4, "warmup": 1}


def by_start(trials: list[Trial]) -> list[Trial]:
    return sorted(trials, key=lambda trial: trial.started_ns)


def assert_in_turn(trials: list[Trial], legs: int) -> None:
    """Legs follow one another in the order of the plan, and none begins before the one before has ended."""
    found = [list(leg) for _, leg in groupby(by_start(trials), key=leg_of)]
    assert len(found) == legs
    firsts = [min(trial.planned.position for trial in leg) for leg in found]
    assert firsts == sorted(firsts)
    for before, after in pairwise(found):
        assert max(trial.ended_ns for trial in before) <= min(trial.started_ns for trial in after)


def leg_of(trial: Trial) -> tuple[Any, ...]:
    return trial.planned.target, trial.planned.block, trial.planned.block_place


def test_one_target_at_a_time_is_under_load_and_the_order_is_stored(bench: Bench) -> None:
    load = {"kind": "poisson", "rate": 400}
    bench.targets, bench.execute = ("openai", "anthropic"), {**ABBA, "load": load}
    done = execute(bench.job())
    assert (done.status, done.progress["succeeded"]) == ("finished", 40)
    assert_in_turn(bench.trials(), legs=2 + 8)
    store(bench.job())
    table, _ = read_table(bench.results, "trials")
    rows = table.to_pylist()
    assert [row["position"] for row in rows] == list(range(40))
    measured = [row for row in rows if row["phase"] == "measured"]
    assert [row["block"] for row in measured] == [0] * 16 + [1] * 16
    assert [row["block_place"] for row in measured[:16]] == [n // 4 for n in range(16)]
    asked = {name: [row["test_id"] for row in measured if row["target"] == name] for name in done_targets(rows)}
    assert len({tuple(cases) for cases in asked.values()}) == 1


def done_targets(rows: list[dict[str, Any]]) -> set[str]:
    return {row["target"] for row in rows}


def test_workers_begin_every_leg_together_and_a_successor_joins_where_they_are(bench: Bench) -> None:
    bench.targets, bench.execute = (
        ("openai", "anthropic"),
        {**ABBA, "repetitions": 8, "load": {"kind": "closed", "concurrency": 4}},
    )
    bench.law = {"ttft_ms": 30}
    killed: list[int] = []

    def kill(progress: Any) -> None:
        if not killed and progress["done"] >= 12:
            segment = journal.read_run(bench.results, bench.run_ids()[-1]).segments[-1]
            killed.append(segment.start["pid"])
            os.kill(killed[0], signal.SIGKILL)

    done = execute_apart(bench.job(workers=2), kill)
    assert killed
    assert (done.status, done.progress["succeeded"]) == ("finished", 72)
    assert any("a successor does what it left" in note for note in done.notes)
    trials = bench.trials()
    assert len({trial.planned.trial_id for trial in trials}) == 72
    alone = [name for name, _ in groupby(by_start(trials), key=lambda trial: trial.planned.target)]
    assert len(alone) <= 2 + 2 * 8
    ends = dict.fromkeys(("openai-sim", "anthropic-sim"), 0)
    for trial in by_start(trials):
        other = next(name for name in ends if name != trial.planned.target)
        assert ends[other] <= trial.started_ns or trial.planned.block is None
        ends[trial.planned.target] = max(ends[trial.planned.target], trial.ended_ns)
