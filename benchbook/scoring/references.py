"""references: the answer is close to one of several right texts.

Closeness to a reference is 1 if the answer contains its words in a row, else the token-level F1 of the SQuAD
evaluation (Rajpurkar et al., arXiv 1606.05250), without its removal of articles: the harmonic mean of the shares
of words in common, counted with repeats. The value is the best over all references; it passes from `threshold`
(0.5) on. Words are compared in lower case, without punctuation; where a script has no spaces, each sign is a word.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

OPTIONS = {"threshold": (int, float)}
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")


def needs(answers: tuple[str, ...], options: Mapping[str, Any]) -> str | None:
    threshold = options.get("threshold", 0.5)
    if not 0 < threshold <= 1:
        return f"threshold is {threshold}; write a number above 0 and up to 1"
    return None if answers else "references needs at least one reference (or an expected text)"


def score(answers: tuple[str, ...], options: Mapping[str, Any], text: str) -> tuple[float, bool, str]:
    parts = words(text)
    found = parts, _row(parts)
    values = [closeness(found, answer, text) for answer in answers]
    value = max(values)
    best = answers[values.index(value)]
    return value, value >= options.get("threshold", 0.5), f"closeness {value:.2f} to {best[:100]!r}"


def closeness(found: tuple[list[str], str], reference: str, text: str) -> float:
    """1 where the reference stands in the answer, else the F1 of their words. found: its words, and as a row."""
    (given, row), (wanted, wanted_row) = found, _known(reference)
    if not wanted:
        return float(reference.strip() in text)
    if wanted_row in row:
        return 1.0
    common = sum((Counter(wanted) & Counter(given)).values())
    return 2 * common / (len(wanted) + len(given))


def words(text: str) -> list[str]:
    """The words of a text in lower case, compatibility forms unified (NFKC)."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


@lru_cache(maxsize=4096)
def _known(reference: str) -> tuple[list[str], str]:
    """A reference's words and their row: the same for every answer to its case."""
    found = words(reference)
    return found, _row(found)


def _row(parts: list[str]) -> str:
    return "".join(f"\0{part}\0" for part in parts)
