"""max_search_results: no search gave more hits than that.

at_most: required; tool: the tool that searches, `search` by default. A trial that never searched passes; a search that
failed gave none. How many hits a search gave is what the tool itself recorded (`hits`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchbook.scoring import Done

OPTIONS = {"at_most": int, "tool": str}


def needs(answers: tuple[str, ...], options: Mapping[str, Any]) -> str | None:  # noqa: ARG001 - a scorer's signature
    return None if options.get("at_most", -1) >= 0 else "max_search_results needs at_most, a number from 0 on"


def score(options: Mapping[str, Any], done: Done) -> tuple[float, bool, str]:
    searches = [step for step in done.steps if step.is_tool(options.get("tool", "search"))]
    counts = [step.detail.get("hits") for step in searches if step.status == "ok"]
    if not all(isinstance(count, int) for count in counts):
        return 0.0, False, "a search did not record how many hits it gave"
    most = max([count for count in counts if isinstance(count, int)], default=0)
    said = f"{len(searches)} search{'' if len(searches) == 1 else 'es'}, {most} hits at most"
    passed = most <= options["at_most"]
    return float(passed), passed, said if passed else f"{said}, {options['at_most']} wanted"
