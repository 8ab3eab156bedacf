"""Every fault of the simulator at 1 %, 10 % and 100 %: what the simulator says it did is what the rows say, one by one.

One run has a target for each fault and share; which requests are struck is drawn from the simulator's seed, so the
counts are the same on every machine.
"""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from typing import Any

import pytest

from benchbook.records import Trial
from benchbook.simulator import load_profile, start_process
from benchbook.simulator.faults import Trigger
from benchbook.stages.execute import execute
from tests.conftest import Bench

SHARES = (0.01, 0.1, 1.0)
TRIALS = 100
FAULTS: dict[str, tuple[dict[str, Any], str | None]] = {
    "rate_limited": ({"retry_after_s": 0}, "rate_limited"),
    "server_error": ({}, "server_error"),
    "unavailable": ({}, "overloaded"),
    "reset": ({"after_chunks": 2}, "reset"),
    "stall": ({"after_chunks": 1, "for_s": 0.01}, None),
    "slow_trickle": ({"bytes_per_write": 40, "delay_ms": 0.1}, None),
    "truncated_body": ({"after_chunks": 2}, "truncated"),
    "stream_error": ({"after_chunks": 2}, "stream_error"),
    "role_only_first_chunk": ({"delay_ms": 1}, None),
    "empty_deltas": ({}, None),
    "missing_usage": ({}, None),
    "keep_alive_comments": ({"interval_ms": 1}, None),
    "split_utf8": ({"gap_ms": 0.1}, None),
    "many_tokens_per_chunk": ({}, None),
    "early_end": ({}, "truncated"),
    "html": ({}, "protocol"),
}
"""Fault -> its fields, and the error kind of the rows that it strikes."""
KINDS = [(kind, share) for kind in FAULTS for share in SHARES]


def model(kind: str, share: float) -> str:
    return f"{kind}-{share:g}"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, list[Trial], list[dict[str, Any]]]:
    """What the run came to, its trials, and the simulator's own word on every request."""
    bench = Bench(tmp_path_factory.mktemp("shares") / "bench", cases=20)
    bench.faults = [
        {"kind": kind, "rate": share, "match": model(kind, share), **FAULTS[kind][0]} for kind, share in KINDS
    ]
    bench.write()
    with start_process(bench.folder / "profile.yaml") as address:
        bench.execute = {
            "targets": [
                {"name": model(*one), "provider": "openai", "model": model(*one), "base_url": f"{address}/v1"}
                for one in KINDS
            ],
            "repetitions": TRIALS // 20,
            "warmup": 0,
            "retries": {"attempts": 1},
            "load": {"kind": "closed", "concurrency": 4},
        }
        done = execute(bench.job())
        with urllib.request.urlopen(f"{address}/truth") as answer:
            truth = json.loads(answer.read())
    return done, bench.trials(), truth


def test_nothing_is_lost(told: tuple[Any, list[Trial], list[dict[str, Any]]]) -> None:
    done, trials, truth = told
    assert done.status == "finished"
    assert len(trials) == len({trial.planned.trial_id for trial in trials}) == TRIALS * len(KINDS) == len(truth)
    statuses = Counter(trial.status for trial in trials)
    assert (done.progress["succeeded"], done.progress["failed"]) == (statuses["success"], statuses["failure"])
    assert statuses["success"] + statuses["failure"] == len(trials)


@pytest.mark.parametrize(("kind", "share"), KINDS)
def test_rows_say_what_the_simulator_did(
    told: tuple[Any, list[Trial], list[dict[str, Any]]], kind: str, share: float
) -> None:
    _, trials, truth = told
    rows = [trial for trial in trials if trial.planned.target == model(kind, share)]
    struck = sum(record["fault"] == kind for record in truth if record["model"] == model(kind, share))
    assert len(rows) == TRIALS
    assert {1.0: struck == TRIALS, 0.1: 2 <= struck <= 22, 0.01: struck <= 6}[share]  # binomial: beyond 1 in 1,000
    expected = FAULTS[kind][1]
    failures = Counter(trial.error_kind for trial in rows if trial.status != "success")
    assert failures == Counter({expected: struck} if expected and struck else {})
    for trial in rows:
        assert len(trial.calls) == len(trial.answers) == 1
        assert (trial.error_message is None) is (trial.error_kind is None)
    if kind == "missing_usage":
        assert sum(trial.calls[0].usage.output is None for trial in rows) == struck


def test_every_fault_is_tried() -> None:
    from benchbook.simulator.fault_kinds import FAULTS as KNOWN

    assert {*FAULTS, "refused"} == set(KNOWN)


@pytest.mark.parametrize("share", SHARES)
def test_connections_that_are_reset_at_once(bench: Any, share: float) -> None:
    """`refused` counts connections: as many trials fail as connections that they open are refused."""
    bench.cases, bench.faults = 60, [{"kind": "refused", "rate": share}]
    bench.execute = {"repetitions": 2, "warmup": 0, "retries": {"attempts": 1}}
    bench.execute |= {"load": {"kind": "closed", "concurrency": 60}, "warm_connections": False}
    bench.write()
    done = execute(bench.job(preflight=False))
    trials = bench.trials()
    assert (done.status, len(trials)) == ("finished", 120)
    failed = [trial for trial in trials if trial.status == "failure"]
    assert {trial.error_kind for trial in failed} <= {"reset"}
    assert all(trial.calls[0].cold for trial in failed)
    opened = sum(trial.calls[0].cold for trial in trials)
    trigger = Trigger(7, load_profile(bench.folder / "profile.yaml").faults)
    before_the_first_trial = 1  # what can the model do?
    numbers = range(before_the_first_trial + 1, before_the_first_trial + opened + 1)
    assert len(failed) == sum(trigger.refuses(number) for number in numbers)
