"""A workflow whose engine is killed: inside a step, then between two steps, decided about while nobody is at work.

SIGKILL each time, to the engine and its simulator. One story, three engines, one trial.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import yaml

from benchbook.measure.breakdown import breakdown_ns
from benchbook.records import Decision
from benchbook.results import approvals
from benchbook.results.checkpoints import sessions
from benchbook.stages import Job
from benchbook.stages.execute import execute

MEMBERS = [{"name": name, "role": f"a {name}", "goal": "help"} for name in ("finder", "sleeper", "editor")]
TEAM = {
    "name": "killed",
    "kind": "workflow",
    "members": MEMBERS,
    "steps": [
        {"name": "find", "agent": "finder"},
        {"name": "draft", "agent": "sleeper", "needs": ["find"], "approval": True},
        {"name": "final", "agent": "editor", "needs": ["draft"], "task": "{{ steps.find }}, {{ steps.draft }}"},
    ],
}
ENGINE = """
import sys
from benchbook.stages import job_from
from benchbook.stages.execute import execute
execute(job_from({fields!r}))
"""


def killed_when(job: Job, truth: Callable[[], Any]) -> None:
    """Start an engine, kill it and all that it started as soon as that is true."""
    engine = subprocess.Popen([sys.executable, "-c", ENGINE.format(fields=job.fields())], start_new_session=True)
    while engine.poll() is None and not truth():
        time.sleep(0.005)
    assert engine.returncode is None, "it ended before it could be killed"
    os.killpg(engine.pid, signal.SIGKILL)
    assert engine.wait() == -signal.SIGKILL


def test_nothing_is_lost_and_nothing_done_or_counted_twice(bench: Any) -> None:
    bench.cases = 1
    path, script = bench.folder / "team.yaml", bench.folder / "script.yaml"
    bench.law = {"ttft_ms": 1, "scripts": [str(script)]}
    teams, human = {"workflow": str(path)}, {"kind": "human"}
    bench.execute = {"repetitions": 1, "warmup": 0, "workloads": ["workflow"], "teams": teams, "approver": human}
    bench.write()
    path.write_text(yaml.safe_dump(TEAM))
    slow = {"say": "a draft", "ttft_ms": 60_000}

    def sleeper(step: dict[str, Any]) -> None:
        agents = {"finder": [{"say": "found"}], "sleeper": [step], "editor": [{"say": "{{ said }}"}]}
        script.write_text(yaml.safe_dump({"entries": [{"match": "Say", "agents": agents}, FINAL]}))

    def checkpointed() -> bytes:
        return b"".join(file.read_bytes() for file in bench.results.glob("journal/*/checkpoints/*.ndjson"))

    sleeper(slow)
    killed_when(bench.job(), lambda: b'"begun":{"key":"step:draft"' in checkpointed())
    (run_id,) = bench.run_ids()
    assert bench.trials() == []
    sleeper({"say": "a draft"})
    again = bench.job(resume=run_id)
    killed_when(again, lambda: any(approvals.approvals(bench.results)))
    assert bench.trials() == []

    (asked,) = approvals.approvals(bench.results)
    approvals.decide(asked.folder, asked.request.request_id, Decision("approved", "ada", "test", "go on"))
    execute(again)
    (trial,) = bench.trials()
    assert (trial.status, trial.error_message) == ("success", None)
    assert trial.output == "found, a draft\n\nFeedback of the approver:\ngo on"

    first, second, third = sessions(asked.folder.parent / "checkpoints", trial.planned)
    assert [part.key for session in (first, second, third) for part in session.parts] == [
        *("step:find", "step:draft"),
        *("approval:draft", "step:final"),
    ]
    assert Counter(call.agent for call in trial.calls) == {"finder": 1, "sleeper": 1, "editor": 1}
    assert Counter(span.name for span in trial.spans if span.kind == "step") == {"find": 1, "draft": 1, "final": 1}
    assert len({span.span_id for span in trial.spans}) == len(trial.spans)
    assert (trial.end_state["resumed"], trial.end_state["steps"]) == (2, 3)
    assert trial.end_state["redone"] == ["step:draft", "approval:draft"]
    assert len(trial.end_state["shift_ms"]) == 2

    total = breakdown_ns((trial.started_ns, trial.ended_ns), trial.spans)
    assert sum(total.values()) == trial.ended_ns - trial.started_ns
    worked_ns = [first.ends_ns - first.opened_ns, second.ends_ns - second.opened_ns]
    assert third.opened_ns - trial.started_ns == sum(worked_ns)
    raw = {span.span_id: span for session in (first, second) for part in session.parts for span in part.spans}
    stored = {span.span_id: span for span in trial.spans}
    for span_id, span in raw.items():
        assert stored[span_id].ended_ns - stored[span_id].started_ns == span.ended_ns - span.started_ns
        assert stored[span_id].ended_ns <= third.opened_ns
    for call in trial.calls[:2]:
        assert (stored[call.call_id].started_ns, stored[call.call_id].ended_ns) == (call.sent_ns, call.closed_ns)


FINAL = {"match": "found", "agents": {"editor": [{"say": "{{ said }}"}]}}
