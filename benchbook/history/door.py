"""Putting SQL to the history: the door for notebooks, and for `benchbook sql`.

A connection sees the runs that were there when it was opened.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from benchbook.history.answering import Answering, given
from benchbook.history.opening import over, rows_of, scanned, stumbling
from benchbook.history.sources import Scope, scan
from benchbook.history.summaries import kept, tables_in, tables_of
from benchbook.history.views import ANSWERS, question_texts
from benchbook.results.damage import Damaged
from benchbook.results.schemas import TABLES

T = TypeVar("T")


def connect(
    results: str | Path = "results",
    *,
    runs: Collection[str] | None = None,
    answers: Collection[str] = (),
    deep: bool = False,
) -> duckdb.DuckDBPyConnection:
    """The history in memory: a view per table, `metrics`, `measurements`, `outcomes`, and `answers.QUESTION`.

    runs: only these run ids. answers: questions that are answered on opening, with the default settings, from what is
    kept where that holds: in a long history their views are read in no time, while the others compute. deep: decode
    every file first, so that none that is damaged inside can stop a query. Files that are damaged or not ours are
    passed over and logged; `damaged` lists them.
    """
    sources = scanned(Path(results), Scope(runs=runs, deep=deep))
    con = over(sources, tuple(question_texts()))
    given(con, Answering(sources, kept(Path(results)), {}).answers(answers))
    return con


def damaged(
    results: str | Path = "results", *, runs: Collection[str] | None = None, deep: bool = False
) -> list[Damaged]:
    """The files under `results`/tables (of these runs) that readers pass over, each with its reason."""
    return list(scan(Path(results), Scope(runs=runs, deep=deep)).damaged)


def query(results: str | Path, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of one SQL text over the whole history. Raises QueryError with DuckDB's message.

    Answers that it asks for by name, `answers.QUESTION`, are taken from what is kept where they can be.
    """
    return put(results, sql, rows_of)


def put(results: str | Path, sql: str, read: Callable[[duckdb.DuckDBPyConnection, str], T]) -> T:
    """What `read` makes of a connection on which the text can be run; it may be called twice."""
    named, found = _by_name(sql), kept(Path(results))
    views = () if named or ANSWERS not in sql.lower() else tuple(question_texts())

    def attempt(scope: Scope) -> T:
        sources = scanned(Path(results), scope)
        with over(sources, views) as con:
            given(con, Answering(sources, found, {}).answers(named))
            return read(con, sql)

    return stumbling(Path(results), Scope(_tables(sql, named)), attempt)


def _by_name(sql: str) -> tuple[str, ...]:
    """The questions that a text asks for by name; none where it may ask for others too, or changes a setting."""
    plain = sql.lower()
    named = re.findall(rf"\b{ANSWERS}\.(\w+)\b", plain)
    whole = len(named) == len(re.findall(ANSWERS, plain)) and "variable" not in plain
    return tuple(sorted(set(named) & question_texts().keys())) if whole else ()


def _tables(sql: str, named: Collection[str]) -> tuple[str, ...]:
    """The tables that a text may read: all, where it does not say plainly."""
    plain = sql.lower()
    if (ANSWERS in plain and not named) or re.search(r"\bquery(_table)?\b|u&|\bfrom_substrait\b", plain):
        return tuple(TABLES)
    wanted = {*tables_in(plain)}.union(*map(tables_of, named))
    return tuple(table for table in TABLES if table in wanted)
