"""The values that comparisons stand on: run by run, target by target, a list per test case and metric."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchbook.metrics import AGENT_METRICS, LATENCY_METRICS

FAILURE_SHARE = "failure_share"
_OF_SUCCESSES = (*LATENCY_METRICS, *AGENT_METRICS, "score", "cost_usd")

CASES = f"""
select
    run_id, target, workload, dataset, test_id, team, prompt_sha256,
    list((status <> 'success')::int::double) filter (where status <> 'skipped') as {FAILURE_SHARE},
    {", ".join(f"list({m}) filter (where status = 'success' and {m} is not null) as {m}" for m in _OF_SUCCESSES)}
from trials
where phase = 'measured'
group by run_id, target, workload, dataset, test_id, team, prompt_sha256
order by all
"""  # noqa: S608 (names of columns, all our own)
"""Of the measured trials of runs: a row per run, target, workload and test case, with a list per metric."""


class Where(NamedTuple):
    """Whose trials: one target's, of one workload."""

    target: str
    workload: str


@dataclass(frozen=True, slots=True)
class Values:
    """Rows of (case, metrics) by run and by target and workload."""

    cases: Mapping[tuple[str, Where], Sequence[Mapping[str, Any]]]

    def held(self, run_id: str) -> set[Where]:
        """What the run has measured trials of."""
        return {where for run, where in self.cases if run == run_id}

    def run(
        self, run_id: str, where: Where, metric: str, prompts: Collection[str] | None = None
    ) -> dict[tuple[str, ...], Sequence[float]]:
        """Test case -> the metric of its trials. With `prompts` only those, and cases go by their prompt instead of by
        their name."""
        found: dict[tuple[str, ...], Sequence[float]] = {}
        for row in self.cases.get((run_id, where), ()):
            values, team = row[metric], row["team"] or ""
            if not values:
                continue
            if prompts is None:
                key: tuple[str, ...] = (row["dataset"] or "", row["test_id"] or "", team)
            elif row["prompt_sha256"] in prompts:
                key = (row["prompt_sha256"], team)
            else:
                continue
            found[key] = [*found[key], *values] if key in found else values
        return found

    def count(self, runs: Iterable[str], where: Where, metric: str) -> int:
        """How many values there are."""
        return sum(len(row[metric] or ()) for run in runs for row in self.cases.get((run, where), ()))

    def share_failed(self, runs: Iterable[str], where: Where) -> float | None:
        """The share of attempted trials that failed or timed out; None where none was attempted."""
        found = [v for run in runs for row in self.cases.get((run, where), ()) for v in row[FAILURE_SHARE] or ()]
        return sum(found) / len(found) if found else None


def by_run(rows: Iterable[Mapping[str, Any]]) -> Values:
    """The rows of CASES as values."""
    found: dict[tuple[str, Where], list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault((row["run_id"], Where(row["target"], row["workload"])), []).append(row)
    return Values(found)
