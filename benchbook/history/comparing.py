"""Two stored runs, target by target, paired by test case.

Runs are alike when their workload hashes are equal; else there is no ratio, only the reason. Latencies are those of
measured trials that succeeded; what that leaves out, each side's failure share, stands in every row.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchbook.history.questions import run_row, select
from benchbook.metrics import LATENCY_METRICS, METRIC_DIRECTION
from benchbook.stats.compare import Comparison, compare, sense, word

Side = Mapping[tuple[str, str], Sequence[float]]
"""(dataset, test id) -> a metric of its trials."""

_VALUES = """
select run_id, target, workload, metric, dataset, test_id, list(value order by trial_id) as values
from measurements
group by all
order by all
"""
_OUTCOMES = "select run_id, target, workload, failure_share from outcomes"


@dataclass(frozen=True, slots=True)
class _Runs:
    """What two runs hold: values by (run, target, workload, metric), failure shares by (run, target, workload)."""

    a: str
    b: str
    verdicts: tuple[str | None, str | None]
    unlike: str | None
    values: Mapping[tuple[str, str, str, str], Side]
    failures: Mapping[tuple[str, str, str], float | None]


def compare_runs(results: str | Path, a: str, b: str, *, confidence: float = 0.95) -> list[dict[str, Any]]:
    """A row per target, workload and latency metric: run b against run a, by whole run ids. Raises UnknownRunError.

    Keys: run_a, run_b, target, workload, metric, better (its direction), verdict_a, verdict_b, failure_share_a,
    failure_share_b, n_a, n_b (values), the fields of `stats.compare.Comparison` (ratio, low and high are b / a;
    `refused` says why there is none), sense (b is `better`, `worse`, or None where the interval holds 1) and word.
    """
    runs = _load(Path(results), a, b)
    pairs = sorted({(target, workload) for _, target, workload in runs.failures})
    return [
        _row(runs, target, workload, metric, confidence) for target, workload in pairs for metric in LATENCY_METRICS
    ]


def _load(results: Path, a: str, b: str) -> _Runs:
    rows = [run_row(results, run_id) for run_id in (a, b)]
    values: dict[tuple[str, str, str, str], dict[tuple[str, str], Sequence[float]]] = defaultdict(dict)
    for row in select(results, _VALUES, runs=(a, b)):
        key = (row["run_id"], row["target"], row["workload"], row["metric"])
        values[key][row["dataset"], row["test_id"]] = row["values"]
    outcomes = select(results, _OUTCOMES, runs=(a, b))
    failures = {(row["run_id"], row["target"], row["workload"]): row["failure_share"] for row in outcomes}
    return _Runs(a, b, (rows[0]["verdict"], rows[1]["verdict"]), _unlike(*rows), values, failures)


def _unlike(a: Mapping[str, Any], b: Mapping[str, Any]) -> str | None:
    for row in (a, b):
        if not row["workload_hash"]:
            return f"the workload of run {row['run_id']} is unknown"
    return (
        None if a["workload_hash"] == b["workload_hash"] else "unlike workloads: what was asked of the targets differs"
    )


def _row(runs: _Runs, target: str, workload: str, metric: str, confidence: float) -> dict[str, Any]:
    sides = [runs.values.get((run_id, target, workload, metric), {}) for run_id in (runs.a, runs.b)]
    refused = runs.unlike or _absent(runs, target, workload)
    found = Comparison(0, 0, 0, refused=refused) if refused else _compared(runs, sides, (target, metric), confidence)
    return {
        "run_a": runs.a,
        "run_b": runs.b,
        "target": target,
        "workload": workload,
        "metric": metric,
        "better": METRIC_DIRECTION[metric],
        "verdict_a": runs.verdicts[0],
        "verdict_b": runs.verdicts[1],
        "failure_share_a": runs.failures.get((runs.a, target, workload)),
        "failure_share_b": runs.failures.get((runs.b, target, workload)),
        "n_a": sum(map(len, sides[0].values())),
        "n_b": sum(map(len, sides[1].values())),
        **asdict(found),
        "sense": sense(metric, found),
        "word": _word(runs, found),
    }


def _compared(runs: _Runs, sides: Sequence[Side], of: tuple[str, str], confidence: float) -> Comparison:
    """The generator's seed names what is compared and not which side is which, so that swapping inverts everything."""
    name = "\n".join([*sorted((runs.a, runs.b)), *of])
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    return compare(sides[0], sides[1], np.random.default_rng(seed), confidence=confidence)


def _absent(runs: _Runs, target: str, workload: str) -> str | None:
    for run_id in (runs.a, runs.b):
        if (run_id, target, workload) not in runs.failures:
            return f"run {run_id} has no measured trial of it"
    return None


def _word(runs: _Runs, found: Comparison) -> str:
    for run_id, verdict in zip((runs.a, runs.b), runs.verdicts, strict=True):
        if verdict == "INVALID" and not found.refused:
            return f"CANNOT TELL: run {run_id} is INVALID"
    return word(found)
