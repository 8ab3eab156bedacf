"""steps: the models were asked no more often than that.

at_most: required; at_least: none by default. A step is a model call that was answered, of whichever agent; a call that
failed and was tried again is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from benchbook.scoring.counting import LIMITS, limits_fault, within

if TYPE_CHECKING:
    from benchbook.scoring import Done

OPTIONS = LIMITS


def needs(answers: tuple[str, ...], options: Mapping[str, Any]) -> str | None:  # noqa: ARG001 - a scorer's signature
    return limits_fault(options) if options else "steps needs at_most"


def score(options: Mapping[str, Any], done: Done) -> tuple[float, bool, str]:
    answered = [step for step in done.steps if step.kind in ("thought", "answer") and step.status == "ok"]
    return within(options, len(answered), "a model answered")
