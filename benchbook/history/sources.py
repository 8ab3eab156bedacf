"""Which Parquet files are readable tables of ours, and which are not and why.

A file counts when it is `tables/TABLE/run_id=RUN/part-0.parquet`, ends as Parquet does, has the columns that name its
rows, and no column of another type than the schema's. What fails that is named with its reason and passed over; it is
never fatal. Only the end of a file is read: it names the columns, and its digest is the mark by which the content is
known again. A footer that begins with today's schema fits; the others go to DuckDB in one sweep, and only when that
stumbles is each of them looked at alone. Damage inside a file shows only on decoding: that is the deep scan, made when
a query stumbles.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from pathlib import Path

import duckdb

from benchbook.history.views import columns, from_files, literal_path, table_select
from benchbook.results.damage import Damaged
from benchbook.results.paths import table_folder
from benchbook.results.schemas import TABLES
from benchbook.results.store import PART

_PREFIX = "run_id="
_MAGIC = b"PAR1"
_SMALLEST = 12
_TAIL_BYTES = 65_536
_LACKING = """
select file_name
from parquet_schema($1)
group by file_name
having count(distinct name) filter (where name in (select unnest($2))) < len($2)
limit 1
"""


@dataclass(frozen=True, slots=True)
class Part:
    """One run's part of a table. mark: digest of its footer and size; current: its columns are today's schema's."""

    run_id: str
    path: str
    mark: str
    current: bool


@dataclass(frozen=True, slots=True)
class Sources:
    """The readable parts of each table, in order of run id, and what was passed over."""

    parts: Mapping[str, tuple[Part, ...]]
    damaged: tuple[Damaged, ...]

    def files(self, table: str) -> list[str]:
        """Their paths."""
        return [part.path for part in self.parts.get(table, ())]

    def relation(self, table: str) -> str | None:
        """The files as SQL, None where there are none. Those of today's schema are opened only when they are read."""
        return from_files(
            [part.path for part in self.parts.get(table, ()) if part.current],
            [part.path for part in self.parts.get(table, ()) if not part.current],
        )

    def marks(self) -> dict[str, dict[str, str]]:
        """Run -> table -> mark."""
        found: dict[str, dict[str, str]] = {}
        for table, parts in self.parts.items():
            for part in parts:
                found.setdefault(part.run_id, {})[table] = part.mark
        return found

    def of(self, runs: Collection[str], tables: Collection[str]) -> Sources:
        """The same of these runs and tables only."""
        chosen = {
            table: tuple(part for part in parts if part.run_id in runs)
            for table, parts in self.parts.items()
            if table in tables
        }
        return Sources(chosen, self.damaged)


@dataclass(frozen=True, slots=True)
class Scope:
    """What to look at. runs: these run ids only (None: all); tables: these only; deep: decode every page."""

    tables: Collection[str] = tuple(TABLES)
    runs: Collection[str] | None = None
    deep: bool = False


def scan(results: Path, scope: Scope) -> Sources:
    """Sort the files under `results`/tables into readable and damaged."""
    damaged: list[Damaged] = []
    parts = {table: _readable(table, results, scope, damaged) for table in TABLES if table in scope.tables}
    return Sources(parts, tuple(damaged))


def _readable(table: str, results: Path, scope: Scope, damaged: list[Damaged]) -> tuple[Part, ...]:
    parts = []
    for run_id, path in _found(table_folder(results, table), scope.runs, damaged):
        part = _part(table, run_id, path)
        if isinstance(part, Part):
            parts.append(part)
        else:
            damaged.append(Damaged(path, None, part))
    others = [part.path for part in parts if not part.current]
    reasons = _misfits(table, others) if others else {}
    parts = [part for part in parts if not _noted(part.path, reasons.get(part.path), damaged)]
    if scope.deep:
        parts = [part for part in parts if not _noted(part.path, _undecodable(part.path), damaged)]
    return tuple(parts)


def _misfits(table: str, paths: list[str]) -> dict[str, str | None]:
    """Path -> why it is no part of the table, of files that are not of today's schema."""
    with duckdb.connect(":memory:") as con:
        con.execute("set parquet_metadata_cache = true")
        return {} if _all_fit(con, table, paths) else {path: misfit(con, table, path) for path in paths}


def _noted(path: str, reason: str | None, damaged: list[Damaged]) -> bool:
    if reason:
        damaged.append(Damaged(path, None, reason))
    return reason is not None


def _found(folder: Path, runs: Collection[str] | None, damaged: list[Damaged]) -> Iterator[tuple[str, str]]:
    """Run ids and part files, in order. Names with a leading dot or ending in .tmp are still being written."""
    if not folder.is_dir():
        return
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if not entry.name.startswith(_PREFIX) or not entry.is_dir():
            if _finished(entry.name):
                damaged.append(Damaged(entry.path, None, f"not a partition ({_PREFIX}RUN)"))
        elif runs is None or entry.name.removeprefix(_PREFIX) in runs:
            for path in _in_partition(entry.path, damaged):
                yield entry.name.removeprefix(_PREFIX), path


def _in_partition(folder: str, damaged: list[Damaged]) -> Iterator[str]:
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if name == PART:
            yield path
        elif _finished(name):
            damaged.append(Damaged(path, None, f"not ours: a partition holds {PART} only"))


def _finished(name: str) -> bool:
    return not name.startswith(".") and not name.endswith(".tmp")


def _part(table: str, run_id: str, path: str) -> Part | str:
    """The file by its end, or why it can't be Parquet."""
    try:
        with open(path, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            head = os.pread(file.fileno(), 4, 0)
            tail = os.pread(file.fileno(), _TAIL_BYTES, max(0, size - _TAIL_BYTES))
            length = int.from_bytes(tail[-8:-4], "little")
            if _TAIL_BYTES - 8 < length <= size - _SMALLEST:
                tail = os.pread(file.fileno(), length + 8, size - length - 8)
    except OSError as error:
        return f"can't be read ({error.strerror})"
    if head != _MAGIC:
        return "not a Parquet file"
    if tail[-4:] != _MAGIC or not 0 < length <= size - _SMALLEST:
        return "a Parquet file without its end, cut short"
    footer = tail[-8 - length :]
    mark = hashlib.blake2b(footer + size.to_bytes(8, "little"), digest_size=12).hexdigest()
    return Part(run_id, path, mark, footer.startswith(_beginning(table)))


@lru_cache(maxsize=len(TABLES))
def _beginning(table: str) -> bytes:
    """How the footer of a file with exactly today's columns begins: version and schema, up to the number of rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def footer(rows: int) -> bytes:
        out = io.BytesIO()
        columns = [pa.nulls(rows, field.type) for field in TABLES[table]]
        pq.write_table(pa.Table.from_arrays(columns, schema=TABLES[table]), out)
        data = out.getvalue()
        return data[-8 - int.from_bytes(data[-8:-4], "little") : -8]

    pairs = zip(footer(0), footer(1), strict=False)
    return bytes(byte for byte, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


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
    as_view = con.sql(table_select(table, from_files((), paths)))
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
