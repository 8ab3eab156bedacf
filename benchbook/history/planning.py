"""What stored runs say before money is spent: the change that n runs a side would show, and the runs that one takes.

The spread comes from the stored runs of the same workload hash and target: their levels as the question `levels` has
them, by which two sides are compared. As there, runs of one experiment are one level together, and steps in the
history count into no stretch. Where nothing but one experiment is stored, the spread of its rounds is all there is,
and `kind` says so: rounds follow one another within minutes and are more alike than runs of different days. Runs that
are INVALID or did not finish count for nothing and are counted as left out.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchbook.history.questions import ask, select
from benchbook.history.rules import GATED
from benchbook.metrics import AGENT_METRICS
from benchbook.records import TEAM_WORKLOADS
from benchbook.stats.effects import FAILURES, MEDIAN, P95
from benchbook.stats.power import POWER, Design, detectable, runs_for_equivalence, runs_needed
from benchbook.stats.quantiles import needs
from benchbook.stats.spread import Spread, between_runs, sd_interval, spread_of
from benchbook.stats.verdicts import MARGIN_MEDIAN, Margins

RUNS = (1, 2, 3, 5, 10)
ROUNDS = "rounds"
"""The kind of a spread that is known from one experiment's rounds only."""

_SESSIONS = """
select run_id, coalesce(sweep_id, run_id) as session, verdict is distinct from 'INVALID' and status = 'finished' as good
from runs
where workload_hash = '{}'
order by started_at, run_id
"""


@dataclass(frozen=True, slots=True)
class Wished:
    """What is asked. change: a share of the median (0.05 is 5 %; of a score or share, points); runs: a side.

    targets: their names; workload_hash: of the plan; metrics: as `benchbook compare` names them (`e2e_ms:p95`).
    """

    workload_hash: str
    targets: tuple[str, ...]
    change: float = MARGIN_MEDIAN
    runs: tuple[int, ...] = RUNS
    metrics: tuple[str, ...] = GATED
    margins: Margins = field(default_factory=Margins)
    confidence: float = 0.95
    power: float = POWER


Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Stored:
    """One target's levels in one metric. sessions: session -> levels of its runs, in order of time."""

    scale: str
    sessions: Mapping[str, Sequence[float]]
    values: Sequence[int]
    left_out: int

    def spread(self) -> Spread | None:
        """Between sessions; where there is but one, between its rounds."""
        across = spread_of([statistics.fmean(levels) for levels in self.sessions.values()])
        if across is not None:
            return across
        within = between_runs(self.sessions.values())
        return None if within is None else replace(within, kind=ROUNDS)


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
    groups = _stored(Path(results), wished)
    order = sorted(groups, key=lambda key: (wished.targets.index(key[0]), key[1], wished.metrics.index(key[2])))
    return [_row(key, groups[key], wished) for key in order]


def _stored(results: Path, wished: Wished) -> dict[tuple[str, str, str], _Stored]:
    """What runs of this workload hold, by target, workload and metric."""
    of_run = {row["run_id"]: row for row in select(results, _SESSIONS.format(wished.workload_hash.replace("'", "''")))}
    found: dict[tuple[str, str, str], list[tuple[Row, float | None]]] = defaultdict(list)
    for row in ask("levels", results, runs=tuple(of_run)) if of_run else ():
        for metric, level in _levels(row):
            if metric in wished.metrics and row["target"] in wished.targets and _compared(row):
                found[row["target"], row["workload"], metric].append((row, level))
    return {key: _one(rows, of_run) for key, rows in found.items()}


def _compared(row: Row) -> bool:
    """Whether two sides are held against each other in it: an agents' wall time is, another trial's is not."""
    return row["workload"] in TEAM_WORKLOADS or row["metric"] not in AGENT_METRICS


def _levels(row: Row) -> tuple[tuple[str, float | None], ...]:
    p95 = row["p95"]
    tail = math.log(p95) if p95 is not None and p95 > 0 and row["scale"] == "log" else None
    return (row["metric"], row["case_level"]), (f"{row['metric']}:p95", tail)


def _one(rows: Sequence[tuple[Row, float | None]], of_run: Mapping[str, Row]) -> _Stored:
    known = {row["run_id"]: level for row, level in rows if level is not None and of_run[row["run_id"]]["good"]}
    sessions: dict[str, list[float]] = {}
    for run_id, run in of_run.items():
        if run_id in known:
            sessions.setdefault(run["session"], []).append(known[run_id])
    values = [row["n"] for row, _ in rows if row["run_id"] in known]
    return _Stored(rows[0][0]["scale"], sessions, values, len(rows) - len(known))


def _row(key: tuple[str, str, str], stored: _Stored, wished: Wished) -> Row:
    spread, runs = stored.spread(), len(stored.values)
    tail = key[2].endswith(":p95")
    refused = f"a p95 needs {needs(0.95)} trials a run" if tail and not runs else _refused(spread, runs)
    what = FAILURES if stored.scale == "share" else P95 if tail else MEDIAN
    margin = wished.margins.of(what)
    return {
        **dict(zip(("target", "workload", "metric"), key, strict=True)),
        "scale": stored.scale,
        "runs": runs,
        "left_out": stored.left_out,
        "n": statistics.median_low(stored.values) if stored.values else None,
        **_spread_fields(spread, wished.confidence),
        "change": wished.change,
        "margin": _change(margin, stored.scale),
        **(_NOTHING if refused or spread is None else _found(spread, stored.scale, margin, wished)),
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


def _found(spread: Spread, scale: str, margin: float, wished: Wished) -> Row:
    """Levels are logs, so a change of 5 % is ln 1.05; the levels of a share are the share."""
    clear = Design(spread.sd, spread.df, 0.0, wished.confidence, wished.power)
    changed = Design(spread.sd, spread.df, margin, wished.confidence, wished.power)
    effect = math.log1p(wished.change) if scale == "log" else wished.change
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
