"""Who approves a workflow's results. One kind, one file, one line in `APPROVERS`.

An approver is asked and awaited by the one trial that waits; it decides, it never raises for a person's silence: that
is a decision too (`timeout`). `frees_place`: whether the trial gives its place in the load back while it waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from benchbook.records import ApprovalRequest, Decision

APPROVERS: Mapping[str, str] = {
    "automatic": "benchbook.workloads.approvers.automatic",
    "scripted": "benchbook.workloads.approvers.scripted",
    "human": "benchbook.workloads.approvers.human",
}


class Approver(Protocol):
    """Decides about requests, many at once."""

    kind: str
    frees_place: bool

    async def decide(self, request: ApprovalRequest) -> Decision: ...

    def leave(self) -> None:
        """No person is waited for any more: who waits, or asks from now on, is cancelled, and left to a resume."""
        ...


def approver(settings: Mapping[str, Any] | None, folder: Path) -> Approver:
    """The approver of a plan's `execute.approver` (its fields, `kind` among them; None: `automatic`).

    folder: of the run's approval requests. Raises KeyError for an unknown kind.
    """
    fields = dict(settings or {"kind": "automatic"})
    module = import_module(APPROVERS[fields.pop("kind")])
    return cast("Approver", module.opened(fields, folder))
