"""What is said: echo, scripts, looked-up answers with a known accuracy, tool calls turn by turn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchbook.datasets import read, render
from benchbook.errors import DatasetError
from benchbook.records import Message, ModelRequest, ToolCall, ToolSpec
from benchbook.scoring import judge
from benchbook.simulator.answers import Reply, Speaker
from benchbook.simulator.laws import prompt_key
from benchbook.simulator.profile import Lookup, Profile, load_profile

ROOT = Path(__file__).parents[3]

TALK = [{"role": role, "content": text} for role, text in (("user", "a"), ("assistant", "b"), ("user", "c?"))]
REFERENCES = {"scorer": {"kind": "references"}}
DATASET = {
    "name": "d",
    "defaults": {"scorer": "contains"},
    "test_cases": [
        *({"id": f"c{i}", "prompt": "Double {{n}}", "variables": {"n": i}, "expected": str(2 * i)} for i in range(100)),
        {"id": "exact", "prompt": "Say no", "expected": "no", "config": {"scorer": "exact"}},
        {"id": "reference", "prompt": "Sum up", "references": ["A long story.", "A story."], "config": REFERENCES},
        {"id": "silent", "prompt": "Anything", "config": {"scorer": "exact"}},
        {"id": "talk", "messages": TALK, "expected": "yes"},
    ],
}


def reply(law: dict[str, Any], request: ModelRequest, *, nth: int = 0, folder: Path | str = ".") -> Reply:
    profile = Profile.model_validate({"default": law, "folder": str(folder)})
    return Speaker(profile).reply(profile.law(request.model), request, prompt_key(request), nth)


def ask(text: str, *messages: Message, model: str = "m", tools: tuple[ToolSpec, ...] = ()) -> ModelRequest:
    return ModelRequest(model, (Message("user", text), *messages), tools=tools)


def test_echo() -> None:
    assert reply({}, ask("Grüezi")).text == "Grüezi"


def test_scripts_match_first_and_then_take_turns() -> None:
    law = {"answers": {"kind": "scripted", "rules": [{"match": "SKY", "answer": "blue"}], "texts": ["one", "two"]}}
    assert reply(law, ask("what colour is the sky?")).text == "blue"
    assert [reply(law, ask("else"), nth=nth).text for nth in range(3)] == ["one", "two", "one"]
    assert reply({"answers": {"kind": "scripted"}}, ask("else")).text == "else"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "d.json").write_text(json.dumps(DATASET), encoding="utf-8")
    return tmp_path


def lookup(**more: Any) -> dict[str, Any]:
    return {"answers": {"kind": "lookup", "datasets": ["d.json"], **more}}


def test_a_lookup_answers_inside_a_sentence_or_alone(folder: Path) -> None:
    said = reply(lookup(), ask("Double 21"), folder=folder)
    assert said.text.endswith("The answer is 42")
    assert (said.case, said.correct) == ("c21", True)
    assert reply(lookup(), ask("Say no"), folder=folder).text == "no"
    assert reply(lookup(), ask("Sum up"), folder=folder).text == "A long story."
    assert reply(lookup(verbatim="always"), ask("Double 21"), folder=folder).text == "42"
    assert reply(lookup(verbatim="never"), ask("Say no"), folder=folder).text.endswith("The answer is no")
    assert reply(lookup(), ask("c?"), folder=folder).case == "talk"
    assert reply(lookup(), ask("unknown"), folder=folder) == Reply("unknown")


def test_accuracy_is_a_share_of_prompts_and_steady_for_each(folder: Path) -> None:
    law = lookup(accuracy=0.7)
    said = [reply(law, ask(f"Double {i}"), folder=folder) for i in range(100)]
    assert 55 <= sum(bool(one.correct) for one in said) <= 85
    again = [reply(law, ask(f"Double {i}"), folder=folder, nth=3) for i in range(100)]
    assert again == said
    other = [reply(law, ask(f"Double {i}", model="n"), folder=folder).correct for i in range(100)]
    assert other != [one.correct for one in said]


@pytest.mark.parametrize("question", ["Say no", "Sum up", "Double 3", "c?"])
def test_a_wrong_answer_does_not_hold_the_right_one(folder: Path, question: str) -> None:
    said = reply(lookup(accuracy=0), ask(question), folder=folder)
    assert said.correct is False
    assert said.text
    banned = {"Say no": "no", "Sum up": "story", "Double 3": "6", "c?": "yes"}[question]
    assert banned not in said.text.casefold()


def test_a_broken_dataset_is_the_user_s_to_mend(tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text("{", encoding="utf-8")
    with pytest.raises(DatasetError):
        reply(lookup(), ask("x"), folder=tmp_path)


# ---------------------------------------------------------------- tools

TOOL = ToolSpec("add", "adds", {"type": "object"})
TURNS = {
    "tool_calls": [
        {"match": "sum", "calls": [{"name": "add", "arguments": {"a": 1}}, {"name": "add"}], "text": "First:"},
        {"match": "sum", "turn": 2, "calls": [{"name": "add", "arguments": {"a": 2}}]},
    ]
}


def test_tools_are_called_turn_by_turn_and_then_it_answers() -> None:
    first = reply(TURNS, ask("the sum", tools=(TOOL,)))
    assert first.text == "First:"
    assert [(call.name, call.arguments) for call in first.calls] == [("add", '{"a": 1}'), ("add", "{}")]
    assert len({call.id for call in first.calls}) == 2
    called, result = Message("assistant", "", (ToolCall("1", "add", "{}"),)), Message("tool", "3", tool_call_id="1")
    second = reply(TURNS, ask("the sum", called, result, tools=(TOOL,)))
    assert [call.arguments for call in second.calls] == ['{"a": 2}']
    third = reply(TURNS, ask("the sum", called, result, called, result, tools=(TOOL,)))
    assert third == Reply("the sum")


def test_no_tool_is_called_that_is_not_on_offer() -> None:
    assert reply(TURNS, ask("the sum")).calls == ()
    assert reply(TURNS, ask("the sum", tools=(ToolSpec("other", "", {}),))).calls == ()
    assert reply(TURNS, ask("difference", tools=(TOOL,))).calls == ()


# ---------------------------------------------------------------- the built-in profile


def test_scorers_agree_with_what_the_built_in_profile_calls_right() -> None:
    """Each case that it looks up, by each model: a right answer passes its scorer, a wrong one does not."""
    profile = load_profile(ROOT / "datasets/simulator/provider-like.yaml")
    speaker, seen = Speaker(profile), set()
    answers = profile.default.answers
    assert isinstance(answers, Lookup)
    for path in answers.datasets:
        dataset = read(ROOT / "datasets/simulator" / path).dataset
        for case in dataset.cases:
            rendered = render(dataset, case)
            for model in profile.listed():
                request = ModelRequest(model, rendered.messages, rendered.system)
                said = speaker.reply(profile.law(model), request, prompt_key(request), 0)
                judged = judge(case, dataset.defaults, said.text)
                assert said.case == case.id
                assert judged is not None
                assert (judged.passed, model) == (said.correct, model), (case.id, said.text, judged)
                seen.add((model, said.correct))
    assert len(seen) == 2 * len(profile.listed())
