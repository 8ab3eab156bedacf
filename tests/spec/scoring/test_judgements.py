"""What each scorer makes of an answer, as a table: kind and options, right texts, answer, value (and so passed)."""

from __future__ import annotations

from typing import Any

import pytest

from benchbook.records import Case
from benchbook.scoring import judge

PERSON = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
LOCAL_REF = {"$defs": {"n": {"type": "integer"}}, "$ref": "#/$defs/n"}

TABLE: list[tuple[Any, tuple[str, ...], str, float]] = [
    ("exact", ("Oslo",), "Oslo", 1),
    ("exact", ("Oslo",), "  Oslo \n", 1),
    ("exact", ("a\nb",), "a  \r\nb\n", 1),
    ("exact", ("a\nb",), "a b", 0),
    ("exact", ("Oslo",), "oslo", 0),
    ("exact", ("Oslo",), "Oslo.", 0),
    ("exact", ("Oslo", "Bergen"), "Bergen", 1),
    ({"kind": "exact", "ignore_case": True}, ("Straße",), "STRASSE", 1),
    ({"kind": "exact", "whitespace": "collapse"}, ("a\nb",), "a   b", 1),
    ({"kind": "exact", "whitespace": "keep"}, ("a",), "a ", 0),
    ("contains", ("Oslo",), "It is OSLO, of course", 1),
    ("contains", ("a b",), "a\n   b", 1),
    ("contains", ("Oslo",), "Bergen", 0),
    ("contains", ("Oslo", "Bergen"), "Bergen", 1),
    ("contains", ("art",), "start", 1),
    ({"kind": "contains", "whole_words": True}, ("art",), "start", 0),
    ({"kind": "contains", "whole_words": True}, ("c++",), "I like C++.", 1),
    ({"kind": "contains", "ignore_case": False}, ("Oslo",), "oslo", 0),
    ({"kind": "contains", "parts": ["red", "blue"]}, (), "Blue and red", 1),
    ({"kind": "contains", "parts": ["red", "blue"]}, (), "only red", 0.5),
    ("references", ("the cat sat",), "The cat sat!", 1),
    ("references", ("Oslo",), "It is Oslo.", 1),
    ("references", ("Oslo",), "Oslofjord", 0),
    ("references", ("a b c d",), "a b x y", 0.5),
    ("references", ("a b", "c d"), "c x d", 0.8),
    ("references", ("a a b",), "a", 0.5),
    ("references", ("a b",), "", 0),
    ("references", ("++",), "i++", 1),
    ("references", ("東京タワー",), "東京 は タワー", 0.909),
    ("references", ("\ufb01ne",), "fine", 1),
    ("numeric", ("120",), "It takes 120 minutes", 1),
    ("numeric", ("120",), "119", 0),
    ("numeric", ("0.3",), str(0.1 + 0.2), 1),
    ("numeric", ("0.25",), "25%", 1),
    ("numeric", ("25",), "25%", 1),
    ("numeric", ("25%",), "0.25", 1),
    ("numeric", ("25%",), "25", 1),
    ("numeric", ("25%",), "25 %", 1),
    ("numeric", ("0.25",), "25", 0),
    ("numeric", ("1/3", "7"), "it is 7", 1),
    ({"kind": "numeric", "tolerance": 0.01}, ("2.4",), "2.409", 1),
    ({"kind": "numeric", "tolerance": 0.01}, ("2.4",), "2.42", 0),
    ({"kind": "numeric", "relative": 0.1}, ("100",), "109", 1),
    ({"kind": "numeric", "relative": 0.1}, ("100",), "111", 0),
    ({"kind": "numeric", "tolerance": 0}, ("-3",), "-3", 1),
    ("numeric", ("5",), "none", 0),
    ({"kind": "json_schema", "schema": PERSON}, (), '{"age": 3}', 1),
    ({"kind": "json_schema", "schema": PERSON}, (), 'Here:\n```json\n{"age": 3}\n```\nBye', 1),
    ({"kind": "json_schema", "schema": PERSON}, (), 'As [1] says {"age": 3}.', 1),
    ({"kind": "json_schema", "schema": PERSON, "bare": True}, (), 'Here: {"age": 3}', 0),
    ({"kind": "json_schema", "schema": PERSON}, (), '{"age": "3"}', 0),
    ({"kind": "json_schema", "schema": PERSON}, (), "{}", 0),
    ({"kind": "json_schema", "schema": PERSON}, (), "I don't know", 0),
    ({"kind": "json_schema", "schema": {"type": "number"}}, (), "NaN", 0),
    ({"kind": "json_schema", "schema": {"const": [2, 3]}}, (), "[2, 3]", 1),
    ({"kind": "json_schema", "schema": LOCAL_REF}, (), "3", 1),
    ({"kind": "json_schema", "schema": True}, (), "[" * 100_000, 0),
]


@pytest.mark.parametrize(("scorer", "answers", "text", "value"), TABLE, ids=range(len(TABLE)))
def test_a_judgement(scorer: Any, answers: tuple[str, ...], text: str, value: float) -> None:
    case = Case("c", prompt="?", references=answers, config={"scorer": scorer})
    found = judge(case, {}, text)
    assert found is not None
    (judged,) = found.parts
    assert judged.scorer == (scorer if isinstance(scorer, str) else scorer["kind"])
    assert judged.value == pytest.approx(value, abs=0.001)
    assert judged.passed == (value >= 0.5 if judged.scorer == "references" else value == 1)
    assert judged.detail
    assert "\n" not in judged.detail


FAULTS: list[tuple[Any, str]] = [
    ("magic", "there is no scorer 'magic'"),
    ({"tolerance": 1}, "there is no scorer ''"),
    ({"kind": "exact", "whitespace": "some"}, "write one of trim, collapse, keep"),
    ({"kind": "exact", "ignore_case": "yes"}, "write true or false"),
    ({"kind": "exact", "tolerance": 1}, "exact has no option 'tolerance'"),
    ({"kind": "contains", "parts": []}, "parts must be a list of texts"),
    ({"kind": "contains", "parts": ["a", 1]}, "parts must be a list of texts"),
    ({"kind": "references", "threshold": 0}, "write a number above 0"),
    ({"kind": "references", "threshold": True}, "write a number"),
    ({"kind": "numeric", "tolerance": -1}, "write a number from 0 on"),
    ({"kind": "numeric", "tolerance": float("inf")}, "write a number from 0 on"),
    ("numeric", "'Oslo' holds none"),
    ("json_schema", "json_schema needs a schema"),
    ({"kind": "json_schema", "schema": {"type": "thing"}}, "schema is no JSON schema"),
    ({"kind": "json_schema", "schema": {"$ref": "https://example.invalid/s"}}, "the schema can't be applied"),
]


@pytest.mark.parametrize(("scorer", "detail"), FAULTS, ids=range(len(FAULTS)))
def test_a_scorer_that_cannot_judge_says_why(scorer: Any, detail: str) -> None:
    judged = judge(Case("c", prompt="?", expected="Oslo", config={"scorer": scorer}), {}, "1")
    assert judged is not None
    assert (judged.value, judged.passed) == (0, False)
    assert detail in judged.parts[0].detail


@pytest.mark.parametrize("kind", ["exact", "contains", "references", "numeric"])
def test_a_scorer_without_a_right_answer_says_so(kind: str) -> None:
    judged = judge(Case("c", prompt="?", config={"scorer": kind}), {}, "1")
    assert judged is not None
    assert f"{kind} needs" in judged.parts[0].detail
