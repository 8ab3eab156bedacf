"""Every verb, as a person or a script calls it: what it prints, and how it ends."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from benchbook.cli import main
from benchbook.history import questions
from benchbook.metrics import LATENCY_METRICS
from benchbook.results import journal
from benchbook.simulator import start_process
from benchbook.stages.execute import execute
from benchbook.stages.store import store
from tests.piping import rows


@dataclass(frozen=True)
class Done:
    """How a verb ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Cli = Callable[..., Done]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs `benchbook` in this process."""
    for variable in ("COLUMNS", "BENCHBOOK_RESULTS", "BENCHBOOK_AGAIN"):
        monkeypatch.delenv(variable, raising=False)

    def run(*words: object) -> Done:
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        captured = capsys.readouterr()
        return Done(int(ended.value.code or 0), captured.out, captured.err)

    return run


def refused(done: Done, *says: str) -> None:
    """One line, exit code 2, and these words in it."""
    lines = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert (done.code, len(lines), done.out) == (2, 1, ""), done
    assert "Traceback" not in done.err
    for words in says:
        assert words in lines[0]


# ---------------------------------------------------------------- looking


def test_runs_lists_what_was_measured(cli: Cli, pair: Any, troubled: Any) -> None:
    done = cli("runs", "--results", pair.results)
    assert done.code == 0
    assert [line.split()[0] for line in done.lines[2:]] == pair.run_ids()
    assert "21 planned, 21 succeeded" in done.out
    listed = cli("runs", "--results", troubled.results, "--json").json
    assert [(row["run_id"], row["verdict"], row["failed"]) for row in listed] == [(*troubled.run_ids(), "DEGRADED", 9)]


def test_runs_tells_of_a_run_that_is_not_stored(cli: Cli, bench: Any) -> None:
    executed = execute(bench.job())
    done = cli("runs", "--results", bench.results)
    assert done.code == 0
    assert "no run is stored" in done.err
    assert f"{executed.run_id} is not stored yet" in done.err
    assert cli("runs", "--results", bench.results, "--json").json == []


@pytest.mark.parametrize("name", ["latest", "latest~2", "prefix", "whole"])
def test_show_finds_a_run_by_any_name(cli: Cli, pair: Any, name: str) -> None:
    first, _, last = pair.run_ids()
    wanted = first if name in ("latest~2", "whole") else last
    named = {"prefix": last[:-2], "whole": first}.get(name, name)
    assert cli("show", named, "--results", pair.results).lines[0].startswith(f"run {wanted}  ")


def test_show_prints_verdict_failures_and_checks(cli: Cli, troubled: Any) -> None:
    done = cli("show", "--results", troubled.results, "--failures", "--checks")
    assert done.code == 0
    assert "verdict DEGRADED: 10 of 27 attempted trials failed, at most 5% may; 9 of 36" in done.out
    assert "  anthropic-sim: 6 of 6 trials server_error" in done.lines
    assert "  openai-sim: 1 of 7 attempts rate_limited" in done.lines or "rate_limited" not in done.out
    listing = done.out.partition("\nfailures\n")[2].partition("\nchecks\n")
    assert len([line for line in listing[0].splitlines() if line.startswith(("anthropic-sim", "bedrock-sim"))]) == 10
    assert re.search(r"result +calls +stamps_monotone +passed +\d+ +0", listing[2])


def test_show_says_when_nothing_failed(cli: Cli, healthy: Any) -> None:
    done = cli("show", "--results", healthy.results, "--failures")
    assert "no trial failed or timed out" in done.out
    assert "verdict VALID" in done.lines


def test_show_json_is_the_whole_view(cli: Cli, troubled: Any) -> None:
    view = cli("show", "--results", troubled.results, "--json").json
    assert view["run"]["run_id"] == troubled.run_ids()[0]
    assert {row["target"] for row in view["targets"]} == {f"{name}-sim" for name in troubled.targets}
    assert len(view["failures"]) == 10
    assert {row["suite"] for row in view["checks"]} == {"dataset", "result"}


# ---------------------------------------------------------------- history and sql


def test_history_is_a_line_a_run_and_target(cli: Cli, pair: Any) -> None:
    done = cli("history", "--results", pair.results)
    assert done.code == 0
    assert [line.split()[:2] for line in done.lines[2:5]] == [[run_id, "openai-sim"] for run_id in pair.run_ids()]
    assert "needs 59, has 21" in done.out


def test_history_json_is_spelt_as_promised(cli: Cli, pair: Any) -> None:
    listed = cli("history", "--results", pair.results, "--json").json
    assert [(row["run_id"], row["target"], row["n"]) for row in listed] == [
        (run_id, "openai-sim", n) for run_id, n in zip(pair.run_ids(), (21, 21, 7), strict=True)
    ]
    for row in listed:
        for metric in LATENCY_METRICS:
            for part in ("p50", "p95", "p99"):
                bounds = (f"{metric}_{part}", f"{metric}_{part}_low", f"{metric}_{part}_high")
                assert set(bounds) <= row.keys()
                assert part == "p50" or [row[name] for name in bounds] == [None] * 3
            assert {f"{metric}_{part}" for part in ("min", "max", "mean", "sd", "n")} <= row.keys()
        for metric in ("ttft_ms", "e2e_ms"):
            assert row[f"{metric}_min"] <= row[f"{metric}_p50_low"] <= row[f"{metric}_p50"] <= row[f"{metric}_p50_high"]
            assert row[f"{metric}_p50_high"] <= row[f"{metric}_max"]


@pytest.mark.parametrize("question", sorted(questions()))
def test_every_question_has_an_answer_on_paper_and_as_json(cli: Cli, troubled: Any, question: str) -> None:
    done = cli("history", question, "--results", troubled.results)
    assert (done.code, "Traceback" in done.err) == (0, False)
    assert (done.out != "") == ("no row answers" not in done.err)
    assert isinstance(cli("history", question, "--results", troubled.results, "--json").json, list)


def test_history_lists_its_questions(cli: Cli) -> None:
    done = cli("history", "--list")
    assert [line.split()[0] for line in done.lines[2:]] == sorted(questions())
    assert cli("history", "--list", "--json").json == questions()


def test_history_takes_a_run_and_settings(cli: Cli, pair: Any) -> None:
    words = ("history", "slowest", "--results", pair.results, "--json")
    listed = cli(*words, "--run", "latest~1", "--top", 3).json
    assert [(row["run_id"], row["rank"]) for row in listed] == [(pair.run_ids()[1], rank) for rank in (1, 2, 3)]
    good = cli("history", "goodput", "--results", pair.results, "--json", "--slo", "ttft_ms=25").json
    trials = rows(pair.results, "trials")
    assert [row["good"] for row in good] == [
        sum(row["run_id"] == run_id and row["ttft_ms"] <= 25 for row in trials) for run_id in pair.run_ids()
    ]
    wide = cli(
        "history", "latency", "--results", pair.results, "--json", "--confidence", "0.999", "--run", "latest"
    ).json
    assert wide[0]["p50_refused"] == "needs 11, has 7"


def test_history_merges_another_machines_runs(cli: Cli, pair: Any, bench: Any) -> None:
    mine = execute(bench.job()).run_id
    done = cli("history", "merge", pair.results, "--results", bench.results)
    assert (done.code, done.out) == (0, "3 runs added, 0 were here already\n")
    assert f"stage store --results {bench.results}" in done.err
    assert sorted([mine, *pair.run_ids()]) == bench.run_ids()
    again = cli("history", "merge", pair.results, "--results", bench.results)
    assert again.out == "0 runs added, 3 were here already\n"
    store(bench.job())
    assert len(cli("runs", "--results", bench.results, "--json").json) == 4


def test_sql_in_three_formats(cli: Cli, pair: Any) -> None:
    query = "select run_id, count(*) as n, null as nothing, true as yes from trials group by all order by 1"
    expected = [(run_id, n) for run_id, n in zip(pair.run_ids(), (21, 21, 7), strict=True)]
    words = ("sql", query, "--results", pair.results, "--format")
    assert [(row["run_id"], row["n"], row["nothing"]) for row in cli(*words, "json").json] == [
        (*pair, None) for pair in expected
    ]
    listed = list(csv.DictReader(io.StringIO(cli(*words, "csv").out)))
    assert [(row["run_id"], int(row["n"]), row["nothing"]) for row in listed] == [(*pair, "") for pair in expected]
    table = cli(*words, "table").lines
    assert [tuple(line.split()) for line in table[2:]] == [(run_id, str(n), "-", "yes") for run_id, n in expected]


def test_sql_loses_nothing_that_a_format_has_no_word_for(cli: Cli, pair: Any) -> None:
    query = "select 1 as a, 2 as a, [1, 2] as l, map {'k': 1} as m, 'x'::blob as b, true as t, "
    query += "timestamptz '2026-11-21' as z"
    words = ("sql", query, "--results", pair.results, "--format")
    moment = "2026-11-21T00:00:00+00:00"
    expected = {"a": 1, "a_1": 2, "l": [1, 2], "m": {"k": 1}, "b": "x", "t": True, "z": moment}
    assert cli(*words, "json").json == [expected]
    assert list(csv.reader(io.StringIO(cli(*words, "csv").out))) == [
        ["a", "a", "l", "m", "b", "t", "z"],
        ["1", "2", "[1,2]", '{"k":1}', "x", "true", moment],
    ]


def test_sql_prints_many_wide_rows_at_once(cli: Cli, healthy: Any) -> None:
    done = cli("sql", "select t.* from trials as t, range(20)", "--results", healthy.results)
    assert len(done.lines) == 2 + 20 * 4 * 7 * 3


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("selec 1", "syntax error"),
        ("select nope from trials", "nope"),
        ("select * from nowhere", "nowhere"),
        ("", "nothing to run"),
        ("select 1/'x'", "x"),
    ],
)
def test_wrong_sql_is_one_line(cli: Cli, pair: Any, query: str, says: str) -> None:
    refused(cli("sql", query, "--results", pair.results), says)


# ---------------------------------------------------------------- comparing


def test_a_slower_run_is_worse_and_its_ratio_above_one(cli: Cli, pair: Any) -> None:
    first, second, _ = pair.run_ids()
    compared = cli("compare", first, second, "--results", pair.results, "--json").json
    by_metric = {row["metric"]: row for row in compared["rows"]}
    ttft = by_metric["ttft_ms"]
    assert (compared["a"], compared["b"], ttft["sense"], ttft["better"]) == (first, second, "worse", "lower")
    assert 1 < ttft["low"] < ttft["ratio"] < ttft["high"]
    back = cli("compare", second, first, "--results", pair.results, "--json").json
    other = next(row for row in back["rows"] if row["metric"] == "ttft_ms")
    assert other["sense"] == "better"
    assert other["ratio"] == pytest.approx(1 / ttft["ratio"])


def test_no_comparison_of_two_runs_claims_a_change(cli: Cli, pair: Any) -> None:
    done = cli("compare", "latest~2", "latest~1", "--results", pair.results)
    assert done.code == 0
    line = next(line for line in done.lines if " ttft_ms " in line)
    assert "worse" in line
    assert "CANNOT TELL: one run a side" in line
    assert "CHANGED" not in done.out
    assert "of these prompts only" in done.out
    metrics = [line.split()[1] for line in done.lines if line.startswith("openai-sim")]
    assert metrics == ["ttft_ms", "e2e_ms", "response_ms", "decode_ms_per_token"]
    every = cli("compare", "latest~2", "latest~1", "--results", pair.results, "--all")
    assert [line.split()[1] for line in every.lines if line.startswith("openai-sim")] == list(LATENCY_METRICS)


def test_runs_that_asked_different_things_are_not_compared(cli: Cli, pair: Any) -> None:
    refused(cli("compare", "latest~1", "latest", "--results", pair.results), "unlike workloads")
    done = cli("compare", "latest~1", "latest", "--results", pair.results, "--json")
    assert done.code == 2
    assert {row["ratio"] for row in done.json["rows"]} == {None}


def test_what_failed_is_said_beside_a_comparison(cli: Cli, troubled: Any) -> None:
    done = cli("compare", "latest", "latest", "--results", troubled.results)
    assert done.code == 0
    assert "anthropic-sim: 100.0% and 100.0% of the trials of A and B failed" in done.err
    assert "is DEGRADED" in done.err
    assert "needs 6 paired cases, has 3" in done.out


# ---------------------------------------------------------------- exporting


def test_export_writes_what_is_stored(cli: Cli, healthy: Any) -> None:
    stored = rows(healthy.results, "trials")
    words = ("export", "latest", "--results", healthy.results)
    listed = list(csv.DictReader(io.StringIO(cli(*words).out)))
    assert [row["trial_id"] for row in listed] == [row["trial_id"] for row in stored]
    assert [float(row["e2e_ms"]) for row in listed] == [row["e2e_ms"] for row in stored]
    as_json = cli(*words, "--format", "json", "--columns", "target, ttft_ms,score").json
    assert as_json == [{name: row[name] for name in ("target", "ttft_ms", "score")} for row in stored]
    assert list(as_json[0]) == ["target", "ttft_ms", "score"]


@pytest.mark.parametrize("table", ["calls", "responses", "spans", "scores", "checks", "events", "runs"])
def test_export_of_every_table(cli: Cli, healthy: Any, tmp_path: Path, table: str) -> None:
    target = tmp_path / "out.parquet"
    words = ("export", "latest", "--results", healthy.results, "--table", table)
    assert cli(*words, "--format", "parquet", "-o", target).out == ""
    assert pq.read_table(target).num_rows == len(rows(healthy.results, table))
    assert len(cli(*words, "--format", "json").json) == len(rows(healthy.results, table))
    assert len(list(csv.reader(io.StringIO(cli(*words).out)))) == 1 + len(rows(healthy.results, table))


def test_export_refuses(cli: Cli, healthy: Any, tmp_path: Path) -> None:
    words = ("export", "latest", "--results", healthy.results)
    refused(cli(*words, "--columns", "target,nope"), "no column 'nope'", "ttft_ms")
    refused(cli(*words, "-o", tmp_path), "can't be written")
    refused(cli("export", "20990101", "--results", healthy.results), "20990101")


# ---------------------------------------------------------------- datasets, plans and providers


def test_datasets_are_listed_and_shown(cli: Cli, bench: Any) -> None:
    bench.write()
    more = {"name": "more", "version": "2", "schema_version": "1", "test_cases": []}
    more["test_cases"] = [
        {"id": "greet", "category": "k", "prompt": "Hello {{ who }}", "variables": {"who": "you", "idle": 1}}
        | {"expected": "hi"}
    ]
    (bench.folder / "datasets").mkdir()
    (bench.folder / "small.json").rename(bench.folder / "datasets" / "small.json")
    (bench.folder / "datasets" / "more.yaml").write_text(yaml.safe_dump(more))
    listed = cli("datasets", "list", bench.folder / "datasets", "--json").json
    assert [(row["name"], row["version"], row["cases"]) for row in listed] == [("more", "2", 1), ("small", "1.0", 4)]
    assert cli("datasets", "list", bench.folder / "datasets").lines[2].startswith("more")
    shown = cli("datasets", "show", bench.folder / "datasets" / "more.yaml")
    assert re.search(r"^greet +k +who +Hello {{ who }} +hi$", shown.out, re.MULTILINE)
    assert "idle" in shown.err
    assert cli("datasets", "show", bench.folder / "datasets" / "more.yaml", "--json").json["cases"][0]["variables"] == [
        "who"
    ]


def test_validate_passes_good_datasets(cli: Cli, bench: Any) -> None:
    plan = bench.write()
    done = cli("validate", "--plan", plan)
    assert (done.code, done.out) == (0, "1 files, 4 cases, 0 problems, 0 notes\n")
    found = cli("validate", bench.folder / "small.json", "--json").json
    assert found["problems"] == []
    assert all(check["success"] for check in found["checks"])


def test_validate_lists_every_problem(cli: Cli, bench: Any) -> None:
    bench.write()
    cases = [
        {"id": "one", "category": "k", "prompt": "say {{missing}}", "expected": "x"},
        {"id": "two", "category": "k", "prompt": "", "expected": "x"},
        {"id": "three", "category": "k", "prompt": "ok", "expected": "x", "config": {"temperature": 9}},
    ]
    bad = {"name": "bad", "version": "1", "schema_version": "1", "test_cases": cases}
    (bench.folder / "bad.json").write_text(json.dumps(bad))
    done = cli("validate", bench.folder / "small.json", bench.folder / "bad.json")
    assert done.code == 2
    problems = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert len(problems) >= 3
    for words in ("case one, field prompt", "case two, field prompt", "case three, field config.temperature"):
        assert any(words in problem for problem in problems), words
    as_json = cli("validate", bench.folder / "bad.json", "--json")
    assert (as_json.code, len(as_json.json["problems"])) == (2, len(problems))
    refused_run = cli("run", "--plan", bench.plan, "--dataset", bench.folder / "bad.json", "--no-flow", "-q")
    assert refused_run.code == 2


def test_plan_tells_what_would_be_done_and_sends_nothing(cli: Cli, bench: Any) -> None:
    plan = bench.write()
    done = cli("plan", "--plan", plan, "--results", bench.results)
    assert done.code == 0
    assert "12 trials (4 warm-up, 8 measured)" in done.out
    assert "cost at most unknown" in done.out
    found = cli("plan", "--plan", plan, "--results", bench.results, "--json").json
    assert (found["trials"], found["warmup"], found["measured"]) == (12, 4, 8)
    assert [row["target"] for row in found["targets"]] == ["openai-sim"]
    assert not bench.results.exists()


def test_a_saved_plan_is_the_same_plan(cli: Cli, bench: Any, tmp_path: Path) -> None:
    bench.write()
    saved = tmp_path / "mine.yaml"
    words = ("--target", "openai:sim-openai@simulator", "--dataset", bench.folder / "small.json", "-c", 2, "-n", 3)
    first = cli("plan", *words, "--max-tokens", 9, "--results", tmp_path, "--save-plan", saved, "--json").json
    second = cli("plan", "--plan", saved, "--results", tmp_path, "--json").json
    assert {**second, "plan": ""} == {**first, "plan": ""}
    assert (first["trials"], first["measured"]) == (4 * (3 + 2), 4 * 3)
    assert yaml.safe_load(saved.read_text())["execute"]["load"] == {"kind": "closed", "concurrency": 2}
    refused(cli("plan", *words, "--save-plan", tmp_path), "--save-plan")


@pytest.fixture(scope="module")
def listing_simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running simulator that says which models it has."""
    profile = tmp_path_factory.mktemp("offers") / "profile.yaml"
    models = ("sim-openai", "sim-anthropic", "anthropic.sim-claude-v1:0", "sim-llama")
    profile.write_text(yaml.safe_dump({"models": {model: {} for model in models}}))
    with start_process(profile) as address:
        yield address


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "dummy-key")


