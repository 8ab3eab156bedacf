"""The text of the views: tables over Parquet files, the metrics, what questions share, and the questions themselves.

Every table view starts from an empty relation with the schema's columns and adds the files by column name. So a view
exists before the first run, and a file of an older schema version reads with nulls where it has no such column.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from benchbook.metrics import LATENCY_METRICS, METRIC_DIRECTION
from benchbook.results.schemas import TABLES

_HERE = Path(__file__).parent
ANSWERS = "answers"
"""The SQL schema in which each question is a view: `answers.latency`."""


_KEYWORDS = frozenset({"target", "value"})
"""Names of struct fields that DuckDB quotes when it names a type."""


@lru_cache(maxsize=1)
def question_texts() -> dict[str, str]:
    """Question -> its SQL as the file has it, in order of name."""
    return {path.stem: path.read_text(encoding="utf-8").strip() for path in sorted((_HERE / "sql").glob("*.sql"))}


def in_order(questions: Iterable[str]) -> list[str]:
    """These questions and those that they ask in turn, each after the ones that it stands on."""
    found: list[str] = []

    def add(question: str) -> None:
        if question in found:
            return
        for part in sorted(set(re.findall(rf"\b{ANSWERS}\.(\w+)", question_texts().get(question, "")))):
            add(part)
        found.append(question)

    for question in questions:
        add(question)
    return found


@lru_cache(maxsize=1)
def library() -> str:
    """The macros and views that questions share. Needs the view `trials`."""
    return (_HERE / "library.sql").read_text(encoding="utf-8")


@lru_cache(maxsize=len(TABLES))
def columns(table: str) -> dict[str, str]:
    """Column -> DuckDB type of a table, by its Arrow schema."""
    return {field.name: _duckdb_type(field.type) for field in TABLES[table]}


def table_view(table: str, source: str | None) -> str:
    """The view of a table over `source`, a `from` clause; over nothing when None."""
    return f"create or replace view {table} as\n{table_select(table, source)};\n"


def table_select(table: str, source: str | None) -> str:
    """As table_view, the query alone."""
    nulls = ", ".join(f"null::{kind} as {name}" for name, kind in columns(table).items())
    empty = f"select {nulls} where false"
    if source is None:
        return empty
    return f"{empty}\nunion all by name\n{source}"


def from_files(alike: Collection[str], others: Collection[str] = ()) -> str | None:
    """Files as SQL, by column name; None where there are none.

    alike: files that have one schema, of which DuckDB opens the first to bind a query and the rest to read them.
    """
    parts = []
    if alike:
        parts.append(f"from read_parquet({file_list(alike)}, hive_partitioning = false)")
    if others:
        parts.append(f"from read_parquet({file_list(others)}, union_by_name = true, hive_partitioning = false)")
    return "\nunion all by name\n".join(parts) or None


def from_pattern(pattern: str, *, alike: bool) -> str:
    """Every file that the pattern names, as SQL; alike: they have one schema, and only the first is opened to bind."""
    return f"from read_parquet({quoted(pattern)}, union_by_name = {str(not alike).lower()}, hive_partitioning = false)"


def metrics_view() -> str:
    """The view `metrics`: the latency metrics in their order, each with its better direction."""
    rows = ", ".join(f"('{name}', '{METRIC_DIRECTION[name]}', {i})" for i, name in enumerate(LATENCY_METRICS))
    return f"create or replace view metrics as from (values {rows}) as m (metric, better, position);\n"


def answer_view(question: str) -> str:
    """The view `answers.QUESTION`."""
    return f"create or replace view {ANSWERS}.{question} as\n{question_texts()[question]};\n"


def answers_schema() -> str:
    """What answer views live in."""
    return f"create schema if not exists {ANSWERS};\n"


def file_list(paths: Iterable[str]) -> str:
    """A SQL list of files, each meant literally although DuckDB reads them as patterns."""
    return "[" + ", ".join(quoted(literal_path(path)) for path in paths) + "]"


def literal_path(path: str) -> str:
    """A path as a pattern that matches only itself."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)


def quoted(text: str) -> str:
    """A SQL string."""
    return "'" + text.replace("'", "''") + "'"


def _duckdb_type(kind: pa.DataType) -> str:
    if pa.types.is_map(kind):
        return f"MAP({_duckdb_type(kind.key_type)}, {_duckdb_type(kind.item_type)})"
    if pa.types.is_struct(kind):
        parts = ((f'"{part.name}"' if part.name in _KEYWORDS else part.name, part.type) for part in kind)
        return f"STRUCT({', '.join(f'{name} {_duckdb_type(type_)}' for name, type_ in parts)})"
    if pa.types.is_list(kind):
        return f"{_duckdb_type(kind.value_type)}[]"
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP WITH TIME ZONE" if kind.tz else "TIMESTAMP"
    return {"string": "VARCHAR", "int64": "BIGINT", "double": "DOUBLE", "bool": "BOOLEAN", "binary": "BLOB"}[str(kind)]
