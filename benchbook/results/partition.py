"""A run's partition while it is written: every table beside the old one, seen by nobody until all are whole.

Rows come in batches of any size and order. The bytes of a table depend on its rows, its schema, the stamp and the
settings alone: rows are put in the table's order, and row groups have a fixed size.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchbook.errors import RecordError
from benchbook.results.paths import table_folder, writable
from benchbook.results.schemas import SCHEMA_VERSION, TABLES
from benchbook.results.sorting import BLOCK_BYTES, Sorted
from benchbook.results.whole import sync_folder, temporary

PART = "part-0.parquet"
PREFIX = "run_id="
STAMP = "benchbook."
ROWS_PER_GROUP: Mapping[str, int] = {"responses": 2_048, "calls": 8_192}
"""Of tables whose rows may be long; a group of any other table has `ROWS_PER_GROUP_ELSE` rows."""
ROWS_PER_GROUP_ELSE = 32_768
_ZSTD_LEVEL = 3
_RUN_ID = pa.dictionary(pa.int32(), pa.string())

_ORDER = {
    "runs": ("plan_hash",),
    "trials": ("position", "trial_id"),
    "calls": ("trial_id", "turn", "attempt", "call_id"),
    "responses": ("trial_id", "turn", "attempt", "call_id"),
    "spans": ("trial_id", "started_ns", "span_id"),
    "scores": ("trial_id", "scorer"),
    "checks": ("suite", "subject", "name"),
    "events": ("happened_at", "at_ns"),
}


def partition_file(results: Path, table: str, run_id: str) -> Path:
    """Where a run's part of a table lies."""
    return table_folder(results, table) / f"{PREFIX}{run_id}" / PART


def stamped(stamp: Mapping[str, str]) -> dict[str, str]:
    """The stamp with this schema's version."""
    return {**stamp, "schema_version": str(SCHEMA_VERSION)}


class Partition:
    """Writes all tables of a run; use it as a context manager. Left without `publish`, it leaves what was there.

    stamp: what they are derived from; compression: zstd, snappy, gzip or none; block_bytes: rows of one table that are
    held before they are set aside. Raises StorageError, and RecordError for a table, column or run that is not of these
    schemas.
    """

    def __init__(
        self,
        results: Path,
        run_id: str,
        stamp: Mapping[str, str],
        compression: str = "zstd",
        *,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        self._results, self._run_id, self._compression = results, run_id, compression
        self._metadata = {f"{STAMP}{name}": value for name, value in sorted(stamped(stamp).items())}
        self._block_bytes = block_bytes
        self._rows: dict[str, Sorted] = {}
        self._written: set[str] = set()
        self._stack = ExitStack()

    def add(self, name: str, rows: pa.Table) -> None:
        """Take rows of a table that is not written yet; columns that they lack are null."""
        if name not in TABLES:
            raise RecordError(f"no such table: {name}")
        ready = _ready(name, self._run_id, rows)
        with writable(self._results):
            self._sorted(name).add(ready)

    def write(self, names: Collection[str]) -> None:
        """Write these tables; no rows are added to them afterwards."""
        with writable(self._results):
            for name in names:
                self._write(name, self._sorted(name))
                self._rows.pop(name).close()
                self._written.add(name)

    def parts(self, name: str) -> Iterator[Callable[[Sequence[str]], pa.Table]]:
        """A table that is written, a row group at a time: each gives the columns that it is asked for, while the next
        one is not asked for. A table without rows is one part."""
        with pq.ParquetFile(self._hidden(name)) as file:
            if not file.num_row_groups:
                yield pa.Table.from_batches([], schema=file.schema_arrow).select
            for group in range(file.num_row_groups):
                yield partial(_columns, file, group)

    def publish(self) -> list[Path]:
        """Write what is not written yet, and put the new tables in the place of the old ones; their paths."""
        self.write([name for name in TABLES if name not in self._written])
        paths = [partition_file(self._results, name, self._run_id) for name in TABLES]
        with writable(self._results):
            for path in paths:
                temporary(path).replace(path)
                sync_folder(path.parent)
        return paths

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        for name in TABLES:
            try:
                self._hidden(name).unlink(missing_ok=True)
            except OSError:
                continue

    def _hidden(self, name: str) -> Path:
        return temporary(partition_file(self._results, name, self._run_id))

    def _sorted(self, name: str) -> Sorted:
        if name in self._written:
            raise RecordError(f"table {name} is written already")
        if name not in self._rows:
            folder = self._hidden(name).parent
            folder.mkdir(parents=True, exist_ok=True)
            schema = TABLES[name].remove(0)
            self._rows[name] = self._stack.enter_context(Sorted(schema, _ORDER[name], folder, self._block_bytes))
        return self._rows[name]

    def _write(self, name: str, rows: Sorted) -> None:
        """Write and sync one file."""
        settings: dict[str, Any] = {"compression": self._compression.upper(), "version": "2.6"}
        if self._compression == "zstd":
            settings["compression_level"] = _ZSTD_LEVEL
        schema = TABLES[name].set(0, pa.field("run_id", _RUN_ID)).with_metadata(self._metadata)
        size = ROWS_PER_GROUP.get(name, ROWS_PER_GROUP_ELSE)
        with self._hidden(name).open("wb") as file:
            with pq.ParquetWriter(file, schema, write_page_checksum=True, **settings) as writer:
                for group in rows.groups(size):
                    whole = group.add_column(0, schema.field(0), _repeated(self._run_id, len(group))).combine_chunks()
                    writer.write_table(whole, size)
            file.flush()
            os.fsync(file.fileno())


def write_partition(
    results: Path, run_id: str, tables: Mapping[str, pa.Table], stamp: Mapping[str, str], compression: str = "zstd"
) -> list[Path]:
    """Write every table of the run; those not given are empty. `stamp`: what they were derived from.

    Raises StorageError, with what was there before untouched, and RecordError, as `Partition` does.
    """
    with Partition(results, run_id, stamp, compression) as partition:
        for name, table in tables.items():
            partition.add(name, table)
        return partition.publish()


def conformed(table: pa.Table, schema: pa.Schema) -> pa.Table | str:
    """The table with exactly the schema's columns, or why it is not one of them."""
    lacking = [name for name in ("run_id", "trial_id") if name in schema.names and name not in table.column_names]
    if lacking:
        return f"not one of our tables: it has no column {lacking[0]}"
    columns = []
    for field in schema:
        if field.name not in table.column_names:
            columns.append(pa.nulls(len(table), field.type))
            continue
        column = table[field.name]
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if column.type != field.type:
            return f"column {field.name} is {column.type}, not {field.type}"
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=schema)


def _ready(name: str, run_id: str, table: pa.Table) -> pa.Table:
    """The table in its schema, but for the run's id, which is one and the same."""
    schema = TABLES[name]
    if unknown := set(table.column_names) - set(schema.names):
        raise RecordError(f"table {name} has no column {', '.join(sorted(unknown))}")
    found = conformed(table, schema)
    if isinstance(found, str):
        raise RecordError(f"table {name}: {found}")
    if others := set(pc.unique(found["run_id"]).to_pylist()) - {run_id}:
        raise RecordError(f"table {name} holds rows of run {others.pop()}, not only of {run_id}")
    return found.remove_column(0)


def _columns(file: pq.ParquetFile, group: int, names: Sequence[str]) -> pa.Table:
    return file.read_row_group(group, columns=list(names), use_threads=False)


def _repeated(text: str, rows: int) -> pa.Array:
    """One text in every row."""
    return pa.DictionaryArray.from_arrays(pa.nulls(rows, pa.int32()).fill_null(0), pa.array([text]))
