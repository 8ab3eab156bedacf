"""`plans/agents.yaml`, a part of it: the same tasks in four ways, scored, and laid side by side.

The plan, the teams, the tools and what the models say are the ready ones; only delays, lapses and most cases are left
out, one target stands for all, and a tool may take as long as a busy machine makes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchbook.history import ask, query
from benchbook.measure.breakdown import breakdown_ns
from benchbook.results import journal
from benchbook.stages import Job
from benchbook.stages.execute import execute
from benchbook.stages.store import store
from tests.conftest import UNTIMED
from tests.documented import ROOT

CASES = ("agt-04-write-note", "agt-07-spread", "agt-08-refund", "agt-09-draw-quarters")
LAYERS = ("api", "agent", "multi_agent", "workflow")
KNOWN_WITHOUT_TOOLS = "agt-07-spread"


def plain(path: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    return read


def patient(folder: Path, path: str) -> str:
    """The team's file with limits of time that no machine reaches."""
    team = plain(path)
    team["limits"].update(tool_timeout_s=120, time_s=300)
    (folder / Path(path).name).write_text(yaml.safe_dump(team))
    return str(folder / Path(path).name)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    """The part, run and stored."""
    folder = tmp_path_factory.mktemp("agents")
    tasks, plan = plain("datasets/agent-tasks.yaml"), plain("plans/agents.yaml")
    tasks["test_cases"] = [case for case in tasks["test_cases"] if case["id"] in CASES]
    (folder / "tasks.yaml").write_text(yaml.safe_dump(tasks))
    law = {"scripts": [str(ROOT / "datasets/scripts/agent-tasks.yaml")]}
    (folder / "profile.yaml").write_text(yaml.safe_dump({"default": law}))
    plan["validate"]["datasets"] = [str(folder / "tasks.yaml")]
    plan["execute"].update(
        targets=plan["execute"]["targets"][:1],
        repetitions=1,
        calibrate=False,
        simulator=str(folder / "profile.yaml"),
        approver={**plan["execute"]["approver"], "delay_s": 0},
    )
    plan["execute"]["timeout_s"] = 300
    plan["execute"]["teams"] = {name: patient(folder, path) for name, path in plan["execute"]["teams"].items()}
    plan["store"]["verdict"] = UNTIMED
    (folder / "plan.yaml").write_text(yaml.safe_dump(plan))
    job = Job(plan=str(folder / "plan.yaml"), results=str(folder / "results"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        done = execute(job)
        store(job, done.run_id)
        yield job


def test_every_layer_does_every_task_and_only_a_bare_call_fails(job: Job) -> None:
    _, rows = query(job.results, "select workload, test_id, status, score from trials")
    assert len(rows) == len(LAYERS) * len(CASES)
    assert {status for _, _, status, _ in rows} == {"success"}
    solved = {(workload, test_id) for workload, test_id, _, score in rows if score == 1}
    wanted = {(layer, case) for layer in LAYERS[1:] for case in CASES} | {("api", KNOWN_WITHOUT_TOOLS)}
    assert solved == wanted


def test_what_was_reached_and_by_whom_is_in_the_rows(job: Job) -> None:
    trials = list(journal.read_run(Path(job.results), journal.runs(Path(job.results))[-1]).trials())
    by = {(trial.planned.workload, trial.planned.test_id): trial for trial in trials}
    for layer in LAYERS[1:]:
        assert "notes/heron.md" in by[layer, "agt-04-write-note"].end_state["files"]
        assert "revenue.png" in by[layer, "agt-09-draw-quarters"].end_state["files"]
    approved = by["workflow", "agt-08-refund"]
    assert approved.end_state["approved"] is True
    assert any(span.kind == "human_wait" for span in approved.spans)
    helped = {span.agent for span in by["multi_agent", "agt-08-refund"].spans if span.kind == "tool"}
    assert helped == {"researcher", "coder"}
    for trial in trials:
        shares = breakdown_ns((trial.started_ns, trial.ended_ns), trial.spans)
        assert sum(shares.values()) == trial.ended_ns - trial.started_ns


def test_what_each_layer_costs_is_one_question(job: Job) -> None:
    rows = ask("layer_overhead", job.results)
    below = {row["workload"]: row for row in rows if row["next_below"]}
    assert {layer: row["over_workload"] for layer, row in below.items()} == dict(zip(LAYERS[1:], LAYERS, strict=False))
    assert all(row["cases"] == len(CASES) for row in below.values())
