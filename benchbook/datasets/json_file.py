"""JSON: one document a file. Strict where Python's reader is lax: no NaN, no key twice, no integer beyond 64 bits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from benchbook.datasets.notes import Note, Parsed, place, problem


def parse(text: str, path: str) -> Parsed:
    """The document, or the first syntax error with its line and column."""
    document, problems = parse_json(text, path, 1)
    return Parsed(document, (), problems)


def dump(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def parse_json(text: str, path: str, first_line: int) -> tuple[Any, tuple[Note, ...]]:
    """One JSON value that starts on `first_line` of the file; None with a problem where it is no JSON."""
    found: list[tuple[str, str]] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) < len(items):
            found.extend(_repeated(items))
        return made

    def integer(digits: str) -> int | float:
        if len(digits) < 19:
            return int(digits)
        if len(digits) <= 20 and -(2**63) <= (value := int(digits)) < 2**63:
            return value
        found.append((f"the integer {digits[:40]} is beyond 64 bits", "write a smaller number, or text"))
        return 0

    def constant(name: str) -> None:
        found.append((f"{name} is no JSON value", "write a number or null"))

    where = place(path, first_line if first_line > 1 else None)
    try:
        document = json.loads(text, object_pairs_hook=pairs, parse_int=integer, parse_constant=constant)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        return None, (problem(f"{path}:{line}:{error.colno}", f"no valid JSON: {error.msg}", "mend the syntax"),)
    except RecursionError:
        return None, (problem(where, "nested too deeply", "flatten the document"),)
    return document, tuple(problem(where, what, right) for what, right in found)


def _repeated(items: list[tuple[str, Any]]) -> list[tuple[str, str]]:
    keys = [key for key, _ in items]
    owner = next((f" in the object with id {value!r}" for key, value in items if key == "id"), " in one object")
    twice = dict.fromkeys(key for key in keys if keys.count(key) > 1)
    return [(f"the key {key!r} stands more than once{owner}", "keep one") for key in twice]
