"""What comparable runs hold of each target, trial by trial, gathered by test case: what recommending stands on.

A contender is a target under a workload. Warm-ups are left out; skipped trials were never sent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from benchbook.measure.provenance import Known
from benchbook.records import TEAM_WORKLOADS

Row = Mapping[str, Any]
Case = tuple[str, str]
"""(dataset, test id)."""

TRIALS = """
with judged as (
    select run_id, trial_id, bool_and(passed) as passed
    from main.scores
    group by all)
select
    t.run_id, t.trial_id, t.target, t.workload, t.dataset, t.test_id, t.provider, t.model, t.status, t.score, j.passed,
    t.ttft_ms, t.e2e_ms, t.wall_ms, t.cost_usd, t.provenance['cost_usd'] as cost_how, t.price_date,
    t.tokens_in, t.tokens_cached, t.tokens_out, t.answer_chars, t.reference_chars
from trials as t left join judged as j on j.run_id = t.run_id and j.trial_id = t.trial_id
where t.phase = 'measured' and t.status <> 'skipped'
order by t.run_id, t.trial_id
"""


@dataclass
class CaseFacts:
    """The trials of one test case."""

    rows: list[Row] = field(default_factory=list)

    @cached_property
    def good(self) -> list[Row]:
        """Those that succeeded."""
        return [row for row in self.rows if row["status"] == "success"]


@dataclass(frozen=True)
class Contender:
    """A target under a workload, over the runs that are taken. cases: in order; costs: (run, trial) -> its cost."""

    target: str
    workload: str
    cases: Mapping[Case, CaseFacts]
    costs: Mapping[tuple[str, str], Known]

    @cached_property
    def rows(self) -> list[Row]:
        """Every attempted trial."""
        return [row for case in self.cases.values() for row in case.rows]

    @cached_property
    def good(self) -> list[Row]:
        """Every trial that succeeded."""
        return [row for case in self.cases.values() for row in case.good]

    @cached_property
    def runs(self) -> tuple[str, ...]:
        """The runs that asked it, oldest first."""
        return tuple(sorted({row["run_id"] for row in self.rows}))

    @property
    def latencies(self) -> tuple[str, ...]:
        """The latencies that it has: a team's trial has the whole trial's time, a call's own mean nothing for it."""
        return ("wall_ms",) if self.workload in TEAM_WORKLOADS else ("e2e_ms", "ttft_ms")

    @property
    def failed(self) -> int:
        """Attempted trials that failed or timed out."""
        return len(self.rows) - len(self.good)

    def names(self, column: str) -> tuple[str, ...]:
        """What its trials say in a column of names, in order."""
        return tuple(sorted({str(row[column]) for row in self.rows if row[column] is not None}))

    def values(self, column: str) -> dict[Case, list[float]]:
        """A number of its successes by case; cases without any are left out."""
        if column not in self._values:
            found = {
                case: [row[column] for row in facts.good if row[column] is not None]
                for case, facts in self.cases.items()
            }
            self._values[column] = {case: values for case, values in found.items() if values}
        return self._values[column]

    @cached_property
    def _values(self) -> dict[str, dict[Case, list[float]]]:
        return {}

    def scores(self) -> dict[Case, float]:
        """The mean score of each case that was scored."""
        return {case: sum(values) / len(values) for case, values in self.values("score").items()}

    @cached_property
    def graded(self) -> bool:
        """Whether some score is neither 0 nor 1."""
        return any(row["score"] not in (None, 0.0, 1.0) for row in self.good)

    def cost_of(self, row: Row) -> float | None:
        """What that trial cost."""
        return self.costs[row["run_id"], row["trial_id"]][0]

    @cached_property
    def cost_unknown(self) -> str | None:
        """Why no cost a trial can be said: the first reason for which a successful trial's cost is not known."""
        lacking = [row for row in self.good if self.cost_of(row) is None]
        if not lacking:
            return None if self.good else "no trial succeeded"
        why = self.costs[lacking[0]["run_id"], lacking[0]["trial_id"]][1].removeprefix("missing: ")
        return why if len(lacking) == len(self.good) else f"{why} ({len(lacking)} of {len(self.good)} trials)"

    @cached_property
    def case_costs(self) -> dict[Case, tuple[float, int]]:
        """Of each case with a success, the cost of its successes and how many they are. Only where all are known."""
        return {
            case: (sum(self.cost_of(row) or 0.0 for row in facts.good), len(facts.good))
            for case, facts in self.cases.items()
            if facts.good
        }


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a side takes of a run: one target or workload alone, or (None) all."""

    target: str | None
    workload: str | None

    def holds(self, row: Row) -> bool:
        """Whether the trial is of it."""
        return self.target in (None, row["target"]) and self.workload in (None, row["workload"])


def contenders(
    rows: Sequence[Row], wanted: Mapping[str, Sequence[Chosen]], costs: Mapping[tuple[str, str], Known] | None
) -> list[Contender]:
    """The contenders among these trials; costs: those to take in the place of the stored ones."""
    found: dict[tuple[str, str], dict[Case, CaseFacts]] = defaultdict(lambda: defaultdict(CaseFacts))
    known: dict[tuple[str, str], Known] = {}
    for row in rows:
        if not any(chosen.holds(row) for chosen in wanted[row["run_id"]]):
            continue
        found[row["workload"], row["target"]][row["dataset"], row["test_id"]].rows.append(row)
        trial = (row["run_id"], row["trial_id"])
        known[trial] = _stored(row) if costs is None else costs.get(trial, (None, "no call is stored"))
    return [
        Contender(target, workload, dict(sorted(cases.items())), known)
        for (workload, target), cases in sorted(found.items())
    ]


def rivals(found: Sequence[Contender]) -> Iterator[tuple[Contender, Contender]]:
    """Every pair under the same workload."""
    for place, a in enumerate(found):
        for b in found[place + 1 :]:
            if a.workload == b.workload:
                yield a, b


def _stored(row: Row) -> Known:
    if row["cost_usd"] is not None:
        return row["cost_usd"], "derived"
    how = str(row["cost_how"] or "")
    return None, how if how.startswith("missing") else "unknown"
