"""What one trial does. One kind, one file, one line in `WORKLOADS`.

A workload gets the planned trial, a desk (what it may use) and a slot (its place in the load), and returns the
finished trial. It never raises for a provider's failure: that is a row.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from benchbook.providers import Provider
from benchbook.providers.calls import Asked, RawCall
from benchbook.providers.retry import RetryPolicy
from benchbook.providers.transport import Transport
from benchbook.records import TEAM_WORKLOADS, Answer, Call, ModelRequest, PlannedTrial, Team, Trial, Turn

if TYPE_CHECKING:
    from benchbook.workloads.approvers import Approver

WORKLOADS: Mapping[str, str] = {
    "agent": "benchbook.workloads.agent",
    "api": "benchbook.workloads.api",
    "multi_agent": "benchbook.workloads.multi_agent",
    "session": "benchbook.workloads.session",
    "workflow": "benchbook.workloads.workflow",
}


T = TypeVar("T")


class Slot(Protocol):
    """A trial's place in the load. `intended_ns`: when it should have been taken up."""

    intended_ns: int

    def release(self, at_ns: int) -> None:
        """The exchange is over: the place is free from `at_ns` on. Further calls do nothing."""
        ...

    async def retake(self) -> None:
        """Wait for a place again (a retry that was found necessary after the release)."""
        ...


class Service(Protocol):
    """The breaker of a service that agents use. closed: nobody has to wait."""

    @property
    def state(self) -> str: ...

    @property
    def closed(self) -> bool: ...

    async def admitted(self, deadline_ns: int) -> bool:
        """Wait until a use may begin; False if `deadline_ns` comes first."""
        ...

    def heard(self, began_ns: int, ended_ns: int, error_kind: str | None) -> None:
        """A use has ended."""
        ...


class Desk(Protocol):
    """What a workload may use."""

    timeout_s: float
    retries: RetryPolicy
    transport: Transport

    def request(self, trial: PlannedTrial) -> ModelRequest: ...

    def later(self, trial: PlannedTrial) -> tuple[Turn, ...]:
        """The user's turns after the one that `request` asks."""
        ...

    def team(self, trial: PlannedTrial) -> Team:
        """Who works on this trial. Raises KeyError for a workload without agents."""
        ...

    def scratch(self, trial: PlannedTrial) -> Path:
        """The folder that this trial's tools may write to; made when it is first asked for."""
        ...

    @property
    def folder(self) -> Path:
        """The run's own folder."""
        ...

    @property
    def approver(self) -> Approver:
        """Who decides about what workflows want approved."""
        ...

    def service(self, name: str) -> Service | None:
        """The breaker of a service; None where the plan's own holds its calls back already."""
        ...

    def shared(self, name: str, make: Callable[[], T]) -> T:
        """What all trials of this process share under that name, made when it is first asked for."""
        ...

    def at_close(self, call: Callable[[], None]) -> None:
        """Have something called once, when the last trial is over."""
        ...

    def provider(self, target: str) -> Provider: ...

    def holds(self, target: str) -> bool:
        """Whether the target's breaker holds calls back now."""
        ...

    async def admitted(self, target: str, deadline_ns: int) -> bool:
        """Wait until a retry may begin; False if its trial's time is up before."""
        ...

    async def attempt(self, provider: Provider, request: ModelRequest, asked: Asked) -> RawCall: ...

    async def decode(self, raw: RawCall) -> tuple[Call, Answer]: ...

    def hear(self, target: str, call: Call) -> None:
        """Tell the target's breaker how a call ended that `attempt` did not make."""
        ...


Workload = Callable[[PlannedTrial, Desk, Slot], Awaitable[Trial]]


@cache
def workload(kind: str) -> Workload:
    """The workload of that kind, imported on first use. Raises KeyError for an unknown one."""
    return cast("Workload", import_module(WORKLOADS[kind]).run)


async def ready(kind: str, desk: Desk, targets: Iterable[str]) -> None:
    """Have at hand what trials of that kind use: its code, and an SDK's clients. Raises PlanError."""
    workload(kind)
    if kind in TEAM_WORKLOADS:
        await import_module("benchbook.workloads.team.building").ready(desk, targets)
    if kind == "multi_agent":
        import_module("benchbook.workloads.arrangements").ready()
