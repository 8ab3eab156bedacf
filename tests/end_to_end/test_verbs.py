"""The verbs that check, plan and do, as a person or a script calls them, and how every verb refuses bad input."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchbook.results import journal
from benchbook.simulator import start_process
from tests.end_to_end.terminal import Cli, refused
from tests.piping import rows


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
        process.wait(120)
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
    assert process.returncode in (0, 130)


def test_simulate_refuses_a_bad_profile(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("default: {ttft_ms: -4}\n")
    refused(cli("simulate", "--port", "0", "--profile", tmp_path / "bad.yaml"), "bad.yaml")
    refused(cli("simulate", "--port", "0", "--profile", tmp_path / "none.yaml"), "none.yaml")


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
