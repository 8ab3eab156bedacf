"""Workflows against the simulator: planned and fixed steps, failures mended, approvals given, refused and awaited.

One run measures most of it: one case, a team for each thing that may happen, a script for what every member answers.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchbook.measure.breakdown import breakdown_ns
from benchbook.records import Decision, Span, Trial
from benchbook.results import approvals, journal
from benchbook.stages.execute import execute
from tests.conftest import Bench

TASK = "Say word 0 and nothing else."
BAD = {"steps": [{"name": "look", "agent": "nobody", "task": "look"}]}
GOOD = {
    "steps": [
        {"name": "look", "agent": "finder", "task": "look for it"},
        {"name": "tell", "agent": "writer", "task": "tell", "needs": ["look"]},
    ]
}


def step(name: str, agent: str, *needs: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "agent": agent, "needs": list(needs), **fields}


def team(name: str, members: str, *steps: dict[str, Any], **fields: Any) -> dict[str, Any]:
    listed = [{"name": member, "role": f"a {member}", "goal": "help"} for member in members.split()]
    return {"name": name, "kind": "workflow", "members": listed, "steps": list(steps), **fields}


DRAFTING = team(
    "drafting",
    "finder counter writer editor",
    step("find", "finder"),
    step("count", "counter"),
    step("draft", "writer", "find", "count", task="Draft from {{ steps.find }}.", approval=True),
    step("final", "editor", "draft", task="Finish."),
)
TEAMS = [
    DRAFTING,
    team(
        "strict",
        "writer editor sloth",
        step("first", "writer", approval=True),
        step("second", "editor", "first", approval=True),
        step("slow", "sloth", "first"),
        step("never", "writer", "second"),
    ),
    team("planned", "planner finder writer editor", planner="planner", aggregator="editor"),
    team("hopeless", "dreamer finder", planner="dreamer"),
    team("shaky", "wobbler", step("walk", "wobbler"), retries={"base_s": 0}),
    team("broken", "wreck writer", step("sail", "wreck"), step("land", "writer", "sail"), retries={"base_s": 0}),
]
AGENTS: dict[str, Any] = {
    "finder": [{"say": "found 12", "first_byte_ms": 40}],
    "counter": [{"say": "counted 30", "first_byte_ms": 40}],
    "writer": [{"say": "a draft of {{ said }}"}],
    "editor": [{"say": "edited: {{ said }}"}],
    "sloth": [{"say": "at last", "ttft_ms": 60_000}],
    "dreamer": [{"say": "I would rather dream."}],
    "wobbler": [{"say": "walked"}],
    "wreck": [{"say": "sailed"}],
}
ENTRIES = [
    {"match": TASK, "said": "can't be used", "agents": {"planner": [{"plan": GOOD}], "dreamer": AGENTS["dreamer"]}},
    {"match": TASK, "agents": {"planner": [{"plan": BAD}]}},
    {"match": " ", "agents": AGENTS},
]


def made(bench: Bench, teams: list[dict[str, Any]], **execute: Any) -> Bench:
    """The bench with these teams' files and what their members say."""
    bench.folder.mkdir(parents=True, exist_ok=True)
    for one in teams:
        (bench.folder / f"{one['name']}.yaml").write_text(yaml.safe_dump(one))
    (bench.folder / "script.yaml").write_text(yaml.safe_dump({"entries": ENTRIES}))
    bench.law = {"ttft_ms": 1, "scripts": [str(bench.folder / "script.yaml")]}
    files = [str(bench.folder / f"{one['name']}.yaml") for one in teams]
    common = {"repetitions": 1, "warmup": 0, "workloads": ["workflow"], "teams": {"workflow": files}, "timeout_s": 30}
    bench.execute = {**common, **execute}
    return bench


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Every team once, in a plan whose breaker stays out of it."""
    bench = made(
        Bench(tmp_path_factory.mktemp("workflows") / "bench", cases=1),
        TEAMS,
        retries={"attempts": 1},
        breaker={"window": 1000, "min_calls": 1000},
        approver={"kind": "scripted", "delay_s": 0.02, "approve": [True, False], "feedback": ["be brief", "no"]},
    )
    bench.faults = [
        {"kind": "server_error", "agent": "wobbler", "script": [1]},
        {"kind": "server_error", "agent": "wreck", "every": 1},
    ]
    execute(bench.job())
    return bench


@pytest.fixture(scope="module")
def trials(bench: Bench) -> dict[str, Trial]:
    return {trial.planned.team: trial for trial in bench.trials()}


def spans(trial: Trial, *kinds: str) -> list[Span]:
    return [span for span in trial.spans if span.kind in kinds]


def named(trial: Trial, kind: str, name: str) -> Span:
    (found,) = [span for span in spans(trial, kind) if span.name == name]
    return found


def said(trial: Trial, agent: str) -> list[str]:
    """What an agent was asked, in order."""
    return [span.input for span in spans(trial, "agent") if span.agent == agent]


def assert_lawful(trial: Trial) -> None:
    """The parts are the wall, exactly; every model span has its one call, every call its span and answer."""
    total = breakdown_ns((trial.started_ns, trial.ended_ns), trial.spans)
    assert sum(total.values()) == trial.ended_ns - trial.started_ns
    assert min(total.values()) >= 0
    ids = [call.call_id for call in trial.calls]
    assert sorted(ids) == sorted({span.call_id for span in spans(trial, "model")})
    assert [answer.call_id for answer in trial.answers] == ids
    assert len({span.span_id for span in trial.spans}) == len(trial.spans)


def test_the_law_holds_whatever_became_of_it(trials: dict[str, Trial]) -> None:
    assert len(trials) == len(TEAMS)
    for trial in trials.values():
        assert_lawful(trial)


def test_steps_run_in_graph_order_independent_ones_side_by_side(trials: dict[str, Trial]) -> None:
    trial = trials["drafting"]
    assert (trial.status, trial.error_message) == ("success", None)
    find, count, draft, final = (named(trial, "step", name) for name in ("find", "count", "draft", "final"))
    assert max(find.started_ns, count.started_ns) < min(find.ended_ns, count.ended_ns)
    assert max(find.ended_ns, count.ended_ns) <= draft.started_ns
    wait = named(trial, "human_wait", "approval of draft")
    assert draft.ended_ns <= wait.started_ns < wait.ended_ns <= final.started_ns
    assert wait.ended_ns - wait.started_ns >= 20_000_000
    assert {span.parent_id for span in spans(trial, "agent")} == {s.span_id for s in (find, count, draft, final)}


def test_what_a_step_needs_and_what_the_approver_said_is_in_the_next_ones_context(trials: dict[str, Trial]) -> None:
    trial = trials["drafting"]
    assert said(trial, "writer") == ["Draft from found 12.\n\nResult of count:\ncounted 30"]
    (asked,) = said(trial, "editor")
    assert asked.startswith("Finish.\n\nResult of draft:\na draft of Draft from found 12.")
    assert asked.endswith("Feedback of the approver:\nbe brief")
    wait = named(trial, "human_wait", "approval of draft")
    assert (wait.detail["verdict"], wait.detail["by"], wait.detail["via"]) == ("approved", "script", "scripted")
    assert wait.output == "approved: be brief"
    assert trial.end_state["approved"] is True
    assert trial.end_state["decisions"] == {"draft": "approved"}
    assert set(trial.end_state["done"]) == {"find", "count", "draft", "final"}


def test_a_rejection_ends_the_trial_at_once_with_who_said_why(trials: dict[str, Trial]) -> None:
    trial = trials["strict"]
    assert (trial.status, trial.error_kind) == ("failure", "rejected")
    assert trial.error_message == "step second was rejected by script: no"
    assert trial.end_state["approved"] is False
    assert trial.end_state["done"] == ["first"]
    assert named(trial, "step", "slow").status == "cancelled"
    assert [call.error_kind for call in trial.calls if call.agent == "sloth"] == ["cancelled"]
    assert "never" not in {span.name for span in spans(trial, "step")}


def test_a_planner_that_is_told_what_was_wrong_makes_a_plan(trials: dict[str, Trial]) -> None:
    trial = trials["planned"]
    assert (trial.status, trial.error_message) == ("success", None)
    first, second = said(trial, "planner")
    assert f"Task: {TASK}" in first
    assert "can't be used: step 'look': there is no agent 'nobody', only finder, writer." in second
    assert [span.name for span in spans(trial, "step")] == ["plan", "look", "tell", "aggregate"]
    assert said(trial, "finder") == ["look for it"]
    assert trial.output is not None
    assert trial.output.startswith("edited: Make one answer")
    assert named(trial, "step", "plan").detail["attempts"] == 2


def test_a_planner_without_a_plan_is_a_clear_failure(trials: dict[str, Trial]) -> None:
    trial = trials["hopeless"]
    assert (trial.status, trial.error_kind) == ("failure", "bad_plan")
    assert trial.error_message == "dreamer's plan can't be used after 2 attempts: it holds no JSON object"
    assert len(trial.calls) == 2


def test_a_failed_agent_is_tried_again_afresh(trials: dict[str, Trial]) -> None:
    shaky, broken = trials["shaky"], trials["broken"]
    assert (shaky.status, shaky.output) == ("success", "walked")
    assert [call.error_kind for call in shaky.calls] == ["server_error", None]
    assert named(shaky, "step", "walk").detail["attempts"] == 2
    assert [span.status for span in spans(shaky, "agent")] == ["error", "ok"]
    assert len(spans(shaky, "rate_limit_wait")) == 1
    assert (broken.status, broken.error_kind) == ("failure", "server_error")
    assert str(broken.error_message).startswith("step sail, wreck: ")
    assert str(broken.error_message).endswith("(after 2 attempts)")
    assert [call.error_kind for call in broken.calls] == ["server_error", "server_error"]
    assert broken.end_state["done"] == []


def test_a_services_breaker_holds_the_next_try_back_and_says_so(tmp_path: Path) -> None:
    """Three failures open it; after its pause a probe closes it. And nobody approves in time."""
    walk = step("walk", "wobbler", approval=True)
    shaky = team("shaky", "wobbler", walk, retries={"base_s": 0, "agent_attempts": 4})
    never = {"kind": "scripted", "delay_s": 60, "timeout_s": 0.01}
    bench = made(Bench(tmp_path / "bench", cases=1), [shaky], retries={"attempts": 1}, approver=never)
    bench.faults = [{"kind": "server_error", "agent": "wobbler", "script": [1, 2, 3]}]
    execute(bench.job())
    (trial,) = bench.trials()
    assert [call.error_kind for call in trial.calls] == ["server_error"] * 3 + [None]
    wait = named(trial, "rate_limit_wait", "breaker of openai-sim")
    assert (wait.detail["found"], wait.detail["left"], wait.detail["let_in"]) == ("open", "half_open", True)
    events = [event for _, event in journal.read_run(bench.results, bench.run_ids()[0]).events()]
    changes = [event.name for event in events if event.kind == "service"]
    assert changes == ["closed", "open", "half_open", "closed"]
    assert (trial.status, trial.error_kind) == ("timeout", "unanswered")
    assert trial.error_message == "nobody decided about step walk in time"
    assert_lawful(trial)


def pending(bench: Bench) -> list[approvals.Approval]:
    return [one for one in approvals.approvals(bench.results) if one.decision is None]


def test_a_pause_holds_only_its_own_trial_and_people_decide_while_the_run_goes_on(tmp_path: Path) -> None:
    """One slot: that both trials wait at once says that the first gave it back."""
    slot = {"kind": "closed", "concurrency": 1}
    bench = made(Bench(tmp_path / "bench", cases=2), [DRAFTING], load=slot, approver={"kind": "human"})
    job = bench.job()
    running = threading.Thread(target=execute, args=(job,))
    running.start()
    while running.is_alive() and len(pending(bench)) < 2:
        time.sleep(0.01)
    first, second = pending(bench)
    words = ("approve", second.request.request_id, "--reject", "--by", "ada", "--results", str(bench.results))
    subprocess.run([sys.executable, "-m", "benchbook", *words], check=True, capture_output=True)
    approvals.decide(first.folder, first.request.request_id, Decision("approved", "bob", "test", "go on"))
    running.join()
    trials = {trial.planned.trial_id: trial for trial in bench.trials()}
    approved, rejected = trials[first.request.trial_id], trials[second.request.trial_id]
    assert (approved.status, rejected.error_kind) == ("success", "rejected")
    assert rejected.error_message == "step draft was rejected by ada"
    wait = named(approved, "human_wait", "approval of draft")
    assert (wait.detail["by"], wait.detail["feedback"]) == ("bob", "go on")
    assert named(approved, "rate_limit_wait", "a place in the load").started_ns >= wait.ended_ns
    assert_lawful(approved)
    assert_lawful(rejected)
