"""Questions about latencies against slow plain answers, on generated histories."""

from __future__ import annotations

import math
import random
import statistics
from pathlib import Path

from benchbook.history import ask
from benchbook.metrics import LATENCY_METRICS
from benchbook.stats.quantiles import interpolated, interval_ranks, needs, quantile
from tests.spec.sql.plain import counts, in_order, latencies, latency, numbers, same
from tests.spec.sql.stored import Row, Stored, grouped, run_row, trial_row


def test_latency(history: tuple[Stored, Path]) -> None:
    stored, results = history
    expected = latencies(stored)
    same(ask("latency", results), expected)
    assert {row["p95"] is None for row in expected} == {True, False}
    assert any(row["n"] == 0 and row["attempted"] for row in expected)


def test_latency_at_another_confidence(history: tuple[Stored, Path]) -> None:
    stored, results = history
    for row in ask("latency", results, confidence=0.8, runs=["r2"]):
        rows = stored.measured(run_id="r2", target=row["target"], workload=row["workload"])
        found = quantile(numbers(rows, row["metric"]), 0.95, 0.8)
        assert (row["p95_low"], row["p95_high"], row["p95_refused"]) == (found.low, found.high, found.refused)


def test_summary_is_latency_in_wide_form(history: tuple[Stored, Path]) -> None:
    stored, results = history
    long = grouped(ask("latency", results), "run_id", "target", "workload")
    found = ask("summary", results)
    assert [(row["run_id"], row["target"], row["workload"]) for row in found] == list(long)
    for row, parts in zip(found, long.values(), strict=True):
        rows = stored.measured(run_id=row["run_id"], target=row["target"], workload=row["workload"])
        scores = [trial["score"] for trial in rows if trial["score"] is not None]
        wanted = {"score": statistics.fmean(scores) if scores else None, "scored": len(scores), "verdict": "VALID"}
        same([row], [{**counts(rows), "n": counts(rows)["succeeded"], **wanted, "provider": "openai"}])
        for part in parts:
            for name in (
                "n",
                "min",
                "max",
                "mean",
                "sd",
                "p50",
                "p95_low",
                "p95_high",
                "p99",
                "p99_refused",
                "p999",
                "p999_refused",
            ):
                assert row[f"{part['metric']}_{name}"] == part[name]


def test_slowest(history: tuple[Stored, Path]) -> None:
    stored, results = history
    agents = ("agent", "multi_agent", "workflow")
    took = {
        (row["run_id"], row["trial_id"]): row["wall_ms"] if row["workload"] in agents else row["response_ms"]
        for row in stored.measured(status="success")
    }
    found = [row for row in stored.measured(status="success") if took[row["run_id"], row["trial_id"]] is not None]
    expected = []
    for (run, target), rows in in_order(found, "run_id", "target"):
        rows.sort(key=lambda row: (-took[row["run_id"], row["trial_id"]], row["trial_id"]))
        for rank, row in enumerate(rows[:4], 1):
            expected.append(
                {"run_id": run, "target": target, "rank": rank, "trial_id": row["trial_id"], "e2e_ms": row["e2e_ms"]}
            )
    same(ask("slowest", results, top=4), expected)
    assert max(row["rank"] for row in ask("slowest", results)) == 20


def test_cases(history: tuple[Stored, Path]) -> None:
    stored, results = history
    names = ("run_id", "target", "workload", "dataset", "test_id")
    expected = []
    for key, rows in in_order(stored.measured(), *names):
        scores = [row["score"] for row in rows if row["score"] is not None]
        row = {"attempted": counts(rows)["attempted"], "n": counts(rows)["succeeded"], "scored": len(scores)}
        row["score"] = statistics.fmean(scores) if scores else None
        for metric in ("ttft_ms", "e2e_ms", "response_ms", "tokens_per_s_user", "tokens_out"):
            values = numbers(rows, metric)
            row[f"{metric}_median"] = statistics.median(values) if values else None
        row["e2e_ms_max"] = max(numbers(rows, "e2e_ms"), default=None)
        expected.append(dict(zip(names, key, strict=True)) | row)
    same(ask("cases", results), expected)


def test_curves(history: tuple[Stored, Path]) -> None:
    stored, results = history
    expected = []
    for (run, target, workload), rows in in_order(stored.measured(), "run_id", "target", "workload"):
        for metric in LATENCY_METRICS:
            values = numbers(rows, metric)
            for rank, value in enumerate(values, 1):
                row = {
                    "run_id": run,
                    "target": target,
                    "workload": workload,
                    "metric": metric,
                    "rank": rank,
                    "value": value,
                }
                share = {"share": rank / len(values), "share_attempted": rank / counts(rows)["attempted"]}
                expected.append(row | share)
    same(ask("curves", results), expected)


def test_adjusted(history: tuple[Stored, Path]) -> None:
    stored, results = history
    expected = []
    for (run, target, workload), rows in in_order(stored.measured(), "run_id", "target", "workload"):
        for metric in ("ttfb_ms", "ttft_ms", "ttfo_ms", "e2e_ms", "response_ms"):
            if values := numbers(rows, metric):
                failures = counts(rows)["failed"] + counts(rows)["timed_out"]
                key = {"run_id": run, "target": target, "workload": workload, "metric": metric}
                expected += [{**key, "quantile": q, **adjusted(values, failures, q)} for q in (0.5, 0.95, 0.99, 0.999)]
    same(ask("adjusted", results), expected)
    assert {row["says"] for row in expected} >= {None, "unbounded", "unbounded above"}


