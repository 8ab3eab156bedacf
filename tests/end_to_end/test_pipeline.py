"""From a dataset to an answer: validate, execute, store, aggregate and report, held against the plan and the wire."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from contextlib import chdir
from hashlib import md5, sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from benchbook.history import connect
from benchbook.results.schemas import TABLES
from benchbook.stages.aggregate import aggregate
from benchbook.stages.execute import execute
from benchbook.stages.report import report
from benchbook.stages.store import store
from benchbook.stages.validate import validate
from tests.piping import bytes_below, only, rows


def test_n_repetitions_give_exactly_n_measured_rows_with_the_warm_up_apart(healthy: Any) -> None:
    trials = rows(healthy.results, "trials")
    counted = Counter((row["target"], row["test_id"], row["phase"]) for row in trials)
    targets = {row["target"] for row in trials}
    assert len(targets) == 4
    assert counted == Counter(
        {(target, f"c{n}", phase): times for target in targets for n in range(7) for phase, times in PHASES}
    )
    assert {row["status"] for row in trials} == {"success"}
    measured = {(row["target"], row["test_id"], row["repetition"]) for row in trials if row["phase"] == "measured"}
    assert len(measured) == 4 * 7 * 2


PHASES = (("warmup", 1), ("measured", 2))


def test_counts_are_conserved(healthy: Any, troubled: Any) -> None:
    for bench in (healthy, troubled):
        run = only(bench.results, "runs")
        parts = ("succeeded", "failed", "timed_out", "skipped", "not_started")
        assert run["planned"] == sum(run[part] for part in parts)
        statuses = Counter(row["status"] for row in rows(bench.results, "trials"))
        names = {"success": "succeeded", "failure": "failed", "timeout": "timed_out", "skipped": "skipped"}
        assert {name: statuses[status] for status, name in names.items()} == {n: run[n] for n in names.values()}


def test_every_call_and_response_belongs_to_its_trial(troubled: Any) -> None:
    calls = rows(troubled.results, "calls")
    trials = {row["trial_id"]: row for row in rows(troubled.results, "trials")}
    assert Counter(row["trial_id"] for row in calls) == {k: row["calls"] for k, row in trials.items() if row["calls"]}
    answered = {(row["trial_id"], row["call_id"]) for row in rows(troubled.results, "responses")}
    assert answered == {(row["trial_id"], row["call_id"]) for row in calls}


def test_what_was_answered_is_kept_with_the_bytes_that_carried_it(healthy: Any) -> None:
    trials = {row["trial_id"]: row for row in rows(healthy.results, "trials")}
    for row in rows(healthy.results, "responses"):
        assert row["text"] == f"Say word {trials[row['trial_id']]['test_id'][1:]} and nothing else."
        assert len(row["body"]) == sum(row["piece_sizes"])


def test_answers_are_scored_and_every_null_has_its_reason(healthy: Any) -> None:
    trials = rows(healthy.results, "trials")
    assert {row["score"] for row in trials} == {1.0}
    assert {row["scorer"] for row in rows(healthy.results, "scores")} == {"contains"}
    tellers = ("ttft_ms", "decode_ms_per_token", "connect_ms", "tokens_in", "tokens_cached", "cost_usd", "score")
    for row in trials:
        for name in tellers:
            how = row["provenance"][name]
            assert how.startswith("missing: ") == (row[name] is None), (name, how)


def test_cost_is_priced_and_an_unknown_price_is_not_zero(healthy: Any) -> None:
    trials = rows(healthy.results, "trials")
    for row in trials:
        if row["target"] == "ollama-sim":
            assert (row["cost_usd"], row["price_date"]) == (None, None)
        else:
            expected = (row["tokens_in"] * 1.0 + row["tokens_out"] * 4.0) / 1e6
            assert row["cost_usd"] == pytest.approx(expected)
            assert row["price_date"] == "2026-11-21"


def test_both_suites_leave_their_checks(healthy: Any) -> None:
    checks = rows(healthy.results, "checks")
    assert {row["suite"] for row in checks} == {"dataset", "result"}
    assert all(row["success"] for row in checks if row["severity"] == "critical")
    names = {row["name"] for row in checks if row["suite"] == "result"}
    assert {"stamps_monotone", "latencies_ordered", "usage_consistent", "counts_conserved", "planned_present"} <= names
    assert {row["run_id"] for row in checks} == set(healthy.run_ids())


def test_a_healthy_run_is_valid(healthy: Any) -> None:
    run = only(healthy.results, "runs")
    assert (run["verdict"], run["reasons"], run["status"]) == ("VALID", [], "finished")


def git(folder: Path, *words: str) -> str:
    author = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    return subprocess.run(
        ["git", "-C", str(folder), *author, *words], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_every_row_can_be_traced(bench: Any) -> None:
    bench.execute = {"repetitions": 1, "warmup": 0}
    bench.write()
    (bench.folder / "requirements.lock").write_text("anyio==4\n")
    (bench.folder / ".gitignore").write_text("/results/\n")
    git(bench.folder, "init", "-q")
    git(bench.folder, "add", ".")
    git(bench.folder, "commit", "-q", "-m", "all")
    with chdir(bench.folder):
        first = execute(bench.job())
        (bench.folder / "note.txt").write_text("new")
        validate(bench.job())
        execute(bench.job())
        store(bench.job())
    runs = rows(bench.results, "runs")
    assert [row["git_dirty"] for row in runs] == [False, True]
    run = runs[0]
    dataset = (bench.folder / "small.json").read_bytes()
    assert run["git_commit"] == git(bench.folder, "rev-parse", "HEAD")
    assert run["lock_hash"] == sha256(b"anyio==4\n").hexdigest()
    assert run["dataset_hashes"] == {"small": sha256(dataset).hexdigest()}
    assert run["dataset_versions"] == {"small": "1.0"}
    assert list(run["dvc_hashes"].values()) == [md5(dataset, usedforsecurity=False).hexdigest()]
    assert len(run["plan_hash"]) == len(run["workload_hash"]) == 64
    assert run["host"]
    assert {"cores", "system"} <= set(run["host_fingerprint"])
    assert run["harness"]["engine"] == "benchbook"
    assert {"python", "benchbook", "duckdb"} <= set(run["versions"])
    assert json.loads(run["plan"])["sections"]["execute"]["repetitions"] == 1
    by_run = connect(bench.results).sql(
        "select count(*) from trials join runs using (run_id) where git_commit is not null and trials.run_id = '"
        + first.run_id
        + "'"
    )
    assert by_run.fetchall() == [(4,)]
    ids = {row["run_id"] for row in runs}
    for table in ("trials", "calls", "responses", "spans", "scores", "checks"):
        assert {row["run_id"] for row in rows(bench.results, table)} == ids


def copy_of(bench: Any, folder: Path) -> Any:
    """The bench's folder elsewhere, to be changed freely."""
    shutil.copytree(bench.folder, folder)
    made = type(bench)(folder, bench.targets, bench.cases, bench.law, bench.faults, bench.execute, bench.sections)
    made.write()
    return made


