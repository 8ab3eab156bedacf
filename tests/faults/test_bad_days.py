"""Bad days of a whole run, caused for real: a disk that is full, a folder that is busy or can't be written."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchbook.results import journal
from benchbook.stages.execute import execute


def benchbook(*words: str, most_bytes: int | None = None) -> subprocess.CompletedProcess[str]:
    """The command as a process; no file may grow beyond `most_bytes`, as on a disk that is full."""

    def limited() -> None:
        if most_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    command = [sys.executable, "-m", "benchbook", *words]
    return subprocess.run(command, capture_output=True, text=True, preexec_fn=limited, check=False)


def errors(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert "Traceback" not in done.stderr, done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("error:")]


def test_a_full_disk_loses_nothing_that_was_finished(bench: Any) -> None:
    bench.execute = {"repetitions": 5}
    bench.write()
    words = ("run", "--no-flow", "--plan", str(bench.plan), "--results", str(bench.results))
    done = benchbook(*words, most_bytes=20_000)
    assert done.returncode == 2
    (line,) = errors(done)
    safe = len(bench.trials())
    assert 0 < safe < 24
    assert f"{safe} finished trials are safe there" in line
    assert f"benchbook run --resume {bench.run_ids()[0]} --results {bench.results}" in line
    resumed = execute(bench.job(resume="latest"))
    assert (resumed.status, len(bench.trials()), bench.run_ids()) == ("finished", 24, [resumed.run_id])


def test_two_runs_at_once_in_one_folder(bench: Any) -> None:
    bench.write()
    with journal.lock(bench.results):
        done = benchbook("stage", "execute", "--plan", str(bench.plan), "--results", str(bench.results))
    assert done.returncode == 2
    (line,) = errors(done)
    assert "at work in it" in line
    assert bench.run_ids() == []


@pytest.mark.parametrize("verb", [("stage", "execute"), ("run", "--no-flow")])
def test_a_folder_that_can_not_be_written(bench: Any, verb: tuple[str, ...]) -> None:
    bench.write()
    results = Path(bench.plan) / "below" / "a" / "file"
    done = benchbook(*verb, "--plan", str(bench.plan), "--results", str(results))
    assert done.returncode == 2
    (line,) = errors(done)
    assert str(results) in line
    assert "can't be written" in line
