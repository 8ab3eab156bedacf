"""Which Parquet files are readable tables of ours, and which are not and why.

A file counts when it is `tables/TABLE/run_id=RUN/part-0.parquet`, ends as Parquet does, has the columns that name its
rows, and no column of another type than the schema's. What fails that is named with its reason and passed over; it is
never fatal. Footers are read in one sweep; only when the sweep stumbles is each file looked at alone. Damage inside a
file shows only on decoding: that is the deep scan, made when a query stumbles.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchbook.history.views import columns, file_list, literal_path, table_select
from benchbook.results.damage import Damaged
from benchbook.results.paths import table_folder
from benchbook.results.schemas import TABLES
from benchbook.results.store import PART

_PREFIX = "run_id="
_MAGIC = b"PAR1"
_SMALLEST = 12
_LACKING = """
select file_name
from parquet_schema($1)
group by file_name
having count(distinct name) filter (where name in (select unnest($2))) < len($2)
limit 1
"""


@dataclass(frozen=True, slots=True)
class Sources:
    """The readable files of each table, in order of run id, and what was passed over."""

    files: Mapping[str, tuple[str, ...]]
    damaged: tuple[Damaged, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """What to look at. runs: these run ids only (None: all); tables: these only; deep: decode every page."""

    tables: Collection[str] = tuple(TABLES)
    runs: Collection[str] | None = None
    deep: bool = False


def scan(con: duckdb.DuckDBPyConnection, results: Path, scope: Scope) -> Sources:
    """Sort the files under `results`/tables into readable and damaged."""
    damaged: list[Damaged] = []
    files = {table: _readable(con, table, results, scope, damaged) for table in TABLES if table in scope.tables}
    return Sources(files, tuple(damaged))


def _readable(
    con: duckdb.DuckDBPyConnection, table: str, results: Path, scope: Scope, damaged: list[Damaged]
) -> tuple[str, ...]:
    found = list(_parts(table_folder(results, table), scope.runs, damaged))
    whole = [path for path in found if not _noted(path, _ending(path), damaged)]
    if whole and not _all_fit(con, table, whole):
        whole = [path for path in whole if not _noted(path, misfit(con, table, path), damaged)]
    if scope.deep:
        whole = [path for path in whole if not _noted(path, _undecodable(path), damaged)]
    return tuple(whole)


def _noted(path: str, reason: str | None, damaged: list[Damaged]) -> bool:
    if reason:
        damaged.append(Damaged(path, None, reason))
    return reason is not None


def _parts(folder: Path, runs: Collection[str] | None, damaged: list[Damaged]) -> Iterator[str]:
    """Part files in order of run id. Names with a leading dot or ending in .tmp are still being written."""
    if not folder.is_dir():
        return
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if not entry.name.startswith(_PREFIX) or not entry.is_dir():
            if _finished(entry.name):
                damaged.append(Damaged(entry.path, None, f"not a partition ({_PREFIX}RUN)"))
        elif runs is None or entry.name.removeprefix(_PREFIX) in runs:
            yield from _in_partition(entry.path, damaged)


def _in_partition(folder: str, damaged: list[Damaged]) -> Iterator[str]:
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if name == PART:
            yield path
        elif _finished(name):
            damaged.append(Damaged(path, None, f"not ours: a partition holds {PART} only"))


def _finished(name: str) -> bool:
    return not name.startswith(".") and not name.endswith(".tmp")


def _ending(path: str) -> str | None:
    """Why the file can't be Parquet, by its first and last bytes."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(4)
            file.seek(max(0, size - 8))
            tail = file.read(8)
    except OSError as error:
        return f"can't be read ({error.strerror})"
    if head != _MAGIC:
        return "not a Parquet file"
    if tail[4:] != _MAGIC or not 0 < int.from_bytes(tail[:4], "little") <= size - _SMALLEST:
        return "a Parquet file without its end, cut short"
    return None


def _keys(table: str) -> tuple[str, ...]:
    return tuple(name for name in ("run_id", "trial_id") if name in TABLES[table].names)


def _all_fit(con: duckdb.DuckDBPyConnection, table: str, paths: list[str]) -> bool:
    try:
        lacking = con.execute(_LACKING, [_patterns(paths), list(_keys(table))]).fetchall()
        return not lacking and not _mistyped(con, table, paths)
    except duckdb.Error:
        return False


def misfit(con: duckdb.DuckDBPyConnection, table: str, path: str) -> str | None:
    """Why this one file is no part of the table; None when it is."""
    try:
        seen = con.read_parquet(_patterns([path]), hive_partitioning=False).columns
        missing = [name for name in _keys(table) if name not in seen]
        if missing:
            return f"not a {table} table: no column {missing[0]}"
        wrong = _mistyped(con, table, [path])
    except duckdb.Error as error:
        return f"can't be read as Parquet ({first_line(error)})"
    return f"not a {table} table: column {wrong}" if wrong else None


def _mistyped(con: duckdb.DuckDBPyConnection, table: str, paths: list[str]) -> str | None:
    """The first column that these files would turn into another type than the schema's, with both types."""
    as_view = con.sql(table_select(table, file_list(paths)))
    seen = dict(zip(as_view.columns, map(str, as_view.types), strict=True))
    for name, kind in columns(table).items():
        if seen[name] != kind:
            return f"{name} reads as {seen[name]}, not {kind}"
    return None


def _patterns(paths: list[str]) -> list[str]:
    return [literal_path(path) for path in paths]


def _undecodable(path: str) -> str | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        pq.ParquetFile(path, page_checksum_verification=True).read(use_threads=False)
    except (OSError, pa.ArrowException) as error:
        return f"damaged inside ({first_line(error)})"
    return None


def first_line(error: Exception) -> str:
    """An exception's message as one line, without DuckDB's pointer into the query."""
    lines = [line.strip() for line in str(error).splitlines()]
    return next((line for line in lines if line), type(error).__name__)
