"""exact: the answer equals the expected text (or one of the references).

whitespace: `trim` (the default: nothing around the answer, nothing at the end of a line), `collapse` (any run of
whitespace equals one space) or `keep`; ignore_case: false by default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OPTIONS = {"whitespace": str, "ignore_case": bool}
_WHITESPACE = ("trim", "collapse", "keep")


def needs(answers: tuple[str, ...], options: Mapping[str, Any]) -> str | None:
    if options.get("whitespace", "trim") not in _WHITESPACE:
        return f"whitespace is {options['whitespace']!r}; write one of {', '.join(_WHITESPACE)}"
    return None if answers else "exact needs an expected text"


def score(answers: tuple[str, ...], options: Mapping[str, Any], text: str) -> tuple[float, bool, str]:
    found = _normal(text, options)
    passed = any(found == _normal(answer, options) for answer in answers)
    return float(passed), passed, "equal" if passed else f"{text[:100]!r} is not {answers[0][:100]!r}"


def _normal(text: str, options: Mapping[str, Any]) -> str:
    whitespace = options.get("whitespace", "trim")
    if whitespace == "trim":
        text = "\n".join(line.rstrip() for line in text.strip().splitlines())
    elif whitespace == "collapse":
        text = " ".join(text.split())
    return text.casefold() if options.get("ignore_case", False) else text
