"""How a comparison is judged: the plan says it under `aggregate`, and who compares may say otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from benchbook.config import AggregateSection
from benchbook.history.frozen import frozen
from benchbook.history.questions import run_row
from benchbook.stats.verdicts import Margins

GATED = (
    "ttft_ms",
    "e2e_ms",
    "e2e_ms:p95",
    "decode_ms_per_token",
    "wall_ms",
    "wall_ms:p95",
    "score",
    "failure_share",
    "cost_usd",
)
"""What a gate looks at where nothing else is said, as far as it is there."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How a comparison is judged. gate: metrics (`e2e_ms`, `e2e_ms:p95`); None for those of GATED that are there."""

    confidence: float = 0.95
    margins: Margins = field(default_factory=Margins)
    gate: tuple[str, ...] | None = None


def planned_rules(results: str | Path, run_id: str) -> Rules:
    """The rules that the plan of this run gives. Raises UnknownRunError."""
    plan = frozen(run_row(results, run_id).get("plan"))
    said = plan.get("sections", {}).get("aggregate", {})
    section = AggregateSection.model_validate({k: v for k, v in said.items() if k in AggregateSection.model_fields})
    margins = Margins(section.margin_median, section.margin_p95, section.margin_share)
    return Rules(section.confidence, margins, section.gate or None)
