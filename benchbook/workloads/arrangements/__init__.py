"""How a team works together. One arrangement, one file, one line in `ARRANGEMENTS`; each is what Strands offers users.

An arrangement gets a trial's `Work` and says what was reached. A member's failure is a span, and what the SDK makes of
it decides: a supervisor is told of it and goes on, a graph and a swarm end.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from benchbook.workloads.team.work import Reached, Work

ARRANGEMENTS: Mapping[str, str] = {
    "supervisor": "benchbook.workloads.arrangements.supervisor",
    "graph": "benchbook.workloads.arrangements.graph",
    "swarm": "benchbook.workloads.arrangements.swarm",
}

Arrangement = Callable[["Work"], Awaitable["Reached"]]


def ready() -> None:
    """Import every arrangement: no trial pays for it."""
    for kind in ARRANGEMENTS:
        arrangement(kind)


def arrangement(kind: str) -> Arrangement:
    """The arrangement of that kind, imported on first use. Raises KeyError for an unknown one."""
    return cast("Arrangement", import_module(ARRANGEMENTS[kind]).work_together)
