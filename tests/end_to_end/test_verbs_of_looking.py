"""The verbs that look at what is stored: runs, show, history, sql, compare, export."""

from __future__ import annotations

import csv
import io
import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from benchbook.history import questions
from benchbook.metrics import LATENCY_METRICS
from benchbook.stages.execute import execute
from benchbook.stages.store import store
from tests.end_to_end.terminal import Cli, refused
from tests.piping import rows


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
    assert "verdict DEGRADED: anthropic-sim: none of its 9 attempted trials succeeded; " in done.out
    assert "; 10 of 27 attempted trials failed, at most 5% may; " in done.out
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
    for words in (
        ("show", mine),
        ("show", mine, "--trial", "x"),
        ("report", mine),
        ("export", mine),
        ("definitions", mine),
    ):
        done = cli(*words, "--results", bench.results)
        refused(done, mine, "not in the tables", f"`benchbook stage store --results {bench.results}` stores it")
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


def test_a_slower_run_is_worse_and_its_ratio_above_one(cli: Cli, pair: Any) -> None:
    first, second, _ = pair.run_ids()
    done = cli("compare", first, second, "--results", pair.results, "--json")
    compared = done.json
    ttft = next(row for row in compared["rows"] if row["metric"] == "ttft_ms" and row["statistic"] == "median")
    assert (compared["a"]["runs"], compared["b"]["runs"]) == ([first], [second])
    assert (ttft["sense"], ttft["better"]) == ("worse", "lower")
    assert 1 < ttft["low"] < ttft["ratio"] < ttft["high"]
    assert compared["exit_code"] == done.code == 4
    assert compared["answer"].startswith("CANNOT TELL: of ")


def test_no_comparison_of_two_runs_claims_a_change(cli: Cli, pair: Any) -> None:
    done = cli("compare", "latest~2", "latest~1", "--results", pair.results)
    assert done.code == 4
    assert done.lines[0].startswith("CANNOT TELL: ")
    line = next(line for line in done.lines if " ttft_ms " in line)
    assert "looks worse, ~1 more run" in line
    assert "needs at least 1 more run a side: one run each, and too few others" in done.out
    assert "CHANGED" not in done.out
    assert "of these runs alone" in done.out
    every = cli("compare", "latest~2", "latest~1", "--results", pair.results, "--all")
    assert {line.split()[1].strip("()") for line in every.lines if line.startswith("openai-sim")} >= set(
        LATENCY_METRICS
    )
    gated = cli("compare", "latest~2", "latest~1", "--results", pair.results, "--gate", "score", "--markdown")
    assert gated.lines[0].startswith("**CANNOT TELL**: of 1 gated metrics")
    assert gated.lines[7].split(" | ")[1] == "score"
    assert "</details>" in gated.lines[-1]


def test_runs_that_asked_different_things_are_not_compared(cli: Cli, pair: Any) -> None:
    for form in ((), ("--json",)):
        done = cli("compare", "latest~1", "latest", "--results", pair.results, *form)
        refused(done, "unlike workloads", "no prompt is asked by both with the same parameters")
    refused(cli("compare", "latest", "latest", "--results", pair.results), "is on both sides")
    refused(cli("compare", "latest~2", "latest~1", "--results", pair.results, "--gate", "speed"), "'speed' is not")


def test_what_failed_is_said_beside_a_comparison(cli: Cli, troubled: Any) -> None:
    sides = ("latest target=anthropic-sim", "latest target=openai-sim")
    done = cli("compare", *sides, "--results", troubled.results, "--gate", "failure_share")
    assert done.code == 4
    assert "100 % and 0 % of the trials of A and B failed" in done.err
    assert "B has no value of it" not in done.out
    assert "is DEGRADED" in done.err
    assert "needs 6 paired cases, has 3" in done.out


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


def test_a_damaged_table_is_named_by_export(cli: Cli, pair: Any, tmp_path: Path) -> None:
    results = tmp_path / "results"
    shutil.copytree(pair.results, results)
    part = results / "tables" / "trials" / f"run_id={pair.run_ids()[-1]}" / "part-0.parquet"
    part.write_bytes(b"PAR1 nothing of ours PAR1")
    refused(cli("export", "latest", "--results", results), str(part), "stage store")
    assert [row["run_id"] for row in cli("history", "--results", results, "--json").json] == pair.run_ids()[:2]
