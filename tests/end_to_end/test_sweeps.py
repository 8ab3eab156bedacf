"""Sweeps and searches against the simulator: points are runs, a sweep goes on, a search ends in a bracket."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import pytest

from benchbook.config.slos import parse_slo
from benchbook.history import ask, run_row
from benchbook.reports.sweeps import print_search
from benchbook.results import journal
from benchbook.stages.execute import execute
from benchbook.stages.points import Means, begin, points
from benchbook.stages.search import Limits, met, resumed, search
from benchbook.stats.search import Range
from tests.documented import ROOT
from tests.end_to_end.terminal import Cli


def test_a_sweep_is_a_run_a_point_and_goes_on_where_it_stopped(bench: Any, cli: Cli) -> None:
    series = replace(begin("sweep", bench.job(), "concurrency", (1.0, 2.0), trials=6), measure=execute)
    series.run(1.0)
    assert [(point.load, point.finished) for point in points(series)] == [(1, True)]
    code, out, err = cli("sweep", "--resume", "latest", "--results", bench.results, "--least-gain", 0)
    assert code == 0, err
    assert "concurrency 1: has a finished run" in err
    assert "concurrency 2: measuring" in err
    lines = [line.split() for line in out.splitlines() if line.startswith("openai-sim ")]
    assert [line[1:3] for line in lines] == [["1", "6/6"], ["2", "6/6"]]
    rows = [run_row(bench.results, run) for run in bench.run_ids()]
    assert [(row["sweep_id"], row["sweep_axis"], row["sweep_value"]) for row in rows] == [
        (series.sweep_id, "concurrency", 1.0),
        (series.sweep_id, "concurrency", 2.0),
    ]
    assert len({row["workload_hash"] for row in rows}) == 2
    code, out, _ = cli("sweep", "--resume", series.sweep_id, "--results", bench.results, "--json")
    found = json.loads(out)
    assert (code, found["status"], found["least_gain"]) == (0, "finished", 0.5)
    assert [row["run_id"] for row in found["points"]] == bench.run_ids()
    assert [(row["load"], row["gain"] is None) for row in found["points"]] == [(1, True), (2, False)]


def test_a_sweep_ends_where_its_money_does_and_workers_finish_it(bench: Any, cli: Cli) -> None:
    bench.write()
    price = f"execute.targets.0.price={ROOT}/datasets/prices/2026-11.yaml#openai/sim-openai"
    words = (
        "sweep",
        "--plan",
        bench.plan,
        "-S",
        price,
        "--results",
        bench.results,
        "--concurrency",
        "2,4",
        "--trials",
        "200",
    )
    code, out, err = cli(*words, "--budget-usd", "1e-12", "--json")
    stopped = json.loads(out)
    assert (code, stopped["status"]) == (0, "budget"), err
    assert len(bench.run_ids()) == 1
    code, out, err = cli("sweep", "--resume", "latest", "--results", bench.results, "--workers", "2", "--json")
    found = json.loads(out)
    assert (code, found["status"]) == (0, "finished"), err
    assert [(row["load"], row["succeeded"]) for row in found["points"]] == [(2, 200), (4, 200)]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "needs one of --concurrency and --rate"),
        (("--concurrency", "1", "--rate", "1"), "needs one of"),
        (("--concurrency", "1,x"), "is no list of loads"),
        (("--resume", "sweep-1"), "no such sweep"),
        (("--resume", "latest", "--rate", "2"), "goes without --rate"),
        (("--rate", "5", "-S", "execute.think_s=1"), "think_s goes with a closed loop"),
    ],
)
def test_a_wrong_sweep_is_one_line(bench: Any, cli: Cli, words: tuple[str, ...], says: str) -> None:
    bench.write()
    code, out, err = cli("sweep", "--plan", bench.plan, "--results", bench.results, *words)
    assert (code, out) == (2, "")
    assert says in err
    assert not bench.run_ids()


def test_a_search_ends_in_a_bracket_and_keeps_its_runs(bench: Any, cli: Cli) -> None:
    bench.write()
    words = ("search", "--plan", bench.plan, "--results", bench.results, "--trials", 6, "-w", 0, "--rate", "100..200")
    code, out, err = cli(*words, "--slo", "ttft_ms p50 < 60 s", "--json")
    assert code == 0, err
    (found,) = json.loads(out)["targets"]
    assert (found["largest_met"], found["smallest_violated"], found["status"]) == (200, None, "finished")
    assert [(point["load"], point["word"]) for point in found["tried"]] == [(100, "met"), (200, "met")]
    assert [run for point in found["tried"] for run in point["runs"]] == bench.run_ids()
    assert [row["load"] for row in ask("sweep", bench.results)] == [100, 200]


def test_failures_count_as_infinitely_slow_and_the_smallest_load_may_be_too_much(
    bench: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.faults = [{"kind": "server_error", "rate": 1.0}]
    bench.execute = {"retries": {"attempts": 1}}
    series = replace(begin("search", bench.job(), "concurrency", trials=8), measure=execute)
    told: list[tuple[str, float, str]] = []
    limits = Limits(Range(2, 4, whole=True))
    (found,) = search(series, [parse_slo("ttft_ms p50 < 60 s")], limits, lambda *word: told.append(word))
    assert told == [("openai-sim", 2, "measuring"), ("openai-sim", 2, "violated")]
    assert not met([found])
    (judgement,) = found.fields()["tried"][0]["judgements"]
    assert (judgement["n"], judgement["high"], judgement["unbounded"]) == (8, None, ["value", "low", "high"])
    answer = {"search_id": "s", "axis": "concurrency", "slos": ["x"], "targets": [found.fields()], "next": {}}
    print_search(answer)
    out = capsys.readouterr().out
    assert "unbounded [unbounded" in out
    assert "openai-sim: largest concurrency met: none; smallest violated: 2" in out


SLO = "ttft_ms p50 < 60 s"
SEARCH = """
from dataclasses import replace
from benchbook.stages import job_from
from benchbook.stages.execute import execute
from benchbook.stages.points import begin
from benchbook.stages.search import Limits, objectives, search
from benchbook.stats.search import Range
series = replace(begin("search", job_from({fields!r}), "concurrency", trials=6), measure=execute)
search(series, objectives([{slo!r}]), Limits(Range(1, 2, whole=True)), print)
"""


def killed_inside(bench: Any, job: Any, target: str) -> None:
    """Start a search, and kill it and all that it started once the run of this target has two trials."""
    script = SEARCH.format(fields=job.fields(), slo=SLO)
    searching = subprocess.Popen([sys.executable, "-c", script], start_new_session=True)

    def inside() -> bool:
        last = [trial.planned.target for run in bench.run_ids()[-1:] for trial in bench.trials(run)]
        return last == [target, target]

    while searching.poll() is None and not inside():
        time.sleep(0.05)
    assert searching.returncode is None, "it ended before it could be killed"
    os.killpg(searching.pid, signal.SIGKILL)
    assert searching.wait() == -signal.SIGKILL


def test_a_search_that_was_killed_inside_a_run_goes_on_in_it_and_its_money_counts(bench: Any, cli: Cli) -> None:
    bench.targets = ("openai", "anthropic")
    bench.execute = {"retries": {"attempts": 1}, "warmup": 0}
    errors = {"kind": "server_error", "match": "sim-openai", "rate": 1.0}
    bench.faults = [errors, {"kind": "stall", "match": "sim-anthropic", "script": [3], "for_s": 90}]
    prices = bench.folder / "prices.yaml"
    job = bench.job(overrides=tuple(f"execute.targets.{n}.price={prices}#sim" for n in range(2)))
    prices.write_text('date: "2026-11-21"\nprices:\n  sim: {input: 1.0, output: 4.0}\n')
    killed_inside(bench, job, "anthropic-sim")
    before = bench.run_ids()
    assert [bench.statuses(run) for run in before] == [{"failure": 6}, {"success": 2}]
    bench.faults = [errors]
    bench.write()

    goes_on = ("search", "--resume", "latest", "--results", bench.results, "--json")
    code, out, _ = cli(*goes_on, "--budget-usd", "1e-9")
    stopped = json.loads(out)
    assert (code, [part["status"] for part in stopped["targets"]]) == (1, ["finished", "budget"])
    assert stopped["next"]["finish"].endswith(f"{stopped['search_id']} --budget-usd MORE --results {bench.results}")
    assert bench.run_ids() == before

    told: list[tuple[str, float, str]] = []
    slos, limits, series = resumed(str(bench.results), stopped["search_id"], Means(budget_usd=5), None)
    search(replace(series, measure=execute), slos, limits, lambda *word: told.append(word))
    assert told == [
        ("openai-sim", 1, "violated"),
        *(("anthropic-sim", load, word) for load, word in ((1, "resuming"), (1, "met"), (2, "measuring"), (2, "met"))),
    ]
    assert bench.run_ids()[:2] == before
    assert bench.statuses(before[1]) == {"success": 6}
    assert journal.read_run(bench.results, bench.run_ids()[2]).manifest["search"]["budget_usd"] == 5

    code, out, _ = cli(*goes_on)
    first, second = json.loads(out)["targets"]
    assert (code, first["largest_met"], first["smallest_violated"], second["largest_met"]) == (1, None, 1, 2)
    assert [run for part in (first, second) for point in part["tried"] for run in point["runs"]] == bench.run_ids()
    assert [(part["status"], [point["load"] for point in part["tried"]]) for part in (first, second)] == [
        *(("finished", [1]), ("finished", [1, 2]))
    ]
    assert [point["judgements"][0]["n"] for point in second["tried"]] == [6, 6]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--resume", "search-1"), "no such search"),
        (("--resume", "latest", "--slo", "x"), "goes without --slo"),
        ((), "needs an objective"),
        (("--slo", "ttft_ms < 500"), "is a limit on single trials"),
        (("--slo", "ttft_ms p95 < 500"), "takes at least 59 trials at a load to be met, and 3 runs of 8 are 24"),
        (("--slo", "ttft_ms p50 < 500", "--rate", "5"), "is no range"),
        (("--slo", "ttft_ms p50 < 500", "--rate", "1..5", "--concurrency", "1..5"), "goes without"),
    ],
)
def test_a_wrong_search_is_one_line(bench: Any, cli: Cli, words: tuple[str, ...], says: str) -> None:
    bench.write()
    code, out, err = cli("search", "--plan", bench.plan, "--results", bench.results, *words)
    assert (code, out) == (2, "")
    assert says in err
    assert not bench.run_ids()