def test_storing_again_changes_nothing_and_says_so(healthy: Any) -> None:
    before = bytes_below(healthy.results / "tables")
    again = store(healthy.job())
    assert (again.stored, again.current, again.damaged) == ((), tuple(healthy.run_ids()), ())
    assert bytes_below(healthy.results / "tables") == before


def test_everything_derived_comes_back_bit_for_bit(healthy: Any, tmp_path: Path) -> None:
    bench = copy_of(healthy, tmp_path / "copy")
    derived = ("tables", "aggregate", "report", "metrics.json", "history.sql")
    before = {name: part for name, part in bytes_below(bench.results).items() if name.startswith(derived)}
    assert len(before) > 20
    for name in derived:
        path = bench.results / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    with chdir(healthy.folder):
        done = store(bench.job())
        aggregate(bench.job())
        report(bench.job())
    after = {name: part for name, part in bytes_below(bench.results).items() if name.startswith(derived)}
    assert done.stored == tuple(bench.run_ids())
    assert after.keys() == before.keys()
    changed = [name for name in before if before[name] != after[name] and name != "history.sql"]  # it names its folder
    assert changed == []


@pytest.mark.parametrize(("bodies", "kept"), [("none", 0), ("failures", None), ("all", None)])
def test_changed_store_parameters_derive_anew(troubled: Any, tmp_path: Path, bodies: str, kept: int | None) -> None:
    results = tmp_path / "results"
    shutil.copytree(troubled.results, results)
    job = troubled.job(results=str(results), overrides=(f"store.bodies={bodies}", "store.compression=snappy"))
    done = store(job)
    assert (done.stored, done.current) == (tuple(troubled.run_ids()), ())
    found = rows(results, "responses")
    failed = {row["call_id"] for row in rows(results, "calls") if row["error_kind"]}
    if bodies == "failures":
        assert {row["call_id"] for row in found} == failed
        assert failed
    elif bodies == "none":
        assert found == []
    else:
        assert len(found) == len(rows(results, "calls"))
    part = next((results / "tables" / "trials").rglob("*.parquet"))
    assert pq.ParquetFile(part).metadata.row_group(0).column(0).compression == "SNAPPY"
    assert rows(results, "trials") == rows(troubled.results, "trials")


def test_answers_are_scored_again_without_being_asked_again(bench: Any) -> None:
    bench.execute = {"repetitions": 1, "warmup": 0}
    executed = execute(bench.job())
    store(bench.job())
    before = bytes_below(bench.results / "journal")
    dataset = bench.folder / "small.json"
    changed = json.loads(dataset.read_text())
    for case in changed["test_cases"]:
        case["expected"] = "something that nobody says"
    dataset.write_text(json.dumps(changed))
    shutil.rmtree(bench.results / "tables")
    bench.write = lambda: bench.plan  # the dataset stays as it is now
    store(bench.job())
    assert {row["score"] for row in rows(bench.results, "trials", executed.run_id)} == {1.0}
    assert bytes_below(bench.results / "journal") == before


def test_every_run_in_the_journal_gets_its_tables(bench: Any) -> None:
    bench.execute = {"repetitions": 1, "warmup": 0}
    ids = [execute(bench.job()).run_id for _ in range(2)]
    assert store(bench.job()).stored == tuple(ids)
    third = execute(bench.job()).run_id
    done = store(bench.job())
    assert (done.stored, done.current) == ((third,), tuple(ids))
    assert [row["run_id"] for row in rows(bench.results, "runs")] == [*ids, third]


def test_every_table_is_there_for_every_run_even_when_empty(healthy: Any) -> None:
    run_id = healthy.run_ids()[0]
    for table in TABLES:
        assert (healthy.results / "tables" / table / f"run_id={run_id}" / "part-0.parquet").is_file()
