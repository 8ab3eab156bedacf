"""Opening the history, in memory, and putting SQL to it.

A connection sees the runs that were there when it was opened. A shared database file would lock its readers out while
one writes; Parquet files that are renamed into place don't, so nothing is kept but them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from benchbook.errors import QueryError
from benchbook.history.sources import Scope, Sources, first_line, scan
from benchbook.history.views import (
    ANSWERS,
    answer_view,
    answers_schema,
    file_list,
    in_order,
    library,
    metrics_view,
    question_texts,
    table_view,
)
from benchbook.results.damage import Damaged
from benchbook.results.schemas import TABLES

_LOG = logging.getLogger(__name__)
_WRONG_SQL = (
    duckdb.ParserException,
    duckdb.SyntaxException,
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ConversionException,
    duckdb.OutOfMemoryException,
)
"""Errors of the query's own, whatever the files hold."""

T = TypeVar("T")


def connect(
    results: str | Path = "results", *, runs: Collection[str] | None = None, deep: bool = False
) -> duckdb.DuckDBPyConnection:
    """The history in memory: a view per table, `metrics`, `measurements`, `outcomes`, and `answers.QUESTION`.

    runs: only these run ids. deep: decode every file first, so that none that is damaged inside can stop a query.
    Files that are damaged or not ours are passed over and logged; `damaged` lists them.
    """
    return opened(Path(results), Scope(runs=runs, deep=deep), tuple(question_texts()))


def damaged(results: str | Path = "results", *, deep: bool = False) -> list[Damaged]:
    """The files under `results`/tables that readers pass over, each with its reason."""
    with _empty() as con:
        return list(scan(con, Path(results), Scope(deep=deep)).damaged)


def query(results: str | Path, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of one SQL text over the whole history. Raises QueryError with DuckDB's message."""

    def attempt(scope: Scope) -> tuple[list[str], list[tuple[Any, ...]]]:
        with opened(Path(results), scope, _asked(sql)) as con:
            return rows_of(con, sql)

    return stumbling(Path(results), Scope(), attempt)


def opened(results: Path, scope: Scope, questions: Collection[str] = ()) -> duckdb.DuckDBPyConnection:
    """A connection with the scope's tables and these questions as views."""
    con = _empty()
    sources = scan(con, results, scope)
    for damage in sources.damaged:
        _LOG.warning("%s", damage)
    for statement in statements(sources, questions):
        con.execute(statement)
    return con


def statements(sources: Sources, questions: Collection[str]) -> list[str]:
    """The SQL that makes the views, in an order that works.

    What stands on the tables is bound while they are still empty, and the tables get their files last: binding a view
    over 1,000 files opens all of them.
    """
    empty = [table_view(table, None) for table in TABLES]
    above = [metrics_view(), library(), answers_schema(), *(answer_view(name) for name in in_order(questions))]
    filled = [table_view(table, file_list(files)) for table, files in sources.files.items() if files]
    return [*empty, *above, *filled]


def stumbling(results: Path, scope: Scope, attempt: Callable[[Scope], T]) -> T:
    """Run `attempt`; when DuckDB stumbles over a file that is damaged inside, pass that over and run it again."""
    try:
        return attempt(scope)
    except _WRONG_SQL as error:
        raise QueryError("sql", message(error)) from None
    except duckdb.Error as error:
        deep = Scope(scope.tables, scope.runs, deep=True)
        with _empty() as con:
            if not scan(con, results, deep).damaged:
                raise QueryError("sql", message(error)) from None
    try:
        return attempt(deep)
    except duckdb.Error as error:
        raise QueryError("sql", message(error)) from None


def rows_of(con: duckdb.DuckDBPyConnection, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows. Raises QueryError for a text without a statement."""
    found = con.execute(sql)
    if found is None:
        raise QueryError("sql", "there is nothing to run")
    return [column[0] for column in found.description or ()], found.fetchall()


def message(error: Exception) -> str:
    """DuckDB's message in one line, with the candidates it proposes and without its drawing of the query."""
    text = str(error).split("\nLINE ")[0]
    return re.sub(r"\s+", " ", text).strip() or first_line(error)


def _asked(sql: str) -> tuple[str, ...]:
    """The questions that a text may name; all are made when it names the schema at all."""
    return tuple(question_texts()) if ANSWERS in sql.lower() else ()


def _empty() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(":memory:")
    con.execute("set parquet_metadata_cache = true; set TimeZone = 'UTC'")
    return con
