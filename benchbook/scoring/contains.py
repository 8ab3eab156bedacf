"""contains: the answer contains the expected text (or one of the references), whatever the case and spacing.

parts: a list of texts that must all be there instead; the value is the share that is. ignore_case: true by
default; whole_words: false by default (`art` is in `start`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

OPTIONS = {"parts": list, "ignore_case": bool, "whole_words": bool}


def needs(answers: tuple[str, ...], options: Mapping[str, Any]) -> str | None:
    parts = options.get("parts")
    if parts is None:
        return None if answers else "contains needs an expected text, or parts"
    if not parts or not all(isinstance(part, str) and part.strip() for part in parts):
        return "parts must be a list of texts, at least one, none of them blank"
    return None


def score(answers: tuple[str, ...], options: Mapping[str, Any], text: str) -> tuple[float, bool, str]:
    parts = options.get("parts")
    if parts is None:
        found = next((answer for answer in answers if _holds(text, answer, options)), None)
        missed = f"{answers[0][:100]!r} is not in the answer"
        return (0.0, False, missed) if found is None else (1.0, True, f"contains {found[:100]!r}")
    absent = [part for part in parts if not _holds(text, part, options)]
    value = (len(parts) - len(absent)) / len(parts)
    detail = f"lacks {', '.join(repr(part) for part in absent)}" if absent else f"contains all {len(parts)} parts"
    return value, not absent, detail


def _holds(text: str, part: str, options: Mapping[str, Any]) -> bool:
    text, part = " ".join(text.split()), " ".join(part.split())
    if options.get("ignore_case", True):
        text, part = text.casefold(), part.casefold()
    if options.get("whole_words", False):
        return re.search(rf"(?<!\w){re.escape(part)}(?!\w)", text) is not None
    return part in text
