"""Histories as a person reads them: stretches between changes, with what changed at each, and what explains the spread.

Worked out from the stored runs alone, anew each time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchbook.history.facts import MACHINE, OURS
from benchbook.history.fingerprints import Attribution, attributed
from benchbook.history.questions import ask
from benchbook.history.series import Series, all_series
from benchbook.results.baselines import Baseline, standing
from benchbook.stats.changes import Change, replay, spikes
from benchbook.stats.daytime import explained
from benchbook.stats.spread import Spread, between_runs, stretches

Row = dict[str, Any]
_TELLING_SHARE, _TELLING_P = 0.25, 0.01
"""An hour of the day is told where it explains more than this share of the spread, with a smaller p."""


@dataclass(frozen=True, slots=True)
class History:
    """A series with its changes (withdrawn ones too), its spikes, and the level of each stretch without them."""

    series: Series
    changes: tuple[Change, ...]
    spikes: frozenset[int]

    @property
    def stands(self) -> tuple[Change, ...]:
        """The changes that stand, in order of time."""
        return tuple(change for change in self.changes if change.ended is None)

    @property
    def bounds(self) -> list[tuple[int, int]]:
        """The stretches as index ranges."""
        cuts = [0, *(change.index for change in self.stands), len(self.series.points)]
        return [(low, high) for low, high in pairwise(cuts) if high > low]

    def level(self, low: int, high: int) -> float:
        """The mean level of a stretch, spikes left out."""
        levels = self.series.levels
        kept = [levels[at] for at in range(low, high) if at not in self.spikes] or levels[low:high]
        return sum(kept) / len(kept)

    @property
    def spread(self) -> Spread | None:
        """How far runs lie apart within the stretches, spikes left out."""
        levels = self.series.levels
        return between_runs(
            [levels[at] for at in range(low, high) if at not in self.spikes] for low, high in self.bounds
        )


def read(series: Series) -> History:
    """The series, read as it grew."""
    changes = replay(series.levels)
    stands = [change for change in changes if change.ended is None]
    return History(series, changes, frozenset(spikes(series.levels, stands)))


class Fingerprints:
    """What runs stood on, looked up at once for all the places where a history changed."""

    def __init__(self, results: str | Path, histories: Iterable[History]) -> None:
        wanted = {
            history.series.points[at].run_id
            for history in histories
            for change in history.changes
            for at in range(max(0, change.index - 2), min(len(history.series.points), change.index + 2))
        }
        rows = ask("fingerprints", results, runs=sorted(wanted)) if wanted else []
        self._rows: Mapping[tuple[str, str], Row] = {(row["run_id"], row["target"]): row for row in rows}

    def of(self, series: Series, at: int) -> Attribution:
        """Whose change it is that lies before run `at`; where nothing changed there, one run earlier or later."""
        found = self._between(series, at)
        if found.differences:
            return found
        for near, word in ((at - 1, "earlier"), (at + 1, "later")):
            if 0 < near < len(series.points):
                other = self._between(series, near)
                if other.whose in (OURS, MACHINE):
                    return Attribution(other.whose, f"one run {word}, {other.words}", other.differences)
        return found

    def _between(self, series: Series, at: int) -> Attribution:
        names = [(series.points[place].run_id, series.target) for place in (at - 1, at)]
        return attributed(self._rows.get(names[0]), self._rows.get(names[1]), series.metric)


def trend(
    results: str | Path,
    *,
    target: str | None = None,
    metrics: Collection[str] = (),
    since: datetime | None = None,
) -> list[Row]:
    """A row per target, workload, workload hash and metric, in that order; changes are found in the whole history.

    Keys: what names the series; runs: a list of {run_id, started_at, level, value, n, segment, spike}; segments: see
    `_segments`; withdrawn: changes that later runs took back; spread: of levels within segments, None where unknown;
    by_hour: None, or what the hour of the start (UTC) explains; baselines: of profiles that name this target; left_out:
    runs that don't count, with why. since: only runs from then on, and segments that reach beyond it.
    """
    histories = [read(series) for series in all_series(results, target=target, metrics=metrics)]
    prints = Fingerprints(results, histories)
    named = standing(results)
    return [_row(history, prints, named, since) for history in histories if history.series.points]


def _row(history: History, prints: Fingerprints, named: Sequence[Baseline], since: datetime | None) -> Row:
    series = history.series
    spread = history.spread
    return {
        **series.fields(),
        "runs": [row for row in _runs(history) if since is None or row["started_at"] >= since],
        "segments": [row for row in _segments(history, prints) if since is None or row["ended_at"] >= since],
        "withdrawn": [_withdrawn(history, change) for change in history.changes if change.ended is not None],
        "spread": asdict(spread) if spread else None,
        "by_hour": _by_hour(history),
        "baselines": [_against(history, one) for one in named if one.target == series.target],
        "left_out": [{"run_id": run_id, "why": why} for run_id, why in series.left_out],
    }


def _runs(history: History) -> list[Row]:
    series = history.series
    rows = []
    for segment, (low, high) in enumerate(history.bounds):
        for at in range(low, high):
            point = series.points[at]
            row = {"run_id": point.run_id, "started_at": point.started_at, "level": point.level, "n": point.n}
            row |= {"value": series.value(point.level), "segment": segment, "spike": at in history.spikes}
            rows.append(row)
    return rows


def _segments(history: History, prints: Fingerprints) -> list[Row]:
    """Keys: run_id and started_at of its first run, ended_at (start of its last), runs, level, value; and of the change
    that begins it (None for the first): change, sense, p, seen_run_id (the run with which it was first found),
    attribution."""
    series = history.series
    rows: list[Row] = []
    for number, (low, high) in enumerate(history.bounds):
        first, level = series.points[low], history.level(low, high)
        row: Row = {
            "run_id": first.run_id,
            "started_at": first.started_at,
            "ended_at": series.points[high - 1].started_at,
        }
        row |= {"runs": high - low, "level": level, "value": series.value(level)}
        row |= dict.fromkeys(("change", "sense", "p", "seen_run_id", "attribution"))
        if number:
            change, before = history.stands[number - 1], rows[-1]["level"]
            row |= {"change": series.change(before, level), "sense": series.sense(before, level), "p": change.p}
            row |= {"seen_run_id": series.points[change.seen].run_id}
            row |= {"attribution": prints.of(series, low).fields()}
        rows.append(row)
    return rows


def _withdrawn(history: History, change: Change) -> Row:
    series = history.series
    return {
        "run_id": series.points[change.index].run_id,
        "seen_run_id": series.points[change.seen].run_id,
        "ended_run_id": series.points[change.ended or 0].run_id,
        "change": series.change(change.before, change.after),
        "sense": series.sense(change.before, change.after),
    }


def _by_hour(history: History) -> Row | None:
    """What the hour explains of the levels about their stretch's; None where it explains little or can't be known."""
    cells: dict[Any, list[float]] = defaultdict(list)
    for low, high in history.bounds:
        level = history.level(low, high)
        for at in range(low, high):
            if at not in history.spikes:
                cells[history.series.points[at].started_at.hour].append(history.series.levels[at] - level)
    found = explained(cells)
    if found is None or found.share < _TELLING_SHARE or found.p > _TELLING_P:
        return None
    ordered = sorted(found.offsets, key=lambda hour: found.offsets[hour])
    row: Row = {"share": found.share, "p": found.p, "hours": found.cells, "runs": found.runs}
    for name, hour in (("lowest", ordered[0]), ("highest", ordered[-1])):
        row |= {f"{name}_hour": hour, f"{name}_change": history.series.change(0.0, found.offsets[hour])}
    return row


def _against(history: History, baseline: Baseline) -> Row:
    """The newest stretch against a named baseline; change is None where that run is not of this series."""
    series = history.series
    row: Row = {"profile": baseline.name, "run_id": baseline.run_id, "value": None, "change": None, "sense": None}
    level = next((point.level for point in series.points if point.run_id == baseline.run_id), None)
    if level is None:
        return row
    now = history.level(*history.bounds[-1])
    return row | {
        "value": series.value(level),
        "change": series.change(level, now),
        "sense": None if now == level else series.sense(level, now),
    }


def cuts(history: History, runs: int) -> list[Sequence[float]]:
    """The stretches of the first so many levels, by the changes that stood then."""
    starts = [c.index for c in history.changes if c.seen < runs and (c.ended is None or c.ended >= runs)]
    return stretches(history.series.levels[:runs], starts)
