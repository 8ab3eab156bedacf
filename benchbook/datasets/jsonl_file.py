"""JSON Lines: one test case a line; a first line that is no case holds the dataset's own fields.

Without such a header the dataset has the file's name. A bad line is a problem of its own; the others are read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from benchbook.datasets.json_file import parse_json
from benchbook.datasets.notes import Note, Parsed, problem

_OF_A_CASE = {"id", "prompt", "messages", "turns"}


def parse(text: str, path: str) -> Parsed:
    document: dict[str, Any] = {"name": PurePath(path).stem}
    cases: list[Any] = []
    lines: list[int] = []
    problems: list[Note] = []
    first = True
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        value, found = parse_json(line, path, number)
        problems += found
        if first and isinstance(value, dict) and value and not _OF_A_CASE & value.keys():
            document |= value
            problems += _cases_in_header(value, f"{path}:{number}")
        elif value is not None or not found:
            cases.append(value)
            lines.append(number)
        first = False
    return Parsed({**document, "test_cases": cases}, lines, tuple(problems))


def dump(document: Mapping[str, Any]) -> str:
    header = {key: value for key, value in document.items() if key != "test_cases"}
    rows = [header, *document.get("test_cases", ())]
    return "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)


def _cases_in_header(header: Mapping[str, Any], where: str) -> list[Note]:
    if "test_cases" not in header:
        return []
    return [problem(where, "test_cases stands in the header", "write one test case a line, or name the file .json")]
