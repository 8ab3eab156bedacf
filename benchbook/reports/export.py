"""A run's trials as a file or a text: JSON, CSV, Parquet. One format, one function, one line in `FORMATS`.

Nothing here may import pandas, half a second that a verb would wait for: Arrow does so for an array made of Python
values and for a timestamp turned into one.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from benchbook.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa


def as_csv(table: pa.Table) -> bytes:
    """Comma-separated with a header; missing is empty, nested columns are JSON texts, bytes as in `as_json`."""
    import csv

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.column_names)
    writer.writerows(zip(*(_cells(column) for column in table.columns), strict=True))
    return out.getvalue().encode()


def as_json(table: pa.Table) -> bytes:
    """A JSON list of objects; times as ISO 8601, bytes as text (what is not UTF-8 as `base64:...`)."""
    import orjson

    columns = [_values(column) for column in table.columns]
    rows = [dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True)]
    return orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n"


def as_parquet(table: pa.Table) -> bytes:
    """Parquet with zstd, types kept."""
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd")
    return out.getvalue()


FORMATS: Mapping[str, Callable[[pa.Table], bytes]] = {"json": as_json, "csv": as_csv, "parquet": as_parquet}


def chosen(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    """The table with these columns only, in this order. Raises UserError for a column that it has not."""
    for name in columns:
        if name not in table.column_names:
            raise UserError("--columns", f"no column {name!r}", f"columns are {', '.join(table.column_names)}")
    return table.select(list(columns)) if columns else table


def _cells(column: pa.ChunkedArray) -> list[object]:
    """A column's values as texts and numbers."""
    import orjson
    import pyarrow as pa

    values = _values(column)
    if pa.types.is_nested(column.type):
        return [None if value is None else orjson.dumps(value).decode() for value in values]
    if pa.types.is_boolean(column.type):
        return [None if value is None else str(value).lower() for value in values]
    return values


def _values(column: pa.ChunkedArray) -> list[object]:
    """A column's values as JSON-able ones: maps as objects, times and bytes as text."""
    import pyarrow as pa

    if pa.types.is_timestamp(column.type):
        return [None if at is None else at.replace(" ", "T") for at in column.cast(pa.string()).to_pylist()]
    values: list[object] = column.to_pylist()
    if pa.types.is_map(column.type):
        return [None if pairs is None else dict(pairs) for pairs in values]  # type: ignore[call-overload]
    if pa.types.is_binary(column.type):
        return [text(value) if isinstance(value, bytes) else value for value in values]
    return values


def text(value: bytes) -> str:
    """Bytes as text; `base64:...` where they are no UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return f"base64:{base64.b64encode(value).decode()}"
