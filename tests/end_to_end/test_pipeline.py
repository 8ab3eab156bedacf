"""From a dataset to an answer: validate, execute, store, aggregate and report, held against the plan and the wire."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import md5, sha256
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow.parquet as pq
import pytest

from benchbook.errors import DatasetError, StorageError, UnknownRunError
from benchbook.history import ask, ask_tables, connect, questions, write_views
from benchbook.results import journal
from benchbook.results.schemas import TABLES
from benchbook.results.store import read_table
from benchbook.stages.aggregate import aggregate
from benchbook.stages.execute import execute
from benchbook.stages.report import report
from benchbook.stages.store import store
from benchbook.stages.validate import validate
from tests.piping import bytes_below, only, rows

# ---------------------------------------------------------------- what is stored


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


# ---------------------------------------------------------------- where a row comes from


@contextmanager
def in_folder(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


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
    with in_folder(bench.folder):
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


# ---------------------------------------------------------------- derived, and derivable again


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
    with in_folder(healthy.folder):
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


# ---------------------------------------------------------------- what went wrong is told


def test_what_failed_is_rows_with_kinds_and_messages(troubled: Any) -> None:
    by_target: dict[str, list[dict[str, Any]]] = {}
    for row in rows(troubled.results, "trials"):
        by_target.setdefault(row["target"], []).append(row)
    anthropic = by_target["anthropic-sim"]
    assert {(row["status"], row["error_kind"], row["calls"]) for row in anthropic} == {("failure", "server_error", 3)}
    assert all(row["error_message"] for row in anthropic)
    assert Counter(row["status"] for row in by_target["bedrock-sim"]) == {"success": 8, "timeout": 1}
    assert Counter(row["status"] for row in by_target["openai-sim"]) == {"success": 9}
    assert Counter(row["calls"] for row in by_target["openai-sim"]) == {1: 8, 2: 1}
    skipped = by_target["ollama-sim"]
    assert {(row["status"], row["calls"], row["cold"]) for row in skipped} == {("skipped", 0, None)}
    assert all("does not offer sim-llama" in row["error_message"] for row in skipped)


def test_its_verdict_says_why(troubled: Any) -> None:
    run = only(troubled.results, "runs")
    assert run["verdict"] == "DEGRADED"
    assert any("10 of 27 attempted trials failed, at most 5% may" in reason for reason in run["reasons"])
    assert any("9 of 36 planned trials were skipped" in reason for reason in run["reasons"])


def test_physics_holds_where_providers_fail(troubled: Any) -> None:
    checks = rows(troubled.results, "checks")
    assert [row for row in checks if row["suite"] == "result" and not row["success"]] == []


def test_failures_have_a_listing_of_their_own(troubled: Any) -> None:
    failures = ask("failures", troubled.results)
    assert Counter((row["target"], row["status"]) for row in failures) == {
        ("anthropic-sim", "failure"): 9,
        ("bedrock-sim", "timeout"): 1,
    }
    assert {row["phase"] for row in failures} == {"warmup", "measured"}
    errors = {(row["target"], row["level"], row["error_kind"]): row["n"] for row in ask("errors", troubled.results)}
    assert errors["anthropic-sim", "trial", "server_error"] == 6
    assert errors["anthropic-sim", "attempt", "server_error"] == 18
    skipped = ask("skipped", troubled.results)
    assert [(row["target"], row["trials"]) for row in skipped] == [("ollama-sim", 9)]


def test_latency_is_of_successes_and_failures_stand_beside_it(troubled: Any) -> None:
    summary = {row["target"]: row for row in ask("summary", troubled.results)}
    assert (summary["anthropic-sim"]["n"], summary["anthropic-sim"]["failure_share"]) == (0, 1.0)
    assert summary["anthropic-sim"]["e2e_ms_mean"] is None
    assert (summary["ollama-sim"]["attempted"], summary["ollama-sim"]["failure_share"]) == (0, None)
    openai = summary["openai-sim"]
    assert (openai["n"], openai["ttft_ms_n"], openai["e2e_ms_p95"]) == (6, 6, None)
    assert openai["e2e_ms_p95_refused"] == "needs 59, has 6"
    assert openai["e2e_ms_min"] <= openai["e2e_ms_p50_low"] <= openai["e2e_ms_p50"] <= openai["e2e_ms_max"]


def test_nothing_succeeds_and_all_stages_go_on(bench: Any) -> None:
    bench.faults = [{"kind": "server_error", "every": 1}]
    bench.execute = {"repetitions": 1, "warmup": 0, "retries": {"attempts": 1}}
    execute(bench.job())
    store(bench.job())
    report(bench.job())
    run = only(bench.results, "runs")
    assert run["verdict"] == "INVALID"
    assert run["reasons"][0] == "no trial succeeded"
    assert run["cost_usd"] is None
    assert (bench.results / "report" / run["run_id"] / "report.html").is_file()


def test_an_interrupted_run_is_stored_as_degraded_with_what_was_not_started(bench: Any) -> None:
    bench.law = {"ttft_ms": 30}
    bench.execute = {"load": {"kind": "closed", "concurrency": 1}, "repetitions": 3}
    run_id = _interrupted(bench)
    done = len(bench.trials())
    assert 0 < done < 16
    job = bench.job()
    store(job, run_id)
    aggregate(job)
    report(job, run_id)
    run = only(bench.results, "runs")
    assert (run["status"], run["verdict"], run["planned"]) == ("interrupted", "DEGRADED", 16)
    assert (run["succeeded"], run["not_started"]) == (done, 16 - done)
    assert f"{16 - done} of 16 planned trials were not started" in run["reasons"]
    missing = next(row for row in rows(bench.results, "checks") if row["name"] == "planned_present")
    assert (missing["success"], missing["severity"], missing["unexpected"]) == (False, "warning", 16 - done)
    execute(bench.job(resume=run_id))
    assert store(job).stored == (run_id,)
    run = only(bench.results, "runs")
    assert (run["status"], run["verdict"], run["not_started"], run["sessions"]) == ("finished", "VALID", 0, 2)


def _interrupted(bench: Any) -> str:
    """A run that got a Ctrl-C soon after its first trial."""
    code = f"""
