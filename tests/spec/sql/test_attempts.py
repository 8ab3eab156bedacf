"""Questions about attempts, waits, waste and connections against slow plain answers."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from benchbook.errors import QueryError
from benchbook.history import ask, ask_many
from benchbook.stats.proportions import wilson
from benchbook.stats.quantiles import quantile
from tests.spec.sql.plain import in_order, same
from tests.spec.sql.stored import Row, Stored, grouped
from tests.spec.sql.streamed import MS, streamed

ASKED = ("attempts", "perceived", "throttling", "wasted", "retries", "connections")
Answers = tuple[Stored, Mapping[str, Any], Path]


@pytest.fixture(scope="module", params=(3, 4))
def answers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    stored = streamed(request.param)
    results = stored.write(tmp_path_factory.mktemp("attempts") / "results")
    return stored, ask_many(ASKED, results), results


def tried(stored: Stored, **equal: Any) -> list[Row]:
    return [row for row in stored.measured(**equal) if row["status"] != "skipped"]


def calls_of(stored: Stored) -> Mapping[tuple[Any, ...], list[Row]]:
    """Calls by run and trial, in order."""
    return grouped(stored.rows["calls"], "run_id", "trial_id")


def busy_ms(call: Row) -> float:
    return float((call["closed_ns"] - call["sent_ns"]) / 1e6)


def test_attempts(answers: Answers) -> None:
    stored, found, _ = answers
    calls = calls_of(stored)
    expected = []
    for (run, target, workload), trials in in_order(tried(stored), "run_id", "target", "workload"):
        attempts = [calls[run, trial["trial_id"]] for trial in trials]
        retries = [(before, after) for of_trial in attempts for before, after in pairwise(of_trial)]
        retried = [trial for trial, of_trial in zip(trials, attempts, strict=True) if len(of_trial) > 1]
        causes = Counter(before["error_kind"] for before, _ in retries)
        failed = [call for of_trial in attempts for call in of_trial if call["error_kind"]]
        share = wilson(len(retried), len(trials))
        row = {"run_id": run, "target": target, "workload": workload, "trials": len(trials), "retries": len(retries)}
        row |= {"attempts": sum(map(len, attempts)), "failed_attempts": len(failed), "retried": len(retried)}
        row |= {"most_attempts": max(map(len, attempts)), "retried_share": share.share}
        row |= {"retried_share_low": share.low, "retried_share_high": share.high}
        row |= {"first_failed": sum(bool(of_trial[0]["error_kind"]) for of_trial in attempts)}
        row |= {"recovered": sum(trial["status"] == "success" for trial in retried)}
        row |= {"gave_up": sum(trial["status"] != "success" for trial in retried)}
        row |= {"reasons": dict(sorted(causes.items(), key=lambda item: (-item[1], item[0]))) or None}
        row |= {"back_off_ms": math.fsum(after["backoff_ms"] for _, after in retries)}
        expected.append(row | {"failed_ms": math.fsum(map(busy_ms, failed))})
    same(found["attempts"], expected)
    assert sum(row["gave_up"] for row in expected)
    assert [list(row["reasons"] or ()) for row in found["attempts"]] == [list(row["reasons"] or ()) for row in expected]


def test_perceived(answers: Answers) -> None:
    stored, found, _ = answers
    calls = calls_of(stored)
    expected = []
    for (run, target, workload), trials in in_order(tried(stored), "run_id", "target", "workload"):
        views: dict[str, list[float]] = {
            name: [] for name in ("first_attempt", "last_attempt", "with_retries", "from_intended")
        }
        for trial in trials:
            attempts = calls[run, trial["trial_id"]]
            first, last = attempts[0], attempts[-1]
            if first["error_kind"] is None:
                views["first_attempt"].append(first["e2e_ms"])
            if trial["status"] == "success":
                end_ms = last["sent_ns"] / MS + last["e2e_ms"]
                views["last_attempt"].append(last["e2e_ms"])
                views["with_retries"].append(end_ms - trial["started_ns"] / MS)
                views["from_intended"].append(end_ms - trial["intended_ns"] / MS)
        for view, values in views.items():
            answer = quantile(sorted(values), 0.5)
            row = {"run_id": run, "target": target, "workload": workload, "view": view, "n": len(values)}
            row |= {"attempted": len(trials), "missing": len(trials) - len(values), "p50": answer.value}
            row |= {"p50_low": answer.low, "p50_high": answer.high, "p50_refused": answer.refused}
            row |= {"mean": statistics.fmean(values) if values else None, "max": max(values, default=None)}
            expected.append(row)
    close = [{k: pytest.approx(v, rel=1e-9) if isinstance(v, float) else v for k, v in row.items()} for row in expected]
    same(found["perceived"], close)


def throttled(call: Row) -> bool:
    return call["http_status"] in (429, 503, 529) or call["error_kind"] in ("rate_limited", "overloaded")


def test_throttling(answers: Answers) -> None:
    stored, found, _ = answers
    after = {
        (call["run_id"], call["call_id"]): later
        for attempts in calls_of(stored).values()
        for call, later in pairwise(attempts)
    }
    expected = []
    for (run, target, phase), calls in in_order(stored.rows["calls"], "run_id", "target", "phase"):
        turned = [call for call in calls if throttled(call)]
        waits = [
            (after[run, call["call_id"]]["sent_ns"] - call["closed_ns"], call["retry_after_s"])
            for call in turned
            if (run, call["call_id"]) in after
        ]
        asked = [call["retry_after_s"] for call in turned if call["retry_after_s"] is not None]
        share = wilson(len(turned), len(calls))
        row = {"run_id": run, "target": target, "phase": phase, "attempts": len(calls), "asked": len(asked)}
        row |= {"throttled_attempts": len(turned), "throttled_share": share.share, "throttled_share_low": share.low}
        row |= {f"status_{status}": sum(c["http_status"] == status for c in turned) for status in (429, 529)}
        row |= {"trials": len({c["trial_id"] for c in calls}), "not_retried": len(turned) - len(waits)}
        row |= {"throttled_trials": len({c["trial_id"] for c in turned})}
        row |= {"honoured": sum(s is not None and wait >= s * 1e9 for wait, s in waits)}
        row |= {"hurried": sum(s is not None and wait < s * 1e9 for wait, s in waits)}
        row |= {"retry_after_s_median": statistics.median(asked) if asked else None}
        row |= {"waited_ms": math.fsum(wait / 1e6 for wait, _ in waits) if waits else None}
        expected.append(row)
    expected.sort(key=lambda row: (row["run_id"], row["target"], row["phase"] != "warmup"))
    same(found["throttling"], expected)
    assert sum(row["honoured"] for row in expected)
    assert sum(row["hurried"] for row in expected)


def test_wasted(answers: Answers) -> None:
    stored, found, _ = answers
    expected = []
    for (run, target, phase), calls in in_order(stored.rows["calls"], "run_id", "target", "phase"):
        failed = [call for call in calls if call["error_kind"]]
        partial = [call for call in failed if call["chunk_sizes"]]
        unknown = [call for call in partial if call.get("tokens_out") is None]
        told = [call for call in failed if call.get("tokens_out") is not None]
        nothing = None if unknown else 0
        costs = [call["cost_usd"] for call in calls if call.get("cost_usd") is not None]
        row = {"run_id": run, "target": target, "phase": phase, "attempts": len(calls), "failed": len(failed)}
        row |= {"partial": len(partial), "unknown": len(unknown), "reported": len(told)}
        row |= {"wasted_bytes": sum(sum(call["chunk_sizes"]) for call in failed)}
        row |= {"wasted_tokens_in": sum(c["tokens_in"] for c in told) if told else nothing}
        row |= {"wasted_tokens_out": sum(c["tokens_out"] for c in told) if told else nothing}
        row |= {"wasted_cost_usd": math.fsum(c["cost_usd"] for c in told) if told else nothing}
        row |= {"cost_usd": math.fsum(costs) if costs else None, "wasted_ms": math.fsum(map(busy_ms, failed))}
        expected.append(row)
    expected.sort(key=lambda row: (row["run_id"], row["target"], row["phase"] != "warmup"))
    same(found["wasted"], expected)
    assert {row["unknown"] > 0 for row in expected} == {True, False}
    assert sum(row["reported"] for row in expected)


def test_retries(answers: Answers) -> None:
    stored, found, results = answers
    calls = calls_of(stored)
    trials = sorted(stored.rows["trials"], key=lambda row: (row["run_id"], row["target"], row["position"]))
    lines = [
        {
            "trial_id": trial["trial_id"],
            "attempt": call["attempt"],
            "attempts": trial["calls"],
            "error_kind": call["error_kind"],
            "retry_after_s": call["retry_after_s"],
            "back_off_ms": call["backoff_ms"],
            "after_ms": (call["sent_ns"] - trial["started_ns"]) / 1e6,
            "took_ms": busy_ms(call),
            "e2e_ms": call["e2e_ms"],
            "trial_response_ms": trial.get("response_ms"),
        }
        for trial in trials
        for call in calls.get((trial["run_id"], trial["trial_id"]), [])
    ]
    same(found["retries"], [line for line in lines if line["attempts"] > 1])
    one = next(trial for trial in trials if trial["calls"] == 1)
    asked = ask("retries", results, trial=one["trial_id"], runs=[one["run_id"]])
    same(asked, [{"run_id": one["run_id"], "trial_id": one["trial_id"], "attempt": 1}])
    with pytest.raises(QueryError):
        ask("retries", results, trial="")


def test_connections(answers: Answers) -> None:
    stored, found, _ = answers
    expected = []
    for (run, target), calls in in_order(stored.rows["calls"], "run_id", "target"):
        cold = sum(call["cold"] for call in calls)
        for part in ("dns", "tcp", "tls", "connect"):
            values = [call[f"{part}_ms"] for call in calls if call.get(f"{part}_ms") is not None]
            if values:
                row = {"run_id": run, "target": target, "part": part, "calls": len(calls), "cold": cold}
                row |= {"n": len(values), "min": min(values), "median": statistics.median(values), "max": max(values)}
                expected.append(row | {"mean": statistics.fmean(values), "reused_share": 1 - cold / len(calls)})
    same(found["connections"], expected)
    assert len({row["n"] for row in expected}) > 2
