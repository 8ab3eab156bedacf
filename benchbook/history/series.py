"""The history of one number: the levels of a metric, run by run, for one target, workload and workload hash.

Only runs that finished and are not INVALID count, and only where they have a level; the rest is listed as left out with
its reason. Runs of other workload hashes asked something else and are series of their own.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchbook.errors import UserError
from benchbook.history.questions import ask
from benchbook.metrics import METRIC_DIRECTION
from benchbook.stats.verdicts import MARGIN_MEDIAN, MARGIN_SHARE

METRICS = ("ttft_ms", "e2e_ms", "decode_ms_per_token", "wall_ms", "score", "failure_share", "cost_usd")
"""What trend and alerts look at where nothing is chosen; wall_ms only of agents' workloads, whose time it is."""

AGENTS = ("agent", "multi_agent", "workflow")
AGAIN = "~again"
"""Behind the name of a target that `aa` runs as its own rival: no history of its own."""


@dataclass(frozen=True, slots=True)
class Point:
    """A run's level. level: natural log (scale `log`) or mean (scale `share`); n: values; cases: test cases."""

    run_id: str
    started_at: datetime
    level: float
    n: int
    cases: int


@dataclass(frozen=True, slots=True)
class Series:
    """Levels in order of time. left_out: runs that don't count, with why."""

    target: str
    workload: str
    workload_hash: str
    metric: str
    scale: str
    points: tuple[Point, ...]
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def levels(self) -> list[float]:
        """The levels alone."""
        return [point.level for point in self.points]

    @property
    def better(self) -> str:
        """The better direction: `lower` or `higher`."""
        return METRIC_DIRECTION[self.metric]

    @property
    def margin(self) -> float:
        """What a change must exceed to be told: 5 %, or 3 points of a share."""
        return MARGIN_MEDIAN if self.scale == "log" else MARGIN_SHARE

    def value(self, level: float) -> float:
        """A level in the metric's own unit."""
        return math.exp(level) if self.scale == "log" else level

    def change(self, before: float, after: float) -> float:
        """From one level to another: a share of the first (0.15 is 15 % more), or points of a share."""
        return math.expm1(after - before) if self.scale == "log" else after - before

    def sense(self, before: float, after: float) -> str:
        """`better` or `worse`."""
        return "better" if (after > before) == (self.better == "higher") else "worse"

    def fields(self) -> dict[str, Any]:
        """What names the series, as plain data."""
        names = ("target", "workload", "workload_hash", "metric", "scale", "better")
        return {name: getattr(self, name) for name in names}


def all_series(results: str | Path, *, target: str | None = None, metrics: Collection[str] = ()) -> list[Series]:
    """Every series that the stored runs hold, by target, workload, hash and metric.

    metrics: only these, else METRICS. Raises UserError for a target or a metric that is none, and where nothing is
    stored.
    """
    for metric in metrics:
        if metric not in METRIC_DIRECTION:
            raise UserError("--metric", f"no metric {metric!r}", f"one of {', '.join(METRIC_DIRECTION)}")
    if not (Path(results) / "tables" / "runs").is_dir():
        raise UserError(str(results), "holds no stored run", "measure one with `benchbook run`")
    rows = [row for row in ask("levels", results) if row["workload_hash"] and row["started_at"] is not None]
    known = sorted({row["target"] for row in rows if not row["target"].endswith(AGAIN)})
    if target is not None and target not in {row["target"] for row in rows}:
        raise UserError(target, "no stored run asked this target", f"one of {', '.join(known) or 'none'}")
    wanted = [row for row in rows if row["target"] == target or (target is None and row["target"] in known)]
    return _grouped([row for row in wanted if _asked_for(row, metrics)])


def _asked_for(row: dict[str, Any], metrics: Collection[str]) -> bool:
    if metrics:
        return row["metric"] in metrics
    return row["metric"] in METRICS and (row["metric"] != "wall_ms" or row["workload"] in AGENTS)


def _grouped(rows: Sequence[dict[str, Any]]) -> list[Series]:
    groups: dict[tuple[str, str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["target"], row["workload"], row["workload_hash"], row["metric"]].append(row)
    return [_series(key, groups[key]) for key in sorted(groups, key=lambda key: (*key[:3], _place(key[3])))]


def _place(metric: str) -> tuple[int, str]:
    return (METRICS.index(metric) if metric in METRICS else len(METRICS), metric)


def _series(key: tuple[str, str, str, str], rows: Sequence[dict[str, Any]]) -> Series:
    ordered = sorted(rows, key=lambda row: (row["started_at"], row["run_id"]))
    why = {row["run_id"]: _unfit(row) for row in ordered}
    points = [
        Point(row["run_id"], row["started_at"], row["level"], row["n"], row["cases"])
        for row in ordered
        if not why[row["run_id"]]
    ]
    left_out = tuple((run_id, reason) for run_id, reason in why.items() if reason)
    return Series(*key, rows[0]["scale"], tuple(points), left_out)


def _unfit(row: dict[str, Any]) -> str:
    """Why a run does not count; empty where it does."""
    if row["verdict"] == "INVALID":
        return "INVALID"
    if row["status"] != "finished":
        return str(row["status"] or "unfinished")
    return "" if row["level"] is not None else "no level"
