"""Stored runs that many tests look at and none changes. Whichever worker needs one first measures it for all."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchbook.cli import main
from benchbook.stages.execute import execute
from benchbook.stages.store import store
from tests.end_to_end.terminal import Cli, Done
from tests.piping import pipe

PRICES = 'date: "2026-11-21"\nprices:\n  sim: {input: 1.0, output: 4.0}\n'
EVERY = ("openai", "anthropic", "bedrock", "ollama")


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs `benchbook` in this process."""
    for variable in ("COLUMNS", "BENCHBOOK_RESULTS", "BENCHBOOK_AGAIN"):
        monkeypatch.delenv(variable, raising=False)

    def run(*words: object) -> Done:
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        captured = capsys.readouterr()
        return Done(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def make_bench() -> Any:
    """The class of benches; tests' modules can't import their conftest."""
    from tests.conftest import Bench

    return Bench


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Any, str, Callable[[Any], None]], Any]:
    """Gives the bench a folder that all workers of this test run see, and measures in it once."""
    base = tmp_path_factory.getbasetemp()
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def once(bench: Any, name: str, measure: Callable[[Any], None]) -> Any:
        bench.folder = root / name
        marker = root / f"{name}.done"
        with Path(root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not marker.exists():
                measure(bench)
                marker.touch()
        return bench

    return once


@pytest.fixture(scope="session")
def healthy(make_bench: Any, shared: Any) -> Any:
    """All four providers, seven cases, two repetitions and a warm-up, prices; every trial succeeds."""

    def measure(bench: Any) -> None:
        bench.write()
        (bench.folder / "prices.yaml").write_text(PRICES)
        prices = (f"execute.targets.{n}.price={bench.folder / 'prices.yaml'}#sim" for n in range(3))
        pipe(bench.job(overrides=tuple(prices)))

    return shared(make_bench(Path(), EVERY, cases=7, law={"ttft_ms": 4, "token_ms": 0.5}), "healthy", measure)


@pytest.fixture(scope="session")
def troubled(make_bench: Any, shared: Any) -> Any:
    """`openai` is rate-limited once, `anthropic` always fails, `bedrock` stalls once, `ollama` is not offered."""
    bench = make_bench(Path(), EVERY, cases=3)
    bench.faults = [
        {"kind": "rate_limited", "match": "sim-openai", "script": [2], "retry_after_s": 0.02},
        {"kind": "server_error", "match": "sim-anthropic", "every": 1},
        {"kind": "stall", "match": "*claude*", "script": [2], "for_s": 30},
    ]
    bench.execute = {"timeout_s": 3.0, "load": {"kind": "closed", "concurrency": 2}}

    def measure(bench: Any) -> None:
        bench.write()
        profile = bench.folder / "profile.yaml"
        offered = "models: {sim-openai: {}, sim-anthropic: {}, 'anthropic.sim-claude-v1:0': {}}\n"
        profile.write_text(profile.read_text() + offered)
        bench.write = lambda: bench.plan
        pipe(bench.job())

    found = shared(bench, "troubled", measure)
    found.write = lambda: bench.plan
    return found


@pytest.fixture(scope="session")
def pair(make_bench: Any, shared: Any) -> Any:
    """Two runs of one plan, the second against a slower provider; and a third that asked something else."""
    bench = make_bench(Path(), cases=7)
    bench.execute = {"repetitions": 3, "warmup": 0, "load": {"kind": "closed", "concurrency": 4}}

    def measure(bench: Any) -> None:
        for ttft_ms in (5, 100):
            bench.law = {"ttft_ms": ttft_ms, "token_ms": 1}
            execute(bench.job())
        execute(bench.job(overrides=("execute.targets.0.params.max_tokens=7", "execute.repetitions=1")))
        store(bench.job())

    return shared(bench, "pair", measure)
