"""Waiting for a service's breaker inside a trial: a `rate_limit_wait` span, where there is something to wait for."""

from __future__ import annotations

from benchbook.workloads import Service
from benchbook.workloads.team.work import Work


async def admitted(work: Work, service: Service, name: str | None) -> bool:
    """Wait until a use of the service may begin; False if the trial's time is up before."""
    if service.closed:
        return await service.admitted(work.deadline_ns)
    with work.collector.inside("rate_limit_wait", f"breaker of {name}") as waiting:
        waiting.detail["found"] = service.state
        let_in = await service.admitted(work.deadline_ns)
        waiting.says("", left=service.state, let_in=let_in)
    return let_in
