"""Which scorer holds for a case."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbook.records import Case
from benchbook.scoring import (
    SCORERS,
    TRACE_SCORERS,
    Done,
    Judged,
    Judgement,
    Review,
    choose,
    judge,
    review,
    right_answers,
)

TABLE: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any], str | None]] = [
    ({}, {}, {}, None),
    ({"expected": "  "}, {}, {}, None),
    ({"expected": "a"}, {}, {}, "contains"),
    ({"expected": "a", "references": ("b",)}, {}, {}, "references"),
    ({"expected": "a"}, {"scorer": "exact"}, {}, "exact"),
    ({"expected": "a"}, {"scorer": "exact"}, {"scorer": {"kind": "numeric"}}, "numeric"),
    ({"expected": "a"}, {"scorer": None}, {"scorer": None}, "contains"),
    ({}, {"scorer": "exact"}, {}, None),
    ({}, {}, {"scorer": "exact"}, "exact"),
    ({}, {"scorer": {"kind": "json_schema", "schema": {}}}, {}, "json_schema"),
    ({}, {"scorer": "magic"}, {}, "magic"),
]


@pytest.mark.parametrize(("fields", "defaults", "config", "kind"), TABLE)
def test_the_scorer_of_a_case(
    fields: dict[str, Any], defaults: dict[str, Any], config: dict[str, Any], kind: str | None
) -> None:
    case = Case("c", prompt="?", config=config, **fields)
    assert [chosen.kind for chosen in choose(case, defaults)] == ([kind] if kind else [])
    judged = judge(case, defaults, "an answer")
    assert [part.scorer for part in judged.parts] == [kind] if judged else kind is None


def test_right_answers_come_expected_first_without_blank_ones() -> None:
    assert right_answers(Case("c", prompt="?", expected="a", references=("", "b"))) == ("a", "b")


OPTIONS = {"json_schema": {"schema": {"type": ["object", "array", "number"]}}}


@given(
    kind=st.sampled_from(sorted(SCORERS)),
    text=st.text(),
    answers=st.lists(st.text() | st.integers().map(str), max_size=3),
)
def test_a_judgement_is_always_given_and_within_bounds(kind: str, text: str, answers: list[str]) -> None:
    case = Case("c", prompt="?", references=tuple(answers), config={"scorer": {"kind": kind, **OPTIONS.get(kind, {})}})
    judged = judge(case, {}, text)
    if kind in TRACE_SCORERS:  # a text has taken no way
        assert judged is None
        return
    assert judged is not None
    assert 0 <= judged.value <= 1
    assert len(judged.parts[0].detail) <= 300


@given(answer=st.text(min_size=1).filter(str.strip), kind=st.sampled_from(["exact", "contains", "references"]))
def test_the_right_answer_itself_passes(answer: str, kind: str) -> None:
    judged = judge(Case("c", prompt="?", expected=answer, config={"scorer": kind}), {}, answer)
    assert judged is not None
    assert judged.passed


@given(value=st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15))
def test_a_number_matches_itself(value: float) -> None:
    judged = judge(Case("c", prompt="?", expected=repr(value), config={"scorer": "numeric"}), {}, f"It is {value!r}.")
    assert judged is not None
    assert judged.passed


def test_a_review_says_what_is_wrong_before_any_answer() -> None:
    case = Case("c", prompt="?", expected="Oslo")
    assert review(Case("c", prompt="?"), {}) is None
    assert review(case, {}) == Review("contains", own=False)
    assert review(case, {"scorer": "numeric"}) == Review(
        "numeric", False, "numeric needs an expected number; 'Oslo' holds none",
        "give the scorer what it needs, or choose another",
    )  # fmt: skip
    named = review(Case("c", prompt="?", config={"scorer": "magic"}), {})
    assert named == Review("magic", True, "there is no scorer 'magic'", f"choose one of {', '.join(SCORERS)}")


def test_a_review_of_the_defaults_alone() -> None:
    assert review(None, {}) is None
    assert review(None, {"scorer": "numeric"}) == Review("numeric", own=False)
    lacking = review(None, {"scorer": "json_schema"})
    assert lacking is not None
    assert lacking.fault == "json_schema needs a schema"


BOTH = [{"kind": "contains", "parts": ["red", "blue"]}, {"kind": "references", "threshold": 0.2}]
LISTS: list[tuple[Any, dict[str, Any], Done, Judged | None]] = [
    ("one scorer keeps its own value", BOTH[0], Done("red"),
     Judged((Judgement("contains", 0.5, False, "lacks 'blue'"),), 0.5, False)),
    ("all must pass", BOTH, Done("red"), Judged((Judgement("contains", 0.5, False, "lacks 'blue'"),
     Judgement("references", 0.5, True, "closeness 0.50 to 'red thing here'")), 0.0, False)),
    ("all pass", BOTH, Done("red blue"), Judged((Judgement("contains", 1.0, True, "contains all 2 parts"),
     Judgement("references", 0.4, True, "closeness 0.40 to 'red thing here'")), 1.0, True)),
    ("a call is judged by its text", [BOTH[0], {"kind": "steps", "at_most": 0}], Done("red blue"),
     Judged((Judgement("contains", 1.0, True, "contains all 2 parts"),), 1.0, True)),
    ("an agent by its way as well", [BOTH[0], {"kind": "steps", "at_least": 1}], Done("red blue", "agent"),
     Judged((Judgement("contains", 1.0, True, "contains all 2 parts"),
             Judgement("steps", 0.0, False, "a model answered 0 times, at least 1 wanted")), 0.0, False)),
    ("other workloads are not judged", {**BOTH[0], "workloads": ["agent"]}, Done("red", "workflow"), None),
    ("nor is a call by an agent's way", {"kind": "steps", "at_most": 3}, Done("red"), None),
]  # fmt: skip


@pytest.mark.parametrize(("scorer", "done", "expected"), [row[1:] for row in LISTS], ids=[row[0] for row in LISTS])
def test_several_scorers_make_one_judgement(scorer: Any, done: Done, expected: Judged | None) -> None:
    case = Case("c", prompt="?", references=("red thing here",), config={"scorer": scorer})
    assert judge(case, {}, done) == expected


def test_a_review_names_the_first_scorer_of_a_list_that_cannot_judge() -> None:
    case = Case("c", prompt="?", expected="Oslo", config={"scorer": ["exact", "used_tool", "magic"]})
    found = review(case, {})
    assert found is not None
    assert (found.kind, found.fault) == ("used_tool", "used_tool needs the name of a tool")
    fit = Case("c", prompt="?", expected="Oslo", config={"scorer": ["exact", {"kind": "steps", "at_most": 3}]})
    assert review(fit, {}) == Review("exact + steps", own=True)
