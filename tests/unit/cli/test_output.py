"""How verbs print values, tables and remarks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from benchbook.cli.output import cell, note, print_table


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "-"),
        (True, "yes"),
        (False, "no"),
        (1104, "1104"),
        (0.05, "0.05"),
        (1234.5678, "1,234.6"),
        (7.561234, "7.561"),
        (["a", None, 2], "a; -; 2"),
        ({"ttft_ms": 500.0, "n": 1}, "ttft_ms=500.0, n=1"),
        (datetime(2026, 11, 21, 9, 26, 8, 609522, tzinfo=UTC), "2026-11-21 09:26:08.609+00:00"),
    ],
)
def test_a_value_is_told_as_a_person_reads_it(value: Any, said: str) -> None:
    assert cell(value) == said


def test_numbers_stand_to_the_right(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    print_table("a title", ("name", "n", "flag"), [("a", 5, True), ("bcdef", None, False), ("x", 12345, True)])
    assert capsys.readouterr().out.splitlines() == [
        "a title",
        "name       n  flag",
        "──────────────────",
        "a          5  yes",
        "bcdef      -  no",
        "x      12345  yes",
    ]


def test_a_table_that_is_too_wide_says_once_what_rows_share_and_names_what_is_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "24")
    rows = [("run-1", n, 10_000_000 + n, 20_000_000 + n, "api") for n in range(5)]
    print_table("", ("run", "n", "first", "second", "workload"), rows)
    captured = capsys.readouterr()
    assert captured.out.splitlines()[:2] == ["in every row: run run-1,", "workload api"]
    assert captured.out.splitlines()[2:5] == ["n     first    second", "─" * 21, "0  10000000  20000000"]
    assert captured.err == ""
    monkeypatch.setenv("COLUMNS", "15")
    print_table("", ("run", "n", "first", "second", "workload"), rows)
    captured = capsys.readouterr()
    assert "n     first" in captured.out.splitlines()
    assert captured.err.startswith("note: too narrow for 1 columns (second)")


def test_rows_that_are_all_alike_stay_a_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "10")
    print_table("", ("first", "second"), [("aaaaaa", "bbbbbb")] * 5)
    captured = capsys.readouterr()
    assert captured.out.splitlines() == ["first", "──────", *["aaaaaa"] * 5]
    assert "second" in captured.err


def test_a_few_rows_that_are_too_wide_stand_one_below_the_other(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "24")
    print_table("", ("run", "some_hash"), [("run-1", "0123456789abcdef" * 2)])
    assert capsys.readouterr().out.splitlines() == [
        "run        run-1",
        "some_hash  0123456789abcdef0123",
        "           456789abcdef",
    ]


def test_a_remark_goes_to_stderr_plainly(capsys: pytest.CaptureFixture[str]) -> None:
    note("evil \x1b[2J words")
    assert capsys.readouterr() == ("", "note: evil �[2J words\n")
