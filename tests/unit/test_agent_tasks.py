"""The agents' tasks: what is expected is what the tools really give, by the way that the script takes.

The script is walked by hand here, with the real tools and without an agent's framework: ask, use the tools, ask again.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from benchbook.datasets import read, render
from benchbook.records import Dataset, Message, ModelRequest, ToolCall
from benchbook.records.teams import TEAM_KINDS
from benchbook.scoring import Done, choose, judge
from benchbook.simulator.laws import prompt_key
from benchbook.simulator.script_files import load_script
from benchbook.simulator.scripts import Scripts
from benchbook.tools import TOOLS, Place, use

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "datasets/scripts/agent-tasks.yaml"
MOST_STEPS = 8


@cache
def tasks() -> Dataset:
    return read(ROOT / "datasets/agent-tasks.yaml").dataset


@cache
def scripts() -> Scripts:
    return Scripts([SCRIPT.name], str(SCRIPT.parent))


CASES = [case.id for case in tasks().cases]


def test_there_are_enough_tasks_for_every_tool() -> None:
    assert len(CASES) >= 12
    used = Counter(
        call.name
        for entry in load_script(SCRIPT).entries
        for step in entry.agents.get("assistant", ())
        for call in step.calls
    )
    assert set(used) == set(TOOLS)
    assert {entry.case for entry in load_script(SCRIPT).entries} == {*CASES, None}


async def answered(case: str, agent: str | None, place: Place) -> tuple[str, Counter[str], list[str]]:
    """What an agent answers in a case, how often it used which tool without a failure, and what it wrote."""
    spoken = next(one for one in tasks().cases if one.id == case)
    messages = [*render(tasks(), spoken).messages]
    used: Counter[str] = Counter()
    files: list[str] = []
    for _ in range(MOST_STEPS):
        request = ModelRequest("m", tuple(messages), agent and f"You are {agent}, a tester.")
        line = scripts().line(request, prompt_key(request))
        assert line is not None, f"{case}: nothing more is said to {messages[-1].content[:200]}"
        if not line.calls:
            return line.text, used, files
        messages.append(Message("assistant", line.text, line.calls))
        messages.extend([await result_of(call, place, (used, files)) for call in line.calls])
    raise AssertionError(f"{case} does not end")


async def result_of(call: ToolCall, place: Place, kept: tuple[Counter[str], list[str]]) -> Message:
    outcome = await use(call.name, call.arguments, {}, place)
    kept[0][call.name] += not outcome.failed
    kept[1].extend(outcome.files)
    return Message("tool", outcome.text, tool_call_id=call.id)


@pytest.mark.parametrize("name", CASES)
async def test_the_expected_answer_is_what_the_tools_give(name: str, tmp_path: Path) -> None:
    case = next(one for one in tasks().cases if one.id == name)
    text, used, files = await answered(name, "assistant", Place(tmp_path))
    judged = judge(case, tasks().defaults, text)
    assert judged is not None
    assert judged.passed, f"{text}: {judged.parts}"
    for chosen in choose(case, tasks().defaults):
        if chosen.kind == "used_tool" and chosen.options.get("succeeded"):
            assert used[chosen.options["tool"]] >= chosen.options.get("at_least", 1)
        if chosen.kind == "order":
            assert all(used[tool] for tool in chosen.options["tools"])
        if chosen.kind == "end_state" and "files" in chosen.options["reached"]:
            assert set(chosen.options["reached"]["files"]) <= set(files)


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_answer_and_a_way_not_taken_are_seen(name: str) -> None:
    case = next(one for one in tasks().cases if one.id == name)
    evasion = judge(case, tasks().defaults, "I would rather not guess.")
    assert evasion is not None
    assert not evasion.passed
    guessed = judge(case, tasks().defaults, Done(f"Answer: {case.expected}", "agent"))
    assert guessed is not None
    assert not guessed.passed


async def test_a_bare_call_knows_one_answer(tmp_path: Path) -> None:
    right = []
    for case in tasks().cases:
        text, used, _ = await answered(case.id, None, Place(tmp_path))
        judged = judge(case, tasks().defaults, text)
        assert judged is not None
        assert not used
        right += [case.id] * judged.passed
    assert right == ["agt-07-spread"]


def test_the_teams_that_are_ready_have_words_for_every_task() -> None:
    roles = {"assistant", "lead", "scout", "researcher", "analyst", "coder", "reviewer"}
    assert set(TEAM_KINDS) == {"agent", "supervisor", "graph", "swarm", "workflow"}
    for case in tasks().cases:
        for role in roles - {"scout"}:
            request = ModelRequest("m", render(tasks(), case).messages, f"You are {role}, a tester.")
            assert scripts().line(request, "") is not None
