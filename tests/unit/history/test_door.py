"""Opening the history: empty, partial, oddly named; SQL that is wrong; settings."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchbook.errors import QueryError, UnknownRunError
from benchbook.history import aggregate_tables, ask, ask_tables, connect, damaged, headline, query, questions
from benchbook.history import run_row as stored_run
from benchbook.history.views import columns
from benchbook.results.schemas import TABLES
from tests.spec.sql.stored import Stored, generated, run_row, trial_row


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generated(4).write(tmp_path_factory.mktemp("door") / "results")


def test_no_history_at_all(tmp_path: Path) -> None:
    nowhere = tmp_path / "nothing"
    assert damaged(nowhere) == []
    with connect(nowhere) as con:
        for table, schema in TABLES.items():
            described = con.execute(f"describe {table}").fetchall()
            assert [row[0] for row in described] == schema.names
            assert {row[0]: row[1] for row in described} == columns(table)
            assert con.execute(f"select * from {table}").fetchall() == []
    assert {table.num_rows for table in ask_tables(tuple(questions()), nowhere).values()} == {0}
    assert headline(nowhere) == {}
    assert not nowhere.exists()


def test_types_are_the_schemas(results: Path) -> None:
    with connect(results) as con:
        for table in TABLES:
            assert {row[0]: row[1] for row in con.execute(f"describe {table}").fetchall()} == columns(table)


def test_every_answer_is_a_view_and_says_what_ask_says(results: Path) -> None:
    asked = ask_tables(tuple(questions()), results)
    with connect(results) as con:
        for question, table in asked.items():
            assert con.sql(f"select * from answers.{question}").to_arrow_table().equals(table), question
    assert ask("latency", results) == asked["latency"].to_pylist()


def test_answers_are_the_same_to_the_last_bit(results: Path) -> None:
    first, second = aggregate_tables(results), aggregate_tables(results)
    assert list(first) == list(questions())
    for name, table in first.items():
        assert table.equals(second[name]), name
        assert "decimal" not in str(table.schema), name


def test_aggregates_follow_the_plans_settings(results: Path) -> None:
    tables = aggregate_tables(results, confidence=0.8, slos={"e2e_ms": 30.0})
    assert tables["goodput"].to_pylist() == [
        {**row, "slos": list(row["slos"].items())}
        for row in ask("goodput", results, confidence=0.8, slos={"e2e_ms": 30.0})
    ]
    assert tables["latency"].to_pylist() == ask("latency", results, confidence=0.8)


def test_only_the_runs_asked_for(results: Path) -> None:
    every = ask("latency", results)
    assert ask("latency", results, runs=["r2"]) == [row for row in every if row["run_id"] == "r2"]
    assert ask("latency", results, runs=[]) == []
    with connect(results, runs=("r1", "r3")) as con:
        assert con.execute("select run_id from runs order by 1").fetchall() == [("r1",), ("r3",)]


def test_query(results: Path) -> None:
    assert query(results, "select 1 as a, 'x' as b") == (["a", "b"], [(1, "x")])
    names, rows = query(results, "select started_at, reasons from runs limit 1")
    assert names == ["started_at", "reasons"]
    assert rows[0][0].astimezone(UTC) == datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
    assert query(results, "SELECT count(*) > 0 FROM Answers.latency")[1] == [(True,)]
    assert query(results, "set variable top = 2; select max(rank) from answers.slowest")[1] == [(2,)]


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("selct 1", "syntax error"),
        ("select nothing from trials", "nothing"),
        ("select * from trails", "trails"),
        ("select 'a'::int", "Could not convert"),
        ("select error('so it is')", "so it is"),
        ("", "nothing to run"),
    ],
)
def test_wrong_sql_is_one_line(results: Path, sql: str, says: str) -> None:
    with pytest.raises(QueryError) as caught:
        query(results, sql)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("question", "settings", "says"),
    [
        ("latencies", {}, "no question 'latencies'"),
        ("latency", {"confidence": 2.0}, "confidence"),
        ("latency", {"confidnce": 0.9}, "confidnce"),
        ("slowest", {"top": 0}, "top"),
        ("goodput", {"slos": {"ttft": 5}}, "no metric 'ttft'"),
        ("goodput", {"slos": 5}, "slos"),
    ],
)
def test_wrong_questions(results: Path, question: str, settings: dict[str, object], says: str) -> None:
    with pytest.raises(QueryError, match=says):
        ask(question, results, **settings)


def test_run_row(results: Path, tmp_path: Path) -> None:
    found = stored_run(results, "r2")
    assert (found["run_id"], found["verdict"], found["max_failure_share"]) == ("r2", "VALID", 0.1)
    with pytest.raises(UnknownRunError, match="no run 'r9'"):
        stored_run(results, "r9")
    bare = Stored()
    bare.rows["runs"].append(run_row("r1", store_params=None))
    assert stored_run(bare.write(tmp_path), "r1")["max_failure_share"] == 0.05


@pytest.mark.parametrize("name", ["it's", "a [b] c", "wild*card", "what?", "über uns"])
def test_folders_with_odd_names(tmp_path: Path, name: str) -> None:
    stored = Stored()
    stored.rows["runs"].append(run_row("r1"))
    stored.rows["trials"] = [trial_row("r1", i) for i in range(3)]
    results = stored.write(tmp_path / name)
    assert query(results, "select count(*) from trials")[1] == [(3,)]
    assert ask("overview", results)[0]["targets"] == ["alpha"]


def test_headline_is_of_the_newest_run(results: Path) -> None:
    rows = {f"{row['target']}/{row['workload']}": row for row in ask("summary", results, runs=["r3"])}
    found = headline(results)
    assert list(found) == list(rows)
    for key, row in rows.items():
        assert found[key]["n"] == row["n"]
        assert found[key]["failures"] == row["failed"] + row["timed_out"]
        assert found[key]["ttft_ms_p50"] == row["ttft_ms_p50"]


def test_headline_names_targets_alone_where_there_is_one_workload(tmp_path: Path) -> None:
    stored = Stored()
    stored.rows["runs"].append(run_row("r1"))
    stored.rows["trials"] = [trial_row("r1", i, e2e_ms=float(i)) for i in range(7)]
    assert headline(stored.write(tmp_path))["alpha"]["e2e_ms_p50"] == 3.0
