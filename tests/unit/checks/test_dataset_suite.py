"""The suite on datasets: built-in ones pass, bad ones fail with every place."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchbook.checks import check_datasets, write_data_docs
from benchbook.checks.apart import ask, helped_by
from benchbook.checks.dataset_frame import build
from benchbook.checks.dataset_suite import rules
from benchbook.checks.engine import Rule, evaluate
from benchbook.datasets import examine, files
from benchbook.scoring import SCORERS, review

ROOT = Path(__file__).resolve().parents[3]

BAD_CASES: list[dict[str, Any]] = [
    {"id": "a", "prompt": "hi {{x}}", "system": "{{y}}", "expected": "z"},
    {"id": "a", "prompt": "hi", "expected": "z", "config": {
        "seed": -1, "max_tokens": 0, "top_p": 1.5, "temperature": 2.1,
    }},
    {"id": " ", "prompt": "hi", "expected": "z"},
    {"id": "d", "prompt": "\ufffd\x01\ud800", "category": " x", "expected": "z", "variables": {}},
    {"id": "e", "prompt": " \n ", "expected": "z"},
    {"id": "f", "prompt": "q", "config": {"scorer": "numeric"}, "expected": "abc"},
    {"id": "g", "prompt": "r", "config": {"scorer": "magic"}, "expected": "abc"},
    {"id": "h"},
    {"id": "i", "prompt": "nothing to judge by"},
]  # fmt: skip

PROBLEMS = [
    ("schema", "case h, field prompt: neither prompt nor messages nor turns is there"),
    ("id_well_formed", "case number 3, field id: is empty; write 1 to 200 characters"),
    ("id_unique", "case a, field id: case number 1 has the id of number 2; give it an id of its own"),
    ("id_unique", "case a, field id: case number 2 has the id of number 1; give it an id of its own"),
    ("category_well_formed", "case d, field category: is ' x'; write up to 100 characters"),
    ("version_well_formed", "field version: is 'one'; write it like 1, 1.0, 1.2.3 or 2026-11-21"),
    ("schema_version_known", "field schema_version: is '2'; this release reads version 1"),
    ("templates_resolvable", "case a, field prompt: the variable 'x' is not defined"),
    ("templates_resolvable", "case a, field system: the variable 'y' is not defined"),
    ("prompt_length", "case e, field prompt: is blank once rendered; write 1 to 2,000,000 characters"),
    ("temperature_in_range", "field defaults.temperature: is 5; write 0 to 2"),
    ("temperature_in_range", "case a, field config.temperature: is 2.1; write 0 to 2"),
    ("top_p_in_range", "case a, field config.top_p: is 1.5; write 0 to 1"),
    ("max_tokens_in_range", "case a, field config.max_tokens: is 0; write 1 to 1,000,000"),
    ("seed_in_range", "case a, field config.seed: is -1; write 0 to 9,223,372,036,854,775,807"),
    ("text_clean", "case d, field prompt: holds U+FFFD (a replacement character"),
    ("scorer_ready", "case f, field config.scorer: numeric needs an expected number; 'abc' holds none; give the"),
    ("scorer_ready", "case g, field config.scorer: there is no scorer 'magic'; choose one of exact, contains,"),
]

NOTES = [
    ("nothing_unused", "field owner: unknown field"),
    ("judgeable", "case i, field expected: neither expected nor references is there"),
    ("prompt_unique", "case a: what is sent is the same as in case number 3"),
    ("prompt_unique", "case number 3: what is sent is the same as in case a"),
]


def put(path: Path, cases: list[dict[str, Any]], **header: Any) -> Path:
    path.write_text(json.dumps({"name": path.stem, **header, "test_cases": cases}), encoding="utf-8")
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    header = {"version": "one", "schema_version": "2", "owner": "me", "defaults": {"temperature": 5}}
    return put(tmp_path / "bad.json", BAD_CASES, **header)


def test_the_built_in_datasets_pass() -> None:
    found = check_datasets(files([ROOT / "datasets"]), review)
    assert (found.problems, found.notes) == ((), ())
    assert len(found.datasets) == 5
    assert {check.subject for check in found.checks} == {str(path) for path in files([ROOT / "datasets"])}
    assert all(check.success and check.suite == "dataset" for check in found.checks)


def test_every_failure_is_listed_with_its_place(bad: Path) -> None:
    found = check_datasets([bad], review)
    for expected, severity, lines in ((PROBLEMS, "critical", found.problems), (NOTES, "warning", found.notes)):
        failed = [(one.name, line) for one in found.checks if one.severity == severity for line in one.failures]
        assert [line for _, line in failed] == list(lines)
        assert len(failed) == len(expected), failed
        for (name, line), (expected_name, start) in zip(failed, expected, strict=True):
            assert name == expected_name
            assert line.startswith(f"{bad}, {start}"), line
    assert not [line for line in (*found.problems, *found.notes) if not line.isprintable()]


def test_counts_are_of_what_was_judged(bad: Path) -> None:
    checks = {check.name: check for check in check_datasets([bad], review).checks}
    assert (checks["id_unique"].observed, checks["id_unique"].unexpected) == (8, 2)
    assert (checks["version_well_formed"].observed, checks["version_well_formed"].unexpected) == (1, 1)
    assert (checks["temperature_in_range"].observed, checks["temperature_in_range"].unexpected) == (2, 2)
    assert (checks["schema"].observed, checks["schema"].unexpected) == (8, 1)


def test_checks_are_the_same_every_time_and_can_be_written_down(bad: Path) -> None:
    import orjson

    first, second = check_datasets([bad], review).checks, check_datasets([bad], review).checks
    assert first == second
    assert orjson.dumps([check.failures for check in first])


def test_files_are_judged_apart(tmp_path: Path) -> None:
    case = {"id": "a", "prompt": "x", "expected": "z"}
    one, two = put(tmp_path / "one.json", [case]), put(tmp_path / "two.json", [case, {**case, "id": "b"}])
    found = check_datasets([one, two], review)
    assert found.problems == ()
    assert {check.subject for check in found.checks if not check.success} == {str(two)}


def test_without_a_reviewer_nothing_is_said_of_scorers(bad: Path) -> None:
    found = check_datasets([bad])
    assert not [line for line in found.problems if "scorer" in line]
    (line,) = [line for line in found.notes if "expected" in line]
    assert line.startswith(f"{bad}, case i, field expected: neither expected nor references is there; ")


def test_a_default_scorer_is_blamed_once(tmp_path: Path) -> None:
    cases = [{"id": str(n), "prompt": f"x{n}", "expected": "1"} for n in range(3)]
    unknown = put(tmp_path / "u.json", cases, defaults={"scorer": "magic"})
    incomplete = put(tmp_path / "i.json", cases, defaults={"scorer": "json_schema"})
    choice = f"choose one of {', '.join(SCORERS)}"
    assert [line.partition(", ")[2] for line in check_datasets([unknown, incomplete], review).problems] == [
        f"field defaults.scorer: there is no scorer 'magic'; {choice}",
        "field defaults.scorer: json_schema needs a schema; give the scorer what it needs, or choose another",
    ]


def test_files_that_cannot_be_read_fail_too(tmp_path: Path) -> None:
    (tmp_path / "bytes.json").write_bytes(b"\xff")
    found = check_datasets([tmp_path / "gone.json", tmp_path / "bytes.json"], review)
    assert [line.partition(": ")[2].partition(";")[0] for line in found.problems] == [
        "no such file or folder",
        "byte 0 (0xff) is no UTF-8",
    ]
    assert found.datasets == ()


def test_messages_are_judged_like_prompts(tmp_path: Path) -> None:
    turn = {"role": "user", "content": "{{v}}"}
    cases = [
        {"id": "a", "messages": [turn], "variables": {"v": " "}, "expected": "x"},
        {"id": "b", "messages": [turn], "variables": {"v": "\x1b"}, "expected": "x"},
        {"id": "c", "messages": [{**turn, "role": "tool"}], "variables": {"v": "y"}, "expected": "x"},
        {"id": "d", "messages": [turn], "variables": {"v": "y"}, "expected": "x"},
    ]
    path = put(tmp_path / "m.json", cases)
    assert [line.removeprefix(f"{path}, ").partition(";")[0] for line in check_datasets([path], review).problems] == [
        "case a, field messages: is blank once rendered",
        "case b, field variables.v: holds U+001B (a control character), first at character 2",
    ]
    assert check_datasets([path], review).notes == ()


def test_data_docs_are_pages(tmp_path: Path, bad: Path) -> None:
    page = write_data_docs([bad], tmp_path / "docs")
    assert page.is_file()
    assert any((tmp_path / "docs" / "validations").rglob("*.html"))


def test_a_rule_that_cannot_be_evaluated_fails() -> None:
    rule = Rule("broken", "nowhere", lambda x: x.ExpectColumnValuesToBeNull(column="nowhere"), lambda _: iter(()))
    outcome = evaluate(pd.DataFrame({"row": [0], "here": [1]}), [rule])["broken"]
    assert outcome.fault
    assert "nowhere" in outcome.fault


def test_a_second_process_finds_the_same(bad: Path) -> None:
    frame, rows = build([examine(bad)], review)
    with helped_by([sys.executable, "-m", "benchbook.checks.apart"]) as suite:
        assert suite.child is not None
        found = ask(suite.child, frame)
    assert found == evaluate(frame, rules(frame, rows))


@pytest.mark.parametrize("program", ["", "print('noise')"])
def test_a_second_process_that_fails_is_done_without(bad: Path, program: str) -> None:
    frame, rows = build([examine(bad)], review)
    with helped_by([sys.executable, "-c", program]) as suite:
        assert suite.outcomes(frame, rows) == evaluate(frame, rules(frame, rows))


def test_the_suite_is_silent(bad: Path, capfd: pytest.CaptureFixture[str]) -> None:
    check_datasets([bad], review)
    assert capfd.readouterr() == ("", "")