@pytest.mark.usefixtures("keys")
def test_models_asks_every_kind_of_provider(cli: Cli, listing_simulator: str) -> None:
    found = cli(
        *("models", "--json", "--region", "us-east-1"),
        *("--target", f"openai:sim-openai@{listing_simulator}/v1"),
        *("--target", f"anthropic:sim-anthropic@{listing_simulator}"),
        *("--target", f"bedrock:anthropic.sim-claude-v1:0@{listing_simulator}"),
        *("--target", f"ollama:sim-llama@{listing_simulator}"),
        *("--target", f"ollama:not-there@{listing_simulator}"),
        *("--target", "openai:gone@http://127.0.0.1:9/v1"),
    ).json
    assert [row["available"] for row in found] == [True, True, True, True, False, None]
    assert "sim-llama" in {model["id"] for model in found[3]["models"]}
    assert "refused" in found[5]["note"]


def test_models_says_which_key_is_missing(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    done = cli("models", "--target", "anthropic:claude-haiku-4-5")
    assert done.code == 0
    assert "$ANTHROPIC_API_KEY is not set" in done.out


def test_models_of_a_plan_with_the_simulator(cli: Cli, troubled: Any) -> None:
    done = cli("models", "--plan", troubled.plan, "--all")
    assert [line.split()[4] for line in done.lines[2:6]] == ["yes", "yes", "yes", "no"]
    assert "from the simulator" in done.out


def test_simulate_listens_until_ctrl_c(bench: Any) -> None:
    words = [sys.executable, "-m", "benchbook", "simulate", "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert re.search(r"listens on http://127\.0\.0\.1:\d+ ", process.stdout.readline())
        process.send_signal(signal.SIGINT)
        process.wait(20)
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
    assert process.returncode in (0, 130)


def test_simulate_refuses_a_bad_profile(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("default: {ttft_ms: -4}\n")
    refused(cli("simulate", "--port", "0", "--profile", tmp_path / "bad.yaml"), "bad.yaml")
    refused(cli("simulate", "--port", "0", "--profile", tmp_path / "none.yaml"), "none.yaml")


# ---------------------------------------------------------------- running


def test_each_stage_on_its_own_makes_the_whole(cli: Cli, bench: Any) -> None:
    place = ("--plan", bench.write(), "--results", bench.results)
    said = {stage: cli("stage", stage, *place) for stage in ("validate", "execute", "store", "aggregate", "report")}
    assert {stage: done.code for stage, done in said.items()} == dict.fromkeys(said, 0)
    assert "4 cases in 1 datasets are fit" in said["validate"].err
    assert "finished: 12 of 12 trials" in said["execute"].err
    assert "1 runs stored, 0 current" in said["store"].err
    assert (bench.results / "report" / bench.run_ids()[0] / "report.html").is_file()
    again = cli("stage", "execute", *place)
    assert "has measured this plan already" in again.err
    assert len(bench.run_ids()) == 1
    forced = cli("stage", "execute", *place, "--again", "--json").json
    assert (forced["measured"], forced["status"], len(bench.run_ids())) == (True, "finished", 2)


def run_words(bench: Any, *more: object) -> tuple[object, ...]:
    return ("run", "--plan", bench.write(), "--results", bench.results, "--no-flow", *more)


def test_run_json_is_one_object(cli: Cli, bench: Any) -> None:
    done = cli(*run_words(bench, "--json"))
    assert done.code == 0
    assert done.json == {
        "run_id": bench.run_ids()[0],
        "verdict": "VALID",
        "reasons": [],
        "planned": 12,
        "succeeded": 12,
        "failed": 0,
        "timed_out": 0,
        "skipped": 0,
        "not_started": 0,
        "results": str(bench.results),
    }
    assert done.err == ""


def test_run_without_a_plan_file(cli: Cli, bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write()
    monkeypatch.chdir(tmp_path)
    words = ("--target", "openai:sim-openai@simulator", "--dataset", bench.folder / "small.json", "-c", 2, "-n", 1)
    done = cli("run", *words, "--no-flow", "-S", "execute.simulator=null", "--save-plan", "kept.yaml")
    assert done.code == 0
    assert "4 planned" not in done.out  # two warm-ups, as a plan that says nothing has
    assert "12 planned, 12 succeeded" in done.out
    assert yaml.safe_load(Path("kept.yaml").read_text())["execute"]["repetitions"] == 1
    for place in ("journal/", "tables/", "report/"):
        assert any(f"results/{place}" in line for line in done.lines), place
    assert "12/12 trials" in done.err


def test_failures_beyond_the_threshold_end_with_1_and_quiet_says_the_verdict(cli: Cli, bench: Any) -> None:
    bench.faults = [{"kind": "server_error", "every": 2}]
    bench.execute = {"retries": {"attempts": 1}}
    done = cli(*run_words(bench, "-q"))
    said = "verdict DEGRADED: 6 of 12 attempted trials failed, at most 5% may\n"
    assert (done.code, done.out, done.err) == (1, said, "")
    place = ("--results", bench.results)
    assert cli("stage", "store", "--plan", bench.plan, *place, "-S", "store.max_failure_share=0.5", "-q").code == 0
    assert "verdict VALID" in cli("show", *place).lines


def test_an_interrupted_run_ends_with_130_and_is_finished_by_resume(cli: Cli, bench: Any) -> None:
    bench.law = {"ttft_ms": 80}
    bench.execute = {"load": {"kind": "closed", "concurrency": 1}, "repetitions": 4}
    with _ctrl_c_after_two_trials(bench.results):
        done = cli(*run_words(bench))
    assert done.code == 130
    assert "Traceback" not in done.err
    assert "verdict DEGRADED" in done.out
    assert "not started" in done.out
    (row,) = rows(bench.results, "runs")
    assert (row["status"], row["succeeded"] + row["not_started"]) == ("interrupted", 20)
    resumed = cli("run", "--resume", "latest", "--results", bench.results, "--no-flow", "--json")
    assert (resumed.code, resumed.json["run_id"], resumed.json["succeeded"]) == (0, row["run_id"], 20)


@contextmanager
def _ctrl_c_after_two_trials(results: Path) -> Iterator[None]:
    """An interrupt of this process, as a terminal sends it, once the journal holds two trials."""

    def send() -> None:
        for _ in range(6000):
            if sum(path.read_bytes().count(b"\n") for path in results.glob("journal/*/segment-*.ndjson")) >= 2:
                os.kill(os.getpid(), signal.SIGINT)
                return
            time.sleep(0.01)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    yield
    thread.join()


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("show", "20990101"), ("20990101", "benchbook runs")),
        (("show", "latest~9"), ("latest~9",)),
        (("history", "nonsense"), ("no question 'nonsense'", "latency")),
        (("history", "--run", "nope"), ("nope",)),
        (("history", "merge"), ("needs a folder",)),
        (("history", "merge", "nowhere"), ("nowhere", "holds no runs")),
        (("history", "goodput", "--slo", "speed"), ("--slo speed", "METRIC=NUMBER")),
        (("history", "goodput", "--slo", "speed=3"), ("no metric speed", "ttft_ms")),
        (("compare", "latest", "nope"), ("nope",)),
        (("export", "nope"), ("nope",)),
    ],
)
def test_what_is_not_there_is_one_line(cli: Cli, pair: Any, words: tuple[str, ...], says: tuple[str, ...]) -> None:
    refused(cli(*words, "--results", pair.results), *says)


@pytest.mark.parametrize("verb", ["show", "export", "compare"])
def test_an_empty_results_folder_is_one_line(cli: Cli, tmp_path: Path, verb: str) -> None:
    words = ("latest~1", "latest") if verb == "compare" else ()
    refused(cli(verb, *words, "--results", tmp_path), str(tmp_path))


@pytest.mark.parametrize("verb", ["runs", "history"])
def test_a_list_of_nothing_is_no_error(cli: Cli, tmp_path: Path, verb: str) -> None:
    done = cli(verb, "--results", tmp_path / "nowhere")
    assert (done.code, done.out) == (0, "")
    assert "no run is stored" in done.err
    assert cli(verb, "--results", tmp_path / "nowhere", "--json").json == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"execute": {"repetitions": 0}}, "plan.yaml:"),
        ({"execute": {"load": {"kind": "spiral"}}}, "spiral"),
        ({"colour": "red"}, "colour"),
        ({"validate": {"datasets": ["gone.json"]}}, "gone.json"),
        ({"store": {"bodies": "some"}}, "bodies"),
    ],
)
def test_a_bad_plan_is_one_line_and_nothing_is_written(cli: Cli, bench: Any, change: Any, says: str) -> None:
    bench.write()
    plan = yaml.safe_load(bench.plan.read_text())
    for section, values in change.items():
        plan[section] = {**plan.get(section, {}), **values} if isinstance(values, dict) else values
    bench.plan.write_text(yaml.safe_dump(plan))
    place = ("--plan", bench.plan, "--results", bench.results)
    refused(cli("run", *place, "--no-flow", "-q"), says)
    refused(cli("plan", *place), says)
    assert journal.runs(bench.results) == []


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--no-flow", "-q"),
        ("stage", "validate"),
        ("stage", "execute"),
        ("stage", "aggregate"),
    ],
)
def test_a_folder_that_cant_be_written_is_one_line(cli: Cli, bench: Any, words: tuple[str, ...]) -> None:
    plan = bench.write()
    results = bench.folder / "small.json" / "results"
    refused(cli(*words, "--plan", plan, "--results", results), "small.json", "can't be written", "--results")


def test_a_folder_that_is_a_file_holds_no_run(cli: Cli, bench: Any) -> None:
    bench.write()
    refused(cli("show", "--results", bench.folder / "small.json"), "small.json")
    assert cli("runs", "--results", bench.folder / "small.json").code == 0


def test_a_damaged_table_is_named_by_export(cli: Cli, pair: Any, tmp_path: Path) -> None:
    results = tmp_path / "results"
    shutil.copytree(pair.results, results)
    part = results / "tables" / "trials" / f"run_id={pair.run_ids()[-1]}" / "part-0.parquet"
    part.write_bytes(b"PAR1 nothing of ours PAR1")
    refused(cli("export", "latest", "--results", results), str(part), "stage store")
    assert [row["run_id"] for row in cli("history", "--results", results, "--json").json] == pair.run_ids()[:2]
