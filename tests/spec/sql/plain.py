"""The slow plain answers: what the questions work out in SQL, in Python loops over a stored history's rows."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Any

import pytest

from benchbook.metrics import LATENCY_METRICS
from benchbook.stats.quantiles import quantile
from tests.spec.sql.stored import Row, Stored, grouped


def same(found: list[Row], expected: Iterable[Row]) -> None:
    """Equal rows in equal order; floats to 12 digits; columns that `expected` leaves out are not looked at."""
    expected = list(expected)
    assert len(found) == len(expected)
    for seen, wanted in zip(found, expected, strict=True):
        for name, value in wanted.items():
            close = pytest.approx(value, rel=1e-12, abs=1e-12) if isinstance(value, float) else value
            assert seen[name] == close, (name, seen, wanted)


def counts(rows: list[Row]) -> Row:
    by = {
        status: sum(row["status"] == status for row in rows) for status in ("success", "failure", "timeout", "skipped")
    }
    attempted = len(rows) - by["skipped"]
    return {
        "trials": len(rows),
        "attempted": attempted,
        "succeeded": by["success"],
        "failed": by["failure"],
        "timed_out": by["timeout"],
        "skipped": by["skipped"],
        "failure_share": (by["failure"] + by["timeout"]) / attempted if attempted else None,
    }


def numbers(rows: list[Row], metric: str) -> list[float]:
    return sorted(row[metric] for row in rows if row["status"] == "success" and row[metric] is not None)


def latency(rows: list[Row], metric: str) -> Row:
    values = numbers(rows, metric)
    answer: Row = {
        "n": len(values),
        "min": min(values, default=None),
        "max": max(values, default=None),
        "mean": statistics.fmean(values) if values else None,
        "sd": statistics.stdev(values) if len(values) > 1 else None,
    }
    for name, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)):
        found = quantile(values, q)
        answer |= {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
        answer[f"{name}_refused"] = found.refused
    return answer


def latencies(stored: Stored) -> list[Row]:
    return [
        {
            "run_id": run,
            "target": target,
            "workload": workload,
            "metric": metric,
            **counts(rows),
            **latency(rows, metric),
        }
        for (run, target, workload), rows in in_order(stored.measured(), "run_id", "target", "workload")
        for metric in LATENCY_METRICS
    ]


def in_order(rows: list[Row], *names: str) -> list[tuple[tuple[Any, ...], list[Row]]]:
    return sorted(grouped(rows, *names).items(), key=lambda item: [(value is None, value) for value in item[0]])
