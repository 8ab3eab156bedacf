"""Profiles of the harness: kept with the run, small while they gather, and known to the run's facts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchbook.results import journal
from benchbook.results.store import read_table
from benchbook.stages.execute import execute, execute_apart
from benchbook.stages.profile import _SIZES, Memory, Samples
from benchbook.stages.store import store


def test_a_profiled_run_keeps_its_profiles_and_says_so(bench: Any) -> None:
    done = execute_apart(bench.job(profile="all"))
    folder = bench.results / "profiles" / done.run_id / "000"
    assert done.notes == (f"profile of the harness: {folder}/",)
    assert {file.name for file in folder.iterdir()} == {
        "cpu.html",
        "cpu.txt",
        "cpu.speedscope.json",
        "memory.txt",
        "rss.csv",
    }
    assert "benchbook/runner/session.py" in (folder / "cpu.txt").read_text()
    speedscope = json.loads((folder / "cpu.speedscope.json").read_text())
    assert any("runner/session.py" in (frame["file"] or "") for frame in speedscope["shared"]["frames"])
    assert "grown most" in (folder / "memory.txt").read_text()
    run = journal.read_run(bench.results, done.run_id)
    assert run.segments[0].start["profiled"] is True
    store(bench.job(), done.run_id)
    verdict = read_table(bench.results, "runs", [done.run_id])[0].to_pylist()[0]
    assert "the harness was profiled while it measured, which slows it" in verdict["reasons"]
    assert done.progress["succeeded"] == len(list(run.trials())) == 12


def test_a_run_that_is_not_profiled_has_no_such_fact(bench: Any) -> None:
    done = execute(bench.job())
    assert "profiled" not in journal.read_run(bench.results, done.run_id).segments[0].start
    assert not (bench.results / "profiles").exists()


def test_a_resume_has_a_profile_of_its_own(bench: Any) -> None:
    first = execute(bench.job(profile="memory", budget_usd=None))
    folder = bench.results / "profiles" / first.run_id
    execute(bench.job(resume=first.run_id, profile="memory"))
    assert sorted(file.name for file in folder.iterdir()) == ["000", "001"]
    assert not (folder / "000" / "cpu.txt").exists()


def busy(rounds: int) -> int:
    return sum(len(str(number)) for number in range(rounds))


def test_folding_loses_nothing_and_keeps_one_entry_a_stack() -> None:
    samples = Samples()
    samples.start()
    for _ in range(3):
        busy(60_000)
        samples._folded_ns = 0
        samples.fold()
    samples.stop()
    assert samples._count > len(samples._stacks)
    assert sum(samples._stacks.values()) == pytest.approx(samples._duration_s, rel=0.5)
    assert any("busy" in frame for stack in samples._stacks for frame in stack)


def test_readings_of_the_size_thin_out() -> None:
    memory = Memory()
    for _ in range(3 * _SIZES):
        memory.note()
    memory.stop()
    assert _SIZES / 2 <= len(memory.sizes) <= _SIZES + 1
    assert memory.sizes == sorted(memory.sizes, key=lambda reading: reading[0])
