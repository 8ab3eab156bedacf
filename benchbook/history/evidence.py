"""Run-level evidence: how far stored runs of one workload and target lie apart when nothing was done to them.

From runs that finished and are not INVALID, other than those that are compared, the newest of them: their levels in
order of time, pooled within the stretches between the history's steps. Runs of one sweep or experiment were measured
within the hour and share it: they are one level together.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchbook.history.comparable import Paired
from benchbook.history.questions import ask, select
from benchbook.history.values import Where
from benchbook.stats.effects import P95, pooled
from benchbook.stats.spread import RECENT, Spread, spread_of

_OTHERS = """
select run_id, coalesce(sweep_id, run_id) as session, workload_hash
from runs
where verdict is distinct from 'INVALID' and status = 'finished' and workload_hash in ({})
order by started_at, run_id
"""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Levels of the other runs: (target, workload, metric, is p95) -> session -> its level, in order of time."""

    levels: Mapping[tuple[str, str, str, bool], Mapping[str, float]]

    @classmethod
    def of(cls, results: Path, compared: Paired) -> Evidence:
        """The levels of the stored runs that are not compared themselves."""
        sessions = _besides(_fit(results, compared.hashes), compared)
        return cls(_levels(ask("levels", results, runs=tuple(sessions)), sessions)) if sessions else cls({})

    def spread(self, wheres: tuple[Where, Where], metric: str, what: str, *, alike: bool) -> Spread | None:
        """The spread of levels, of both sides' targets; for sides that are the same runs that of their differences."""
        a, b = (self.levels.get((*where, metric, what == P95), {}) for where in wheres)
        if alike:
            return spread_of([b[session] - a[session] for session in a if session in b])
        if wheres[0] == wheres[1]:
            return spread_of(list(a.values()))
        return pooled(spread_of(list(a.values())), spread_of(list(b.values())))


@dataclass(frozen=True, slots=True)
class Stored:
    """All that evidence may be taken from, read once for several comparisons: fit runs in order of time, and their
    levels."""

    fit: Sequence[Mapping[str, Any]]
    levels: Sequence[Mapping[str, Any]]

    @classmethod
    def of(cls, results: Path, digest: str, compared: int) -> Stored:
        """Of this workload hash; compared: how many of the runs may be compared themselves, at most."""
        fit = _fit(results, (digest,))[-RECENT - compared :]
        return cls(fit, ask("levels", results, runs=tuple(row["run_id"] for row in fit)) if fit else [])

    def evidence(self, compared: Paired) -> Evidence:
        """As `Evidence.of`."""
        sessions = _besides([row for row in self.fit if row["workload_hash"] in compared.hashes], compared)
        return Evidence(_levels([row for row in self.levels if row["run_id"] in sessions], sessions))


def _fit(results: Path, hashes: Sequence[str]) -> list[dict[str, Any]]:
    return select(results, _OTHERS.format(", ".join("'" + digest.replace("'", "''") + "'" for digest in hashes)))


def _besides(fit: Sequence[Mapping[str, Any]], compared: Paired) -> dict[str, str]:
    """Run -> session, of the newest runs other than those that are compared."""
    others = [row for row in fit if row["run_id"] not in {*compared.a, *compared.b}][-RECENT:]
    return {row["run_id"]: row["session"] for row in others}


def _levels(
    rows: Sequence[Mapping[str, Any]], sessions: Mapping[str, str]
) -> dict[tuple[str, str, str, bool], dict[str, float]]:
    grouped: dict[tuple[str, str, str, bool], dict[str, list[float]]] = {}
    for row in rows:
        of = (row["target"], row["workload"], row["metric"])
        p95 = row["p95"]
        for level, tail in ((row["case_level"], False), (math.log(p95) if p95 and p95 > 0 else None, True)):
            if level is not None:
                grouped.setdefault((*of, tail), {}).setdefault(sessions[row["run_id"]], []).append(level)
    order = list(dict.fromkeys(sessions.values()))
    return {
        key: {session: statistics.fmean(of[session]) for session in order if session in of}
        for key, of in grouped.items()
    }
