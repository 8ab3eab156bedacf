"""What is kept of a run while it goes: constant in size, equal to a plain recount, and mergeable."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from statistics import median
from typing import Any

import orjson
import pytest

from benchbook.measure.timing import trial_metrics
from benchbook.records import Trial
from benchbook.runner.progress import Progress, merge, progress_of
from benchbook.runner.tally import BUCKETS_S, RECENT, Tally, tally_of
from benchbook.stages.execute import execute
from tests.conftest import Bench


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> list[Trial]:
    """Trials of two targets with failures and retries among them, as the journal holds them."""
    bench = Bench(tmp_path_factory.mktemp("tally"), targets=("openai", "anthropic"), execute={"repetitions": 8})
    bench.faults = [{"kind": "server_error", "rate": 0.6}]
    execute(bench.job())
    return bench.trials()


def counted(trials: list[Trial]) -> Progress:
    progress = Progress("r", planned=len(trials), elapsed_s=2.0)
    progress.expect(Counter(trial.planned.target for trial in trials))
    for trial in trials:
        progress.count(trial, [0.25 if call.error_kind is None else None for call in trial.calls])
    return progress


def test_a_tally_equals_a_plain_recount(trials: list[Trial]) -> None:
    progress = counted(trials)
    assert {trial.status for trial in trials} == {"success", "failure"}
    for name, tally in progress.targets.items():
        own = [trial for trial in trials if trial.planned.target == name]
        calls = [call for trial in own for call in trial.calls]
        assert tally.planned == len(own) == sum(sum(counts.values()) for counts in tally.trials.values())
        assert tally.calls == len(calls)
        assert tally.retries == sum(len(trial.calls) - 1 for trial in own) > 0
        assert tally.call_errors == {"server_error": sum(call.error_kind is not None for call in calls)}
        assert tally.tokens_out == sum(call.usage.output or 0 for call in calls) > 0
        assert tally.cost_usd == 0.25 * sum(call.error_kind is None for call in calls)
        _histograms_agree(tally, own)


def _histograms_agree(tally: Tally, own: list[Trial]) -> None:
    measured = [trial for trial in own if trial.planned.phase == "measured"]
    good = [trial_metrics(trial).values for trial in measured if trial.status == "success"]
    for name, column in {"ttft": "ttft_ms", "e2e": "e2e_ms", "response": "response_ms"}.items():
        values_s = [row[column] / 1000 for row in good if row[column] is not None]
        kept, edges = tally.histograms[name], BUCKETS_S[name]
        assert sum(kept.counts) == len(values_s) == len(good)
        assert [sum(kept.counts[: n + 1]) for n in range(len(edges))] == [
            sum(value <= edge for value in values_s) for edge in edges
        ]
        assert kept.sum_s == pytest.approx(sum(values_s))
    assert sum(tally.histograms["schedule_lag"].counts) == len(measured)
    newest = [row["ttft_ms"] for row in good][-RECENT:]
    assert median(tally.recent_ttft_ms) == pytest.approx(median(newest))


def test_an_agents_trial_counts_by_its_calls_and_its_wall_time(trials: list[Trial]) -> None:
    """The calls of four trials as those of one: each that was answered has its TTFT, and the response is the whole."""
    own = [trial for trial in trials if trial.status == "success" and trial.planned.phase == "measured"][:4]
    calls = tuple(call for trial in own for call in trial.calls)
    ended_ns = own[0].intended_ns + 3_000_000_000
    agent = replace(
        own[0],
        planned=replace(own[0].planned, workload="agent", team="solo"),
        calls=calls,
        answers=tuple(answer for trial in own for answer in trial.answers),
        ended_ns=ended_ns,
    )
    tally = Tally()
    tally.take(agent, [None] * len(calls))
    answered = sum(call.error_kind is None for call in calls)
    assert len(tally.recent_ttft_ms) == sum(tally.histograms["ttft"].counts) == answered >= 4
    assert sum(tally.histograms["e2e"].counts) == answered
    assert tally.histograms["response"].sum_s == pytest.approx(3.0)


def test_reports_of_several_processes_merge_into_that_of_one(trials: list[Trial]) -> None:
    whole = counted(trials).report()
    shares: list[list[Trial]] = [[], [], []]
    chance = random.Random(5)
    for trial in trials:
        chance.choice(shares).append(trial)
    reports = [orjson.loads(orjson.dumps(counted(share).report())) for share in shares]
    total = merge(reports)
    for reordered in (reports, reports[::-1]):
        for name, expected in whole["targets"].items():
            found = merge(reordered)["targets"][name]
            assert sorted(found.pop("recent_ttft_ms")) == sorted(t for r in reports for t in _recent(r, name))
            for histogram in BUCKETS_S:
                kept = found["histograms"][histogram]
                assert kept["counts"] == expected["histograms"][histogram]["counts"]
                assert kept["sum_s"] == pytest.approx(expected["histograms"][histogram]["sum_s"])
            del found["histograms"]
            assert found == {field: expected[field] for field in found}
    assert (total["workers"], total["done"], total["elapsed_s"]) == (3, len(trials), 2.0)
    assert (total["rate_per_s"], total["spent_usd"]) == (whole["rate_per_s"], whole["spent_usd"])
    assert merge([total])["targets"] == total["targets"]


def test_the_worst_lag_of_the_processes_that_still_measure_stands() -> None:
    reports = [Progress("r", planned=1, loop_lag_ms=lag).report() for lag in (3.0, 45.0, 7.0)]
    assert merge(reports)["loop_lag_ms"] == 45.0
    assert merge([{**reports[1], "ended": True}, reports[2]])["loop_lag_ms"] == 7.0
    assert progress_of(merge(reports)).report()["loop_lag_ms"] == 45.0


def _recent(report: dict[str, Any], name: str) -> list[float]:
    return list(report["targets"][name]["recent_ttft_ms"]) if name in report["targets"] else []


def test_a_report_does_not_grow_with_the_run(trials: list[Trial]) -> None:
    few, many = Progress("r", planned=1), Progress("r", planned=1)
    for trial in trials:
        few.count(trial, [None] * len(trial.calls))
    for _ in range(200):
        for trial in trials:
            many.count(trial, [None] * len(trial.calls))
    assert len(orjson.dumps(many.report())) < 1.6 * len(orjson.dumps(few.report()))
    tally = next(iter(many.targets.values()))
    assert tally_of(tally.fields()).fields() == tally.fields()
    assert len(tally.recent_ttft_ms) == RECENT
    assert tally.unpriced == tally.calls - sum(tally.call_errors.values()) > 0


def test_a_session_ends_with_its_counts_and_not_with_every_bucket() -> None:
    assert "targets" not in Progress("r", planned=1).fields()
