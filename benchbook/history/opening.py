"""Connections in memory over readable files, and what to do when DuckDB stumbles over one that is not.

A shared database file would lock its readers out while one writes; Parquet files that are renamed into place don't, so
nothing is kept but them.
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
    in_order,
    library,
    metrics_view,
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
_told: set[Damaged] = set()


def opened(results: Path, scope: Scope, questions: Collection[str] = ()) -> duckdb.DuckDBPyConnection:
    """A connection with the scope's tables and these questions as views."""
    return over(scanned(results, scope), questions)


def bare(results: Path, scope: Scope) -> duckdb.DuckDBPyConnection:
    """A connection with the scope's tables alone, for a text that names nothing else: opened in a third of the time."""
    con, sources = empty(), scanned(results, scope)
    for table in scope.tables:
        con.execute(table_view(table, sources.relation(table) if table in sources.parts else None))
    return con


def stands_alone(text: str) -> bool:
    """Whether a text names tables and nothing that the library makes of them."""
    made = re.findall(r"create or replace (?:macro|view) (\w+)", library())
    return {"metrics", ANSWERS, *made}.isdisjoint(re.findall(r"\w+", text))


def scanned(results: Path, scope: Scope) -> Sources:
    """The scope's files; those that are passed over are logged, each once by a process."""
    sources = scan(results, scope)
    for damage in sources.damaged:
        if damage not in _told:
            _told.add(damage)
            _LOG.warning("%s", damage)
    return sources


def over(sources: Sources, questions: Collection[str] = ()) -> duckdb.DuckDBPyConnection:
    """A connection with these tables, and these questions as views."""
    con = empty()
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
    filled = [table_view(table, sources.relation(table)) for table in sources.parts]
    return [*empty, *above, *filled]


def stumbling(results: Path, scope: Scope, attempt: Callable[[Scope], T]) -> T:
    """Run `attempt`; when DuckDB stumbles over a file that is damaged inside, pass that over and run it again."""
    try:
        return attempt(scope)
    except _WRONG_SQL as error:
        raise QueryError("sql", message(error)) from None
    except duckdb.Error as error:
        deep = Scope(scope.tables, scope.runs, deep=True)
        if not scan(results, deep).damaged:
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


def empty() -> duckdb.DuckDBPyConnection:
    """A connection without a table."""
    con = duckdb.connect(":memory:")
    con.execute("set parquet_metadata_cache = true; set TimeZone = 'UTC'; set enable_progress_bar = false")
    return con
