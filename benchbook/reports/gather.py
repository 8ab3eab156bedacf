"""What a report of one run is about, asked of the history once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchbook.errors import UnknownRunError
from benchbook.history import ask, ask_many, run_row
from benchbook.history.frozen import frozen
from benchbook.records import TEAM_WORKLOADS

Row = Mapping[str, Any]
_TOP = 5
"""Rows of a listing, by target."""
_ASKED = (
    "overview",
    "summary",
    "throughput",
    "goodput",
    "tokens_cost",
    "errors",
    "quality",
    "slowest",
    "scores",
    "curves",
    "failures",
    "skipped",
    "low_scores",
    "prompt_size",
    "attempts",
    "perceived",
    "throttling",
    "wasted",
    "chunk_gaps",
    "stalls",
)


@dataclass(frozen=True, slots=True)
class RunView:
    """A run as rows: itself, its targets, and what went wrong. Keys are the questions' columns.

    agents: the question `agent_summary`, where a workload is an agent's; goodput, costs: by `key` of a row.
    """

    run: Row
    targets: tuple[Row, ...]
    throughput: Mapping[str, Row]
    goodput: Mapping[str, Row]
    costs: Mapping[str, Row]
    errors: tuple[Row, ...]
    checks: tuple[Row, ...]
    slowest: tuple[Row, ...]
    scores: tuple[Row, ...]
    curves: tuple[Row, ...]
    failures: tuple[Row, ...]
    skipped: tuple[Row, ...]
    low_scores: tuple[Row, ...]
    confidence: float = 0.95
    prompt_sizes: tuple[Row, ...] = ()
    attempts: tuple[Row, ...] = ()
    perceived: tuple[Row, ...] = ()
    throttling: tuple[Row, ...] = ()
    wasted: tuple[Row, ...] = ()
    chunk_gaps: tuple[Row, ...] = ()
    stalls: tuple[Row, ...] = ()
    agents: tuple[Row, ...] = ()

    @property
    def plain(self) -> tuple[Row, ...]:
        """The targets whose trials are single answers or conversations: those that have a TTFT."""
        return tuple(row for row in self.targets if row["workload"] not in TEAM_WORKLOADS)

    def key(self, row: Row) -> str:
        """Where `goodput` and `costs` have a row of a target: TARGET, or TARGET/WORKLOAD where there are several."""
        return _key(row, several=len({target["workload"] for target in self.targets}) > 1)


def gather(
    results: str | Path, run_id: str, *, slos: Mapping[str, float] | None = None, confidence: float = 0.95
) -> RunView:
    """Everything that a report shows of `run_id`. Raises UnknownRunError where no table holds it.

    slos: limits of a good trial; None takes those of the run's own plan.
    """
    limits = slos or own_limits(results, run_id)
    answers = ask_many(_ASKED, results, runs=(run_id,), slos=limits, confidence=confidence, top=_TOP)
    of = {question: tuple(rows) for question, rows in answers.items()}
    workloads = {row["workload"] for row in of["summary"]}
    several = len(workloads) > 1
    return RunView(
        run=of["overview"][0],
        targets=of["summary"],
        throughput=_by_target(of["throughput"]),
        goodput={_key(row, several=several): row for row in of["goodput"]},
        costs={_key(row, several=several): row for row in of["tokens_cost"] if row["phase"] == "measured"},
        errors=of["errors"],
        checks=of["quality"],
        slowest=of["slowest"],
        scores=of["scores"],
        curves=of["curves"],
        failures=of["failures"],
        skipped=of["skipped"],
        low_scores=of["low_scores"],
        confidence=confidence,
        prompt_sizes=of["prompt_size"],
        agents=tuple(ask("agent_summary", results, runs=(run_id,), confidence=confidence))
        if workloads & {*TEAM_WORKLOADS}
        else (),
        **{name: of[name] for name in ("attempts", "perceived", "throttling", "wasted", "chunk_gaps", "stalls")},
    )


def own_limits(results: str | Path, run_id: str) -> Mapping[str, float] | None:
    """`aggregate.slos` of the plan that the run was made with, None where it has none."""
    return _own(results, run_id).get("slos") or None


def own_confidence(results: str | Path, run_id: str) -> float:
    """`aggregate.confidence` of the plan that the run was made with. Raises UnknownRunError."""
    return float(_own(results, run_id).get("confidence") or 0.95)


def _own(results: str | Path, run_id: str) -> Mapping[str, Any]:
    """The section `aggregate` of the run's own plan."""
    try:
        plan = frozen(run_row(results, run_id)["plan"])
    except UnknownRunError:
        raise UnknownRunError(
            str(results),
            f"no stored run {run_id}",
            "see `benchbook runs`; `benchbook stage store` stores what is in the journal alone",
        ) from None
    section: Mapping[str, Any] = plan.get("sections", {}).get("aggregate", {})
    return section


def _key(row: Row, *, several: bool) -> str:
    return f"{row['target']}/{row['workload']}" if several else str(row["target"])


def _by_target(rows: tuple[Row, ...]) -> dict[str, Row]:
    return {str(row["target"]): row for row in rows}
