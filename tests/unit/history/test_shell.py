"""history.sql in a plain DuckDB connection, from the folder that it was written from."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from benchbook.history import ask, ask_tables, keep_answers, questions, write_views
from tests.spec.sql.stored import Stored, generated, run_row, trial_row, write_part


def test_it_says_what_ask_says(tmp_path: Path) -> None:
    results = generated(5).write(tmp_path / "results")
    keep_answers(results)
    with duckdb.connect() as con:
        con.execute(write_views(results).read_text())
        con.execute("set TimeZone = 'UTC'")
        for question, table in ask_tables(tuple(questions()), results).items():
            assert con.sql(f"select * from answers.{question}").to_arrow_table().equals(table), question
            assert con.sql(f"select * from kept.{question}").to_arrow_table().equals(table), question
        con.execute("set variable slos = map {'e2e_ms': 40}; set variable confidence = 0.9")
        good = con.execute("select good, good_share_low from answers.goodput").fetchall()
    wanted = ask("goodput", results, slos={"e2e_ms": 40.0}, confidence=0.9)
    assert good == [(row["good"], row["good_share_low"]) for row in wanted]


READS = """
import duckdb, sys
con = duckdb.connect()
con.execute(open(sys.argv[1]).read())
print(con.execute("select count(*) from trials").fetchall()[0][0])
"""


def counted(folder: Path, script: str) -> int:
    done = subprocess.run([sys.executable, "-c", READS, script], cwd=folder, capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_paths_are_relative_below_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    stored = Stored()
    stored.rows["runs"].append(run_row("r1"))
    stored.rows["trials"] = [trial_row("r1", i) for i in range(3)]
    stored.write(tmp_path / "results")
    for named in ("results", tmp_path / "results"):
        written = write_views(named)
        assert written.read_text().count(str(tmp_path)) == 0
        assert counted(tmp_path, "results/history.sql") == 3
    write_part(tmp_path / "results", "trials", "r2", [trial_row("r2", 1)])
    assert counted(tmp_path, "results/history.sql") == 4, "a later run shows without rewriting"
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    assert counted(moved, "results/history.sql") == 4


@pytest.mark.parametrize("name", ["it's", "a [b] c", "wild*card", "what?"])
def test_paths_are_absolute_elsewhere(tmp_path: Path, name: str) -> None:
    stored = Stored()
    stored.rows["runs"].append(run_row("r1"))
    stored.rows["trials"] = [trial_row("r1", 1)]
    written = write_views(stored.write(tmp_path / "else where" / name))
    with duckdb.connect() as con:
        con.execute(written.read_text())
        assert con.execute("select count(*) from trials").fetchall() == [(1,)]


def test_before_the_first_run(tmp_path: Path) -> None:
    written = write_views(tmp_path / "results")
    assert written == tmp_path / "results" / "history.sql"
    assert counted(tmp_path, str(written)) == 0
    assert os.listdir(tmp_path / "results") == ["history.sql"]


def test_the_same_history_is_the_same_text(tmp_path: Path) -> None:
    results = generated(5).write(tmp_path / "results")
    assert write_views(results).read_bytes() == write_views(results).read_bytes()
