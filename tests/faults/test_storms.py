"""A storm of 429: a breaker slows the run down and ends it not, and every change of it is a row."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from itertools import pairwise
from typing import Any

from benchbook.history import ask
from benchbook.results import journal
from benchbook.stages.execute import execute
from benchbook.stages.store import store

BREAKER = {"window": 6, "min_calls": 3, "open_s": 0.03, "cap_s": 0.06}
LEADS_TO = {"closed": {"open"}, "open": {"half_open"}, "half_open": {"open", "closed"}}
CLOSED_LOOP = {"kind": "closed", "concurrency": 4}
STORM = 12
"""So many answers in a row are 429, after the first eight."""


def stormy(bench: Any, retries: dict[str, Any], **execute_section: Any) -> list[str]:
    """Run 40 trials through the storm; what the live view was told of the target."""
    storm = {"kind": "rate_limited", "retry_after_s": 0, "script": list(range(9, 9 + STORM))}
    bench.cases, bench.faults = 20, [storm]
    bench.execute = {"warmup": 0, "breaker": BREAKER, "load": CLOSED_LOOP, "retries": retries, **execute_section}
    seen: list[str] = []
    done = execute(bench.job(), lambda report: seen.append(report["targets"]["openai-sim"]["state"]))
    assert done.status == "finished"
    assert len(bench.trials()) == 40
    return seen


def states(bench: Any, target: str = "openai-sim") -> list[str]:
    """As the journal has them, in order of time."""
    events = [event for _, event in journal.read_run(bench.results, bench.run_ids()[-1]).events()]
    found = [event for event in events if event.kind == "breaker" and event.target == target]
    assert [event.at_ns for event in found] == sorted(event.at_ns for event in found)
    names = [event.name for event in found]
    assert all(after in LEADS_TO[before] for before, after in pairwise(names))
    return names


def test_a_storm_slows_the_run_down_without_ending_it(bench: Any) -> None:
    seen = stormy(bench, {"attempts": 1})
    trials = bench.trials()
    failed = [trial for trial in trials if trial.status == "failure"]
    assert {trial.error_kind for trial in failed} == {"rate_limited"}
    assert len(failed) == STORM  # each of its answers met a trial, and nothing else failed
    assert trials[-1].status == "success"
    assert set(seen) & {"breaker open", "breaker half open"}

    store(bench.job())
    rows = ask("breaker", bench.results)
    assert [row["state"] for row in rows] == states(bench)
    assert (rows[0]["state"], rows[0]["reason"], rows[-1]["state"]) == ("closed", "start", "closed")
    opened = [row for row in rows if row["state"] == "open"]
    assert [row["reason"] for row in opened] == ["share"] + ["probe"] * (len(opened) - 1)
    assert [row["openings"] for row in opened] == list(range(1, len(opened) + 1))
    for row in opened:
        assert row["lasted_s"] >= min(0.03 * 2 ** (row["openings"] - 1), 0.06)

    late = [trial for trial in trials if trial.started_ns - trial.intended_ns >= 30_000_000]
    assert late  # whoever waited was late, and its own time had not begun
    assert all(trial.calls[0].taken_up_ns == trial.started_ns for trial in late)
    assert all(trial.calls[0].backoff_ns == 0 for trial in late)


def test_an_open_loop_waits_as_well_and_keeps_its_schedule(bench: Any) -> None:
    stormy(bench, {"attempts": 1}, load={"kind": "constant", "rate": 200})
    trials = sorted(bench.trials(), key=lambda trial: trial.planned.position)
    assert bench.statuses() == {"failure": STORM, "success": 40 - STORM}
    assert {later.intended_ns - earlier.intended_ns for earlier, later in pairwise(trials)} == {5_000_000}
    assert states(bench)[:2] == ["closed", "open"]


def test_retries_wait_at_the_same_gate(bench: Any) -> None:
    stormy(bench, {"attempts": 20, "base_s": 0.001, "cap_s": 0.001})
    trials = bench.trials()
    assert {trial.status for trial in trials} == {"success"}
    calls = [call for trial in trials for call in trial.calls]
    assert sum(call.error_kind == "rate_limited" for call in calls) == STORM
    assert any(call.backoff_ns >= 30_000_000 for call in calls)
    assert states(bench).count("open") >= 3


def test_a_retry_whose_time_is_up_while_it_waits_is_a_failure_that_says_so(bench: Any) -> None:
    bench.cases, bench.faults = 3, [{"kind": "rate_limited", "retry_after_s": None, "script": [1]}]
    breaker = {"window": 1, "min_calls": 1, "open_s": 1.2}
    bench.execute = {"warmup": 0, "repetitions": 1, "timeout_s": 1, "breaker": breaker}
    bench.execute |= {"load": {"kind": "closed", "concurrency": 1}, "retries": {"attempts": 5, "base_s": 0.001}}
    execute(bench.job())
    first, second, third = bench.trials()
    assert (first.status, first.error_kind, len(first.calls)) == ("failure", "rate_limited", 1)
    assert "breaker stayed open until the trial's time was up" in (first.error_message or "")
    assert (second.status, third.status) == ("success", "success")
    assert (
        second.started_ns - first.calls[0].closed_ns >= 1_200_000_000
    )  # the whole pause: a time of its own begins then


def test_a_target_that_is_well_is_not_held_back_by_another(bench: Any) -> None:
    bench.targets, bench.cases = ("openai", "ollama"), 10
    bench.faults = [{"kind": "server_error", "every": 1, "match": "sim-openai"}]
    bench.execute = {"warmup": 0, "breaker": {**BREAKER, "cap_s": 0.03}, "retries": {"attempts": 1}}
    execute(bench.job())
    by_target = {trial.planned.target: trial.status for trial in bench.trials()}
    assert by_target == {"openai-sim": "failure", "ollama-sim": "success"}
    assert bench.statuses() == {"failure": 20, "success": 20}
    assert states(bench, "ollama-sim") == ["closed"]
    assert states(bench)[:4] == ["closed", "open", "half_open", "open"]


def test_an_interrupt_does_not_wait_for_a_pause(bench: Any) -> None:
    bench.cases, bench.faults = 10, [{"kind": "server_error", "every": 1}]
    bench.execute = {"breaker": {**BREAKER, "open_s": 600, "cap_s": 600}, "retries": {"attempts": 1}}
    words = ["stage", "execute", "--plan", str(bench.write()), "--results", str(bench.results)]
    with subprocess.Popen([sys.executable, "-m", "benchbook", *words], stderr=subprocess.PIPE) as running:
        ending = threading.Timer(60, running.kill)  # a run that can't be interrupted must not outlive its test
        ending.start()
        while not (bench.results.is_dir() and bench.run_ids() and "open" in states(bench)):
            assert running.poll() is None
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        running.communicate()
        ending.cancel()
    assert running.returncode == 130
    run = journal.read_run(bench.results, bench.run_ids()[0])
    assert run.status == "interrupted"
    assert 3 <= len(list(run.trials())) <= 3 + 5  # those in flight when it opened; the others are not started


def test_without_a_breaker_nothing_waits_and_nothing_is_noted(bench: Any) -> None:
    stormy(bench, {"attempts": 1}, breaker=None)
    assert bench.statuses() == {"failure": STORM, "success": 40 - STORM}
    assert states(bench) == []
