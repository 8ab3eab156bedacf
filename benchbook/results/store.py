"""The Parquet store: derived tables, one immutable partition per run and table.

    results/tables/TABLE/run_id=RUN/part-0.parquet

Every run has a partition of every table, even when empty. A partition is replaced whole: all tables are written
beside the old ones and synced, and only then renamed. It is stamped with the schema's version and what it was
derived from, and the same input gives the same bytes. `run_id` is in the file as well as in the folder's name,
dictionary-encoded as pandas and pyarrow read a hive folder's name, so every reader finds it once.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchbook.errors import RecordError
from benchbook.results.damage import Damaged
from benchbook.results.paths import table_folder, writable
from benchbook.results.schemas import SCHEMA_VERSION, TABLES
from benchbook.results.whole import sync_folder, temporary

PART = "part-0.parquet"
_PREFIX = "run_id="
_STAMP = "benchbook."
_ROWS_PER_GROUP = {"responses": 2_048}
_ROWS_PER_GROUP_ELSE = 32_768
_ZSTD_LEVEL = 3
_RUN_ID = pa.dictionary(pa.int32(), pa.string())

_ORDER = {
    "runs": ("run_id",),
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
    return table_folder(results, table) / f"{_PREFIX}{run_id}" / PART


def write_partition(
    results: Path, run_id: str, tables: Mapping[str, pa.Table], stamp: Mapping[str, str], compression: str = "zstd"
) -> list[Path]:
    """Write every table of the run; those not given are empty. `stamp`: what they were derived from.

    compression: zstd, snappy, gzip or none. Raises StorageError, with what was there before untouched, and
    RecordError for a table, column or run that is not of these schemas.
    """
    if unknown := set(tables) - set(TABLES):
        raise RecordError(f"no such table: {', '.join(sorted(unknown))}")
    metadata = {f"{_STAMP}{name}": value for name, value in sorted(_stamped(stamp).items())}
    paths = [partition_file(results, name, run_id) for name in TABLES]
    with writable(results):
        try:
            for name, path in zip(TABLES, paths, strict=True):
                table = _ready(name, run_id, tables.get(name)).replace_schema_metadata(metadata)
                path.parent.mkdir(parents=True, exist_ok=True)
                _write(temporary(path), table, _ROWS_PER_GROUP.get(name, _ROWS_PER_GROUP_ELSE), compression)
            for path in paths:
                temporary(path).replace(path)
                sync_folder(path.parent)
        finally:
            _remove([temporary(path) for path in paths])
    return paths


def is_current(results: Path, run_id: str, stamp: Mapping[str, str]) -> bool:
    """Whether every table of the run is there and bears this stamp and this schema's version."""
    wanted = _stamped(stamp)
    return all(read_stamp(partition_file(results, name, run_id)) == wanted for name in TABLES)


def read_stamp(path: Path) -> dict[str, str] | None:
    """The stamp of a stored table, `schema_version` in it; None where the file is not there or not ours."""
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException):
        return None
    named = {key.decode(errors="replace"): value.decode(errors="replace") for key, value in metadata.items()}
    return {key.removeprefix(_STAMP): value for key, value in named.items() if key.startswith(_STAMP)}


def read_table(results: Path, table: str, run_ids: Collection[str] | None = None) -> tuple[pa.Table, list[Damaged]]:
    """The table over all runs (or these), and what had to be passed over.

    Columns that an older schema lacks are null; those of a newer one are left out. (Neither `empty_table()` nor
    `pq.read_table`: they import pandas, half a second for a verb that needs none.)
    """
    schema, damaged = TABLES[table], list[Damaged]()
    parts = [pa.Table.from_batches([], schema=schema)]
    for path in _parts(table_folder(results, table), run_ids, damaged):
        part = _read(path, schema)
        if isinstance(part, str):
            damaged.append(Damaged(str(path), None, part))
        else:
            parts.append(part)
    return pa.concat_tables(parts), damaged


# ---------------------------------------------------------------- writing


def _stamped(stamp: Mapping[str, str]) -> dict[str, str]:
    return {**stamp, "schema_version": str(SCHEMA_VERSION)}


def _ready(name: str, run_id: str, table: pa.Table | None) -> pa.Table:
    """The table in its schema, sorted, its run id dictionary-encoded."""
    schema = TABLES[name]
    table = schema.empty_table() if table is None else table
    if unknown := set(table.column_names) - set(schema.names):
        raise RecordError(f"table {name} has no column {', '.join(sorted(unknown))}")
    conformed = _conformed(table, schema)
    if isinstance(conformed, str):
        raise RecordError(f"table {name}: {conformed}")
    if others := set(pc.unique(conformed["run_id"]).to_pylist()) - {run_id}:
        raise RecordError(f"table {name} holds rows of run {others.pop()}, not only of {run_id}")
    ordered = conformed.take(pc.sort_indices(conformed, [(key, "ascending") for key in _ORDER[name]]))
    return ordered.set_column(0, pa.field("run_id", _RUN_ID), ordered["run_id"].cast(_RUN_ID))


def _write(path: Path, table: pa.Table, rows_per_group: int, compression: str) -> None:
    """Write and sync one file. The bytes depend on rows, schema and settings alone."""
    settings: dict[str, Any] = {"compression": compression.upper(), "version": "2.6", "write_page_checksum": True}
    if compression == "zstd":
        settings["compression_level"] = _ZSTD_LEVEL
    with path.open("wb") as file:
        pq.write_table(table.combine_chunks(), file, row_group_size=rows_per_group, **settings)
        file.flush()
        os.fsync(file.fileno())


def _remove(paths: list[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError:
            continue


# ---------------------------------------------------------------- reading


def _parts(folder: Path, run_ids: Collection[str] | None, damaged: list[Damaged]) -> Iterator[Path]:
    """Part files in order of run id. Hidden and .tmp names are being written, or were when a process died."""
    if not folder.is_dir():
        return
    for entry in sorted(path for path in folder.iterdir() if _is_finished(path)):
        if not (entry.name.startswith(_PREFIX) and entry.is_dir()):
            damaged.append(Damaged(str(entry), None, f"not a partition ({_PREFIX}RUN)"))
        elif run_ids is None or entry.name.removeprefix(_PREFIX) in run_ids:
            for path in sorted(path for path in entry.iterdir() if _is_finished(path)):
                if path.name == PART:
                    yield path
                else:
                    damaged.append(Damaged(str(path), None, f"not ours: a partition holds {PART} only"))


def _is_finished(path: Path) -> bool:
    return not path.name.startswith(".") and not path.name.endswith(".tmp")


def _read(path: Path, schema: pa.Schema) -> pa.Table | str:
    """The file's rows in the schema, or why it can't be read."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            return _conformed(file.read(), schema)
    except (OSError, pa.ArrowException) as error:
        return f"can't be read ({str(error).splitlines()[0]})"


def _conformed(table: pa.Table, schema: pa.Schema) -> pa.Table | str:
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
