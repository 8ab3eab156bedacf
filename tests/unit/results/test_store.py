"""The Parquet store over real files: whole, current, bit-identical, and readable by others."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchbook.errors import RecordError, StorageError
from benchbook.records import Check, Score, Span
from benchbook.results.rows import (
    Computed,
    RowFacts,
    call_row,
    check_row,
    response_row,
    score_row,
    span_row,
    table,
    trial_row,
)
from benchbook.results.schemas import SCHEMA_VERSION, TABLES
from benchbook.results.store import is_current, partition_file, read_stamp, read_table, write_partition

RUN = "20261121T081502Z-3f9a07"
STAMP = {"journal_hash": "j1", "store_params": "s1"}
COMPUTED = Computed(
    {"ttft_ms": 1.5, "tokens_out": 2}, {"ttft_ms": "measured", "connect_ms": "missing: reused connection"}
)


@pytest.fixture
def tables(make_trial) -> dict[str, pa.Table]:  # type: ignore[no-untyped-def]
    trials = [make_trial(number) for number in range(5)]
    facts = RowFacts(RUN, 17, "openai", "m", streamed=True, price_date="2026-11")
    calls = [(trial, trial.calls[0], trial.answers[0]) for trial in trials]
    return {
        "runs": table("runs", [{"run_id": RUN, "reasons": ["b", "a"], "versions": {"b": "2", "a": "1"}}]),
        "trials": table("trials", [trial_row(facts, trial, COMPUTED) for trial in trials]),
        "calls": table("calls", [call_row(facts, trial, call, COMPUTED) for trial, call, _ in calls]),
        "responses": table("responses", [response_row(facts, *row) for row in calls]),
        "spans": table("spans", [span_row(RUN, "t0001", Span("s", None, "model", "m", 1, 2_000_001))]),
        "scores": table("scores", [score_row(RUN, Score("t0001", "exact", 1.0, True))]),
    }


def digests(results: Path) -> dict[str, str]:
    return {
        str(path.relative_to(results)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(results.rglob("*"))
        if path.is_file()
    }


def test_what_is_written_is_read_back(tmp_path: Path, tables: dict[str, pa.Table]) -> None:
    paths = write_partition(tmp_path, RUN, tables, STAMP)
    assert paths == [partition_file(tmp_path, name, RUN) for name in TABLES]
    for name, schema in TABLES.items():
        read, damaged = read_table(tmp_path, name)
        assert damaged == []
        assert read.schema.equals(schema)
        assert read.to_pylist() == tables.get(name, schema.empty_table()).to_pylist()
    assert read_table(tmp_path, "trials", ["other"])[0].num_rows == 0


def test_same_rows_same_bytes(tmp_path: Path, tables: dict[str, pa.Table]) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    write_partition(one, RUN, tables, STAMP)
    chance = random.Random(3)
    shuffled = {}
    for name, rows in tables.items():
        order = list(range(rows.num_rows))
        chance.shuffle(order)
        shuffled[name] = pa.concat_tables([rows.slice(place, 1) for place in order])
    write_partition(other, RUN, shuffled, dict(reversed(STAMP.items())))
    assert len(digests(one)) == len(TABLES)
    assert digests(one) == digests(other)
    write_partition(one, RUN, tables, STAMP)
    assert digests(one) == digests(other)


def test_another_process_writes_the_same_bytes(tmp_path: Path, tables: dict[str, pa.Table]) -> None:
    script = """
