"""A comparison in words: the answer first, nothing of the user's obeyed, every column documented."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchbook.cli import compare
from benchbook.history.comparing import Compared, compare_sides
from benchbook.history.selecting import select_side
from benchbook.reports.comparison import answer, as_json, as_markdown, change, interval, print_comparison
from tests.documented import ROOT
from tests.spec.sql.stored import Stored
from tests.unit.history.test_comparing import add_run

EVIL = "a|b<script>alert(1)</script>`x`"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four steady runs and three of which one target is slower; its name is no friend of Markdown."""
    stored = Stored()
    for number, drift in enumerate((1.0, 1.01, 0.99, 1.0, 1.01, 1.0, 0.99)):
        targets = {"alpha": drift, EVIL: drift * (1.4 if number > 3 else 1.0)}
        add_run(stored, f"r{number}", targets, git_commit="ab"[number > 3] * 40)
    return stored.write(tmp_path_factory.mktemp("words"))


SIDES = ("r0 r1 r2 r3", "r4,r5,r6")


@pytest.fixture(scope="module")
def compared(results: Path) -> Compared:
    return compare_sides(results, *(select_side(results, side) for side in SIDES))


@pytest.fixture(scope="module")
def told(results: Path) -> str:
    """What a terminal of a hundred columns shows."""
    arguments = [*SIDES, "--results", str(results)]
    done = CliRunner(env={"COLUMNS": "100"}).invoke(compare.command, arguments, standalone_mode=False)
    assert done.exception is None
    assert done.return_value == 3
    return done.stdout


def test_the_answer_stands_first_everywhere(told: str, compared: Compared) -> None:
    assert answer(compared).startswith("REGRESSION: of 12 gated metrics 3 worse (")
    assert " ".join(told.split()).startswith(" ".join(answer(compared).split()))
    assert as_markdown(compared).startswith("**REGRESSION**: of 12 gated metrics 3 worse (")
    assert next(iter(as_json(compared).values())) == answer(compared)


def test_at_a_hundred_columns_nothing_is_left_out(told: str) -> None:
    assert max(map(len, told.splitlines())) <= 100
    assert "too narrow" not in told
    table = told.split("what differs", maxsplit=1)[0]
    assert "CHANGED worse" in table
    assert "e2e_ms p95" in table
    assert re.search(r"git commit +aaaaaaaaaaaa +bbbbbbbbbbbb", told)


def test_what_could_not_be_compared_for_one_reason_takes_one_line(
    compared: Compared, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = {"refused": "needs 6", "why": "needs 6", "ratio": None, "difference": None, "verdict": "CANNOT TELL"}
    rows = [{**row, **nothing} if row["target"] == "alpha" else row for row in compared.rows]
    print_comparison(replace(compared, rows=tuple(rows)))
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("alpha")]
    assert [line[:2] for line in lines] == [["alpha", "all"]]


def test_markdown_obeys_nobody(compared: Compared) -> None:
    text = as_markdown(compared)
    assert "<script>" not in re.sub(r"`[^`\n]*`", "", text)
    tables = [line for line in text.splitlines() if line.startswith("|")]
    cells = {len(re.sub(r"\\\|", "", line).split("|")) for line in tables}
    assert cells == {9, 5}  # seven columns of metrics, three of differences
    assert text.count("<details>") == text.count("</details>") == 1
    assert text.index("CHANGED worse") < text.index("<details>")


def test_json_holds_every_number_and_each_is_documented(compared: Compared) -> None:
    found = json.loads(json.dumps(as_json(compared)))
    assert (found["exit_code"], found["a"]["runs"]) == (3, ["r0", "r1", "r2", "r3"])
    assert found["differences"] == [{"what": "git commit", "a": "a" * 12, "b": "b" * 12}]
    page = (ROOT / "docs" / "CONCLUSIONS.md").read_text(encoding="utf-8")
    table = page.split("each of `rows` has:")[1].split("\n## ")[0]
    columns = [line.split("|")[1] for line in table.splitlines() if line.startswith("|")]
    documented = {name for cell in columns for name in re.findall(r"`(\w+)`", cell)}
    assert {key for row in found["rows"] for key in row} == documented


@pytest.mark.parametrize(
    ("row", "said", "bounds"),
    [
        ({"ratio": 1.123, "low": 1.05, "high": 1.2}, "+12.3 %", "+5.0 to +20.0 %"),
        ({"ratio": 0.5, "low": 0.4, "high": 3.5}, "-50.0 %", "-60.0 to +250 %"),
        ({"ratio": 1.0, "low": 1.0, "high": 1.0}, "0.0 %", "0.0 to 0.0 %"),
        ({"ratio": None, "low": None, "high": None}, "-", ""),
        (
            {"ratio": 1.1, "low": 0.9, "high": 1.3, "difference": 12.34, "difference_low": -9, "difference_high": 30},
            "+10.0 % (+12.3 ms)",
            "-10.0 to +30.0 % (-9.0 to +30.0 ms)",
        ),
        (
            {"scale": "share", "difference": -0.015, "difference_low": -0.05, "difference_high": 0.02},
            "-1.5 points",
            "-5.0 to +2.0 points",
        ),
    ],
)
def test_changes_in_words(row: dict[str, Any], said: str, bounds: str) -> None:
    whole = {"scale": "log", "difference": None, **row}
    assert (change(whole), interval(whole)) == (said, bounds)
