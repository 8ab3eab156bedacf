"""What the stages aggregate and report leave: files, views, pages."""

from __future__ import annotations

import json
import shutil
from contextlib import chdir
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from benchbook.errors import UnknownRunError
from benchbook.history import ask, ask_tables, questions, write_views
from benchbook.stages.aggregate import aggregate
from benchbook.stages.execute import execute
from benchbook.stages.report import report
from benchbook.stages.store import store
from tests.piping import rows


def test_every_question_is_answered_and_kept_as_a_file(healthy: Any) -> None:
    slos = {"ttft_ms": 500.0}
    for question, answer in ask_tables(tuple(questions()), healthy.results, slos=slos).items():
        kept = pq.read_table(healthy.results / "aggregate" / f"{question}.parquet")
        assert kept.num_rows == answer.num_rows
        assert kept.schema.names == answer.schema.names
    assert {path.stem for path in (healthy.results / "aggregate").glob("*.parquet")} == set(questions())


def test_history_sql_opens_in_a_plain_duckdb_shell(healthy: Any) -> None:
    with chdir(healthy.folder), duckdb.connect() as shell:
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
    assert "<script>alert" not in page
    assert page.count("<script") == 1  # ours, which sorts tables
    assert "<img" not in page
    assert "<b>bold" not in page
    assert "&lt;img-src=x&gt;" in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in page


def test_there_is_nothing_to_report_on_without_a_run(bench: Any) -> None:
    with pytest.raises(UnknownRunError):
        report(bench.job())
