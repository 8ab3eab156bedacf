"""`benchbook approve` without a server: lists, shows, decides once; what can't be is one line and exit code 2."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchbook.cli import main
from benchbook.records import ApprovalRequest, Decision
from benchbook.results import approvals

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["approve", *words, "--results", str(tmp_path)])
        out, complaints = capsys.readouterr()
        return int(ended.value.code or 0), out, complaints

    return call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = approvals.approvals_folder(tmp_path, "r1")
    for number, name in enumerate(("a1.draft", "b2.draft"), 1):
        asked = ApprovalRequest(
            name, "r1", name[:2], "draft", "writer", "write it", "a draft\x1b[2J", asked_wall_ns=number, timeout_s=600
        )
        approvals.ask(found, asked)
    return found


def only(run: Run, *words: str) -> Any:
    code, out, _ = run(*words, "--json")
    assert code == 0
    return json.loads(out)


@pytest.mark.usefixtures("folder")
def test_what_waits_is_listed_for_people_and_for_scripts(run: Run) -> None:
    code, out, _ = run()
    assert code == 0
    assert "a1.draft" in out
    assert "b2.draft" in out
    assert "\x1b[2J" not in out
    assert [(row["request_id"], row["verdict"], row["timeout_s"]) for row in only(run)] == [
        ("a1.draft", None, 600),
        ("b2.draft", None, 600),
    ]


def test_nothing_waits(run: Run) -> None:
    code, out, complaints = run()
    assert (code, out) == (0, "")
    assert "nothing waits for approval" in complaints
    assert only(run) == []


def test_one_is_shown_and_nothing_is_decided(run: Run, folder: Path) -> None:
    code, out, _ = run("a1", "--show")
    assert code == 0
    assert "write it" in out
    assert "\x1b[2J" not in out
    assert only(run, "a1", "--show")["output"] == "a draft\x1b[2J"
    assert approvals.decision(folder, "a1.draft") is None


@pytest.mark.parametrize(("words", "verdict"), [((), "approved"), (("--reject",), "rejected")])
def test_a_decision_with_feedback_and_who_made_it(run: Run, folder: Path, words: tuple[str, ...], verdict: str) -> None:
    code, out, _ = run("a1", *words, "--feedback", "name the sources", "--by", "ada")
    assert (code, out.split(":")[0]) == (0, verdict)
    made = approvals.decision(folder, "a1.draft")
    assert made is not None
    assert (made.verdict, made.feedback, made.by, made.via) == (verdict, "name the sources", "ada", "command line")
    assert [row["request_id"] for row in only(run)] == ["b2.draft"]
    assert [row["verdict"] for row in only(run, "--all")] == [verdict, None]


def test_approving_twice_or_after_the_time_was_up_is_one_line_and_exit_code_2(run: Run, folder: Path) -> None:
    assert run("a1", "--by", "ada")[0] == 0
    approvals.decide(folder, "b2.draft", Decision("timeout", "nobody", "human", "", 1))
    for name, said in (("a1.draft", "was approved already, by ada"), ("b2.draft", "timed out at")):
        code, out, complaints = run(name, "--reject")
        assert (code, out, complaints.count("\n")) == (2, "", 1)
        assert complaints.startswith(f"error: request {name}: {said}")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("words", [("zz",), ("--reject",), ("--feedback", "x"), ("a1", "--show", "--reject")])
def test_what_cant_be_is_one_line_and_exit_code_2(run: Run, words: tuple[str, ...]) -> None:
    code, out, complaints = run(*words)
    assert (code, out, complaints.count("\n")) == (2, "", 1)
