"""A side's values as distributions: points of an empirical curve a target and metric, thinned for drawing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchbook.history.questions import select

Row = Mapping[str, Any]
METRICS = ("ttft_ms", "e2e_ms", "wall_ms")
POINTS = 200
"""Of a curve at most; more can't be told apart on a page."""

_VALUES = """
select run_id, target, workload, metric, list(value) as v
from (select run_id, target, workload, ttft_ms, e2e_ms, wall_ms from trials
      where phase = 'measured' and status = 'success')
unpivot (value for metric in (ttft_ms, e2e_ms, wall_ms))
group by all
"""
_ATTEMPTED = "select run_id, target, workload, attempted from outcomes"


def side_curves(results: str | Path, runs: Sequence[str]) -> list[dict[str, Any]]:
    """Rows as the question `curves` has them (target, workload, metric, rank, value, share_attempted), over all these
    runs together: the share at a value is of the trials that were attempted."""
    values: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for row in select(Path(results), _VALUES, runs=runs):
        values[row["target"], row["workload"], row["metric"]] += row["v"]
    attempted: dict[tuple[str, str], int] = defaultdict(int)
    for row in select(Path(results), _ATTEMPTED, runs=runs):
        attempted[row["target"], row["workload"]] += row["attempted"]
    return [
        {"target": target, "workload": workload, "metric": metric, "rank": rank, "value": ordered[rank - 1]}
        | {"share_attempted": rank / attempted[target, workload]}
        for (target, workload, metric), found in sorted(values.items())
        for ordered in [sorted(found)]
        for rank in _ranks(len(ordered))
    ]


def _ranks(n: int) -> list[int]:
    """All ranks of a small sample, evenly spread ones of a large, the first and the last always."""
    if n <= POINTS:
        return list(range(1, n + 1))
    return sorted({1 + round(step * (n - 1) / (POINTS - 1)) for step in range(POINTS)})
