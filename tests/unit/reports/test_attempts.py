"""Retries, throttling, waste and stalls beside the latencies, wherever a run is shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchbook.cli import show
from benchbook.errors import UserError
from benchbook.history import ask
from benchbook.history.comparing import compare_sides
from benchbook.history.selecting import select_side
from benchbook.reports.attempts import attempt_lines, stall_lines, tried
from benchbook.reports.comparison import retried
from benchbook.reports.gather import RunView, gather
from benchbook.reports.pages.run import page
from benchbook.reports.words import number, share
from tests.spec.sql.streamed import streamed

RUN = {"planned": 1, "succeeded": 1, "failed": 0, "timed_out": 0, "skipped": 0, "not_started": 0, "wall_s": 1.0}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    stored = streamed(3)
    for row in stored.rows["runs"]:
        row.update(RUN)
    for row in stored.rows["trials"]:
        row["cold"] = False
    results = stored.write(tmp_path_factory.mktemp("attempts") / "results")
    for run in ("r1", "r2"):
        (results / "journal" / run).mkdir(parents=True)
    return results


@pytest.fixture(scope="module")
def view(results: Path) -> RunView:
    return gather(results, "r1")


def test_retries_are_said_with_their_reasons_and_what_they_did_to_each_latency(view: RunView) -> None:
    lines = list(attempt_lines(view))
    assert len(lines) == 2 * len(tried(view))
    of = next(one for one in tried(view) if one.attempts["target"] == "x")
    said, medians = lines[2 * tried(view).index(of) :][:2]
    assert f"{of.attempts['retried']} of {of.attempts['trials']} trials retried ({of.reasons})" in said
    assert f"{share(of.throttling['throttled_share'])} of attempts throttled, Retry-After kept {of.kept}" in said
    for words, name in (("first attempt", "first_attempt"), ("from the intended start", "from_intended")):
        assert f"{words} {number(of.latencies[name]['p50'])}" in medians


def test_medians_that_are_all_refused_say_why_once(view: RunView) -> None:
    few = [{**row, "p50": None, "p50_refused": "needs 6, has 0"} for row in view.perceived]
    without = RunView(**{name: getattr(view, name) for name in view.__slots__} | {"perceived": few})
    assert {line for line in attempt_lines(without) if "p50" in line} == {"    p50 ms: needs 6, has 0"}


def test_waste_says_what_is_not_known(view: RunView) -> None:
    of = {one.attempts["target"]: one for one in tried(view)}
    assert of["z"].waste == "nothing that was answered"
    facts = {"partial": 2, "reported": 1, "unknown": 1, "wasted_cost_usd": 0.5}
    assert replace(of["z"], wasted=facts).waste == "2 broken answers, at least $0.5000"
    assert replace(of["z"], wasted={**facts, "unknown": 0}).waste == "2 broken answers, $0.5000"
    assert replace(of["z"], wasted={**facts, "partial": 1, "wasted_cost_usd": None}).waste == (
        "1 broken answer, unknown cost"
    )


def test_a_run_without_retries_says_nothing_of_them(view: RunView) -> None:
    calm = [{**row, "retries": 0} for row in view.attempts]
    still = [{**row, "throttled_attempts": 0} for row in view.throttling]
    quiet = RunView(**{name: getattr(view, name) for name in view.__slots__} | {"attempts": calm, "throttling": still})
    assert list(attempt_lines(quiet)) == []
    assert "<caption>Attempts</caption>" not in page(quiet)


def test_stalls_are_said(view: RunView) -> None:
    rows = [row for row in view.stalls if row["stalls"]]
    assert len(list(stall_lines(view))) == len(rows) > 0
    assert f"{rows[0]['stalled_calls']} of {rows[0]['calls']} streams stalled" in next(stall_lines(view))


def test_the_page_has_a_table_of_each(view: RunView) -> None:
    html = page(view)
    assert "<caption>Attempts</caption>" in html
    assert "<caption>Gaps between chunks</caption>" in html
    least = [row for row in view.throughput.values() if row["calls_without_tokens"] and row["tokens_per_s"] is not None]
    assert html.count("\N{GREATER-THAN OR EQUAL TO} ") >= len(least) > 0
    assert ("tokens were not reported" in html) is bool(least)
    for one in tried(view):
        assert f">{one.kept}</td>" in html
    for row in view.chunk_gaps:
        assert f">{row['n']:,}</td>" in html


def test_each_attempt_of_a_trial_is_a_line(results: Path) -> None:
    trial = next(row["trial_id"] for row in ask("retries", results, runs=["r1"]) if row["attempts"] == 3)

    def printed(*words: str) -> str:
        done = CliRunner().invoke(show.command, ["r1", "--results", str(results), *words], catch_exceptions=False)
        return done.stdout

    rows = json.loads(printed("--trial", trial, "--json"))
    lines = printed("--trial", trial).splitlines()
    assert "turn" not in lines[1]
    assert [line.split()[0] for line in lines[-3:]] == ["1", "2", "3"]
    assert lines[-3].split()[1] == rows[0]["error_kind"]
    assert "attempts and waits inside" in lines[0]
    with pytest.raises(UserError, match="no trial of r1"):
        printed("--trial", "nonesuch")


def test_a_comparison_says_that_trials_were_retried(results: Path) -> None:
    compared = compare_sides(results, *(select_side(results, run) for run in ("r1", "r2")))
    lines = list(retried(results, compared))
    rows = {(row["run_id"], row["target"], row["workload"]): row for row in ask("attempts", results)}
    shares = [share(rows[run, "x", "api"]["retried_share"]) for run in ("r1", "r2")]
    assert f"x: {shares[0]} and {shares[1]} of the trials of A and B were retried" in "\n".join(lines)
