"""Which number an answer gives, as a table."""

from __future__ import annotations

import pytest

from benchbook.scoring.numeric import number

TABLE = [
    ("42", 42, False),
    ("The total is 42.", 42, False),
    ("First 3, then 5, so 8 apples", 8, False),
    ("1,234.5", 1234.5, False),
    ("12,345,678 people", 12345678, False),
    ("1,10,100,9", 9, False),
    ("1\u202f234 km", 1234, False),
    ("-7", -7, False),
    ("\u22127 degrees", -7, False),
    ("pages 3-5", 5, False),
    ("f(2)-1", 1, False),
    ("+3.50", 3.5, False),
    (".5", 0.5, False),
    ("1e-3", 0.001, False),
    ("6.02E+23", 6.02e23, False),
    ("25%", 25, True),
    ("12.5 %", 12.5, True),
    ("3/4", 0.75, False),
    ("-3/4", -0.75, False),
    ("1 1/2 hours", 1.5, False),
    (r"\frac{3}{4}", 0.75, False),
    (r"so \boxed{17}, as 3 + 14 = 17 (see 9)", 17, False),
    ("$1,200", 1200, False),
    ("120km", 120, False),
    ("Answer: 12 (from 3 times 4)", 12, False),
    ("**Answer:** 12, for 3 friends", 12, False),
    ("The answer is 42 because 6 x 7", 42, False),
    ("The answer is: 80 * 0.75 * 1.2 = 72", 72, False),
    ("3 + 4 = 7\n#### 7\nThanks, 100 times", 7, False),
    ("Answer: 1\nNo, wait.\nAnswer: 2 of 9", 2, False),
    ("Answer: none, so 5", 5, False),
    ("H2O", None, False),
    ("", None, False),
    ("no idea", None, False),
    ("9e999", None, False),
    ("1/0", None, False),
    ("version 1.2.3", None, False),
]


@pytest.mark.parametrize(("text", "value", "percent"), TABLE, ids=[row[0][:30] for row in TABLE])
def test_the_number_of_an_answer(text: str, value: float | None, percent: bool) -> None:
    found = number(text)
    if value is None:
        assert found is None
    else:
        assert found == (pytest.approx(value, rel=1e-12), percent)