import sys
from pathlib import Path
from benchbook.results.schemas import TABLES
from benchbook.results.store import read_table, write_partition
source, target, run = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
write_partition(target, run, {name: read_table(source, name)[0] for name in TABLES}, eval(sys.argv[4]))
"""
    write_partition(tmp_path / "one", RUN, tables, STAMP)
    arguments = [str(tmp_path / "one"), str(tmp_path / "other"), RUN, repr(STAMP)]
    subprocess.run(
        [sys.executable, "-c", script, *arguments],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "77", "TZ": "Asia/Tokyo"},
    )
    assert digests(tmp_path / "one") == digests(tmp_path / "other")


def test_current_means_every_table_with_this_stamp(tmp_path: Path, tables: dict[str, pa.Table]) -> None:
    assert not is_current(tmp_path, RUN, STAMP)
    write_partition(tmp_path, RUN, tables, STAMP)
    assert is_current(tmp_path, RUN, STAMP)
    assert not is_current(tmp_path, RUN, {**STAMP, "journal_hash": "j2"})
    assert not is_current(tmp_path, RUN, {"journal_hash": "j1"})
    assert read_stamp(partition_file(tmp_path, "checks", RUN)) == {**STAMP, "schema_version": str(SCHEMA_VERSION)}
    partition_file(tmp_path, "checks", RUN).write_bytes(b"PAR1 no")
    assert not is_current(tmp_path, RUN, STAMP)
    write_partition(tmp_path, RUN, tables, STAMP)
    partition_file(tmp_path, "spans", RUN).unlink()
    assert not is_current(tmp_path, RUN, STAMP)


def test_leftovers_of_a_crash_do_not_matter(tmp_path: Path, tables: dict[str, pa.Table]) -> None:
    write_partition(tmp_path, RUN, tables, STAMP)
    hidden = partition_file(tmp_path, "runs", RUN).with_name(".part-0.parquet.tmp")
    hidden.write_bytes(b"half")
    assert read_table(tmp_path, "runs")[1] == []
    write_partition(tmp_path, RUN, tables, STAMP)
    assert not hidden.exists()


@pytest.mark.parametrize("compression", ["zstd", "snappy", "gzip", "none"])
def test_compressions(tmp_path: Path, tables: dict[str, pa.Table], compression: str) -> None:
    write_partition(tmp_path, RUN, tables, STAMP, compression)
    column = pq.ParquetFile(partition_file(tmp_path, "calls", RUN)).metadata.row_group(0).column(1)
    assert column.compression == {"none": "UNCOMPRESSED"}.get(compression, compression.upper())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"moods": pa.table({"run_id": [RUN]})}, "no such table: moods"),
        ({"runs": pa.table({"run_id": [RUN], "mood": [1]})}, "table runs has no column mood"),
        ({"runs": pa.table({"run_id": ["other"]})}, "holds rows of run other, not only of"),
        ({"runs": pa.table({"run_id": [RUN], "planned": ["x"]})}, "table runs: column planned is string, not int64"),
        ({"trials": pa.table({"run_id": [RUN]})}, "table trials: not one of our tables: it has no column trial_id"),
    ],
)
def test_tables_that_are_not_ours_are_refused(tmp_path: Path, wrong: dict[str, pa.Table], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        write_partition(tmp_path, RUN, wrong, STAMP)
    assert digests(tmp_path) == {}


def test_damaged_and_foreign_files_are_named_and_passed_over(tmp_path: Path, tables: dict[str, pa.Table]) -> None:
    for run_id in (RUN, "r-cut", "r-foreign", "r-typed", "r-text", "r-stray"):
        mine = {"trials": tables["trials"].set_column(0, "run_id", pa.array([run_id] * 5))}
        write_partition(tmp_path, run_id, mine, STAMP)

    def path(run_id: str) -> Path:
        return partition_file(tmp_path, "trials", run_id)

    path("r-cut").write_bytes(path("r-cut").read_bytes()[:-40])
    pq.write_table(pa.table({"a": [1]}), path("r-foreign"))
    pq.write_table(pa.table({"run_id": ["r"], "trial_id": ["t"], "ttft_ms": ["slow"]}), path("r-typed"))
    path("r-text").write_text("hello")
    path("r-stray").with_name("notes.txt").touch()
    (path(RUN).parent.parent / "README").touch()
    read, damaged = read_table(tmp_path, "trials")
    assert set(read["run_id"].to_pylist()) == {RUN, "r-stray"}
    named = {Path(damage.file).parent.name.removeprefix("run_id="): damage.why for damage in damaged}
    assert set(named) == {"r-cut", "r-foreign", "r-typed", "r-text", "r-stray", "trials"}
    assert named["r-foreign"] == "not one of our tables: it has no column run_id"
    assert named["r-typed"] == "column ttft_ms is string, not double"
    assert named["r-stray"] == "not ours: a partition holds part-0.parquet only"
    assert named["r-text"].startswith("can't be read (")


def test_no_flipped_byte_is_read_as_data(tmp_path: Path, tables: dict[str, pa.Table]) -> None:
    write_partition(tmp_path, RUN, tables, STAMP)
    path = partition_file(tmp_path, "scores", RUN)
    whole = path.read_bytes()
    first_page = pq.ParquetFile(path).metadata.row_group(0).column(0)
    good = read_table(tmp_path, "scores")[0]
    pages_end = 4 + pq.ParquetFile(path).metadata.row_group(0).total_byte_size
    assert first_page.total_compressed_size > 0
    for place in range(4, min(pages_end, len(whole)), 3):
        harmed = bytearray(whole)
        harmed[place] ^= 0x10
        path.write_bytes(harmed)
        read, damaged = read_table(tmp_path, "scores")
        assert damaged or read.equals(good), place


def test_older_and_newer_schemas_are_read(tmp_path: Path) -> None:
    path = partition_file(tmp_path, "scores", RUN)
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"run_id": [RUN], "trial_id": ["t"], "mood": [1]}), path)
    read, damaged = read_table(tmp_path, "scores")
    assert damaged == []
    assert read.to_pylist() == [
        {"run_id": RUN, "trial_id": "t", "scorer": None, "value": None, "passed": None, "detail": None}
    ]


def test_every_reader_finds_the_run_id_once(tmp_path: Path, tables: dict[str, pa.Table]) -> None:
    import duckdb
    import pandas as pd

    write_partition(tmp_path, RUN, tables, STAMP)
    write_partition(tmp_path, "r-empty", {}, STAMP)
    folder = tmp_path / "tables" / "trials"
    for one in (pd.read_parquet(folder), pq.read_table(folder).to_pandas()):
        assert list(one["run_id"]) == [RUN] * 5
        assert list(one.columns).count("run_id") == 1
    with duckdb.connect() as con:
        for hive in ("", ", hive_partitioning=false", ", hive_partitioning=true"):
            query = f"select run_id, provenance['ttft_ms'] from read_parquet('{folder}/*/*.parquet'{hive})"
            assert con.execute(query).fetchall() == [(RUN, "measured")] * 5


FULL = """
import resource, sys
from pathlib import Path
from benchbook.errors import StorageError
from benchbook.results.store import write_partition
from benchbook.results.rows import table
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
noise = open("/dev/urandom", "rb").read(60_000)
rows = table("responses", [{"run_id": sys.argv[2], "trial_id": "t", "body": noise}])
try:
    write_partition(Path(sys.argv[1]), sys.argv[2], {"responses": rows}, {})
except StorageError as error:
    print(error)
"""


def test_a_full_disk_leaves_the_old_partition_alone(tmp_path: Path, tables: dict[str, pa.Table]) -> None:
    write_partition(tmp_path, RUN, tables, STAMP)
    before = digests(tmp_path)
    arguments = [sys.executable, "-c", FULL, str(tmp_path), RUN]
    said = subprocess.run(arguments, check=True, capture_output=True, text=True)
    assert said.stdout.startswith(f"{tmp_path}: can't be written (File too large); free some space")
    assert said.stderr == ""
    assert digests(tmp_path) == before


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="can't be written"):
        write_partition(tmp_path / "file", RUN, {}, STAMP)


def test_checks_are_rows(tmp_path: Path) -> None:
    check = Check("result", "trials", "ttfb before ttft", False, "critical", 10, 1, ("t0001: 5 > 4",))
    rows = table("checks", [check_row(RUN, check)])
    assert rows.to_pylist()[0]["failures"] == ["t0001: 5 > 4"]
