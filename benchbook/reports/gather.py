"""What a report of one run is about, asked of the history once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchbook.errors import UnknownRunError
from benchbook.history import ask

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RunView:
    """A run as rows: itself, its targets, and what went wrong. Keys are the questions' columns."""

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


def gather(
    results: str | Path, run_id: str, *, slos: Mapping[str, float] | None = None, confidence: float = 0.95
) -> RunView:
    """Everything that a report shows of `run_id`. Raises UnknownRunError where no table holds it."""
    runs = _of(run_id, "overview", results)
    if not runs:
        raise UnknownRunError(str(results), f"no stored run {run_id}", "see `benchbook runs`")
    return RunView(
        run=runs[0],
        targets=_of(run_id, "summary", results, confidence=confidence),
        throughput=_by_target(_of(run_id, "throughput", results)),
        goodput=_by_target(_of(run_id, "goodput", results, slos=dict(slos) if slos else None)),
        costs=_by_target(tuple(row for row in _of(run_id, "tokens_cost", results) if row["phase"] == "measured")),
        errors=_of(run_id, "errors", results),
        checks=_of(run_id, "quality", results),
        slowest=_of(run_id, "slowest", results, top=10),
        scores=_of(run_id, "scores", results),
        curves=_of(run_id, "curves", results),
        failures=_of(run_id, "failures", results),
        skipped=_of(run_id, "skipped", results),
        low_scores=_of(run_id, "low_scores", results, top=5),
        confidence=confidence,
    )


def _of(run_id: str, question: str, results: str | Path, **settings: Any) -> tuple[Row, ...]:
    return tuple(ask(question, results, runs=(run_id,), **settings))


def _by_target(rows: tuple[Row, ...]) -> dict[str, Row]:
    return {str(row["target"]): row for row in rows}
