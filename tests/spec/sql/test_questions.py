"""Questions about what came of a run against slow plain answers; and that every question is asked somewhere here."""

from __future__ import annotations

import json
import math
import random
import re
import statistics
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from benchbook.history import ask, questions
from benchbook.metrics import METRIC_DIRECTION
from benchbook.stats.proportions import wilson
from tests.spec.sql.plain import counts, in_order, same
from tests.spec.sql.stored import Row, Stored, generated, grouped, run_row, trial_row


def test_every_question_is_asked_here_and_says_its_grain() -> None:
    source = "".join(path.read_text() for path in sorted(Path(__file__).parent.glob("test_*.py")))
    for name, grain in questions().items():
        assert re.search(rf'(?:ask|checked)\("{name}"|found\["{name}"\]', source), name
        assert grain.startswith("One row per "), name


def test_throughput(history: tuple[Stored, Path]) -> None:
    stored, results = history
    attempted = [row for row in stored.measured() if row["status"] != "skipped"]
    calls = grouped(stored.rows["calls"], "run_id", "target")
    expected = []
    for (run, target), rows in in_order(attempted, "run_id", "target"):
        windows = {
            offset: (min(row["started_ns"] for row in part), max(row["ended_ns"] for row in part))
            for (offset,), part in grouped(rows, "wall_offset_ns").items()
        }
        window_s = sum(closes - opens for opens, closes in windows.values()) / 1e9
        sent = [
            call for call in calls[run, target] if call["sent_ns"] is not None and call["wall_offset_ns"] in windows
        ]
        tokens = [
            tokens_inside(call, *windows[call["wall_offset_ns"]]) for call in sent if call["tokens_out"] is not None
        ]
        expected.append(
            {
                "run_id": run,
                "target": target,
                "sessions": len(windows),
                "window_s": window_s,
                "attempted": len(rows),
                "trials_per_s": counts(rows)["succeeded"] / window_s,
                "attempts_per_s": len(rows) / window_s,
                "mean_in_flight": sum(row["ended_ns"] - row["started_ns"] for row in rows) / 1e9 / window_s,
                "calls": len(sent),
                "calls_without_tokens": sum(
                    call["tokens_out"] is None and (call["error_kind"] is None or bool(call["chunk_offsets_us"]))
                    for call in sent
                ),
                "tokens_out": math.fsum(tokens) if tokens else None,
                "tokens_per_s": math.fsum(tokens) / window_s if tokens else None,
            }
        )
    same(ask("throughput", results), expected)
    assert {row["sessions"] for row in expected} >= {2}


def tokens_inside(call: Row, opens: int, closes: int) -> float:
    if call["chunk_offsets_us"]:
        stamps = [call["sent_ns"] + 1000 * offset for offset in call["chunk_offsets_us"]]
        sizes = call["chunk_sizes"] if sum(call["chunk_sizes"]) else [1] * len(stamps)
    else:
        stamps, sizes = [call["closed_ns"] if call["last_byte_ns"] is None else call["last_byte_ns"]], [1]
    inside = sum(size for at, size in zip(stamps, sizes, strict=True) if opens <= at <= closes)
    return call["tokens_out"] * inside / sum(sizes)


@pytest.mark.parametrize(
    "slos",
    [{"ttft_ms": 30.0}, {"e2e_ms": 60, "tokens_per_s_user": 5}, {}, None],
    ids=["one", "both ways", "none", "default"],
)
def test_goodput(history: tuple[Stored, Path], slos: dict[str, float] | None) -> None:
    stored, results = history
    limits = {"ttft_ms": 500} if slos is None else slos
    expected = []
    for (run, target, workload), rows in in_order(stored.measured(), "run_id", "target", "workload"):
        good = sum(row["status"] == "success" and all(meets(row, *limit) for limit in limits.items()) for row in rows)
        tried = [row for row in rows if row["status"] != "skipped"]
        sessions = grouped(tried, "wall_offset_ns").values()
        window_s = sum(max(r["ended_ns"] for r in part) - min(r["started_ns"] for r in part) for part in sessions) / 1e9
        share = wilson(good, len(tried))
        expected.append(
            {
                "run_id": run,
                "target": target,
                "workload": workload,
                "slos": limits,
                "good": good,
                "window_s": window_s if tried else None,
                "goodput_per_s": good / window_s if tried else None,
                "good_share": share.share,
                "good_share_low": share.low,
                "good_share_high": share.high,
            }
        )
    same(ask("goodput", results, slos=slos), expected)


