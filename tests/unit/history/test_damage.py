"""Files that are damaged, cut, foreign, older or newer: named and passed over, or read; never fatal."""

from __future__ import annotations

import logging
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchbook.history import ask, connect, damaged, query, write_views
from benchbook.results.schemas import TRIALS
from tests.spec.sql.stored import Stored, run_row, trial_row, write_part

FORTY = 40


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Three runs of forty trials each."""
    stored = Stored()
    for run_id in ("r1", "r2", "r3"):
        stored.rows["runs"].append(run_row(run_id))
        stored.rows["trials"] += [trial_row(run_id, i, ttft_ms=float(i), error_message="x" * 99) for i in range(FORTY)]
    return stored.write(tmp_path / "results")


def part(results: Path, run_id: str, table: str = "trials") -> Path:
    return results / "tables" / table / f"run_id={run_id}" / "part-0.parquet"


def runs_seen(results: Path) -> list[str]:
    return [row[0] for row in query(results, "select distinct run_id from trials order by 1")[1]]


def spoil_cut(path: Path) -> str:
    path.write_bytes(path.read_bytes()[:-40])
    return "without its end"


def spoil_empty(path: Path) -> str:
    path.write_bytes(b"")
    return "not a Parquet file"


def spoil_text(path: Path) -> str:
    path.write_text("run_id,trial_id\nr2,t1\n")
    return "not a Parquet file"


def spoil_footer(path: Path) -> str:
    data = bytearray(path.read_bytes())
    length = int.from_bytes(data[-8:-4], "little")
    data[-8 - length : -8] = b"\xff" * length
    path.write_bytes(data)
    return "can't be read as Parquet"


def spoil_length(path: Path) -> str:
    path.write_bytes(path.read_bytes()[:-8] + b"\xff\xff\xff\x7fPAR1")
    return "without its end"


def spoil_foreign(path: Path) -> str:
    pq.write_table(pa.table({"run_id": ["r2"], "name": ["someone else's"]}), path)
    return "no column trial_id"


def spoil_types(path: Path) -> str:
    table = pq.ParquetFile(path).read()
    as_text = table.set_column(table.schema.get_field_index("ttft_ms"), "ttft_ms", table["ttft_ms"].cast(pa.string()))
    pq.write_table(as_text, path)
    return "column ttft_ms reads as VARCHAR, not DOUBLE"


def spoil_folder(path: Path) -> str:
    path.unlink()
    path.mkdir()
    return "can't be read (Is a directory)"


SPOILS = (
    spoil_cut, spoil_empty, spoil_text, spoil_footer, spoil_length, spoil_foreign, spoil_types, spoil_folder
)  # fmt: skip


@pytest.mark.parametrize("spoil", SPOILS)
def test_a_bad_file_is_named_and_the_rest_is_read(
    results: Path, spoil: pytest.FixtureDef[str], caplog: pytest.LogCaptureFixture
) -> None:
    why = spoil(part(results, "r2"))
    (found,) = damaged(results)
    assert found.file == str(part(results, "r2"))
    assert why in found.why
    with caplog.at_level(logging.WARNING):
        assert runs_seen(results) == ["r1", "r3"]
    assert str(part(results, "r2")) in caplog.text


@pytest.mark.parametrize("spoil", [spoil_cut, spoil_foreign])
def test_history_sql_leaves_it_out_as_well(results: Path, spoil: pytest.FixtureDef[str]) -> None:
    import duckdb

    spoil(part(results, "r2"))
    text = write_views(results).read_text()
    assert f"-- passed over: {part(results, 'r2')}" in text
    with duckdb.connect() as con:
        con.execute(text)
        assert con.execute("select distinct run_id from trials order by 1").fetchall() == [("r1",), ("r3",)]


def test_damage_inside_a_file_shows_when_it_is_read(results: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = part(results, "r2")
    group = pq.ParquetFile(path).metadata.row_group(0)
    columns = [group.column(place) for place in range(group.num_columns)]  # a map has two, so fields have other numbers
    column = next(column for column in columns if column.path_in_schema == "ttft_ms")
    data = bytearray(path.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    data[start : start + column.total_compressed_size] = b"\x99" * column.total_compressed_size
    path.write_bytes(data)
    assert damaged(results) == []
    assert "damaged inside" in damaged(results, deep=True)[0].why
    with caplog.at_level(logging.WARNING):
        assert query(results, "select sum(ttft_ms) from trials")[1] == [(2 * sum(range(FORTY)),)]
    assert "damaged inside" in caplog.text
    assert {row["run_id"] for row in ask("latency", results)} == {"r1", "r3"}
    with connect(results, deep=True) as con:
        assert con.execute("select count(ttft_ms) from trials").fetchall() == [(2 * FORTY,)]


def test_what_is_being_written_is_no_ones_business(results: Path) -> None:
    (part(results, "r2").parent / ".part-0.parquet.tmp").write_bytes(b"half")
    (results / "tables" / "trials" / ".run_id=r9").mkdir()
    (results / "tables" / "trials" / "run_id=r8").mkdir()
    assert damaged(results) == []
    assert runs_seen(results) == ["r1", "r2", "r3"]


def test_strangers_beside_our_files_are_named(results: Path) -> None:
    tables = results / "tables" / "trials"
    (tables / "notes.txt").write_text("mine")
    (tables / "run_id=r1" / "copy.parquet").write_bytes(part(results, "r1").read_bytes())
    assert [(Path(found.file).name, found.why) for found in damaged(results)] == [
        ("notes.txt", "not a partition (run_id=RUN)"),
        ("copy.parquet", "not ours: a partition holds part-0.parquet only"),
    ]
    assert query(results, "select count(*) from trials")[1] == [(3 * FORTY,)]


def test_an_older_schema_reads_with_nulls_and_a_newer_ones_column_is_there(results: Path) -> None:
    older = pa.schema([field for field in TRIALS if field.name not in ("score", "connect_ms", "provenance")])
    newer = TRIALS.append(pa.field("mood", pa.string()))
    write_part(results, "trials", "r2", [trial_row("r2", 1, ttft_ms=5.0)], older)
    write_part(results, "trials", "r3", [{**trial_row("r3", 1), "mood": "calm"}], newer)
    assert damaged(results) == []
    found = query(results, "select run_id, score, mood, ttft_ms from trials where run_id > 'r1' order by 1")[1]
    assert found == [("r2", None, None, 5.0), ("r3", None, "calm", None)]
    assert len({row["run_id"] for row in ask("latency", results)}) == 3


def test_run_ids_may_be_dictionary_encoded_and_look_like_numbers(tmp_path: Path) -> None:
    encoded = TRIALS.set(0, pa.field("run_id", pa.dictionary(pa.int32(), pa.string())))
    write_part(tmp_path, "trials", "20261121", [trial_row("20261121", 1)], encoded)
    assert query(tmp_path, "select run_id, typeof(run_id) from trials")[1] == [("20261121", "VARCHAR")]
