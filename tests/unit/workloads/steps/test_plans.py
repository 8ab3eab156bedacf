"""Steps as data: what can be run and in which order, a planner's answer, what an agent is told. Tables."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchbook.records import Limits, Member, Step, Team
from benchbook.workloads.steps.order import before, last, problem, ready
from benchbook.workloads.steps.planning import PlanRefusedError, asked, assignable, listed, plan_of, steps_of
from benchbook.workloads.steps.wording import gathered, joined, told

DIAMOND = (Step("a", "x"), Step("b", "x", needs=("a",)), Step("c", "y", needs=("a",)), Step("d", "y", needs=("b", "c")))
TEAM = Team(
    "t",
    "workflow",
    tuple(Member(name, f"a {name}", "help") for name in ("boss", "x", "y", "editor")),
    planner="boss",
    aggregator="editor",
    limits=Limits(handoffs=4),
)


@pytest.mark.parametrize(
    ("done", "begun", "names"),
    [("", "", "a"), ("", "a", ""), ("a", "a", "bc"), ("a", "ab", "c"), ("ab", "abc", ""), ("abc", "abc", "d")],
)
def test_what_may_begin(done: str, begun: str, names: str) -> None:
    assert [step.name for step in ready(DIAMOND, set(done), set(begun))] == list(names)


def test_what_stands_before_and_at_the_end() -> None:
    assert {step.name: "".join(sorted(before(DIAMOND, step.name))) for step in DIAMOND} == {
        "a": "",
        "b": "a",
        "c": "a",
        "d": "abc",
    }
    assert [step.name for step in last(DIAMOND)] == ["d"]


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ((), "it has no step"),
        ((Step("a", "x"),) * 5, "it has 5 steps, at most 4 are allowed"),
        ((Step("a", "x"), Step("a", "y")), "two steps are called 'a'"),
        ((Step("a/b", "x"),), "step name 'a/b' is not one of up to 40 letters"),
        ((Step("a", "z"),), "step 'a': there is no agent 'z', only x, y"),
        ((Step("a", "x", needs=("q",)),), "step 'a' needs 'q', which is no step"),
        ((Step("a", "x", needs=("a",)),), "its steps wait for each other in a circle: a -> a"),
        ((Step("a", "x", needs=("b",)), Step("b", "x", needs=("a",))), "in a circle: a -> b -> a"),
    ],
)
def test_what_cant_be_run(steps: tuple[Step, ...], said: str) -> None:
    assert said in str(problem(steps, {"x", "y"}, 4))


def test_what_can_be_run() -> None:
    assert problem(DIAMOND, {"x", "y"}, 4) is None


def answered(*steps: dict[str, Any]) -> str:
    return json.dumps({"steps": steps})


GOOD = {"name": "a", "agent": "x", "task": "do {{ it }}"}


@pytest.mark.parametrize("around", ["{}", "```json\n{}\n```", "Here is my plan:\n{}\nThat is all."])
def test_a_plan_is_read_whatever_stands_around_it(around: str) -> None:
    answer = around.replace("{}", answered(GOOD, {"name": "b", "agent": "y", "task": "go on", "needs": ["a"]}))
    steps = plan_of(answer, TEAM)
    assert [(step.name, step.agent, step.needs) for step in steps] == [("a", "x", ()), ("b", "y", ("a",))]
    assert told(steps[0], "task", {}, ()) == "do {{ it }}"
    assert steps_of(listed(steps)) == steps


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("I can't.", "no JSON object"),
        ('{"steps": [}', "its JSON can't be read"),
        ('{"plan": []}', 'no list "steps"'),
        (answered(), "it has no step"),
        ('{"steps": ["a"]}', "step 1 is no object"),
        (answered({"name": "a", "agent": "x"}), "step 1 needs a text 'task'"),
        (answered({**GOOD, "needs": "b"}), "needs is no list"),
        (answered({**GOOD, "tools": []}), "unknown field 'tools'"),
        (answered({**GOOD, "approval": "yes"}), "approval is neither true nor false"),
        (answered({**GOOD, "agent": "boss"}), "there is no agent 'boss', only x, y"),
        (answered({**GOOD, "needs": ["a"]}), "in a circle: a -> a"),
        (answered(*({**GOOD, "name": f"s{n}"} for n in range(5))), "at most 4 are allowed"),
    ],
)
def test_what_is_no_plan(answer: str, said: str) -> None:
    with pytest.raises(PlanRefusedError, match=r".") as refused:
        plan_of(answer, TEAM)
    assert said in str(refused.value)


def test_the_planner_is_told_whom_it_has_how_much_it_may_and_what_was_wrong() -> None:
    said = asked(TEAM, "write a report", "it has no step")
    assert assignable(TEAM) == ("x", "y")
    for part in ("at most 4 steps", "Task: write a report", "- x: a x", "can't be used: it has no step."):
        assert part in said
    assert "- boss" not in said


@pytest.mark.parametrize(
    ("step", "outputs", "feedback", "prompt"),
    [
        (Step("a", "x"), {}, (), "T"),
        (Step("a", "x", "Do {{ task }}."), {"b": "B"}, (), "Do T."),
        (Step("a", "x", "{{ steps.b }}!", needs=("b",)), {"b": "B"}, (), "B!"),
        (Step("a", "x", "Go", needs=("b",)), {"b": "B"}, (), "Go\n\nResult of b:\nB"),
        (Step("a", "x", "Go"), {}, ("be brief", ""), "Go\n\nFeedback of the approver:\nbe brief"),
        (Step("a", "x", "Go: {{ feedback }}"), {}, ("be brief", "and kind"), "Go: be brief\nand kind"),
        (Step("a", "x", "Go: {{ feedback }}"), {}, (), "Go: "),
        (Step("a", "x", "{{ steps.b }}", needs=("b",)), {"b": "{{ task }}"}, (), "{{ task }}"),
    ],
)
def test_what_an_agent_is_told(step: Step, outputs: dict[str, str], feedback: tuple[str, ...], prompt: str) -> None:
    assert told(step, "T", outputs, feedback) == prompt


def test_results_become_one_answer() -> None:
    assert joined(last(DIAMOND), {"a": "A", "d": "D"}) == "D"
    assert joined([Step("a", "x"), Step("d", "x")], {"a": "A", "d": "D"}) == "a:\nA\n\nd:\nD"
    said = gathered("T", {"a": "A"}, ("fine",))
    assert "Task: T" in said
    assert "Result of a:\nA" in said
    assert said.endswith("fine")