def meets(row: Row, metric: str, limit: float) -> bool:
    if row[metric] is None:
        return False
    return row[metric] >= limit if METRIC_DIRECTION[metric] == "higher" else row[metric] <= limit


def test_sweep(tmp_path: Path) -> None:
    stored = generated(5)
    loads = {"r1": ("s1", 4.0), "r2": ("s1", 1.0), "r3": ("s2", 2.0)}
    for row in stored.rows["runs"]:
        row["sweep_id"], row["sweep_value"] = loads[row["run_id"]]
        row["sweep_axis"] = "concurrency"
    results = stored.write(tmp_path)
    parts = [{(r["run_id"], r["target"]): r for r in ask("throughput", results)}]
    parts += [
        {(r["run_id"], r["target"], r["workload"]): r for r in ask(name, results)} for name in ("summary", "goodput")
    ]
    throughput, summary, goodput = parts
    expected = []
    for key in sorted(summary, key=lambda key: (loads[key[0]][0], key[1], key[2], loads[key[0]][1])):
        run, target, workload = key
        sweep, load = loads[run]
        out = (throughput.get((run, target)) or {}).get("trials_per_s")
        before = {"r1": "r2"}.get(run)
        gained = None
        if before and (before, target, workload) in summary and (prior := throughput[before, target]["trials_per_s"]):
            gained = None if out is None else (out / prior - 1) / (load / loads[before][1] - 1)
        same_names = (
            "attempted",
            "succeeded",
            "failure_share",
            "ttft_ms_p95_low",
            "response_ms_p50",
            "e2e_ms_p95_refused",
        )
        row = {"sweep_id": sweep, "load": load, "run_id": run, "target": target, "workload": workload, "gain": gained}
        row |= {name: summary[key][name] for name in same_names}
        row |= {"trials_per_s": out, "good_share_low": goodput[key]["good_share_low"], "axis": "concurrency"}
        failed = wilson(row["attempted"] - row["succeeded"], row["attempted"])
        expected.append(row | {"failure_share_low": failed.low, "failure_share_high": failed.high})
    assert any(row["gain"] is not None for row in expected)
    same(ask("sweep", results), expected)


def test_errors(history: tuple[Stored, Path]) -> None:
    stored, results = history
    tried = [row for row in stored.measured() if row["status"] != "skipped"]
    calls = [row for row in stored.rows["calls"] if row["phase"] == "measured"]
    bad = {
        "trial": [row for row in tried if row["status"] != "success"],
        "attempt": [row for row in calls if row["error_kind"] is not None],
    }
    every = {"trial": grouped(tried, "run_id", "target"), "attempt": grouped(calls, "run_id", "target")}
    expected = []
    for level, rows in bad.items():
        for (run, target, kind), part in grouped(
            [{**row, "error_kind": row.get("error_kind") or "unknown"} for row in rows],
            "run_id",
            "target",
            "error_kind",
        ).items():
            attempted = len(every[level][run, target])
            key = {"run_id": run, "target": target, "level": level, "error_kind": kind}
            expected.append({**key, "n": len(part), "attempted": attempted, "share": len(part) / attempted})
    expected.sort(key=lambda row: (row["run_id"], row["target"], row["level"] != "trial", -row["n"], row["error_kind"]))
    same(ask("errors", results), expected)


def test_failures_and_skipped(history: tuple[Stored, Path]) -> None:
    stored, results = history
    failed = [row for row in stored.rows["trials"] if row["status"] in ("failure", "timeout")]
    failed.sort(key=lambda row: (row["run_id"], row["target"], row["position"]))
    same(
        ask("failures", results),
        [{name: row.get(name) for name in ("trial_id", "status", "error_kind", "phase")} for row in failed],
    )
    skipped = [
        {**row, "reason": row.get("error_message") or "no reason given"}
        for row in stored.rows["trials"]
        if row["status"] == "skipped"
    ]
    same(
        ask("skipped", results),
        [
            {"run_id": run, "target": target, "workload": workload, "reason": reason, "trials": len(rows)}
            for (run, target, workload, reason), rows in in_order(skipped, "run_id", "target", "workload", "reason")
        ],
    )


