"""A provider with a prompt cache, and plans that want it cold, shared or warm: what is asked, stored and said."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from benchbook.history import ask
from benchbook.results import journal
from benchbook.results.store import read_table
from benchbook.runner.stored import stored_plan
from benchbook.stages.execute import execute
from benchbook.stages.store import store
from tests.conftest import Bench

SHARED, SIZE = 512, 1024


def measured(bench: Bench, **chosen: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The run's row and its calls by position."""
    bench.law = {"prefix_cache": True, "tokens_out": 16, **bench.law}
    bench.execute = {"repetitions": 3, "warmup": 0, "load": {"kind": "closed", "concurrency": 1}, **chosen}
    bench.write()
    made = {"cases": 3, "prompt_tokens": SIZE, "shared_prefix_share": SHARED / SIZE}
    (bench.folder / "made.json").write_text(json.dumps({"name": "made", "version": "1", "synthetic": made}))
    plan = yaml.safe_load(bench.plan.read_text())
    plan["validate"]["datasets"] = [str(bench.folder / "made.json")]
    job = bench.job()
    bench.plan.write_text(yaml.safe_dump(plan))
    store(job, execute(job).run_id)
    (run,) = read_table(bench.results, "runs")[0].to_pylist()
    return run, sorted(read_table(bench.results, "calls")[0].to_pylist(), key=lambda call: call["sent_ns"])


def test_a_warm_plan_is_served_from_what_it_asked_before(bench: Bench) -> None:
    """Half of each prompt is shared, four blocks of 128 tokens; a prompt asked again is known but for its end."""
    run, calls = measured(bench, cache="warm")
    assert sorted(call["tokens_cached"] for call in calls) == [0, 512, 512, *[896] * 6]
    assert run["verdict"] == "VALID", run["reasons"]
    (row,) = ask("prompt_size", bench.results)
    assert (row["dataset"], row["n"], row["tokens_asked"], row["factor"]) == ("made", 9, 9 * SIZE, 1.0)


def test_a_nonce_behind_the_shared_beginning_lets_that_be_served(bench: Bench) -> None:
    _, calls = measured(bench, cache="shared_prefix")
    assert sorted(call["tokens_cached"] for call in calls) == [0, *[512] * 8]


def test_a_cold_plan_is_served_nothing_and_its_nonces_follow_from_the_run(bench: Bench) -> None:
    run, calls = measured(bench, cache="cold")
    assert [call["tokens_cached"] for call in calls] == [0] * 9
    assert run["verdict"] == "VALID", run["reasons"]
    plan = stored_plan(journal.read_run(bench.results, run["run_id"]))
    meant = {trial.trial_id: plan.request(trial).messages[0].content[:64] for trial in plan.trials}
    texts = {row["trial_id"]: row["text"] for row in read_table(bench.results, "responses")[0].to_pylist()}
    assert len(set(texts.values())) == 9
    assert texts == meant


@pytest.mark.parametrize(
    ("cache", "law", "said"),
    [("cold", {"cached_share": 0.25}, "9 of 9 calls of a cold plan were answered from"), ("warm", {}, "cache_warm")],
)
def test_a_cache_that_is_not_as_planned_is_a_reason(bench: Bench, cache: str, law: dict[str, Any], said: str) -> None:
    """A provider that reports a quarter of every prompt as cached is not cold; one that never does is not warm."""
    bench.law = {**law, "prefix_cache": False}
    run, _ = measured(bench, cache=cache)
    assert run["verdict"] == "DEGRADED"
    assert any(said in reason for reason in run["reasons"]), run["reasons"]
    name = "cache_contamination" if cache == "cold" else "cache_warm"
    (check,) = [row for row in read_table(bench.results, "checks")[0].to_pylist() if row["name"] == name]
    assert check["unexpected"] == check["observed"] == (9 if cache == "cold" else 1)
