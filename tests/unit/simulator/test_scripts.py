"""Scripts: the same conversation gets the same answer on every wire, and a bad file is refused in one line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchbook.errors import DatasetError, PlanError
from benchbook.records import Message, ModelRequest, Params, ToolCall, ToolSpec
from benchbook.simulator import load_profile
from benchbook.simulator.answers import Speaker, carried
from benchbook.simulator.faults import Trigger
from benchbook.simulator.laws import prompt_key
from benchbook.simulator.profile import Profile
from benchbook.simulator.script_files import load_script
from benchbook.simulator.scripts import Line, Scripts
from benchbook.wire import WIRES, wire

ROOT = Path(__file__).parents[3]
READY = sorted((ROOT / "datasets/scripts").glob("*.yaml"))
DATASET = {"name": "d", "test_cases": [{"id": "sum", "prompt": "Add {{a}} and 2", "variables": {"a": 1}}]}
SCRIPT: dict[str, Any] = {
    "dataset": "d.json",
    "entries": [
        {
            "case": "sum",
            "agents": {
                "clerk": [
                    {"say": "Both.", "calls": [{"name": "add", "arguments": {"a": 1}}, {"name": "add"}], "ttft_ms": 7},
                    {"calls": [{"name": "add", "arguments": '{"a": {{ observation 2 }}}'}]},
                    {"say": "{{ case }} gives {{ observation ~ is (\\d+) }}, not {{ observation 7 }}"},
                ],
                "boss": [{"handoffs": [{"to": "clerk", "context": {"why": "{{ said }}"}}]}, {"say": "done"}],
                "planner": [{"plan": {"steps": [{"task": "{{ case }}"}]}}],
                "default": [{"say": "3"}],
            },
        },
        {
            "case": "sum",
            "said": "again",
            "agents": {"clerk": [{"say": "I said it before: {{ said ~ [0-9]+$ }}."}]},
        },
        {"match": "MAD", "loop": True, "agents": {"clerk": [{"say": "a"}, {"calls": [{"name": "gone"}]}]}},
    ],
}
TOOL = ToolSpec("add", "adds", {"type": "object"})
STRANDS_SWARM = ToolSpec("handoff_to_agent", "hands over", {"type": "object"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "d.json").write_text(json.dumps(DATASET), encoding="utf-8")
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(SCRIPT), encoding="utf-8")
    return tmp_path


def ask(agent: str | None, text: str, *messages: Message, tools: tuple[ToolSpec, ...] = (TOOL,)) -> ModelRequest:
    system = agent and f"You are {agent}, a tester.\nYour goal: to test."
    return ModelRequest("m", (Message("user", text), *messages), system, Params(max_tokens=500), tools)


def line(folder: Path, request: ModelRequest) -> Line:
    found = Scripts(["s.yaml"], str(folder)).line(request, prompt_key(request))
    assert found is not None
    return found


QUESTION = "Team, please: add 1 AND 2!"
CALLED = Message("assistant", "Both.", (ToolCall("x", "add", '{"a":1}'), ToolCall("y", "add", '{"b":1}')))
SEEN = (Message("tool", "two", tool_call_id="y"), Message("tool", "one", tool_call_id="x"))
"""Results in the other order: the calls' own order counts where the wire names them."""


def over(name: str, request: ModelRequest) -> ModelRequest:
    """The request as the server of that wire reads it."""
    sent = wire(name).encode_request(replace(request, model="amazon.nova-m" if name == "bedrock_invoke" else "m"))
    return wire(name).decode_request(sent.path, sent.body)


@pytest.mark.parametrize("name", WIRES)
@pytest.mark.parametrize("stream", [True, False])
def test_a_conversation_has_the_same_place_on_every_wire(folder: Path, name: str, stream: bool) -> None:
    start = replace(ask("clerk", QUESTION), stream=stream)
    first = line(folder, over(name, start))
    assert (first.case, first.text, first.law["ttft_ms"].value) == ("sum", "Both.", 7)
    assert [(call.name, call.arguments) for call in first.calls] == [("add", '{"a": 1}'), ("add", "{}")]
    second = line(folder, over(name, replace(start, messages=(*start.messages, CALLED, *SEEN))))
    assert [call.arguments for call in second.calls] == ['{"a": two}']
    assert not {call.id for call in first.calls} & {call.id for call in second.calls}
    third = (*start.messages, CALLED, *SEEN, Message("assistant", "", (ToolCall("z", "add", "{}"),)))
    result = Message("tool", "it is 3 now", tool_call_id="z")
    closing = line(folder, over(name, replace(start, messages=(*third, result))))
    assert (closing.text, closing.calls) == ("Add 1 and 2 gives 3, not ?", ())