def test_tokens_cost(history: tuple[Stored, Path]) -> None:
    stored, results = history
    tried = [row for row in stored.rows["trials"] if row["status"] != "skipped"]
    expected = []
    for (run, target, workload, phase), rows in in_order(tried, "run_id", "target", "workload", "phase"):
        costs = [row["cost_usd"] for row in rows if row["cost_usd"] is not None]
        tokens = [row["tokens_out"] for row in rows if row["tokens_out"] is not None]
        succeeded = counts(rows)["succeeded"]
        whole = len(costs) == len(rows) and succeeded
        expected.append(
            {
                "run_id": run,
                "target": target,
                "workload": workload,
                "phase": phase,
                "attempted": len(rows),
                "succeeded": succeeded,
                "calls": sum(row["calls"] for row in rows),
                "tokens_in": sum(row["tokens_in"] for row in rows),
                "tokens_out": sum(tokens) if tokens else None,
                "tokens_reasoning": None,
                "trials_without_tokens": len(rows) - len(tokens),
                "cost_usd": math.fsum(costs) if costs else None,
                "trials_without_cost": len(rows) - len(costs),
                "cost_usd_per_success": math.fsum(costs) / succeeded if whole else None,
            }
        )
    expected.sort(key=lambda row: (row["run_id"], row["target"], row["workload"], row["phase"] != "warmup"))
    same(ask("tokens_cost", results), expected)


def test_scores(history: tuple[Stored, Path]) -> None:
    stored, results = history
    trials = {(row["run_id"], row["trial_id"]): row for row in stored.measured(status="success")}
    judged = [
        {**trials[score["run_id"], score["trial_id"]], **score}
        for score in stored.rows["scores"]
        if (score["run_id"], score["trial_id"]) in trials
    ]
    names = ("run_id", "target", "workload", "dataset", "category", "scorer")
    expected = []
    for key, rows in in_order(judged, *names):
        share = wilson(sum(row["passed"] for row in rows), len(rows))
        values = {"n": len(rows), "cases": len({row["test_id"] for row in rows}), "passes": share.count}
        values |= {"mean": statistics.fmean(row["value"] for row in rows), "pass_share": share.share}
        expected.append(
            dict(zip(names, key, strict=True)) | values | {"pass_share_low": share.low, "pass_share_high": share.high}
        )
    same(ask("scores", results), expected)


def test_low_scores(tmp_path: Path) -> None:
    stored = generated(8)
    for call in stored.rows["calls"]:
        answer = {name: call[name] for name in ("run_id", "trial_id", "call_id", "attempt")}
        if int(call["trial_id"][1:]) % 5:  # of the others no answer was kept
            stored.rows["responses"].append({**answer, "text": f"{call['trial_id']} {call['attempt']}"})
    kinds = {(row["run_id"], row["trial_id"]): row["scorer"] for row in stored.rows["scores"]}
    judged = [row for row in stored.measured(status="success") if row["score"] is not None and row["score"] < 1]
    expected = []
    for (run, target), rows in in_order(judged, "run_id", "target"):
        cases = [
            min(of_case, key=lambda row: (row["score"], row["trial_id"]))
            for _, of_case in in_order(rows, "workload", "dataset", "test_id")
        ]
        cases.sort(key=lambda row: (row["score"], row["dataset"], row["test_id"], row["workload"]))
        for rank, row in enumerate(cases[:5], 1):
            key = {"run_id": run, "target": target, "rank": rank, "scorer": kinds[run, row["trial_id"]]}
            known = {name: row[name] for name in ("workload", "dataset", "test_id", "trial_id", "score")}
            kept = int(row["trial_id"][1:]) % 5
            expected.append({**key, **known, "answer": f"{row['trial_id']} {row['calls']}" if kept else None})
    same(ask("low_scores", stored.write(tmp_path), top=5), expected)


def test_overview_and_quality(history: tuple[Stored, Path]) -> None:
    stored, results = history
    targets = {
        run: sorted({row["target"] for row in rows})
        for (run,), rows in grouped(stored.rows["trials"], "run_id").items()
    }
    same(
        ask("overview", results),
        [{"run_id": run, "targets": targets[run], "status": "finished"} for run in ("r1", "r2", "r3")],
    )
    same(ask("quality", results), stored.rows["checks"])


