"""What stored runs say before money is spent: the change that n runs a side would show, and the runs that one takes.

The spread comes from the stored runs of the same workload hash and target: their levels as the question `levels` has
them (`case_level`: what two runs are compared by), cut into stretches where the history has steps. Runs that are
INVALID or did not finish count for nothing and are counted as left out. Where fewer than two runs are left nothing is
known of how far runs lie apart, and there is no answer: `refused` says what would give one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchbook.history.questions import ask
from benchbook.stats.power import POWER, Design, detectable, runs_for_equivalence, runs_needed
from benchbook.stats.spread import Spread, sd_interval, spread_of
from benchbook.stats.verdicts import MARGIN_MEDIAN, MARGIN_SHARE

METRICS = ("ttft_ms", "e2e_ms", "decode_ms_per_token", "score", "failure_share", "cost_usd")
"""What is planned for where nothing is chosen: the metrics that a comparison's verdict rests on by default."""
RUNS = (1, 2, 3, 5, 10)


@dataclass(frozen=True, slots=True)
class Wished:
    """What is asked. change: a share of the median (0.05 is 5 %; of a score or share, points); runs: a side.

    targets: their names; workload_hash: of the plan.
    """

    workload_hash: str
    targets: tuple[str, ...]
    change: float = MARGIN_MEDIAN
    runs: tuple[int, ...] = RUNS
    metrics: tuple[str, ...] = METRICS
    confidence: float = 0.95
    power: float = POWER


Row = dict[str, Any]


def outlook(results: str | Path, wished: Wished) -> list[Row]:
    """A row per target, workload and metric that stored runs of this workload hold.

    Keys: target, workload, metric, scale, runs (used), left_out, n (median number of values a run), sd (of levels:
    0.02 is 2 % between runs), sd_low, sd_high, df, kind; seen: a list of {runs, change, changed}, the smallest true
    change that shows as an interval clear of 0, and as CHANGED (beyond the margin as well); runs_clear, runs_changed,
    runs_equivalent: a side, for the wished change to be clear of 0, to be called CHANGED, and for no change to be
    called EQUIVALENT, None where more than 1,000 or never; margin; refused: why the numbers are None.
    """
    if not (Path(results) / "tables" / "trials").is_dir():
        return []
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in ask("levels", results):
        if row["workload_hash"] == wished.workload_hash and row["target"] in wished.targets:
            groups[row["target"], row["workload"], row["metric"]].append(row)
    return [
        _row(key, groups[key], wished)
        for key in sorted(groups, key=lambda key: (wished.targets.index(key[0]), key[1], _place(key[2], wished)))
        if key[2] in wished.metrics
    ]


def _place(metric: str, wished: Wished) -> int:
    return wished.metrics.index(metric) if metric in wished.metrics else len(wished.metrics)


def _row(key: tuple[str, str, str], stored: Sequence[Row], wished: Wished) -> Row:
    used = [row for row in stored if row["verdict"] != "INVALID" and row["status"] == "finished"]
    levels = [row["case_level"] for row in used if row["case_level"] is not None]
    scale = stored[0]["scale"]
    spread = spread_of(levels)
    refused = _refused(spread, len(levels))
    return {
        **dict(zip(("target", "workload", "metric"), key, strict=True)),
        "scale": scale,
        "runs": len(levels),
        "left_out": len(stored) - len(levels),
        "n": sorted(row["n"] for row in used)[len(used) // 2] if used else None,
        **_spread_fields(spread, wished.confidence),
        "change": wished.change,
        "margin": MARGIN_MEDIAN if scale == "log" else MARGIN_SHARE,
        **(_NOTHING if refused or spread is None else _found(spread, scale, wished)),
        "refused": refused,
    }


_NOTHING: Mapping[str, Any] = {"seen": [], "runs_clear": None, "runs_changed": None, "runs_equivalent": None}


def _refused(spread: Spread | None, runs: int) -> str | None:
    if spread is None:
        return f"needs 2 stored runs, has {runs}"
    return None if spread.sd > 0 else f"all {runs} stored runs have one value"


def _spread_fields(spread: Spread | None, confidence: float) -> Row:
    if spread is None:
        return {"sd": None, "sd_low": None, "sd_high": None, "df": None, "kind": None}
    low, high = sd_interval(spread, confidence)
    return {"sd": spread.sd, "sd_low": low, "sd_high": high, "df": spread.df, "kind": spread.kind}


def _found(spread: Spread, scale: str, wished: Wished) -> Row:
    """Levels are logs, so a change of 5 % is ln 1.05; the levels of a share are the share."""
    to_level = math.log1p if scale == "log" else float
    margin = to_level(MARGIN_MEDIAN if scale == "log" else MARGIN_SHARE)
    clear = Design(spread.sd, spread.df, 0.0, wished.confidence, wished.power)
    changed = Design(spread.sd, spread.df, margin, wished.confidence, wished.power)
    effect = to_level(wished.change)
    return {
        "seen": [
            {
                "runs": runs,
                "change": _change(detectable(clear, runs), scale),
                "changed": _change(detectable(changed, runs), scale),
            }
            for runs in wished.runs
        ],
        "runs_clear": runs_needed(clear, effect),
        "runs_changed": runs_needed(changed, effect),
        "runs_equivalent": runs_for_equivalence(changed),
    }


def _change(level: float | None, scale: str) -> float | None:
    return None if level is None else math.expm1(level) if scale == "log" else level
