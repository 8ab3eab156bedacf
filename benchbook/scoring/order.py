"""order: tools were used one after the other, in this order, whatever else was used in between.

tools: their names, at least two. Each has to begin after the one before it has ended, so two that ran side by side
are in no order. The value is the share of the list that was found from its beginning on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchbook.scoring import Done

OPTIONS = {"tools": list}


def needs(answers: tuple[str, ...], options: Mapping[str, Any]) -> str | None:  # noqa: ARG001 - a scorer's signature
    tools = options.get("tools", ())
    if len(tools) < 2 or not all(isinstance(tool, str) and tool for tool in tools):
        return "order needs tools: a list of at least two names"
    return None


def score(options: Mapping[str, Any], done: Done) -> tuple[float, bool, str]:
    tools: list[str] = options["tools"]
    free_ns: int | None = None
    for place, name in enumerate(tools):
        ends = [
            step.ended_ns
            for step in done.steps
            if step.is_tool(name) and (free_ns is None or step.started_ns >= free_ns)
        ]
        if not ends:
            after = f" after {', '.join(tools[:place])}" if place else ""
            return place / len(tools), False, f"{name} was not used{after}"
        free_ns = min(ends)
    return 1.0, True, f"used in order: {', '.join(tools)}"