def test_verdicts(tmp_path: Path) -> None:
    stored = Stored()
    lag = {"code": "loop_lag", "severity": "INVALID", "value": 300.0, "threshold": 20.0, "look": "here"}
    drift = {"code": "no_steady_state", "severity": "DEGRADED", "target": "a", "value": 0.2, "threshold": 0.1}
    stored.rows["runs"] = [
        run_row("r1", verdict="INVALID", reasons=["late", "drifted"], reason_codes=[lag, drift]),
        run_row("r2", reasons=[], reason_codes=[]),
        run_row("r3", verdict="DEGRADED", reasons=["of an older version"]),
    ]
    found = ask("verdicts", stored.write(tmp_path / "results"))
    none = dict.fromkeys(("severity", "code", "target", "value", "threshold", "reason", "look"))
    same(
        found,
        [
            {"run_id": "r1", "verdict": "INVALID", "reason": "late", "target": None, **lag},
            {"run_id": "r1", "verdict": "INVALID", "reason": "drifted", "look": None, **drift},
            {"run_id": "r2", "verdict": "VALID", **none},
            {"run_id": "r3", "verdict": "DEGRADED", **none},
        ],
    )


def test_prompt_size(history: tuple[Stored, Path]) -> None:
    stored, results = history
    asked = {(row["run_id"], row["trial_id"]): row for row in stored.rows["trials"] if row["prompt_tokens_asked"]}
    counted: dict[tuple[Any, ...], list[tuple[int, int]]] = {}
    for call in stored.rows["calls"]:
        trial = asked.get((call["run_id"], call["trial_id"]))
        if trial is not None and call["turn"] == 1 and call["tokens_in"] is not None:
            key = (call["run_id"], call["target"], trial["dataset"])
            counted.setdefault(key, []).append((trial["prompt_tokens_asked"], call["tokens_in"]))
    expected = [
        {
            "run_id": run,
            "target": target,
            "dataset": dataset,
            "n": len(pairs),
            "asked_min": min(a for a, _ in pairs),
            "asked_max": max(a for a, _ in pairs),
            "tokens_asked": sum(a for a, _ in pairs),
            "tokens_counted": sum(c for _, c in pairs),
            "factor": sum(c for _, c in pairs) / sum(a for a, _ in pairs),
            "factor_min": min(c / a for a, c in pairs),
            "factor_max": max(c / a for a, c in pairs),
        }
        for (run, target, dataset), pairs in sorted(counted.items())
    ]
    assert expected
    same(ask("prompt_size", results), expected)


def test_breaker_stays(tmp_path: Path) -> None:
    """Each stay ends with the next; the last of a session with the session's last trial of that target, if later."""
    rng, stored = random.Random(8), Stored()
    stored.rows["runs"].append(run_row("r1"))
    for target, session in (("alpha", 0), ("alpha", 50_000), ("beta", 0)):
        for _ in range(5):
            row = trial_row("r1", rng.randint(0, 9_999), target=target, wall_offset_ns=session)
            stored.rows["trials"].append({**row, "status": rng.choice(["success", "failure", "skipped"])})
    expected: list[Row] = []
    for place in (("alpha", 0, 0, 0), ("alpha", 0, 50_000, 4), ("beta", 0, 0, 0), ("beta", 1, 0, 0)):
        target, worker, session, before = place
        last = 99_000_000 if session else 3_000_000
        stamps = sorted(rng.sample(range(1_000, last), 4))
        ends = [
            row["ended_ns"]
            for row in stored.rows["trials"]
            if (row["target"], row["wall_offset_ns"]) == (target, session) and row["status"] != "skipped"
        ]
        for number, (at_ns, state) in enumerate(zip(stamps, ("closed", "open", "half_open", "closed"), strict=True)):
            fields = {"reason": "share", "failures": 3, "calls": 5, "openings": 1, "asked_s": 0.25}
            told = fields if state == "open" else {"reason": "start"} if number == 0 else {}
            detail = json.dumps({**told, "worker": worker} if worker else told)
            at = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=(at_ns + session) // 1000)
            row = {"run_id": "r1", "wall_offset_ns": session, "at_ns": at_ns, "happened_at": at, "kind": "breaker"}
            stored.rows["events"].append({**row, "target": target, "name": state, "detail": detail})
            end = stamps[number + 1] if number < 3 else max([at_ns, *ends])
            wanted = {"target": target, "worker": worker, "stay": before + number + 1, "state": state}
            expected.append({**wanted, "lasted_s": (end - at_ns) / 1e9, "failures": 3 if state == "open" else None})
    stored.rows["events"].append({"run_id": "r1", "at_ns": 5, "kind": "load", "name": "capped", "detail": "{}"})
    rng.shuffle(stored.rows["events"])
    found = ask("breaker", stored.write(tmp_path))
    same(found, expected)
    opened = next(row for row in found if row["state"] == "open")
    assert (opened["reason"], opened["calls"], opened["openings"], opened["asked_s"]) == ("share", 5, 1, 0.25)
    assert found[0]["reason"] == "start"