def test_a_turn_that_a_wire_cuts_into_messages_is_one_turn(folder: Path) -> None:
    cut = (Message("assistant", "Both."), *(Message("assistant", "", (call,)) for call in CALLED.tool_calls))
    results = (Message("tool", "one"), Message("tool", "two"))
    assert line(folder, ask("clerk", QUESTION, *cut, *results)).calls[0].arguments == '{"a": two}'


def test_the_last_user_message_begins_anew_and_may_choose_the_entry(folder: Path) -> None:
    more = (CALLED, *SEEN, Message("assistant", "3"), Message("user", "Once again, in 7"))
    assert line(folder, ask("clerk", QUESTION, *more)).text == "I said it before: 7."
    assert line(folder, ask("clerk", QUESTION, *more[:-1], Message("user", "More."))).text == "Both."


def test_who_is_not_named_gets_the_default(folder: Path) -> None:
    assert line(folder, ask(None, QUESTION)).text == line(folder, ask("stranger", QUESTION)).text == "3"
    assert line(folder, ask(None, QUESTION, Message("assistant", "3"))).text == "3"


def test_work_is_handed_over_by_the_tool_that_is_there(folder: Path) -> None:
    (call,) = line(folder, ask("boss", QUESTION)).calls
    assert (call.name, json.loads(call.arguments)) == ("clerk", {"input": QUESTION})
    (call,) = line(folder, ask("boss", QUESTION, tools=(STRANDS_SWARM,))).calls
    wanted = {"agent_name": "clerk", "message": QUESTION, "context": {"why": QUESTION}}
    assert (call.name, json.loads(call.arguments)) == ("handoff_to_agent", wanted)


def test_a_plan_is_said_as_json(folder: Path) -> None:
    assert json.loads(line(folder, ask("planner", QUESTION)).text) == {"steps": [{"task": "Add 1 and 2"}]}


def test_a_loop_never_ends_and_everything_else_does(folder: Path) -> None:
    talk: list[Message] = []
    ids = set()
    for _ in range(20):
        said = line(folder, ask("clerk", "drive me mad", *talk))
        ids |= {call.id for call in said.calls}
        talk.append(Message("assistant", said.text, said.calls))
        talk.extend(Message("tool", "no", tool_call_id=call.id) for call in said.calls)
    assert len(ids) == 19
    boss = ask("boss", QUESTION, *[Message("assistant", "x"), Message("tool", "y")] * 5)
    assert line(folder, boss).text == "done"
    endless = ask("planner", QUESTION, Message("assistant", "x"))
    assert Scripts(["s.yaml"], str(folder)).line(endless, "") is None
    assert Scripts(["s.yaml"], str(folder)).line(ask("clerk", "nothing known"), "") is None


def test_a_share_of_the_answers_lapses_and_no_call_does(folder: Path) -> None:
    profile = Profile.model_validate({"default": {"scripts": ["s.yaml"], "lapses": 0.3}, "folder": str(folder)})
    speaker, law = Speaker(profile), profile.law("m")

    def said(request: ModelRequest, nth: int) -> tuple[str, bool | None]:
        found = speaker.line(law, request, prompt_key(request))
        assert found is not None
        reply = speaker.recite(law, found, ("m", prompt_key(request), nth))
        return reply.text, reply.correct

    answers = [said(ask(None, QUESTION), nth) for nth in range(200)]
    assert 35 <= sum(correct is False for _, correct in answers) <= 85
    assert all((text == "3") == (correct is None) for text, correct in answers)
    assert {said(ask("clerk", QUESTION), nth) for nth in range(50)} == {("Both.", None)}


@pytest.mark.parametrize(
    ("name", "streamed", "sent"),
    [
        ("openai_chat", True, "{oops"),
        ("openai_chat", False, "{oops"),
        ("anthropic_messages", True, "{oops"),
        ("anthropic_messages", False, '{"broken": "{oops"}'),
        ("bedrock_converse", True, "{oops"),
        ("bedrock_converse", False, '{"broken": "{oops"}'),
        ("ollama_chat", True, '{"broken": "{oops"}'),
    ],
)
def test_broken_arguments_go_as_broken_as_the_wire_allows(name: str, streamed: bool, sent: str, folder: Path) -> None:
    entry = {"match": "x", "agents": {"default": [{"calls": [{"name": "add", "arguments": "{oops"}]}]}}
    (folder / "s.yaml").write_text(yaml.safe_dump({"entries": [entry]}), encoding="utf-8")
    speaker = Speaker(Profile.model_validate({"default": {"scripts": ["s.yaml"]}, "folder": str(folder)}))
    found = line(folder, ask(None, "x"))
    said = carried(speaker.recite(Profile().default, found, ("m", "", 0)), name, streamed=streamed)
    assert said.calls[0].arguments == sent