def adjusted(values: list[float], failures: int, q: float) -> Row:
    padded = [*values, *[math.inf] * failures]
    n = len(padded)
    ranks = interval_ranks(n, q)
    if ranks is None:
        return {"n": n, "value": None, "low": None, "high": None, "says": f"needs {needs(q)}, has {n}"}
    value = interpolated(padded, q) if math.ceil((n - 1) * q) < len(values) else math.inf
    low, high = padded[ranks[0] - 1], padded[ranks[1] - 1]
    says = "unbounded" if value == math.inf else "unbounded above" if high == math.inf else None
    return {
        "n": n,
        **{k: None if v == math.inf else v for k, v in (("value", value), ("low", low), ("high", high))},
        "says": says,
    }


def test_warmup(history: tuple[Stored, Path]) -> None:
    stored, results = history
    good = [row for row in stored.rows["calls"] if row["error_kind"] is None and row["sent_ns"] is not None]
    expected = []
    for key, rows in grouped(good, "run_id", "target", "phase", "cold").items():
        for metric in ("connect_ms", "ttfb_ms", "ttft_ms", "e2e_ms"):
            if values := [row[metric] for row in rows if row[metric] is not None]:
                row = dict(zip(("run_id", "target", "phase", "cold"), key, strict=True)) | {
                    "metric": metric,
                    "n": len(values),
                }
                expected.append(row | {"min": min(values), "median": statistics.median(values), "max": max(values)})
    expected.sort(key=lambda r: (r["run_id"], r["target"], r["phase"] != "warmup", not r["cold"], r["metric"]))
    same(ask("warmup", results), expected)


def test_trial_time(history: tuple[Stored, Path]) -> None:
    stored, results = history
    expected: list[Row] = []
    for (target, workload), rows in in_order(stored.measured(), "target", "workload"):
        for run in ("r3", "r2", "r1"):
            found = quantile(numbers([row for row in rows if row["run_id"] == run], "wall_ms"), 0.5)
            if found.value is not None:
                bounds = {"wall_ms_p50_low": found.low, "wall_ms_p50_high": found.high}
                who = {"target": target, "workload": workload, "run_id": run, "n": found.n}
                expected.append({**who, "wall_ms_p50": found.value, **bounds})
                break
    same(ask("trial_time", results), expected)


def test_many_values(tmp_path: Path) -> None:
    """More than a curve has points for, and enough for a p99."""
    rng = random.Random(3)
    stored = Stored()
    stored.rows["runs"].append(run_row("r1"))
    stored.rows["trials"] = [trial_row("r1", i, ttft_ms=rng.lognormvariate(3, 1)) for i in range(701)]
    values = sorted(row["ttft_ms"] for row in stored.rows["trials"])
    results = stored.write(tmp_path)
    same(
        [row for row in ask("latency", results) if row["metric"] == "ttft_ms"], [latency(stored.measured(), "ttft_ms")]
    )
    points = ask("curves", results)
    assert [points[0]["rank"], points[-1]["rank"], len(points)] == [1, 701, 200]
    assert all(point["value"] == values[point["rank"] - 1] for point in points)
    assert [point["rank"] for point in points] == sorted({point["rank"] for point in points})


def test_first_call(history: tuple[Stored, Path]) -> None:
    stored, results = history
    sent = [row for row in stored.rows["calls"] if row["sent_ns"] is not None]
    expected = []
    for (run, target), rows in in_order(sent, "run_id", "target"):
        ordered = sorted(
            rows, key=lambda row: (row["sent_ns"] + row["wall_offset_ns"], row["trial_id"], row["attempt"])
        )
        first, rest = ordered[0], [row for row in ordered[1:] if row["error_kind"] is None and not row["cold"]]
        for metric in sorted(("connect_ms", "ttfb_ms", "ttft_ms", "e2e_ms")):
            later = [row[metric] for row in rest if row.get(metric) is not None]
            value = first[metric] if first["error_kind"] is None else None
            median = statistics.median(later) if later else None
            ratio = value / median if value is not None and median else None
            answer = {"run_id": run, "target": target, "metric": metric, "error_kind": first["error_kind"]}
            expected.append(answer | {"first": value, "later_median": median, "later_n": len(later), "ratio": ratio})
    same(ask("first_call", results), expected)
    assert any(row["ratio"] for row in expected)


def test_over_time(history: tuple[Stored, Path]) -> None:
    stored, results = history
    good = [row for row in stored.measured() if row["status"] == "success"]
    expected = []
    for (run, target), rows in in_order(good, "run_id", "target"):
        ordered = sorted(rows, key=lambda row: (row["started_ns"] + row["wall_offset_ns"], row["trial_id"]))
        zero = min(
            row["started_ns"] + row["wall_offset_ns"]
            for row in ordered
            if any(row[metric] is not None for metric in ("ttft_ms", "e2e_ms", "decode_ms_per_token"))
        )
        for metric in ("decode_ms_per_token", "e2e_ms", "ttft_ms"):
            known = [row for row in ordered if row[metric] is not None]
            parts: dict[int, list[Row]] = {}
            for place, row in enumerate(known):
                parts.setdefault(place * min(32, max(1, len(known) // 5)) // len(known), []).append(row)
            for stretch, part in parts.items():
                values = [row[metric] for row in part]
                at = [(row["started_ns"] + row["wall_offset_ns"] - zero) / 1e9 for row in part]
                answer = {"run_id": run, "target": target, "metric": metric, "stretch": stretch, "n": len(part)}
                answer |= {"from_s": min(at), "to_s": max(at), "mean": statistics.fmean(values)}
                expected.append(answer | {"median": statistics.median(values), "max": max(values)})
    same(ask("over_time", results), expected)
