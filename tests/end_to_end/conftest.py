"""Two stored runs that many tests look at and none changes: a healthy one, and one where much went wrong."""

from __future__ import annotations

from typing import Any

import pytest

from tests.piping import pipe

PRICES = 'date: "2026-11-21"\nprices:\n  sim: {input: 1.0, output: 4.0}\n'


@pytest.fixture(scope="session")
def make_bench() -> Any:
    """The class of benches; tests' modules can't import their conftest."""
    from tests.conftest import Bench

    return Bench


@pytest.fixture(scope="session")
def healthy(make_bench: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """All four providers, seven cases, two repetitions and a warm-up, prices; every trial succeeds."""
    bench = make_bench(tmp_path_factory.mktemp("healthy"), ("openai", "anthropic", "bedrock", "ollama"), cases=7)
    bench.law = {"ttft_ms": 4, "token_ms": 0.5}
    bench.write()
    (bench.folder / "prices.yaml").write_text(PRICES)
    changes = tuple(f"execute.targets.{n}.price={bench.folder / 'prices.yaml'}#sim" for n in range(3))
    pipe(bench.job(overrides=changes))
    return bench


@pytest.fixture(scope="session")
def troubled(make_bench: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """`openai` is rate-limited once, `anthropic` always fails, `bedrock` stalls once, `ollama` is not offered."""
    bench = make_bench(tmp_path_factory.mktemp("troubled"), ("openai", "anthropic", "bedrock", "ollama"), cases=3)
    bench.faults = [
        {"kind": "rate_limited", "match": "sim-openai", "script": [2], "retry_after_s": 0.02},
        {"kind": "server_error", "match": "sim-anthropic", "every": 1},
        {"kind": "stall", "match": "*claude*", "script": [2], "for_s": 30},
    ]
    bench.execute = {"timeout_s": 1.0, "load": {"kind": "closed", "concurrency": 2}}
    bench.write()
    profile = bench.folder / "profile.yaml"
    offered = "models: {sim-openai: {}, sim-anthropic: {}, 'anthropic.sim-claude-v1:0': {}}\n"
    profile.write_text(profile.read_text() + offered)
    bench.write = lambda: bench.plan
    pipe(bench.job())
    return bench