def test_a_fault_may_mean_one_agent_or_one_text() -> None:
    faults = [
        {"kind": "rate_limited", "agent": "clerk", "every": 2},
        {"kind": "server_error", "holds": "ADD", "script": [1]},
    ]
    trigger = Trigger(1, Profile.model_validate({"faults": faults}).faults)
    clerk, other = ask("clerk", "hello"), ask("boss", QUESTION)
    asked = [clerk, ask("boss", "hello"), other, other, clerk, clerk]
    struck = [getattr(trigger.strike(request, ()), "kind", None) for request in asked]
    assert struck == [None, None, "server_error", None, "rate_limited", None]


# ---------------------------------------------------------------- reading


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_the_ready_scripts_load(path: Path) -> None:
    Scripts([path.name], str(path.parent))


STEP = "    agents: {a: [{say: x}]}\n"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (
            "entries: [{match: a, agents: {a: [{say: x}]}}]\nset: a\n",
            2,
            ("set: unknown field", "known here: dataset, entries"),
        ),
        ("dataset: a\n", None, ("entries: Field required",)),
        ("entries: []\n", 1, ("entries", "at least 1")),
        ("entries:\n  - " + STEP.strip() + "\n", 2, ("exactly one of case and match",)),
        ("entries:\n  - case: a\n    match: b\n" + STEP, 2, ("exactly one of case and match",)),
        ("entries:\n  - case: a\n" + STEP, None, ("case 'a' is looked up nowhere", "name the dataset")),
        ("entries:\n  - match: a\n    agents: {}\n", 3, ("entries.0.agents", "at least 1")),
        ("entries:\n  - match: a\n    agents: {a: []}\n", 3, ("entries.0.agents.a", "at least 1")),
        ("entries:\n  - match: a\n    agents:\n      a:\n        - {}\n", 5, ("says nothing", "give it say, plan")),
        (
            "entries:\n  - match: a\n    agents:\n      a:\n        - {say: x, plan: {}}\n",
            5,
            ("say or plan, not both",),
        ),
        (
            "entries:\n  - match: a\n    agents:\n      a:\n        - sai: x\n",
            5,
            ("agents.a.0.sai: unknown field", "known here: say, plan, calls, handoffs"),
        ),
        (
            "entries:\n  - match: a\n    agents:\n      a:\n        - say: '{{ tsak }}'\n",
            5,
            ("{{ tsak }} is no placeholder", "{{ observation N }}"),
        ),
        (
            "entries:\n  - match: a\n    agents: {a: [{calls: [{name: b, arguments: {c: ['{{ said 2 }}']}}]}]}\n",
            3,
            ("{{ said 2 }} is no placeholder",),
        ),
        (
            "entries:\n  - match: a\n    agents:\n      a:\n        - say: '{{ said ~ (a }}'\n",
            5,
            ("(a is no regular expression",),
        ),
        (
            "entries:\n  - match: a\n    agents:\n      a:\n        - say: x\n          ttft_ms: {kind: normal}\n",
            6,
            ("unknown kind 'normal'",),
        ),
        ("entries: [\n", 2, ("not valid YAML",)),
    ],
)
def test_a_bad_script_is_refused_in_one_line(
    tmp_path: Path, text: str, line: int | None, words: tuple[str, ...]
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PlanError) as caught:
        load_script(path)
    said = str(caught.value)
    assert "\n" not in said
    assert f"{path}{'' if line is None else f':{line}'}" in said
    assert all(word in said for word in words), said


def test_what_a_script_names_has_to_be_there(folder: Path) -> None:
    script = folder / "s.yaml"
    script.write_text("dataset: d.json\nentries:\n  - case: sam\n" + STEP, encoding="utf-8")
    with pytest.raises(PlanError, match=r"case 'sam' is not in d.json.*known there: sum"):
        Scripts(["s.yaml"], str(folder))
    script.write_text("dataset: e.json\nentries:\n  - case: sum\n" + STEP, encoding="utf-8")
    with pytest.raises(DatasetError, match=r"e\.json"):
        Scripts(["s.yaml"], str(folder))
    (folder / "p.yaml").write_text("default: {scripts: [t.yaml]}\n", encoding="utf-8")
    with pytest.raises(PlanError, match=r"t\.yaml: no such script"):
        Speaker(load_profile(folder / "p.yaml"))
