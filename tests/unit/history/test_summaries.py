"""Kept answers and computed ones are the same to the last bit, whatever came, went, changed or broke in between."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from benchbook.cli.history import command
from benchbook.history import ask, ask_tables, connect, keep_answers, query, questions
from benchbook.history.opening import over, scanned
from benchbook.history.sources import Scope
from benchbook.history.summaries import kept, key, per_run
from benchbook.history.views import question_texts
from benchbook.results.paths import aggregate_folder
from tests.spec.sql.agents import agents_history
from tests.spec.sql.stored import Stored, generated, trial_row, write_part
from tests.spec.sql.streamed import streamed

SWEEP = {"sweep_id": "s", "sweep_axis": "concurrency"}


def renamed(stored: Stored, names: dict[str, str]) -> Stored:
    """The runs of these names only, under their new ones."""
    rows = {
        table: [{**row, "run_id": names[row["run_id"]]} for row in rows if row["run_id"] in names]
        for table, rows in stored.rows.items()
    }
    return Stored(rows)


class World(NamedTuple):
    """A history that was kept, then changed, then kept again; and the same without anything kept."""

    brought_up: Path
    fresh: Path
    files: dict[str, bytes]
    """Of the second keeping."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """First r1 to r5; then r2 goes, r3 is replaced, r0 and r6 come."""
    results = tmp_path_factory.mktemp("kept") / "results"
    first, later = generated(4), generated(5)
    for place, row in enumerate(first.rows["runs"]):
        row |= {**SWEEP, "sweep_value": float(place + 1)}
    first.write(results)
    renamed(agents_history(7, cases=7, repetitions=2), {"r1": "r4"}).write(results)
    renamed(streamed(2), {"r1": "r5"}).write(results)
    keep_answers(results)
    for table in (results / "tables").iterdir():
        shutil.rmtree(table / "run_id=r2")
    renamed(later, {"r1": "r3", "r2": "r6", "r3": "r0"}).write(results)
    keep_answers(results)
    fresh = tmp_path_factory.mktemp("fresh") / "results"
    shutil.copytree(results / "tables", fresh / "tables")
    return World(results, fresh, contents(results))


def contents(results: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in aggregate_folder(results).iterdir()}


def computed(results: Path) -> Iterator[tuple[str, pa.Table]]:
    """Every question put to all runs at once, without any of the machinery that keeps."""
    with over(scanned(results, Scope()), tuple(question_texts())) as con:
        for question, text in question_texts().items():
            yield question, con.sql(text).to_arrow_table()


def test_what_was_brought_up_to_date_is_what_all_runs_together_say(world: World) -> None:
    """So a question that is said to be asked of every run apart really is: new runs were computed without the old."""
    kept_now, shown = kept(world.brought_up), 0
    for question, table in computed(world.fresh):
        found = kept_now.table(question)
        assert found is not None, question
        assert found.schema.equals(table.schema), question
        assert found.equals(table), question
        shown += bool(len(table))
    assert shown > 0.8 * len(questions()), "what shows nothing proves nothing"


def test_files_are_the_same_to_the_last_bit_whichever_way_they_came_about(world: World) -> None:
    keep_answers(world.fresh)
    assert contents(world.fresh) == world.files
    (aggregate_folder(world.fresh) / "latency.parquet").write_bytes(b"PAR1")
    keep_answers(world.fresh)
    assert contents(world.fresh) == world.files, "a damaged file is mended"
    before = {path: path.stat().st_mtime_ns for path in aggregate_folder(world.fresh).glob("*.parquet")}
    keep_answers(world.fresh)
    assert contents(world.fresh) == world.files
    assert {path: path.stat().st_mtime_ns for path in before} == before, "what holds is not written again"


def test_some_questions_are_of_several_runs_together() -> None:
    assert {question for question in questions() if not per_run(question)} >= {"by_hour", "sweep", "trial_time"}


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = renamed(generated(4), {"r1": "r1", "r2": "r2"}).write(tmp_path_factory.mktemp("two") / "results")
    keep_answers(results)
    return results


@pytest.fixture
def small(two_runs: Path, tmp_path: Path) -> Path:
    """Two runs, kept."""
    return Path(shutil.copytree(two_runs, tmp_path / "results"))


ASKED = ("latency", "slowest", "trial_time", "goodput")


def settle(results: Path) -> dict[str, pa.Table]:
    """The answers as they are without anything kept."""
    hidden = results / "aside"
    aggregate_folder(results).rename(hidden)
    found = {name: ask_tables((name,), results)[name] for name in ASKED}
    hidden.rename(aggregate_folder(results))
    return found


def test_whatever_is_not_covered_is_computed(small: Path) -> None:
    """A run that came, one that was replaced, one whose table broke: with nothing kept anew."""
    covers = kept(small)
    assert ask_tables(ASKED, small) == settle(small)
    rows = [trial_row("r9", n, e2e_ms=n + 0.1, response_ms=n + 0.2, wall_ms=n + 0.3) for n in range(9)]
    write_part(small, "trials", "r9", rows)
    assert {row["run_id"] for row in ask("latency", small)} == {"r1", "r2", "r9"}
    assert ask_tables(ASKED, small) == settle(small)
    write_part(small, "trials", "r1", [{**row, "run_id": "r1"} for row in rows])
    assert ask_tables(ASKED, small) == settle(small)
    assert query(small, "select max(n) from answers.latency where run_id = 'r1'")[1] == [(9,)]
    (small / "tables" / "trials" / "run_id=r2" / "part-0.parquet").write_bytes(b"PAR1")
    assert {row["run_id"] for row in ask("latency", small)} == {"r1", "r9"}
    assert ask_tables(ASKED, small) == settle(small)
    assert kept(small) == covers


def test_settings_and_texts_are_part_of_what_is_kept(small: Path) -> None:
    now = kept(small)
    assert now.answers["latency"]["asked"] == key("latency", {"slos": {"ttft_ms": 9.0}, "top": 3})
    assert now.answers["latency"]["asked"] != key("latency", {"confidence": 0.9})
    assert now.answers["goodput"]["asked"] == key("goodput", {"slos": {"ttft_ms": 500}})
    assert now.answers["goodput"]["asked"] != key("goodput", {"slos": {"ttft_ms": 501}})
    assert now.answers["slowest"]["asked"] != key("slowest", {"top": 3})
    assert now.answers["summary"]["asked"] != key("summary", {"confidence": 0.9}), "through the question behind it"
    assert max(row["rank"] for row in ask("slowest", small, top=3)) == 3
    assert ask("latency", small, confidence=0.8) != ask("latency", small)
    assert query(small, "set variable top = 2; select max(rank) from answers.slowest")[1] == [(2,)]


@pytest.mark.parametrize(
    "how", ["cut", "flipped", "gone", "covers cut", "covers gone", "covers of another kind", "no marks"]
)
def test_a_damaged_summary_is_of_no_use_and_does_no_harm(small: Path, how: str) -> None:
    truth, path = settle(small), aggregate_folder(small) / "latency.parquet"
    covers = aggregate_folder(small) / "covers.json"
    if how == "cut":
        path.write_bytes(path.read_bytes()[:-99])
    elif how == "flipped":
        data = bytearray(path.read_bytes())
        data[len(data) // 3] ^= 1
        path.write_bytes(data)
    elif how == "gone":
        path.unlink()
    elif how == "covers cut":
        covers.write_bytes(covers.read_bytes()[:-99])
    elif how == "covers gone":
        covers.unlink()
    else:
        covers.write_text('{"version": 0}' if how == "covers of another kind" else '{"version": 1}')
    assert ask_tables(ASKED, small) == truth


def test_only_the_last_rows(small: Path) -> None:
    every = ask("slowest", small)
    assert ask("slowest", small, last=7) == every[-7:]
    assert ask("slowest", small, last=10**6) == every
    write_part(small, "trials", "r0", [trial_row("r0", n, response_ms=1.0) for n in range(9)])
    assert ask("slowest", small, last=7) == every[-7:]


def test_kept_rows_were_read_and_not_computed(small: Path) -> None:
    """Seen by a kept file that says something else, with a digest that fits."""
    covers, path = aggregate_folder(small) / "covers.json", aggregate_folder(small) / "skipped.parquet"
    table = pq.ParquetFile(path).read().slice(0, 1)
    before = kept(small).answers["skipped"]["sha256"]
    pq.write_table(table, path)
    covers.write_text(covers.read_text().replace(before, hashlib.sha256(path.read_bytes()).hexdigest()))
    assert len(ask("skipped", small)) == 1
    assert query(small, "select count(*) from answers.skipped")[1] == [(1,)]


def test_the_verb_shows_the_newest_rows_and_says_where_the_others_are(small: Path) -> None:
    every = ask("slowest", small)
    words = ["slowest", "--results", str(small), "--json", "--limit"]
    some, whole = (CliRunner().invoke(command, [*words, limit]) for limit in ("7", "0"))
    shown = [(row["run_id"], row["target"], row["rank"]) for row in json.loads(some.stdout)]
    assert shown == [(row["run_id"], row["target"], row["rank"]) for row in every[-7:]]
    assert "the last 7 rows" in some.stderr
    assert "slowest.parquet" in some.stderr
    assert len(json.loads(whole.stdout)) == len(every)
    assert whole.stderr == ""


def test_a_connection_can_have_answers_ready(small: Path) -> None:
    truth = ask_tables(("latency", "sweep"), small)
    with connect(small, answers=("latency", "sweep")) as con:
        for question, table in truth.items():
            assert con.sql(f"select * from answers.{question}").to_arrow_table() == table
        con.execute("set variable confidence = 0.6")
        assert con.sql("select * from answers.latency").to_arrow_table() == truth["latency"], "answered on opening"
