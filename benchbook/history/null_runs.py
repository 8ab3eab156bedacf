"""What `benchbook aa` has taught: how often compare cries wolf on a target that did not change, and how far its runs
lie apart.

Kept nowhere but in the stored runs: rounds are runs whose `sweep_axis` is `aa`, each with the target under its own name
and under that name with `~again` behind it. So every number here is computed anew, by the rules of today.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchbook.history.comparing import Held, compare_sides
from benchbook.history.questions import select
from benchbook.history.rules import Rules, planned_rules
from benchbook.history.selecting import Side
from benchbook.history.series import AGAIN
from benchbook.stats.proportions import wilson
from benchbook.stats.spread import between_runs

AXIS = "aa"
A_SIDE = 3
"""Rounds on either side of a comparison of the same."""
NEWEST = 24
"""Rounds that are looked at, the newest ones: what was so a year ago says little, and every comparison takes time."""

_ROUNDS = """
select sweep_id, sweep_value as round, run_id, plan
from runs
where sweep_axis = 'aa' and status = 'finished' and verdict <> 'INVALID' and workload_hash = '{}'
order by sweep_id, round, run_id
"""
_LEVELS = """
select run_id, metric, ln(median_of(value)) as level
from measurements
where target = '{}'
group by run_id, metric
having median_of(value) > 0
order by run_id, metric
"""


def realised(
    results: str | Path, target: str, workload_hash: str, *, confidence: float = 0.95
) -> dict[str, Any] | None:
    """What compare says of the newest runs of an unchanged target; None where none of them is stored.

    Keys: target, workload_hash, rounds, experiments; comparisons of the same (`nulls`) and alarms (those with a gated
    metric that was called CHANGED); share of alarms with Wilson's low and high (None without a comparison); spread:
    metric -> the fields of `stats.spread.Spread`, of ln(median) between rounds.
    """
    results = Path(results)
    experiments = _experiments(results, target, workload_hash)
    runs = [run for rounds in experiments for run in rounds]
    if not runs:
        return None
    rules = planned_rules(results, runs[-1])
    pairs = [pair for rounds in experiments for pair in nulls(target, rounds)]
    held = Held.of(results, runs, workload_hash)
    alarms = sum(_alarm(results, pair, rules, held) for pair in pairs)
    share = wilson(alarms, len(pairs), confidence)
    return {
        "target": target,
        "workload_hash": workload_hash,
        "experiments": len(experiments),
        "rounds": len(runs),
        "comparisons": len(pairs),
        "alarms": alarms,
        "share": share.share,
        "low": 0.0 if share.count == 0 and pairs else share.low,
        "high": share.high,
        "spread": _spreads(results, target, experiments),
    }


def taught(results: str | Path, runs: Collection[str], targets: Iterable[str]) -> list[dict[str, Any]]:
    """What `realised` knows of each of these targets at the workload of these runs; nothing without `aa` rounds."""
    of_them = {row["workload_hash"] for row in select(Path(results), "select workload_hash from runs", runs=set(runs))}
    rounds = select(Path(results), "select distinct workload_hash from runs where sweep_axis = 'aa'")
    known = sorted(row["workload_hash"] for row in rounds if row["workload_hash"] in of_them)
    names = sorted({name.removesuffix(AGAIN) for name in targets})
    found = [realised(results, name, digest) for digest in known for name in names]
    return [row for row in found if row is not None]


def _experiments(results: Path, target: str, workload_hash: str) -> list[list[str]]:
    """The newest runs of each experiment with this target, in order of rounds."""
    rows = [
        row
        for row in select(results, _ROUNDS.format(_literal(workload_hash)))
        if f'"{target}{AGAIN}"' in (row["plan"] or "")
    ]
    found: dict[str, list[str]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: str(row["run_id"]))[-NEWEST:]:
        found[row["sweep_id"]].append(row["run_id"])
    return list(found.values())


def nulls(target: str, rounds: Sequence[str]) -> Iterator[tuple[Side, Side]]:
    """Sides that are the same, of an experiment's runs in order of rounds: of every three rounds the target against its
    twin, and of every six the first three against the last three. A round is in one comparison of each kind; with
    fewer rounds a side a comparison could hardly call anything CHANGED, and would teach nothing."""
    groups = [tuple(rounds[start : start + A_SIDE]) for start in range(0, len(rounds) - A_SIDE + 1, A_SIDE)]
    for group in groups:
        yield _side(group, target), _side(group, f"{target}{AGAIN}")
    for before, after in zip(groups[::2], groups[1::2], strict=False):
        yield _side(before, target), _side(after, target)


def _side(runs: tuple[str, ...], target: str) -> Side:
    return Side(f"{' '.join(runs)} target={target}", runs, target)


def _alarm(results: Path, pair: tuple[Side, Side], rules: Rules, held: Held) -> bool:
    rows = compare_sides(results, *pair, rules, held=held).rows
    return any(row["gated"] and row["verdict"].startswith("CHANGED") for row in rows)


def _spreads(results: Path, target: str, experiments: Sequence[Sequence[str]]) -> Mapping[str, dict[str, Any]]:
    """Metric -> spread between rounds; a metric without two rounds in any experiment is left out."""
    runs = [run for rounds in experiments for run in rounds]
    levels: dict[str, dict[str, float]] = defaultdict(dict)
    for row in select(results, _LEVELS.format(_literal(target)), runs=runs):
        levels[row["metric"]][row["run_id"]] = row["level"]
    groups = {
        metric: [[of[run] for run in rounds if run in of] for rounds in experiments] for metric, of in levels.items()
    }
    found = {metric: between_runs(of) for metric, of in groups.items()}
    return {metric: asdict(spread) for metric, spread in found.items() if spread is not None}


def _literal(text: str) -> str:
    return text.replace("'", "''")
