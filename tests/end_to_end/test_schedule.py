"""A schedule that really fires, dies in mid-run, and is taken up again. One story, for its waits are long."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchbook.results import journal
from tests.worlds import QUIET

LONG_S = 240
SLOW = {"repetitions": 4, "warmup": 0, "load": {"kind": "closed", "concurrency": 1}, "delay_s": 0.4}


class Serving:
    """`benchbook schedule --interval 20` on a bench; what it says goes to a file."""

    def __init__(self, bench: Any, home: Path, log: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        words = ["schedule", "--interval", "20", "--plan", str(bench.write()), "--results", str(bench.results)]
        self.log = log
        with log.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "benchbook", *words],
                cwd=bench.folder,
                env={**kept, **QUIET, "PREFECT_HOME": str(home)},
                stdout=out,
                stderr=out,
            )

    def said(self) -> str:
        return self.log.read_text()

    def until(self, truth: Callable[[], Any], what: str) -> None:
        """Wait for something that will come; the limit only keeps a broken test from waiting for ever."""
        for _ in range(LONG_S * 5):
            if truth():
                return
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.said()}"
            time.sleep(0.2)
        pytest.fail(f"never happened: {what}\n{self.said()}")

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def stored(bench: Any) -> list[str]:
    """Run ids with tables."""
    return sorted(path.name.partition("=")[2] for path in (bench.results / "tables/runs").glob("run_id=*"))


def test_a_schedule_fires_dies_and_goes_on(bench: Any, tmp_path: Path) -> None:
    bench.execute = SLOW
    first = Serving(bench, tmp_path / "prefect", tmp_path / "first.txt")
    try:
        first.until(lambda: re.search(r" Completed", first.said()), "a first run")
        assert len(stored(bench)) == 1
        first.until(lambda: len(bench.run_ids()) == 2 and bench.trials(), "a second run, in its middle")
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
    finally:
        first.end()
    died = bench.run_ids()[-1]

    second = Serving(bench, tmp_path / "prefect", tmp_path / "second.txt")
    try:
        second.until(lambda: "marked Crashed, its process is gone" in second.said(), "the dead run's end")
        second.until(lambda: len(stored(bench)) == 2, "the next run")
        second.process.send_signal(signal.SIGINT)
        assert second.process.wait(timeout=LONG_S) == 0, second.said()
    finally:
        second.end()
    assert "Traceback" not in first.said() + second.said()
    assert second.said().endswith("schedule scheduled: ended\n")
    assert journal.read_run(bench.results, died).status != journal.FINISHED
    statuses = {run: journal.read_run(bench.results, run).status for run in stored(bench)}
    assert set(statuses.values()) == {journal.FINISHED}
    assert died not in statuses
