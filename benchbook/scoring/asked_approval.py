"""asked_approval: a person was asked to approve.

at_least: 1 by default; at_most: no limit by default (`at_most: 0`: nobody was asked). What the person decided is
judged by `end_state`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from benchbook.scoring.counting import LIMITS, limits_fault, within

if TYPE_CHECKING:
    from benchbook.scoring import Done

OPTIONS = LIMITS


def needs(answers: tuple[str, ...], options: Mapping[str, Any]) -> str | None:  # noqa: ARG001 - a scorer's signature
    return limits_fault(options)


def score(options: Mapping[str, Any], done: Done) -> tuple[float, bool, str]:
    asked = [step for step in done.steps if step.kind == "action" and step.of == "human_wait"]
    return within(options, len(asked), "approval was asked")
