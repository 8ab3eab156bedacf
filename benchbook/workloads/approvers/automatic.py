"""Says yes at once: what an approval's machinery costs, without the wait."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchbook.clock import SystemClock
from benchbook.records import ApprovalRequest, Decision


class Automatic:
    """feedback: what every approval says."""

    kind = "automatic"
    frees_place = False

    def __init__(self, feedback: str = "") -> None:
        self._feedback = feedback

    async def decide(self, _request: ApprovalRequest) -> Decision:
        return Decision("approved", "automatic", self.kind, self._feedback, SystemClock().wall_ns())

    def leave(self) -> None:
        """Nobody waits for a person."""


def opened(fields: Mapping[str, Any], _folder: Path) -> Automatic:
    """The approver with these fields of the plan."""
    return Automatic(**fields)
