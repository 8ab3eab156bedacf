"""Decides by a script, after a delay that is drawn from a seed: a person that can be repeated.

Its delay is part of the workload, like a simulated provider's: the trial keeps its place in the load meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, ClassVar, TypeVar

from benchbook.clock import SystemClock, monotonic_ns, sleep_until
from benchbook.records import ApprovalRequest, Decision

_SECOND_NS = 1_000_000_000
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Scripted:
    """See `config.approvals.ScriptedApprover` for the fields."""

    kind: ClassVar[str] = "scripted"
    frees_place: ClassVar[bool] = False
    delay_s: float = 0.05
    jitter_s: float = 0.0
    approve: Sequence[bool] = (True,)
    feedback: Sequence[str] = ()
    timeout_s: float | None = None
    seed: int | None = None

    def delay_of(self, request: ApprovalRequest) -> float:
        """The seconds that this request takes: a matter of the seeds, the step and its number alone."""
        seed = request.seed if self.seed is None else f"{self.seed}/{request.trial_id}"
        return self.delay_s + Random(f"{seed}/{request.step}/{request.number}").uniform(0, self.jitter_s)  # noqa: S311

    async def decide(self, request: ApprovalRequest) -> Decision:
        delay_s = self.delay_of(request)
        late = self.timeout_s is not None and delay_s > self.timeout_s
        waited_s = self.timeout_s if late and self.timeout_s is not None else delay_s
        await sleep_until(monotonic_ns() + round(waited_s * _SECOND_NS))
        now_ns = SystemClock().wall_ns()
        if late:
            return Decision("timeout", "nobody", self.kind, "", now_ns)
        verdict = "approved" if _nth(self.approve, request.number, default=True) else "rejected"
        return Decision(verdict, "script", self.kind, _nth(self.feedback, request.number, default=""), now_ns)

    def leave(self) -> None:
        """Nobody waits for a person."""


def _nth(items: Sequence[_Item], number: int, *, default: _Item) -> _Item:
    """The n-th item, the last one beyond the end."""
    return items[min(number, len(items) - 1)] if items else default


def opened(fields: Mapping[str, Any], _folder: Path) -> Scripted:
    """The approver with these fields of the plan."""
    return Scripted(**fields)
