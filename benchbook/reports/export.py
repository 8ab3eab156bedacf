"""A run's trials as a file or a text: JSON, CSV, Parquet. One format, one function, one line in `FORMATS`.

Nothing here may import pandas, half a second that a verb would wait for: Arrow does so for an array made of Python
values and for a timestamp turned into one.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from benchbook.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

_SLICE = 8_192


def as_csv(table: pa.Table) -> bytes:
    """Comma-separated with a header; missing is empty, nested columns are JSON texts, bytes as in `as_json`."""
    import csv

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.column_names)
    for part in _slices(table):
        writer.writerows(zip(*(_cells(column) for column in part.columns), strict=True))
    return out.getvalue().encode()


def as_json(table: pa.Table) -> bytes:
    """A JSON list of objects; times as ISO 8601, bytes as text (what is not UTF-8 as `base64:...`)."""
    import orjson

    pieces = []
    for part in _slices(table):
        columns = [_values(column) for column in part.columns]
        rows = [dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True)]
        pieces.append(orjson.dumps(rows, option=orjson.OPT_INDENT_2).removeprefix(b"[").removesuffix(b"\n]"))
    return b"[" + b",".join(pieces) + b"\n]\n" if pieces else b"[]\n"


def as_parquet(table: pa.Table) -> bytes:
    """Parquet with zstd, types kept."""
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd")
    return out.getvalue()


def _slices(table: pa.Table) -> Iterator[pa.Table]:
    for start in range(0, len(table), _SLICE):
        yield table.slice(start, _SLICE)


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
    if pa.types.is_map(column.type):
        return [value for chunk in column.chunks for value in _maps(chunk)]
    values = _scalars(column)
    if pa.types.is_binary(column.type):
        return [text(value) if isinstance(value, bytes) else value for value in values]
    return values


def _scalars(column: pa.ChunkedArray) -> list[object]:
    """As `to_pylist`, in a fraction of the time for numbers and for texts that come back."""
    import pyarrow as pa

    if column.null_count == len(column):
        return [None] * len(column)
    if pa.types.is_string(column.type):
        texts = column.combine_chunks().dictionary_encode()
        known = [*texts.dictionary.to_pylist(), None]
        return [known[place] for place in texts.indices.fill_null(-1).to_numpy().tolist()]
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        found: list[object] = column.to_pylist()
        return found
    numbers: list[object] = column.fill_null(0).to_numpy().tolist()
    if not column.null_count:
        return numbers
    there = column.is_valid().to_pylist()
    return [number if known else None for number, known in zip(numbers, there, strict=True)]


def _maps(chunk: pa.MapArray) -> Iterator[object]:
    """Maps as objects. Many rows hold the same few: each is made once."""
    import numpy as np

    first, last = (chunk.offsets[at].as_py() for at in (0, -1))
    keys, items = (part.slice(first, last - first).dictionary_encode() for part in (chunk.keys, chunk.items))
    names, parts = keys.dictionary.to_pylist(), [*items.dictionary.to_pylist(), None]
    codes = np.stack([keys.indices.to_numpy(), items.indices.fill_null(len(parts) - 1).to_numpy()], axis=1)
    known: dict[bytes, object] = {}
    ends = (chunk.offsets.to_numpy() - first).tolist()
    for place, there in enumerate(chunk.is_valid().to_pylist()):
        pairs = codes[ends[place] : ends[place + 1]]
        text = pairs.tobytes()
        if there and text not in known:
            known[text] = {names[key]: parts[item] for key, item in pairs.tolist()}
        yield known[text] if there else None


def text(value: bytes) -> str:
    """Bytes as text; `base64:...` where they are no UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return f"base64:{base64.b64encode(value).decode()}"