import os, signal
from benchbook.stages import Job
from benchbook.stages.execute import execute
def on_progress(fields):
    if fields["done"]:
        os.kill(os.getpid(), signal.SIGINT)
print(execute(Job(plan={str(bench.write())!r}, results={str(bench.results)!r}), on_progress).run_id)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_run_that_was_interrupted_before_its_first_trial_is_told_too(bench: Any) -> None:
    executed = execute(bench.job())
    for part in (bench.results / "journal" / executed.run_id).glob("segment-*"):
        part.unlink()
    job = bench.job()
    store(job)
    report(job)
    run = only(bench.results, "runs")
    assert (run["status"], run["verdict"], run["not_started"]) == ("crashed", "INVALID", 12)
    assert run["reasons"][0] == "no trial was attempted"


# ---------------------------------------------------------------- damage


def test_a_damaged_line_is_named_and_its_trial_missing(bench: Any) -> None:
    executed = execute(bench.job())
    segment = bench.results / "journal" / executed.run_id / "segment-000.ndjson"
    lines = segment.read_bytes().splitlines(keepends=True)
    lines[4] = lines[4].replace(b'"status":"success"', b'"status":"failure"')
    segment.write_bytes(b"".join(lines))
    done = store(bench.job())
    assert done.damaged == (f"{segment}:5: checksum does not match; passed over",)
    run = only(bench.results, "runs")
    assert (run["succeeded"], run["not_started"], run["verdict"]) == (11, 1, "INVALID")
    assert any("planned_present" in reason for reason in run["reasons"])


