r"""numeric: the number in the answer is near enough to the expected one (or to one of the references).

Which number: behind the last mark of an answer (`Answer:`, `the answer is`, `####`, `\boxed{`) the first one, or
what stands behind the last `=` on that line; without a mark the last number of the text. Read are signs, `1,234.5`,
`1e-3`, fractions (`3/4`, `1 1/2`, `\frac{3}{4}`) and percent: `25%` equals both 25 and 0.25.
tolerance: absolute, 0 by default; relative: a share of the expected number, 0 by default; either one suffices.
Beyond both, rounding in the last place of a float is forgiven.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

OPTIONS = {"tolerance": (int, float), "relative": (int, float)}

_FLOAT_SLACK = 1e-12
_DIGITS = r"(?:\d{1,3}(?:[,\u00a0\u202f]\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"
_NUMBER = re.compile(
    rf"(?<![\w.])(?P<sign>(?<![\w)\]])[-+]\s?)?[$€£]?"
    rf"(?:(?P<whole>\d+)\s+)?(?P<top>\d+)\s*/\s*(?P<bottom>\d+)(?![\d/.])(?P<fraction_percent>\s?%)?"
    rf"|(?<![\w.])(?P<minus>(?<![\w)\]])[-+]\s?)?[$€£]?(?P<plain>(?:{_DIGITS})(?:[eE][-+]?\d+)?)(?!\d|\.\d)(?P<percent>\s?%)?"
)
_MARK = re.compile(r"####|\\boxed\s*\{|\banswer\b[\s*_]*(?:is\b|:|=)", re.IGNORECASE)
_FRAC = re.compile(r"\\[dt]?frac\s*\{\s*(\d+)\s*\}\s*\{\s*(\d+)\s*\}")
_MINUSES = str.maketrans({"\u2212": "-", "\u2013": "-", "\uff0d": "-"})


def needs(answers: tuple[str, ...], options: Mapping[str, Any]) -> str | None:
    for name in OPTIONS:
        if not 0 <= options.get(name, 0) < math.inf:
            return f"{name} is {options[name]}; write a number from 0 on"
    if not answers:
        return "numeric needs an expected number"
    wordy = next((answer for answer in answers if number(answer) is None), None)
    return None if wordy is None else f"numeric needs an expected number; {wordy[:60]!r} holds none"


def score(answers: tuple[str, ...], options: Mapping[str, Any], text: str) -> tuple[float, bool, str]:
    found = number(text)
    if found is None:
        return 0.0, False, "no number in the answer"
    tolerance, relative = float(options.get("tolerance", 0)), float(options.get("relative", 0))
    passed = any(
        abs(ours - wanted) <= max(tolerance, relative * abs(wanted), _FLOAT_SLACK * abs(wanted))
        for answer in answers
        for ours, wanted in _readings(found, _known(answer))
    )
    return float(passed), passed, f"{_shown(found)} {'matches' if passed else 'is not'} {answers[0][:60]}"


def number(text: str) -> tuple[float, bool] | None:
    """The number that a text answers with, and whether it is in percent; None if there is none."""
    text = _FRAC.sub(r"\1/\2", text.translate(_MINUSES))
    for mark in reversed(list(_MARK.finditer(text))):
        line = text[mark.end() :].lstrip().partition("\n")[0]
        if marked := list(_numbers(line.rpartition("=")[2])):
            return marked[0]
    every = list(_numbers(text))
    return every[-1] if every else None


_known = lru_cache(maxsize=4096)(number)
"""`number` of an expected text: the same for every answer to its case."""


def _numbers(text: str) -> Iterator[tuple[float, bool]]:
    for match in _NUMBER.finditer(text):
        if match["top"] is not None:
            yield from _fraction(match)
            continue
        value = float(re.sub(r"[,\u00a0\u202f]", "", match["plain"]))
        if math.isfinite(value):
            yield _signed(value, match["minus"]), match["percent"] is not None


def _fraction(match: re.Match[str]) -> Iterator[tuple[float, bool]]:
    top, bottom = float(match["top"]), float(match["bottom"])
    if bottom:
        value = float(match["whole"] or 0) + top / bottom
        yield _signed(value, match["sign"]), match["fraction_percent"] is not None


def _signed(value: float, sign: str | None) -> float:
    return -value if sign is not None and sign.startswith("-") else value


def _readings(found: tuple[float, bool], wanted: tuple[float, bool] | None) -> Iterator[tuple[float, float]]:
    """The pairs of values that count as a match: where one side alone is in percent, also its hundredth."""
    if wanted is None:
        return
    yield found[0], wanted[0]
    if found[1] and not wanted[1]:
        yield found[0] / 100, wanted[0]
    elif wanted[1] and not found[1]:
        yield found[0], wanted[0] / 100


def _shown(found: tuple[float, bool]) -> str:
    return f"{found[0]:.12g}{'%' if found[1] else ''}"
