"""used_tool: a tool was used often enough, and not too often.

tool: its name; at_least: 1 by default; at_most: no limit by default; succeeded: true counts only the uses that did
not fail (by default all count). Every try counts, a repeated one too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from benchbook.scoring.counting import LIMITS, limits_fault, within

if TYPE_CHECKING:
    from benchbook.scoring import Done

OPTIONS = {"tool": str, **LIMITS, "succeeded": bool}


def needs(answers: tuple[str, ...], options: Mapping[str, Any]) -> str | None:  # noqa: ARG001 - a scorer's signature
    return limits_fault(options) if options.get("tool") else "used_tool needs the name of a tool"


def score(options: Mapping[str, Any], done: Done) -> tuple[float, bool, str]:
    name = options["tool"]
    uses = [step for step in done.steps if step.is_tool(name)]
    if options.get("succeeded", False):
        uses = [step for step in uses if step.status == "ok"]
    return within(options, len(uses), f"{name} was used")
