"""Asking the questions in sql/*.sql: by name, with settings, over all runs or some.

An answer is the same to the last bit whenever the files are the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from benchbook.errors import QueryError, UnknownRunError
from benchbook.history.door import opened, rows_of, stumbling
from benchbook.history.sources import Scope
from benchbook.history.views import ANSWERS, in_order, library, question_texts, quoted
from benchbook.metrics import LATENCY_METRICS
from benchbook.results.schemas import TABLES

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

T = TypeVar("T")


def questions() -> dict[str, str]:
    """Question -> its grain, the first line of its file."""
    return {name: text.splitlines()[0].removeprefix("--").strip() for name, text in question_texts().items()}


def ask(
    question: str, results: str | Path = "results", *, runs: Collection[str] | None = None, **settings: Any
) -> list[dict[str, Any]]:
    """The rows of a question, over these run ids only when `runs` is given.

    settings: confidence of intervals (0.95), slos as limits by metric, top rows of a listing (20), trial as the start
    of a trial's id (for `retries` and `timeline`).
    Raises QueryError for a question or setting that is none.
    """
    return ask_many((question,), results, runs=runs, **settings)[question]


def ask_many(
    asked: Collection[str], results: str | Path = "results", *, runs: Collection[str] | None = None, **settings: Any
) -> dict[str, list[dict[str, Any]]]:
    """Question -> its rows, as `ask`, for several questions to one and the same history."""
    answers = _answers(asked, Path(results), runs, settings, read=rows_of)
    return {
        question: [dict(zip(names, row, strict=True)) for row in rows]
        for question, (names, rows) in zip(asked, answers, strict=True)
    }


def ask_tables(
    asked: Collection[str], results: str | Path = "results", *, runs: Collection[str] | None = None, **settings: Any
) -> dict[str, pa.Table]:
    """Question -> its answer as an Arrow table, for several questions to one and the same history."""
    tables = _answers(asked, Path(results), runs, settings, read=lambda con, text: con.sql(text).to_arrow_table())
    return dict(zip(asked, tables, strict=True))


def run_row(results: str | Path, run_id: str) -> dict[str, Any]:
    """The row of `runs`, with `max_failure_share` out of its store parameters. Raises UnknownRunError."""
    from benchbook.config import StoreSection

    rows = select(Path(results), "select * from runs", runs=(run_id,))
    if not rows:
        raise UnknownRunError("", f"no run {run_id!r} in {results}", "see `benchbook runs`")
    stored = json.loads(rows[0]["store_params"] or "{}")
    return {**rows[0], "max_failure_share": stored.get("max_failure_share", StoreSection().max_failure_share)}


def select(results: Path, sql: str, *, runs: Collection[str] | None = None) -> list[dict[str, Any]]:
    """Rows of a query of the library's own, over the tables that it names."""

    def attempt(scope: Scope) -> tuple[list[str], list[tuple[Any, ...]]]:
        with opened(results, scope) as con:
            return rows_of(con, sql)

    names, rows = stumbling(results, Scope(_tables_in(sql), runs), attempt)
    return [dict(zip(names, row, strict=True)) for row in rows]


def _answers(
    asked: Collection[str],
    results: Path,
    runs: Collection[str] | None,
    settings: Mapping[str, Any],
    *,
    read: Callable[[duckdb.DuckDBPyConnection, str], T],
) -> list[T]:
    texts = [_text(question) for question in asked]
    parts = in_order(sorted(set(re.findall(rf"\b{ANSWERS}\.(\w+)", "\n".join(texts)))))
    variables = [_variable(name, value) for name, value in settings.items() if value is not None]
    scope = Scope(_tables_in("\n".join([*texts, *map(_text, parts)])), runs)

    def attempt(scope: Scope) -> list[T]:
        with opened(results, scope, parts) as con:
            for statement in variables:
                con.execute(statement)
            return [read(con, text) for text in texts]

    return stumbling(results, scope, attempt)


def _text(question: str) -> str:
    texts = question_texts()
    if question not in texts:
        raise QueryError("", f"no question {question!r}", f"one of {', '.join(texts)}")
    return texts[question]


def _tables_in(text: str) -> tuple[str, ...]:
    words = set(re.findall(r"\w+", text))
    if words & {"measurements", "outcomes"}:
        words |= set(re.findall(r"\w+", library()))
    return tuple(table for table in TABLES if table in words)


def _variable(name: str, value: Any) -> str:
    if name == "confidence" and isinstance(value, float) and 0.5 < value < 1:
        return f"set variable confidence = {value!r}::double"
    if name == "top" and isinstance(value, int) and value > 0:
        return f"set variable top = {value:d}"
    if name == "trial" and isinstance(value, str) and value:
        return f"set variable trial = {quoted(value)}"
    if name == "slos" and isinstance(value, Mapping):
        return f"set variable slos = {_limits(value)}"
    raise QueryError(name, f"{value!r} is no setting of a question", "confidence=0.95, slos={'ttft_ms': 500}, top=20")


def _limits(slos: Mapping[str, float]) -> str:
    for metric in slos:
        if metric not in LATENCY_METRICS:
            raise QueryError("slos", f"no metric {metric!r}", f"one of {', '.join(LATENCY_METRICS)}")
    names = ", ".join(quoted(metric) for metric in slos)
    return f"map([{names}]::varchar[], {[float(limit) for limit in slos.values()]}::double[])"
