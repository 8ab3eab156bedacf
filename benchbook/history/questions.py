"""Asking the questions in sql/*.sql: by name, with settings, over all runs or some.

An answer is the same to the last bit whenever the files are the same, whether it was computed now or kept.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbook.errors import QueryError, UnknownRunError
from benchbook.history.answering import Answering, rows
from benchbook.history.frozen import frozen
from benchbook.history.opening import bare, opened, rows_of, scanned, stands_alone, stumbling
from benchbook.history.sources import Scope
from benchbook.history.summaries import kept, tables_in, tables_of
from benchbook.history.views import question_texts, quoted
from benchbook.metrics import LATENCY_METRICS
from benchbook.results.schemas import TABLES

if TYPE_CHECKING:
    import pyarrow as pa


def questions() -> dict[str, str]:
    """Question -> its grain, the first line of its file."""
    return {name: text.splitlines()[0].removeprefix("--").strip() for name, text in question_texts().items()}


def ask(
    question: str, results: str | Path = "results", *, runs: Collection[str] | None = None, **settings: Any
) -> list[dict[str, Any]]:
    """The rows of a question, over these run ids only when `runs` is given.

    settings: confidence of intervals (0.95), slos as limits by metric, top rows of a listing (20), trial as the start
    of a trial's id (for `retries` and `timeline`), volume in trials a month (for `cost_at_volume`); last: of many rows
    so many, those of the newest runs.
    Raises QueryError for a question or setting that is none.
    """
    (found,) = rows(_answers((question,), Path(results), runs, settings))
    return found


def ask_many(
    asked: Collection[str], results: str | Path = "results", *, runs: Collection[str] | None = None, **settings: Any
) -> dict[str, list[dict[str, Any]]]:
    """Question -> its rows, as `ask`, for several questions to one and the same history."""
    tables = _answers(asked, Path(results), runs, settings)
    return dict(zip(asked, rows(tables), strict=True))


def ask_tables(
    asked: Collection[str], results: str | Path = "results", *, runs: Collection[str] | None = None, **settings: Any
) -> dict[str, pa.Table]:
    """Question -> its answer as an Arrow table, for several questions to one and the same history."""
    return dict(zip(asked, _answers(asked, Path(results), runs, settings), strict=True))


def run_row(results: str | Path, run_id: str) -> dict[str, Any]:
    """The row of `runs`, with `max_failure_share` out of its store parameters. Raises UnknownRunError."""
    from benchbook.config import StoreSection

    rows = select(Path(results), "select * from runs", runs=(run_id,))
    if not rows:
        raise UnknownRunError("", f"no run {run_id!r} in {results}", "see `benchbook runs`")
    stored = frozen(rows[0]["store_params"])
    return {**rows[0], "max_failure_share": stored.get("max_failure_share", StoreSection().max_failure_share)}


def select(results: Path, sql: str, *, runs: Collection[str] | None = None) -> list[dict[str, Any]]:
    """Rows of a query of the library's own, over the tables that it names."""
    return select_many(results, (sql,), runs=runs)[0]


def select_many(
    results: Path, texts: Sequence[str], *, runs: Collection[str] | None = None
) -> list[list[dict[str, Any]]]:
    """The rows of each of several queries to one and the same history, as `select`."""

    whole = "\n".join(texts)
    opening = bare if stands_alone(whole) else opened

    def attempt(scope: Scope) -> list[tuple[list[str], list[tuple[Any, ...]]]]:
        with opening(results, scope) as con:
            return [rows_of(con, sql) for sql in texts]

    found = stumbling(results, Scope(tables_in(whole), runs), attempt)
    return [[dict(zip(names, row, strict=True)) for row in rows] for names, rows in found]


def _answers(
    asked: Collection[str],
    results: Path,
    runs: Collection[str] | None,
    settings: Mapping[str, Any],
) -> list[pa.Table]:
    last, settings = _last(settings)
    variables = as_variables(settings)
    texts = question_texts()
    for question in asked:
        if question not in texts:
            raise QueryError("", f"no question {question!r}", f"one of {', '.join(texts)}")
    found = kept(results)

    def attempt(scope: Scope) -> list[pa.Table]:
        sources = scanned(results, scope)
        answers = Answering(sources, found, settings, variables).answers(asked, last)
        return [answers[question] for question in asked]

    tables = {table for question in asked for table in tables_of(question)}
    return stumbling(results, Scope(tuple(table for table in TABLES if table in tables), runs), attempt)


def _last(settings: Mapping[str, Any]) -> tuple[int | None, dict[str, Any]]:
    """The number of rows that are wanted, None for all, and the settings of the question itself."""
    others = dict(settings)
    last = others.pop("last", None)
    if last is not None and not (isinstance(last, int) and last > 0):
        raise QueryError("last", f"{last!r} is no number of rows", "last=1000, or None for all")
    return last, others


def as_variables(settings: Mapping[str, Any]) -> list[str]:
    """Settings as SQL. Raises QueryError for what is none."""
    return [_variable(name, value) for name, value in settings.items() if value is not None]


def _variable(name: str, value: Any) -> str:
    if name == "confidence" and isinstance(value, float) and 0.5 < value < 1:
        return f"set variable confidence = {value!r}::double"
    if name == "top" and isinstance(value, int) and value > 0:
        return f"set variable top = {value:d}"
    if name == "volume" and isinstance(value, int | float) and 0 < value < math.inf:
        return f"set variable volume = {float(value)!r}::double"
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
