"""The Parquet store: derived tables, one immutable partition per run and table.

    results/tables/TABLE/run_id=RUN/part-0.parquet

Every run has a partition of every table, even when empty. A partition is replaced whole: all tables are written
beside the old ones and synced, and only then renamed. It is stamped with the schema's version and what it was
derived from, and the same input gives the same bytes. `run_id` is in the file as well as in the folder's name,
dictionary-encoded as pandas and pyarrow read a hive folder's name, so every reader finds it once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchbook.results.damage import Damaged
from benchbook.results.partition import PART, PREFIX, STAMP, conformed, partition_file, stamped, write_partition
from benchbook.results.paths import table_folder
from benchbook.results.schemas import TABLES


def is_current(results: Path, run_id: str, stamp: Mapping[str, str]) -> bool:
    """Whether every table of the run is there and bears this stamp and this schema's version."""
    wanted = stamped(stamp)
    return all(read_stamp(partition_file(results, name, run_id)) == wanted for name in TABLES)


def read_stamp(path: Path) -> dict[str, str] | None:
    """The stamp of a stored table, `schema_version` in it; None where the file is not there or not ours."""
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException):
        return None
    named = {key.decode(errors="replace"): value.decode(errors="replace") for key, value in metadata.items()}
    return {key.removeprefix(STAMP): value for key, value in named.items() if key.startswith(STAMP)}


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


def _parts(folder: Path, run_ids: Collection[str] | None, damaged: list[Damaged]) -> Iterator[Path]:
    """Part files in order of run id. Hidden and .tmp names are being written, or were when a process died."""
    if not folder.is_dir():
        return
    for entry in sorted(path for path in folder.iterdir() if _is_finished(path)):
        if not (entry.name.startswith(PREFIX) and entry.is_dir()):
            damaged.append(Damaged(str(entry), None, f"not a partition ({PREFIX}RUN)"))
        elif run_ids is None or entry.name.removeprefix(PREFIX) in run_ids:
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
            return conformed(file.read(), schema)
    except (OSError, pa.ArrowException) as error:
        return f"can't be read ({str(error).splitlines()[0]})"


__all__ = ["PART", "is_current", "partition_file", "read_stamp", "read_table", "write_partition"]
