"""More connections than this process may have open files: said before the run, rows of our own fault, a whole run."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from benchbook.config import build_plan
from benchbook.results import journal
from benchbook.runner.descriptors import BESIDE, shortage
from benchbook.simulator import start_process

LIMIT = 64


def limited(soft: int, hard: int) -> Any:
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def run(bench: Any, soft: int, hard: int) -> subprocess.CompletedProcess[str]:
    """100 at once against a simulator that has descriptors enough."""
    bench.cases, bench.law = 50, {"ttft_ms": 50}
    bench.write()
    with start_process(bench.folder / "profile.yaml") as address:
        target = {"name": "t", "provider": "openai", "model": "m", "base_url": f"{address}/v1"}
        bench.execute = {"targets": [target], "warmup": 0, "load": {"kind": "closed", "concurrency": 100}}
        words = ["stage", "execute", "--plan", str(bench.write()), "--results", str(bench.results)]
        command = [sys.executable, "-m", "benchbook", *words]
        return subprocess.run(command, capture_output=True, text=True, preexec_fn=limited(soft, hard), check=False)


def test_a_hard_limit_below_the_concurrency(bench: Any) -> None:
    done = run(bench, LIMIT, LIMIT)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0  # the measurement is whole; the verdict comes with the store
    assert f"100 in flight: that takes some {100 + BESIDE} open files, and this process may have {LIMIT}" in done.stderr
    trials = bench.trials()
    assert Counter(trial.error_kind for trial in trials if trial.status == "failure").keys() == {"local"}
    assert 10 < bench.statuses()["success"] < 100 == len(trials)
    assert all("ulimit -n" in trial.error_message for trial in trials if trial.error_message)
    assert journal.read_run(bench.results, bench.run_ids()[0]).status == "finished"


def test_the_soft_limit_is_raised_to_the_hard_one(bench: Any) -> None:
    done = run(bench, LIMIT, 1024)
    assert done.returncode == 0, done.stderr
    assert "ulimit" not in done.stderr
    assert bench.statuses() == {"success": 100}


@pytest.mark.parametrize(
    ("targets", "execute", "hard", "says"),
    [
        (1, {"load": {"kind": "closed", "concurrency": 1000}}, 1000 + BESIDE, None),
        (1, {"load": {"kind": "closed", "concurrency": 1000}}, 999 + BESIDE, "1000 in flight: that takes some 1032"),
        (
            3,
            {"load": {"kind": "closed", "concurrency": 400}},
            1024,
            "400 in flight at each of 3 targets: that takes some 1232",
        ),
        (1, {"load": {"kind": "constant", "rate": 9000}}, 64, None),  # how many will be in flight nobody knows
        (1, {"load": {"kind": "constant", "rate": 9}, "max_in_flight": 500}, 64, "500 in flight"),
    ],
)
def test_what_a_load_needs(targets: int, execute: dict[str, Any], hard: int, says: str | None) -> None:
    named = [{"name": f"t{n}", "provider": "openai", "model": "m"} for n in range(targets)]
    spec = build_plan({"validate": {"datasets": ["d"]}, "execute": {"targets": named, **execute}}, "p")
    said = shortage(spec, hard)
    assert said is None if says is None else says in (said or "")
    assert shortage(spec, None) is None
