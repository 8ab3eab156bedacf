"""Several measuring processes, one load: each trial once, one schedule, and a worker's death costs nothing else."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from benchbook.records import Trial
from benchbook.results import journal
from benchbook.runner.lanes import Share
from benchbook.runner.measuring import Left
from benchbook.runner.stored import stored_plan
from benchbook.stages.execute import execute_apart, interrupt_children
from benchbook.stages.store import store
from tests.conftest import Bench

SLOW = {"ttft_ms": 60, "token_ms": 1, "tokens_out": 4}


def stored(bench: Bench) -> journal.JournalRun:
    return journal.read_run(bench.results, bench.run_ids()[-1])


def ids(trials: list[Trial]) -> list[str]:
    return sorted(trial.planned.trial_id for trial in trials)


def when(seen: Callable[[dict[str, Any]], bool], act: Callable[[], object]) -> Callable[[Any], None]:
    """Do `act` once, when progress is such."""
    acted = threading.Event()

    def look(progress: Any) -> None:
        if not acted.is_set() and seen(progress):
            acted.set()
            act()

    return look


def kill_worker(bench: Bench, number: int) -> None:
    """SIGKILL one worker, by the pid that its segment names."""
    for segment in stored(bench).segments:
        if segment.start["worker"] == number:
            os.kill(segment.start["pid"], signal.SIGKILL)
            return
    raise AssertionError(f"no worker {number}")


def test_a_closed_load_is_dealt_to_workers_slot_by_slot(bench: Bench) -> None:
    bench.cases, bench.execute, bench.law = 8, {"load": {"kind": "closed", "concurrency": 5}, "warmup": 1}, SLOW
    done = execute_apart(bench.job(workers=2))
    run = stored(bench)
    plan = stored_plan(run)
    assert (done.status, run.status, len(run.sessions), len(run.segments)) == ("finished", "finished", 1, 2)
    assert ids(bench.trials()) == ids([Trial(t, "skipped", 0, 0, 0) for t in plan.trials])
    assert done.progress["succeeded"] == done.progress["planned"] == 24
    for segment in run.segments:
        mine = [trial for found, trial in run.records() if found is segment]
        share = Share(0, segment.start["worker"], 2)
        assert all(Left(plan, frozenset(), {}).holds(trial.planned, share) for trial in mine)
        assert len(mine) == sum(Left(plan, frozenset(), {}).planned(share).values())
        edges = sorted([(t.started_ns, 1) for t in mine] + [(t.calls[-1].closed_ns, -1) for t in mine])
        level, most = 0, 0
        for _, step in edges:
            level += step
            most = max(most, level)
        assert most == share.slots(5)


def test_an_open_load_is_one_schedule_for_all_workers(bench: Bench) -> None:
    bench.cases, bench.execute = 12, {"load": {"kind": "poisson", "rate": 60}, "warmup": 0}
    assert execute_apart(bench.job(workers=3)).status == "finished"
    trials = bench.trials()
    starts = {trial.intended_ns - (trial.planned.intended_offset_ns or 0) for trial in trials}
    assert len(trials) == 24
    assert len(starts) == 1, "all count from the same start"
    assert len({segment.start["wall_offset_ns"] for segment in stored(bench).segments}) == 1


def test_a_cap_is_dealt_out_and_a_cold_prompt_stays_cold_with_workers(bench: Bench) -> None:
    """Four workers are asked for; the cap of three makes them three, with room for one trial each."""
    bench.cases, bench.law, bench.targets = 12, {**SLOW, "tokens_out": 16}, ("openai",)
    load = {"kind": "constant", "rate": 200}
    bench.execute = {"load": load, "warmup": 0, "max_in_flight": 3, "cache": "cold"}
    assert execute_apart(bench.job(workers=4)).status == "finished"
    trials, run = bench.trials(), stored(bench)
    assert len(run.segments) == 3
    edges = [(t.calls[0].sent_ns or 0, 1) for t in trials] + [(t.calls[-1].closed_ns, -1) for t in trials]
    assert max(accumulate(step for _, step in sorted(edges))) == 3
    plan = replace(stored_plan(run), salt=run.run_id)
    meant = {trial.trial_id: plan.request(trial).messages[0].content for trial in plan.trials}
    assert len(set(meant.values())) == len(trials) == 24
    for trial in trials:
        assert trial.answers[0].text.startswith(meant[trial.planned.trial_id])


def test_a_worker_that_dies_is_told_and_its_missing_trials_are_done(bench: Bench) -> None:
    bench.cases, bench.law = 10, SLOW
    bench.execute = {"load": {"kind": "closed", "concurrency": 2}, "repetitions": 3, "warmup": 0}
    watch = when(lambda progress: progress["done"] >= 4, lambda: kill_worker(bench, 1))
    done = execute_apart(bench.job(workers=2), watch)
    run = stored(bench)
    assert (done.status, run.status) == ("finished", "finished")
    assert any("worker 1 died (killed by SIGKILL)" in note for note in done.notes)
    assert ids(bench.trials()) == ids([Trial(t, "skipped", 0, 0, 0) for t in stored_plan(run).trials])
    assert done.progress["succeeded"] == 30
    assert [
        (event.kind, event.name, event.fields["worker"]) for _, event in run.events() if event.kind == "worker"
    ] == [("worker", "died", 1)]
    ends = {segment.start["worker"]: segment.end for segment in run.segments}
    assert [segment.end is None for segment in run.segments].count(True) == 1
    assert all(ends.values()), "each worker's last segment says how it ended"
    store(bench.job(), done.run_id)
    (row,) = pq.read_table(bench.results / "tables" / "runs" / f"run_id={done.run_id}").to_pylist()
    assert row["verdict"] != "VALID"
    assert any("worker 1" in reason for reason in row["reasons"])
    assert (row["sessions"], row["succeeded"], row["not_started"]) == (1, 30, 0)


def test_interrupted_workers_end_gracefully_and_are_resumed_by_any_number(bench: Bench) -> None:
    bench.cases, bench.law = 10, SLOW
    bench.execute = {"load": {"kind": "closed", "concurrency": 2}, "repetitions": 3, "warmup": 0}

    watch = when(lambda progress: progress["done"] >= 4, interrupt_children)
    done = execute_apart(bench.job(workers=2), watch)
    before = bench.trials()
    assert done.status == "interrupted"
    assert stored(bench).status == "interrupted"
    assert 4 <= len(before) < 30
    resumed = execute_apart(bench.job(resume=done.run_id, workers=3))
    assert resumed.status == "finished"
    assert len(stored(bench).sessions) == 2
    assert ids(bench.trials()) == ids([Trial(t, "skipped", 0, 0, 0) for t in stored_plan(stored(bench)).trials])
    assert resumed.progress["succeeded"] == 30


def test_an_interrupt_before_the_load_ends_the_process_without_a_word(
    bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    bench.targets = ("openai",)
    hasty = threading.Thread(target=until, args=(interrupt_children,))
    hasty.start()
    with pytest.raises(KeyboardInterrupt):
        execute_apart(bench.job())
    hasty.join()
    assert capfd.readouterr().err == ""


def test_an_interrupt_that_comes_before_the_workers_listen_is_not_lost(bench: Bench) -> None:
    bench.cases, bench.law = 10, SLOW
    bench.execute = {"load": {"kind": "closed", "concurrency": 2}, "repetitions": 20, "warmup": 0}
    seen: list[int] = []
    hasty = threading.Thread(target=until, args=(lambda: bool(seen) or (_a_worker() and interrupt_children()),))
    hasty.start()
    done = execute_apart(bench.job(workers=2))
    seen.append(1)
    hasty.join()
    assert done.status == "interrupted"
    assert len(bench.trials()) < 20


def until(met: Callable[[], bool]) -> None:
    """Ask until it is so, at most half a minute."""
    for _ in range(30_000):
        if met():
            return
        time.sleep(0.001)


def _a_worker() -> bool:
    """Whether a worker of ours is there."""
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if b"benchbook.runner.worker" in line.read_bytes() and _session_of_ours(line.parent):
                return True
    return False


def _session_of_ours(process: Path) -> bool:
    """Whether the process that it is a child of is a child of this one."""
    parent = (process / "stat").read_text().rsplit(")", 1)[1].split()[1]
    grand = (Path("/proc") / parent / "stat").read_text().rsplit(")", 1)[1].split()[1]
    return int(grand) == os.getpid()


def test_a_budget_ends_all_workers(bench: Bench) -> None:
    prices = bench.folder / "prices.yaml"
    bench.cases, bench.law = 10, {**SLOW, "tokens_out": 8}
    bench.execute = {"load": {"kind": "closed", "concurrency": 2}, "repetitions": 20, "warmup": 0}
    bench.write()
    prices.write_text("date: '2026-11-01'\nprices:\n  sim: {input: 0, output: 125000}\n")
    done = execute_apart(bench.job(workers=2, overrides=(f"execute.targets.0.price={prices}#sim",), budget_usd=6.0))
    assert (done.status, stored(bench).status) == ("budget", "budget")
    assert 6 <= len(bench.trials()) < 200
