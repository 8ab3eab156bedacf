"""Datasets as one frame: a row per file for its own fields, then a row per test case. Null = nothing to judge."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchbook.checks import Reviewed, Reviewer
from benchbook.checks.engine import ROW
from benchbook.checks.rows import Row
from benchbook.datasets import Examined
from benchbook.datasets.rendering import templates
from benchbook.datasets.template import UndefinedError, fill, text
from benchbook.records import Case, Dataset

if TYPE_CHECKING:
    import pandas as pd

NUMBERS = ("temperature", "top_p", "max_tokens", "seed")
TEXTS = (
    "id",
    "category",
    "version",
    "schema_version",
    "templates",
    "variables",
    "text",
    "scorer",
    "scorer_fault",
    "rendered",
)
_NO_NUMBERS = (None,) * len(NUMBERS)
COLUMNS = ("file", *TEXTS, *NUMBERS, "prompt_chars", "judgeable")
_SURROGATE = re.compile("[\\ud800-\\udfff]")


def build(examined: Sequence[Examined], review: Reviewer | None = None) -> tuple[pd.DataFrame, list[Row]]:
    """The frame over all files that could be read, and where each of its rows comes from."""
    import pandas as pd

    rows: list[Row] = []
    cells: list[tuple[Any, ...]] = []
    for seen in examined:
        if seen.dataset is None:
            continue
        rows.append(Row(seen))
        default = review(None, seen.dataset.defaults) if review else None
        cells.append(_file_cells(seen.path, seen.dataset, default))
        for index, case in enumerate(seen.dataset.cases):
            rows.append(Row(seen, index))
            found = review(case, seen.dataset.defaults) if review else None
            blamed = found is not None and not found.own and default is not None and default.fault is not None
            scorer = (None, None) if found is None or blamed else (found.kind, _fault(found))
            judgeable = bool(case.expected or case.references) if review is None else found is not None
            nothing = None if case.generated else 0  # a generated case is there to be measured: nobody judges it
            cells.append(_case_cells(seen, case, (*scorer, 1 if judgeable else nothing)))
    columns = zip(*cells, strict=True) if cells else ([] for _ in COLUMNS)
    kinds = dict.fromkeys(NUMBERS, "float64") | {"seed": "Int64", "prompt_chars": "Int64", "judgeable": "Int64"}
    data = {
        name: pd.Series(list(cell), dtype=kinds.get(name, object)) for name, cell in zip(COLUMNS, columns, strict=True)
    }
    return pd.DataFrame({ROW: range(len(rows)), **data}), rows


def _file_cells(path: str, dataset: Dataset, default: Reviewed | None) -> tuple[Any, ...]:
    own = "\n".join((dataset.name, dataset.description, dataset.version))
    kind, fault = (None, None) if default is None else (default.kind, _fault(default))
    cells = (
        path, None, None, dataset.version or None, dataset.schema_version or None, None, None, own, kind,
        fault, None, *_numbers(dataset.defaults), None, None,
    )  # fmt: skip
    return _encodable(cells) if _SURROGATE.search(own) else cells


def _encodable(cell: Any) -> Any:
    """A cell that Arrow takes: a lone surrogate becomes a NUL and its number, which no clean text holds."""
    if isinstance(cell, tuple):
        return tuple(map(_encodable, cell))
    return _SURROGATE.sub(lambda match: f"\0{ord(match.group()):04x}", cell) if isinstance(cell, str) else cell


def _case_cells(seen: Examined, case: Case, scorer: tuple[str | None, str | None, int | None]) -> tuple[Any, ...]:
    kind, fault, judgeable = scorer
    fields = tuple(templates(case))
    rendered = _rendered(case, fields)
    sources = "\n".join([source for _, source in fields])
    own = "\n".join(_own_texts(case, sources))
    cells = (
        seen.path, case.id, case.category or None, None, None, sources, tuple(case.variables),
        own, kind, fault, rendered, *_numbers(case.config),
        None if rendered is None else _length(rendered), judgeable,
    )  # fmt: skip
    return _encodable(cells) if _SURROGATE.search(own) else cells


def _own_texts(case: Case, sources: str) -> Iterator[str]:
    yield from (case.id, case.category, sources)
    for name, value in case.variables.items():
        yield name
        yield text(value)


def _rendered(case: Case, fields: Sequence[tuple[str, str]]) -> tuple[str | None, ...] | None:
    """What is sent, as one comparable value: the system prompt, then each turn; None if it can't be rendered."""
    try:
        made = {name: fill(source, case.variables) for name, source in fields}
    except UndefinedError:
        return None
    if case.prompt is not None:
        return (made.get("system"), made["prompt"])
    if case.turns:
        said = (made[f"turns.{turn}.content"] for turn in range(len(case.turns)))
        return (
            made.get("system"),
            *(part for text, turn in zip(said, case.turns, strict=True) for part in (text, repr(turn.think_s))),
        )
    turns = (made[f"messages.{turn}.content"] for turn in range(len(case.messages)))
    roles = (repr((m.role, m.tool_calls, m.tool_call_id)) for m in case.messages)
    return (made.get("system"), *(part for pair in zip(turns, roles, strict=True) for part in pair))


def _length(rendered: tuple[str | None, ...]) -> int:
    """Characters of the turns, blank ones counted as none; a single turn stands at 1, several at every other place."""
    return sum(len(turn) for turn in rendered[1::2] if turn and turn.strip())


def _fault(review: Reviewed) -> str | None:
    """What is wrong and what would be right, in one cell."""
    return None if review.fault is None else f"{review.fault}; {review.right}"


def _numbers(fields: Mapping[str, Any]) -> Sequence[float | int | None]:
    return [_number(fields.get(name)) for name in NUMBERS] if fields else _NO_NUMBERS


def _number(value: Any) -> float | int | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
