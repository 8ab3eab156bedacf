"""Workflows whose engine is killed, one inside a step, one between two; that one is decided about while nobody works.

One SIGKILL for both, to the engine and its simulator, then a resume.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchbook.measure.breakdown import breakdown_ns
from benchbook.records import Decision, Trial
from benchbook.results import approvals
from benchbook.results.checkpoints import Session, sessions
from benchbook.stages import Job
from benchbook.stages.execute import execute
from tests.conftest import Bench

FINAL = {"name": "final", "agent": "editor", "needs": ["draft"], "task": "{{ steps.find }}, {{ steps.draft }}"}
MEMBERS = [{"name": name, "role": f"a {name}", "goal": "help"} for name in ("finder", "sleeper", "writer", "editor")]
ENGINE = """
from benchbook.stages import job_from
from benchbook.stages.execute import execute
execute(job_from({fields!r}))
"""


def team(name: str, **draft: Any) -> dict[str, Any]:
    steps = [{"name": "find", "agent": "finder"}, {"name": "draft", "needs": ["find"], **draft}, FINAL]
    return {"name": name, "kind": "workflow", "members": MEMBERS, "steps": steps}


TEAMS = {"inside": team("inside", agent="sleeper"), "between": team("between", agent="writer", approval=True)}


def script(folder: Path, *, sleep_ms: float) -> None:
    """What the members answer, the sleeper after so long."""
    says = {"finder": "found", "writer": "a draft", "editor": "{{ said }}"}
    agents: dict[str, Any] = {name: [{"say": text}] for name, text in says.items()}
    agents["sleeper"] = [{"say": "a dream", "ttft_ms": sleep_ms}]
    (folder / "script.yaml").write_text(yaml.safe_dump({"entries": [{"match": " ", "agents": agents}]}))


def killed_when(job: Job, truth: Callable[[], Any]) -> None:
    """Start an engine, kill it and all that it started as soon as that is true."""
    engine = subprocess.Popen([sys.executable, "-c", ENGINE.format(fields=job.fields())], start_new_session=True)
    while engine.poll() is None and not truth():
        time.sleep(0.01)
    assert engine.returncode is None, "it ended before it could be killed"
    os.killpg(engine.pid, signal.SIGKILL)
    assert engine.wait() == -signal.SIGKILL


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """One trial of each team, killed once and done."""
    bench = Bench(tmp_path_factory.mktemp("resumed") / "bench", cases=1)
    bench.law = {"ttft_ms": 1, "scripts": [str(bench.folder / "script.yaml")]}
    files = [str(bench.folder / f"{name}.yaml") for name in TEAMS]
    bench.execute = {"repetitions": 1, "warmup": 0, "workloads": ["workflow"], "teams": {"workflow": files}}
    bench.execute["approver"] = "human"
    job = bench.job()
    for name, one in TEAMS.items():
        (bench.folder / f"{name}.yaml").write_text(yaml.safe_dump(one))
    script(bench.folder, sleep_ms=60_000)

    def both_are_there() -> bool:
        files = bench.results.glob("journal/*/checkpoints/*.ndjson")
        drafting = [b'"begun":{"key":"step:draft"' in file.read_bytes() for file in files]
        return sum(drafting) == len(TEAMS) and any(approvals.approvals(bench.results))

    killed_when(job, both_are_there)
    assert bench.trials() == []
    (asked,) = approvals.approvals(bench.results)
    approvals.decide(asked.folder, asked.request.request_id, Decision("approved", "ada", "test", "go on"))
    script(bench.folder, sleep_ms=1)
    execute(bench.job(resume=bench.run_ids()[0]))
    return bench


@pytest.fixture(params=list(TEAMS))
def story(resumed: Bench, request: pytest.FixtureRequest) -> tuple[Trial, Session, Session]:
    """A team's trial, and what its two engines left."""
    trial = next(trial for trial in resumed.trials() if trial.planned.team == request.param)
    folder = resumed.results / "journal" / resumed.run_ids()[0] / "checkpoints"
    before, after = sessions(folder, trial.planned)
    return trial, before, after


Story = tuple[Trial, Session, Session]


def test_a_killed_workflow_goes_on_where_it_was(story: Story) -> None:
    trial, before, after = story
    inside = trial.planned.team == "inside"
    assert (trial.status, trial.error_message) == ("success", None)
    assert trial.output == ("found, a dream" if inside else "found, a draft\n\nFeedback of the approver:\ngo on")
    done = [[part.key for part in session.parts] for session in (before, after)]
    if inside:
        assert done == [["step:find"], ["step:draft", "step:final"]]
    else:
        assert done == [["step:find", "step:draft"], ["approval:draft", "step:final"]]
    assert trial.end_state["resumed"] == 1
    assert trial.end_state["redone"] == ["step:draft" if inside else "approval:draft"]


def test_nothing_is_counted_twice(story: Story) -> None:
    trial, _, _ = story
    drafter = "sleeper" if trial.planned.team == "inside" else "writer"
    assert Counter(call.agent for call in trial.calls) == {"finder": 1, drafter: 1, "editor": 1}
    assert Counter(span.name for span in trial.spans if span.kind == "step") == {"find": 1, "draft": 1, "final": 1}
    assert len({span.span_id for span in trial.spans}) == len(trial.spans)
    assert trial.end_state["steps"] == 3
    assert trial.reported["sdk_cycles"] == 3


def test_the_dead_time_is_in_no_wall_and_the_law_holds(story: Story) -> None:
    trial, before, after = story
    total = breakdown_ns((trial.started_ns, trial.ended_ns), trial.spans)
    assert sum(total.values()) == trial.ended_ns - trial.started_ns
    assert after.opened_ns - trial.started_ns == before.ends_ns - before.opened_ns
    shift_ns = after.opened_ns - before.ends_ns
    assert trial.end_state["shift_ms"] == [shift_ns / 1e6]
    stored = {span.span_id: span for span in trial.spans}
    for part in before.parts:
        for raw in part.spans:
            span = stored[raw.span_id]
            assert (span.started_ns, span.ended_ns) == (raw.started_ns + shift_ns, raw.ended_ns + shift_ns)
            assert span.ended_ns <= after.opened_ns
    for call in trial.calls:
        assert (stored[call.call_id].started_ns, stored[call.call_id].ended_ns) == (call.sent_ns, call.closed_ns)
