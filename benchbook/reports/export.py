"""A run's trials as a file or a text: JSON, CSV, Parquet. One format, one function, one line in `FORMATS`."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from benchbook.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa


def as_csv(table: pa.Table) -> bytes:
    """Comma-separated with a header; nested columns as JSON texts."""
    import pyarrow.csv as arrow_csv

    out = io.BytesIO()
    arrow_csv.write_csv(_flat(table), out)
    return out.getvalue()


def as_json(table: pa.Table) -> bytes:
    """A JSON list of objects; times as ISO 8601."""
    import orjson

    rows = [{name: _plain(value) for name, value in row.items()} for row in table.to_pylist()]
    return orjson.dumps(rows, option=orjson.OPT_INDENT_2, default=str) + b"\n"


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


def _flat(table: pa.Table) -> pa.Table:
    """The table with nested columns written as JSON texts, which CSV can carry."""
    import orjson
    import pyarrow as pa

    for index, field in enumerate(table.schema):
        if pa.types.is_nested(field.type):
            texts = [
                None if value is None else orjson.dumps(_plain(value)).decode() for value in table[index].to_pylist()
            ]
            table = table.set_column(index, field.name, pa.array(texts, pa.string()))
    return table


def _plain(value: object) -> object:
    """Maps come out of Arrow as lists of pairs: an object again."""
    if isinstance(value, list) and value and all(isinstance(pair, tuple) and len(pair) == 2 for pair in value):
        return dict(value)
    return value
