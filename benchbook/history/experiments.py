"""The rounds of an experiment as stored: what each cost, what it came to, and how far B lay from A in it.

A round is a run in which A and B took turns, so that its own drift hits both: the difference of the two sides' levels
in one round is one observation, and rounds are the replicates.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchbook.history.questions import ask, select
from benchbook.stats.sequential import sequential

WATCHED = ("ttft_ms", "e2e_ms", "decode_ms_per_token", "wall_ms")
"""Metrics that an early stop looks at: of agents' trials the last, of all others the first three."""
OF_AGENTS = ("agent", "multi_agent", "workflow")

_ROUNDS = """
select r.run_id, r.sweep_value::bigint as round, r.status, r.verdict, r.workload_hash, r.reasons,
       t.target, count(*) filter (where t.status = 'success' and t.phase = 'measured') as succeeded,
       count(*) filter (where t.status <> 'skipped' and t.phase = 'measured') as attempted,
       sum(t.cost_usd) as spent_usd
from runs as r join trials as t on t.run_id = r.run_id
group by all
order by round, r.run_id, t.target
"""


@dataclass(frozen=True, slots=True)
class Pair:
    """The two sides' target names."""

    a: str
    b: str


@dataclass(frozen=True, slots=True)
class Look:
    """What the rounds so far say of one metric. low, high: of B / A, valid however often one looks; word: `different`,
    `alike` (within the margin) or `open`."""

    workload: str
    metric: str
    rounds: int
    ratio: float
    low: float | None
    high: float | None
    p: float
    word: str

    def fields(self) -> dict[str, Any]:
        return asdict(self)


def rounds(results: str | Path, runs: Sequence[str], pair: Pair) -> list[dict[str, Any]]:
    """A row per stored run of the experiment, in order of rounds: round, run_id, status, verdict, reasons,
    workload_hash, spent_usd (None where no cost is known), `a` and `b` (succeeded, attempted), and ratios: workload and
    metric -> B / A of the levels (geometric mean over test cases of the case's median)."""
    if not runs:
        return []
    found: dict[str, dict[str, Any]] = {}
    for row in select(Path(results), _ROUNDS, runs=tuple(runs)):
        run = found.setdefault(row["run_id"], _round(row))
        if row["target"] in (pair.a, pair.b):
            side = "a" if row["target"] == pair.a else "b"
            run[side] = {"succeeded": row["succeeded"], "attempted": row["attempted"]}
        if row["spent_usd"] is not None:
            run["spent_usd"] = (run["spent_usd"] or 0.0) + row["spent_usd"]
    for key, by_run in differences(results, runs, pair).items():
        for run_id, difference in by_run.items():
            found[run_id]["ratios"][key] = math.exp(difference)
    return list(found.values())


def _round(row: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("round", "run_id", "status", "verdict", "reasons", "workload_hash")
    nobody = {"succeeded": 0, "attempted": 0}
    return {**{name: row[name] for name in kept}, "spent_usd": None, "a": nobody, "b": nobody, "ratios": {}}


def differences(results: str | Path, runs: Sequence[str], pair: Pair) -> dict[tuple[str, str], dict[str, float]]:
    """(workload, metric) -> run -> B minus A of the log levels, of watched metrics and of runs that hold both."""
    levels: dict[tuple[str, str], dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for row in ask("levels", results, runs=tuple(runs)):
        if row["target"] in (pair.a, pair.b) and _is_watched(row) and row["case_level"] is not None:
            levels[row["workload"], row["metric"]][row["run_id"]][row["target"]] = row["case_level"]
    return {
        key: {run: of[pair.b] - of[pair.a] for run in runs if len(of := by_run.get(run, {})) == 2}
        for key, by_run in levels.items()
    }


def _is_watched(row: Mapping[str, Any]) -> bool:
    return row["metric"] in WATCHED and (row["metric"] == "wall_ms") == (row["workload"] in OF_AGENTS)


def looks(
    results: str | Path, runs: Sequence[str], pair: Pair, *, confidence: float = 0.95, margin: float = 0.05
) -> list[Look]:
    """What finished rounds say by now, metric by metric, at one error rate for all of them however often one looks.

    runs: whole rounds, in order of time. The e-process of `stats.sequential` bets on the signs of the differences.
    """
    found = {key: list(of.values()) for key, of in differences(results, runs, pair).items()}
    found = {key: of for key, of in found.items() if of}
    alpha = (1 - confidence) / max(1, len(found))
    return [_look(key, of, alpha, math.log1p(margin)) for key, of in sorted(found.items())]


def _look(key: tuple[str, str], of: Sequence[float], alpha: float, margin: float) -> Look:
    said = sequential(of, alpha=alpha)
    mean = math.fsum(of) / len(of)
    word = "different" if said.clear() and abs(mean) > margin else "alike" if said.inside(margin) else "open"
    low, high = (None if bound is None else math.exp(bound) for bound in (said.low, said.high))
    return Look(*key, len(of), math.exp(mean), low, high, said.p, word)


def settled(found: Sequence[Look]) -> str:
    """Why the experiment may stop: a metric differs, or all are alike; "" where neither is known."""
    different = [look for look in found if look.word == "different"]
    if different:
        said = ", ".join(f"{look.metric} x {look.ratio:.3g} ({look.workload})" for look in different)
        return f"B differs from A: {said}"
    if found and all(look.word == "alike" for look in found):
        return f"B is like A in {', '.join(dict.fromkeys(look.metric for look in found))}"
    return ""
