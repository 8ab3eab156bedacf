"""What a history has to tell: changes that are new, confirmed by a fresh repeat, or resolved. A replay of stored runs.

    new         found, and no run measured since lies at the new level
    confirmed   a run measured after it was first found still lies at the new level
    resolved    later runs took it back, the level came back, or a baseline was set on a run at the new level

Nothing is remembered here: the same runs give the same alerts, with the same ids. Told are changes beyond the margin,
the better ones too. Beside each alert stands what is known of false ones: how often `aa` runs of the target were called
changed, and how far runs lie apart.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchbook.errors import EXIT_DONE, EXIT_REGRESSION
from benchbook.history.null_runs import realised
from benchbook.history.questions import select
from benchbook.history.series import Series, all_series
from benchbook.history.trends import Fingerprints, History, cuts, read
from benchbook.results.baselines import Baseline, standing
from benchbook.stats.against import ALPHA, off_level
from benchbook.stats.changes import SMALLEST, Change
from benchbook.stats.spread import between_runs

NEW, CONFIRMED, RESOLVED = "new", "confirmed", "resolved"
STEP, BASELINE = "step", "baseline"
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Found:
    """An alert before it is worded. seen, since: indexes of the run that told it, and of the first at the new level."""

    kind: str
    since: int
    seen: int
    before: float
    after: float
    p: float
    state: str
    by: int | None = None
    why: str | None = None
    profile: str | None = None


def alerts(results: str | Path, *, target: str | None = None, metrics: Collection[str] = ()) -> list[Row]:
    """A row per alert, unresolved first, the worse before the better, then the newest first.

    Keys: id, kind (`step`, or `baseline`: off a profile's run without a step), state, sense, what names the series,
    run_id (the first at the new level), seen_run_id (with which it was found), before, after (in the metric's unit),
    change, p, confirmed_by, resolved_by (run ids), why (of a resolved one), profile, attribution, runs_since, spread
    (between runs; None where unknown), realised (of `aa` runs; None where there are none), repeat (a command).
    """
    return look(results, target=target, metrics=metrics).rows


@dataclass(frozen=True, slots=True)
class Looked:
    """Alerts, and how many series of at least six runs were looked at: each of them may raise a false one."""

    rows: list[Row]
    series: int


def look(results: str | Path, *, target: str | None = None, metrics: Collection[str] = ()) -> Looked:
    """As `alerts`, with the number of series looked at."""
    histories = [read(series) for series in all_series(results, target=target, metrics=metrics)]
    prints = Fingerprints(results, histories)
    named = standing(results)
    told = [(history, found) for history in histories for found in _found(history, named)]
    asides = _Asides(Path(results))
    rows = [_row(history, found, prints, asides) for history, found in told]
    newest_first = sorted(rows, key=lambda row: str(row["seen_run_id"]), reverse=True)
    ordered = sorted(newest_first, key=lambda row: (row["state"] == RESOLVED, row["sense"] != "worse"))
    return Looked(ordered, sum(len(history.series.points) >= 2 * SMALLEST for history in histories))


def exit_code(rows: Sequence[Mapping[str, Any]]) -> int:
    """3 while a worse alert stands, else 0."""
    return EXIT_REGRESSION if any(row["sense"] == "worse" and row["state"] != RESOLVED for row in rows) else EXIT_DONE


def _found(history: History, named: Sequence[Baseline]) -> list[_Found]:
    series = history.series
    mine = [one for one in named if one.target == series.target]
    steps = [_step(history, change, mine) for change in history.changes if _tells(series, change)]
    found = list(steps)
    for baseline in mine:
        off = _off(history, baseline)
        if off and not any(
            one.state != RESOLVED and (one.after > one.before) == (off.after > off.before) for one in steps
        ):
            found.append(off)
    return found


def _tells(series: Series, change: Change) -> bool:
    return abs(series.change(change.before, change.after)) > series.margin


def _step(history: History, change: Change, named: Sequence[Baseline]) -> _Found:
    """A change with its state: what later runs, later changes and baselines have made of it."""
    series = history.series
    found = _Found(STEP, change.index, change.seen, change.before, change.after, change.p, NEW)
    middle = (change.before + change.after) / 2
    repeats = [
        at
        for at in range(change.seen + 1, len(series.points))
        if (series.levels[at] > middle) == (change.after > change.before)
    ]
    if change.ended is not None:
        return _ending(found, change.ended, "later runs took it back")
    back = _back(history, change)
    if back is not None:
        return _ending(found, back, "the level came back")
    for one in named:
        at = next((at for at, point in enumerate(series.points) if point.run_id == one.run_id), -1)
        if at >= change.index:
            return _ending(found, at, f"accepted: baseline {one.name}")
    return replace(found, state=CONFIRMED, by=repeats[0]) if repeats else found


def _ending(found: _Found, by: int, why: str) -> _Found:
    return replace(found, state=RESOLVED, by=by, why=why)


def _back(history: History, change: Change) -> int | None:
    """The run with which a later stretch was found at the old level, or beyond it."""
    series = history.series
    up = change.after > change.before
    for (low, high), later in zip(history.bounds[1:], history.stands, strict=True):
        if later.index > change.index:
            left = series.change(change.before, history.level(low, high))
            if (left if up else -left) <= series.margin:
                return later.seen
    return None


def _off(history: History, baseline: Baseline) -> _Found | None:
    """The newest runs against a baseline's run, from the run on with which they first lay off it for good."""
    series = history.series
    at = next((at for at, point in enumerate(series.points) if point.run_id == baseline.run_id), None)
    if at is None:
        return None
    named = series.levels[at]
    seen: _Found | None = None
    for runs in range(at + 4, len(series.points) + 1):
        levels = cuts(history, runs)
        newest = list(levels[-1])[-(runs - at - 1) :]
        p = off_level(named, newest, between_runs(levels))
        level = sum(newest) / len(newest)
        off = p is not None and p < ALPHA and abs(series.change(named, level)) > series.margin
        if not off:
            seen = None
        elif seen is None:
            seen = _Found(BASELINE, runs - len(newest), runs - 1, named, level, p or 0.0, NEW, profile=baseline.name)
        else:
            seen = _Found(
                BASELINE, seen.since, seen.seen, named, level, p or 0.0, CONFIRMED, runs - 1, None, baseline.name
            )
    return seen


class _Asides:
    """What stands beside an alert and is the same for several: the realised false alarms, and how to repeat a run."""

    def __init__(self, results: Path) -> None:
        self._results = results
        self._realised: dict[tuple[str, str], Row | None] = {}
        self._repeats: dict[str, str | None] = {}
        rows = select(results, "select distinct workload_hash from runs where sweep_axis = 'aa'")
        self._known = {row["workload_hash"] for row in rows}

    def realised(self, series: Series) -> Row | None:
        """What `aa` runs of this target and workload taught."""
        key = (series.target, series.workload_hash)
        if key not in self._realised:
            known = series.workload_hash in self._known
            self._realised[key] = realised(self._results, *key) if known else None
        return self._realised[key]

    def repeat(self, run_id: str) -> str | None:
        """The command that would measure the plan of this run once more; None where its stored plan does not say."""
        if run_id not in self._repeats:
            self._repeats[run_id] = self._repeat(run_id)
        return self._repeats[run_id]

    def _repeat(self, run_id: str) -> str | None:
        rows = select(self._results, "select plan from runs", runs=(run_id,))
        frozen = json.loads(rows[0]["plan"] or "{}") if rows else {}
        asked = _plan_words(frozen)
        if asked is None:
            return None
        words = ["benchbook", "run", *asked]
        if self._results != Path("results"):
            words += ["--results", str(self._results)]
        return shlex.join(words)


def _plan_words(frozen: Mapping[str, Any]) -> list[str] | None:
    """`--plan FILE`; of a plan from the command line, its targets and datasets. None where these are not all known."""
    source = frozen.get("source")
    if source and source != "command line":
        return [] if source == "params.yaml" else ["--plan", str(source)]
    sections = frozen.get("sections", {})
    words: list[str] = []
    for one in sections.get("execute", {}).get("targets", []):
        if not one.get("provider") or not one.get("model"):
            return None
        address = f"@{one['base_url']}" if one.get("base_url") else ""
        words += ["--target", f"{one['provider']}:{one['model']}{address}"]
    for name in sections.get("validate", {}).get("datasets", []):
        words += ["--dataset", str(name)]
    return words


def _row(history: History, found: _Found, prints: Fingerprints, asides: _Asides) -> Row:
    series, runs = history.series, history.series.points
    spread = history.spread
    resolved = found.state == RESOLVED
    name = runs[found.by].run_id if found.by is not None else None
    return {
        "id": _id(series, runs[found.seen].run_id, found),
        "kind": found.kind,
        "state": found.state,
        "sense": series.sense(found.before, found.after),
        **series.fields(),
        "run_id": runs[found.since].run_id,
        "started_at": runs[found.since].started_at,
        "seen_run_id": runs[found.seen].run_id,
        "before": series.value(found.before),
        "after": series.value(found.after),
        "change": series.change(found.before, found.after),
        "p": found.p,
        "confirmed_by": None if resolved else name,
        "resolved_by": name if resolved else None,
        "why": found.why,
        "profile": found.profile,
        "attribution": prints.of(series, found.since).fields() if found.kind == STEP else None,
        "runs_since": len(runs) - 1 - found.seen,
        "spread": asdict(spread) if spread else None,
        "realised": asides.realised(series),
        "repeat": asides.repeat(runs[-1].run_id),
    }


def _id(series: Series, seen_run_id: str, found: _Found) -> str:
    """Twelve hex digits that stay the same while runs are added: of the series, the run that told it, and its way."""
    way = "up" if found.after > found.before else "down"
    named = (series.target, series.workload, series.workload_hash, series.metric, seen_run_id, found.kind, way)
    return hashlib.sha256("\n".join(named).encode()).hexdigest()[:12]
