"""A table as a file: the same rows in each format, nested columns included."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchbook.errors import UserError
from benchbook.reports.export import FORMATS, chosen

AT = datetime(2026, 11, 21, 8, 15, 2, 250_000, tzinfo=UTC)
TABLE = pa.table(
    {
        "name": ['comma, "quote"\nline', "=1+1"],
        "ms": pa.array([1.5, None], pa.float64()),
        "n": [1, 2],
        "at": pa.array([AT, None], pa.timestamp("us", "UTC")),
        "offsets": pa.array([[1, 2], []], pa.list_(pa.int64())),
        "how": pa.array([[("ms", "measured")], None], pa.map_(pa.string(), pa.string())),
        "empty": pa.array([[], []], pa.map_(pa.string(), pa.string())),
        "body": pa.array(["grüße".encode(), b"\xff\x00"], pa.binary()),
    }
)


def test_csv_reads_back_and_nested_columns_are_json() -> None:
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](TABLE).decode())))
    assert [row["name"] for row in rows] == ['comma, "quote"\nline', "=1+1"]
    assert [row["ms"] for row in rows] == ["1.5", ""]
    assert json.loads(rows[0]["offsets"]) == [1, 2]
    assert json.loads(rows[0]["how"]) == {"ms": "measured"}
    assert (rows[1]["offsets"], rows[1]["how"]) == ("[]", "")
    assert datetime.fromisoformat(rows[0]["at"]) == AT
    assert [row["body"] for row in rows] == ["grüße", "base64:/wA="]


def test_json_is_a_list_of_objects_with_nulls() -> None:
    rows = json.loads(FORMATS["json"](TABLE))
    assert rows[0]["how"] == {"ms": "measured"}
    assert (rows[1]["ms"], rows[1]["how"], rows[1]["offsets"]) == (None, None, [])
    assert datetime.fromisoformat(rows[0]["at"]) == AT
    assert [(row["empty"], row["body"]) for row in rows] == [({}, "grüße"), ({}, "base64:/wA=")]


def test_parquet_keeps_types() -> None:
    assert pq.read_table(io.BytesIO(FORMATS["parquet"](TABLE))).equals(TABLE)


@pytest.mark.parametrize("form", FORMATS)
def test_no_rows_is_still_a_file_of_its_format(form: str) -> None:
    data = FORMATS[form](TABLE.slice(0, 0))
    if form == "csv":
        assert data.decode().strip().replace('"', "") == ",".join(TABLE.column_names)
    elif form == "json":
        assert json.loads(data) == []
    else:
        assert pq.read_table(io.BytesIO(data)).num_rows == 0


def test_columns_are_chosen_in_their_order() -> None:
    assert chosen(TABLE, ["n", "name"]).column_names == ["n", "name"]
    assert chosen(TABLE, []).column_names == TABLE.column_names


def test_an_unknown_column_is_named_with_those_that_there_are() -> None:
    with pytest.raises(UserError, match=r"no column 'nope'.*name, ms, n, at"):
        chosen(TABLE, ["n", "nope"])
