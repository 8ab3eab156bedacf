"""Tables as lines: nothing wider than asked, nothing squeezed, whatever is left out is named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from benchbook.reports.grid import Cell, Column, Drawn, clean, draw, hoisted, records


def texts(drawn: Drawn) -> list[str]:
    """The lines as they would be printed, without the blanks at their ends."""
    return ["".join(text for text, _ in line).rstrip() for line in drawn.lines]


NUMBERS = [Column("target"), Column("TTFT ms p50", right=True), Column("cost", right=True, rank=1)]
ROWS = [[Cell("alpha", "model-a"), Cell("248", "231-258", "248 [231-258]"), "$1"], ["beta", "9", "-"]]


def test_without_a_width_every_row_is_one_line() -> None:
    assert texts(draw(NUMBERS, ROWS)) == [
        "target           TTFT ms p50  cost",
        "─" * 34,
        "alpha model-a  248 [231-258]    $1",
        "beta                       9     -",
    ]


def test_within_a_width_a_second_thought_stands_below() -> None:
    assert texts(draw(NUMBERS, ROWS, 24)) == [
        "         TTFT ms",
        "target       p50  cost",
        "─" * 22,
        "alpha        248    $1",
        "model-a  231-258",
        "beta           9     -",
    ]


def test_the_least_important_column_goes_first_and_is_named() -> None:
    drawn = draw(NUMBERS, ROWS, 20)
    assert drawn.left_out == ("cost",)
    assert texts(drawn)[1] == "target       p50"
    assert draw(NUMBERS, ROWS, 3).left_out == ("TTFT ms p50", "cost")
    assert draw([Column("a"), Column("b", rank=1), Column("c")], [["xxxx", "yyyy", "zzzz"]], 12).left_out == ("b",)


def test_text_wraps_at_words_and_a_number_never_does() -> None:
    drawn = draw([Column("said"), Column("n", right=True)], [["one two three four", "12345"]], 17)
    assert texts(drawn)[2:] == ["one two     12345", "three four"]


def test_a_word_longer_than_anyone_reads_is_broken() -> None:
    lines = texts(draw([Column("hash"), Column("n", right=True)], [["f" * 64, "1"]], 40))
    assert max(map(len, lines)) <= 40
    assert sum(line.count("f") for line in lines) == 64


def test_no_columns_are_no_lines() -> None:
    assert draw([], [], 80) == draw([], [[]]) == Drawn(())


def test_styles_stay_with_their_cells() -> None:
    rows = [[Cell("alpha", "below", style="red")]]
    assert list(draw([Column("t")], rows, 80).lines[2:]) == [[("alpha", "red")], [("below", "dim")]]


def test_few_rows_can_stand_one_below_the_other() -> None:
    lines = texts(records([Column("run"), Column("a long name")], [["r1", "one two three four five"], ["r2", "-"]], 33))
    assert lines == [
        "run          r1",
        "a long name  one two three four",
        "             five",
        "",
        "run          r2",
        "a long name  -",
    ]


def test_what_all_rows_share_is_said_once() -> None:
    said, columns, rows = hoisted([Column("run"), Column("n")], [["r1", "1"], ["r1", "2"]])
    assert (said, [column.name for column in columns], rows) == ([("run", "r1")], ["n"], [["1"], ["2"]])


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("two\nlines\tand  blanks", "two lines and blanks"),
        ("a bell \x07 and \x1b[31mred", "a bell � and �[31mred"),
        ("plain  ", "plain  "),
        ("naïve 漢字", "naïve 漢字"),
    ],
)
def test_nothing_that_a_terminal_would_obey_is_left(raw: str, shown: str) -> None:
    assert clean(raw) == shown


CELLS = st.one_of(
    st.text(max_size=60), st.builds(Cell, st.text(max_size=20), st.text(max_size=20)), st.just("漢字かな交じり文")
)


@st.composite
def tables(draw_one: st.DrawFn) -> tuple[list[Column], list[list[Any]]]:
    count = draw_one(st.integers(1, 6))
    names = st.from_regex(r"[a-z]{1,8}([ _][a-z]{1,8}){0,2}", fullmatch=True)
    columns = [Column(draw_one(names), draw_one(st.booleans()), draw_one(st.integers(0, 3))) for _ in range(count)]
    rows = draw_one(st.lists(st.lists(CELLS, min_size=count, max_size=count), max_size=4))
    return columns, rows


@given(tables(), st.integers(1, 90))
def test_no_line_is_wider_than_asked_unless_one_column_is(table: tuple[list[Column], list[Any]], width: int) -> None:
    columns, rows = table
    drawn = draw(columns, rows, width)
    one_left = len(drawn.left_out) == len(columns) - 1
    assert one_left or all(cell_len("".join(text for text, _ in line)) <= width for line in drawn.lines)


@given(tables(), st.integers(1, 90))
def test_no_word_of_a_kept_column_is_lost(table: tuple[list[Column], list[Any]], width: int) -> None:
    columns, rows = table
    drawn = draw(columns, rows, width)
    printed = "".join("".join(text.split()) for line in drawn.lines for text, _ in line)
    left_out = list(drawn.left_out)
    for index, column in enumerate(columns):
        if column.name in left_out:
            continue
        for row in rows:
            cell = row[index] if isinstance(row[index], Cell) else Cell(row[index])
            assert sorted(set("".join(clean(cell.text).split())) - set(printed)) == []


@given(tables())
def test_without_a_width_nothing_is_left_out_and_rows_are_lines(table: tuple[list[Column], list[Any]]) -> None:
    columns, rows = table
    drawn = draw(columns, rows)
    assert drawn.left_out == ()
    assert len(drawn.lines) == 2 + len(rows)
    assert len({cell_len("".join(text for text, _ in line)) for line in drawn.lines}) == 1