def test_a_run_whose_manifest_is_damaged_is_named_and_the_others_stored(bench: Any) -> None:
    bench.execute = {"repetitions": 1, "warmup": 0}
    first, second = (execute(bench.job()).run_id for _ in range(2))
    manifest = bench.results / "journal" / first / "run.json"
    manifest.write_bytes(manifest.read_bytes()[:-20])
    done = store(bench.job())
    assert done.stored == (second,)
    assert len(done.damaged) == 1
    assert str(manifest) in done.damaged[0]


def test_a_damaged_partition_is_passed_over_by_readers_and_made_anew_by_store(healthy: Any, tmp_path: Path) -> None:
    results = tmp_path / "results"
    shutil.copytree(healthy.results, results)
    part = next((results / "tables" / "trials").rglob("part-0.parquet"))
    whole = part.read_bytes()
    part.write_bytes(whole[: len(whole) // 2])
    table, damaged = read_table(results, "trials")
    assert table.num_rows == 0
    assert [damage.file for damage in damaged] == [str(part)]
    assert ask("summary", results) == []
    assert store(healthy.job(results=str(results))).stored == tuple(healthy.run_ids())
    assert part.read_bytes() == whole


# ---------------------------------------------------------------- answers


def test_every_question_is_answered_and_kept_as_a_file(healthy: Any) -> None:
    slos = {"ttft_ms": 500.0}
    for question, answer in ask_tables(tuple(questions()), healthy.results, slos=slos).items():
        kept = pq.read_table(healthy.results / "aggregate" / f"{question}.parquet")
        assert kept.num_rows == answer.num_rows
        assert kept.schema.names == answer.schema.names
    assert {path.stem for path in (healthy.results / "aggregate").iterdir()} == set(questions())


def test_history_sql_opens_in_a_plain_duckdb_shell(healthy: Any) -> None:
    with in_folder(healthy.folder), duckdb.connect() as shell:
        shell.execute(write_views("results").read_text())
        count = shell.execute("select count(*) from trials where phase = 'measured'").fetchall()
        targets = shell.execute("select target, n from answers.summary order by target").fetchall()
    assert count == [(4 * 7 * 2,)]
    assert targets == [(row["target"], row["n"]) for row in ask("summary", healthy.results)]


def test_the_metrics_file_holds_the_newest_run_by_target(healthy: Any) -> None:
    metrics = json.loads((healthy.results / "metrics.json").read_text())
    assert set(metrics) == {"openai-sim", "anthropic-sim", "bedrock-sim", "ollama-sim"}
    for row in ask("summary", healthy.results):
        figures = metrics[row["target"]]
        assert (figures["n"], figures["failures"], figures["score"]) == (14, 0, 1.0)
        assert figures["ttft_ms_p50"] == row["ttft_ms_p50"]
        assert figures["e2e_ms_p95"] is None


def test_limits_and_confidence_are_the_plans(pair: Any, tmp_path: Path) -> None:
    results = tmp_path / "results"
    shutil.copytree(pair.results, results)
    settings = ("aggregate.slos={ttft_ms: 25}", "aggregate.confidence=0.999")
    aggregate(pair.job(results=str(results), overrides=settings))
    goodput = pq.read_table(results / "aggregate" / "goodput.parquet").to_pylist()
    trials = rows(results, "trials")
    assert [row["good"] for row in goodput] == [
        sum(row["run_id"] == run_id and row["ttft_ms"] <= 25 for row in trials) for run_id in pair.run_ids()
    ]
    latency = pq.read_table(results / "aggregate" / "latency.parquet").to_pylist()
    assert latency[-1]["p50_refused"] == "needs 11, has 7"


def test_an_empty_results_folder_aggregates_to_empty_answers(bench: Any) -> None:
    aggregate(bench.job())
    assert json.loads((bench.results / "metrics.json").read_text()) == {}
    assert pq.read_table(bench.results / "aggregate" / "latency.parquet").num_rows == 0


# ---------------------------------------------------------------- reports


def test_reports_are_there_in_the_formats_that_the_plan_asks_for(healthy: Any) -> None:
    run_id = healthy.run_ids()[0]
    folder = healthy.results / "report" / run_id
    assert {path.name for path in folder.iterdir()} == {"report.html", "trials.csv", "trials.json"}
    listed = json.loads((folder / "trials.json").read_bytes())
    assert [row["trial_id"] for row in listed] == [row["trial_id"] for row in rows(healthy.results, "trials")]
    assert (folder / "trials.csv").read_text().count("\n") == 1 + len(listed)


def test_formats_are_the_plans(bench: Any) -> None:
    bench.sections = {"report": {"formats": ["json", "console"]}}
    bench.execute = {"repetitions": 1, "warmup": 0}
    executed = execute(bench.job())
    store(bench.job())
    done = report(bench.job())
    assert (done.run_id, list(done.files)) == (executed.run_id, ["json"])
    assert len(json.loads(Path(done.files["json"]).read_bytes())) == 4


def test_what_a_model_a_provider_and_a_dataset_say_is_escaped(bench: Any) -> None:
    evil = "<script>alert('x')</script>"
    bench.law = {"answers": {"kind": "scripted", "texts": [evil]}}
    bench.faults = [{"kind": "server_error", "script": [3]}]
    bench.execute = {"repetitions": 1, "warmup": 0, "retries": {"attempts": 1}}
    bench.write()
    dataset = bench.folder / "small.json"
    data = json.loads(dataset.read_text())
    for case in data["test_cases"]:
        case["category"] = "<b>bold</b>"
    dataset.write_text(json.dumps(data))
    bench.write = lambda: bench.plan
    executed = execute(bench.job(overrides=("execute.targets.0.name=<img-src=x>",)))
    store(bench.job())
    page = Path(report(bench.job(), executed.run_id).files["html"]).read_text()
    assert "<script" not in page
    assert "<img" not in page
    assert "<b>bold" not in page
    assert "&lt;img-src=x&gt;" in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in page


def test_there_is_nothing_to_report_on_without_a_run(bench: Any) -> None:
    with pytest.raises(UnknownRunError):
        report(bench.job())


# ---------------------------------------------------------------- refusals


def test_a_dataset_with_problems_stops_the_pipeline_with_every_one_and_leaves_its_checks(bench: Any) -> None:
    bench.write()
    bad = {"name": "small", "version": "1.0", "schema_version": "1"}
    bad["test_cases"] = [  # type: ignore[assignment]
        {"id": "a", "category": "k", "prompt": "say {{missing}}", "expected": "x"},
        {"id": "a", "category": "k", "prompt": "again", "expected": "x"},
    ]
    (bench.folder / "small.json").write_text(json.dumps(bad))
    bench.write = lambda: bench.plan
    with pytest.raises(DatasetError) as caught:
        validate(bench.job())
    assert len(caught.value.problems) == 3  # either case is told of the other
    assert any("missing" in line for line in caught.value.problems)
    written = [orjson.loads(line) for line in (bench.results / "checks" / "checks.json").read_bytes().splitlines()]
    assert {row["name"] for row in written if not row["success"]} == {"id_unique", "templates_resolvable"}
    assert journal.runs(bench.results) == []


def test_the_checks_file_depends_on_the_dataset_alone(bench: Any) -> None:
    validate(bench.job())
    before = (bench.results / "checks" / "checks.json").read_bytes()
    validate(bench.job(overrides=("execute.repetitions=9",)))
    assert (bench.results / "checks" / "checks.json").read_bytes() == before


@pytest.mark.parametrize("stage", [validate, execute, aggregate])
def test_a_folder_that_cant_be_written_is_one_clear_error(bench: Any, stage: Any) -> None:
    job = bench.job(results=str(bench.folder / "small.json" / "results"))
    with pytest.raises(StorageError, match=r"small\.json.*can't be written.*--results"):
        stage(job)
