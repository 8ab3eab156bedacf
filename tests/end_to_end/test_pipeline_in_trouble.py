"""The pipeline where things fail: failing providers, interrupted runs, damaged files, bad datasets."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from benchbook.errors import DatasetError, StorageError
from benchbook.history import ask
from benchbook.results import journal
from benchbook.results.store import read_table
from benchbook.stages.aggregate import aggregate
from benchbook.stages.execute import execute
from benchbook.stages.report import report
from benchbook.stages.standing import UNCHANGED
from benchbook.stages.store import store
from benchbook.stages.validate import validate
from tests.piping import only, rows


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
    with pytest.raises(DatasetError):  # what was refused once is not taken for checked
        validate(bench.job())


def test_datasets_that_passed_and_are_unchanged_are_not_checked_again_unless_asked(bench: Any) -> None:
    first = validate(bench.job())
    again = validate(bench.job())
    assert again == replace(first, notes=(UNCHANGED, *first.notes))
    assert validate(bench.job(), anew=True) == first
    (bench.folder / "small.json").write_text("[]")
    bench.write = lambda: bench.plan
    with pytest.raises(DatasetError):
        validate(bench.job())


def test_the_checks_file_depends_on_the_dataset_alone(bench: Any) -> None:
    validate(bench.job())
    before = (bench.results / "checks" / "checks.json").read_bytes()
    validate(bench.job(overrides=("execute.repetitions=9",)), anew=True)
    assert (bench.results / "checks" / "checks.json").read_bytes() == before


@pytest.mark.parametrize("stage", [validate, execute, aggregate])
def test_a_folder_that_cant_be_written_is_one_clear_error(bench: Any, stage: Any) -> None:
    job = bench.job(results=str(bench.folder / "small.json" / "results"))
    with pytest.raises(StorageError, match=r"small\.json.*can't be written.*--results"):
        stage(job)
