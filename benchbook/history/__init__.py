"""Questions over stored results; the only door to DuckDB.

    con = connect("results")                     views over every run, in memory
    ask("latency", "results")                    a question of sql/*.sql, as rows
    query("results", "select ...")               anything else
    compare_runs("results", run_a, run_b)        two runs, paired by test case

SQL lives in sql/*.sql, one question each: grain in the first line, table names inside and never paths.
"""

from __future__ import annotations

from benchbook.history.aggregates import aggregate_tables, headline
from benchbook.history.comparing import compare_runs
from benchbook.history.door import connect, damaged, query
from benchbook.history.keeping import keep_answers
from benchbook.history.questions import ask, ask_many, ask_tables, questions, run_row
from benchbook.history.shell import write_views

__all__ = [
    "aggregate_tables",
    "ask",
    "ask_many",
    "ask_tables",
    "compare_runs",
    "connect",
    "damaged",
    "headline",
    "keep_answers",
    "query",
    "questions",
    "run_row",
    "write_views",
]
