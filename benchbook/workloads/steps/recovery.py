"""A member's piece of work, tried again when it fails: a fresh agent each time, a back-off with full jitter between.

What another try can't mend (a wrong key, a limit, the end of the trial's time) is not tried again. Before a try the
breaker of the member's target is asked; what its calls came to is what the breaker hears.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Generic, TypeVar

from benchbook.clock import monotonic_ns, sleep_until
from benchbook.providers.retry import RetryPolicy
from benchbook.records import Member
from benchbook.workloads.attempts import SECOND_NS, STAYED_OPEN
from benchbook.workloads.steps.planning import PlanRefusedError
from benchbook.workloads.team.building import answer, build
from benchbook.workloads.team.collector import Opening
from benchbook.workloads.team.services import admitted
from benchbook.workloads.team.work import Reached, Work

FINAL = frozenset({"auth", "bad_request", "not_found", "timeout", "cancelled", "local", "limit", "tls", "unresolved"})
"""Error kinds of an agent that another try can't mend."""
T = TypeVar("T")


@dataclass(slots=True)
class Tried(Generic[T]):
    """What came of it. value: what the accepted answer was read as; None where `reached` says how it failed."""

    reached: Reached
    value: T | None = None
    attempts: int = 0
    reported: dict[str, float] = field(default_factory=dict)


async def tried(
    work: Work, member: Member, span: Opening, ask: Callable[[str], str], read: Callable[[str], T]
) -> Tried[T]:
    """Have the member answer under the span, up to the team's `agent_attempts` times.

    ask: the prompt, given what was wrong with the last answer ("" at first); read: what an answer means, raises
    PlanRefusedError for one that can't be used, which is asked for again at once.
    """
    tries = work.team.retries
    policy = RetryPolicy(tries.agent_attempts, tries.base_s, tries.cap_s)
    chance = Random(f"{work.planned.seed}/{span.name}")  # noqa: S311 - of back-offs
    found: Tried[T] = Tried(Reached())
    refused = ""
    while True:
        found.attempts += 1
        found.reached = await _once(work, member, span, ask(refused), found.reported)
        refused = ""
        if found.reached.error_kind is None:
            try:
                found.value = read(found.reached.text)
            except PlanRefusedError as error:
                refused = str(error)
                said = f"after {found.attempts} attempts: {refused}"
                found.reached = Reached(
                    error_kind="bad_plan", error_message=f"{member.name}'s plan can't be used {said}"
                )
            else:
                return found
        if found.attempts >= policy.attempts or found.reached.error_kind in FINAL or work.stopped_by is not None:
            return found
        if not refused and not await _backed_off(work, found, policy.ceiling_s(found.attempts) * chance.random()):
            return found


async def _once(work: Work, member: Member, span: Opening, prompt: str, reported: dict[str, float]) -> Reached:
    target = member.target or work.planned.target
    service = work.desk.service(target)
    if service is not None and not await admitted(work, service, target):
        return Reached(error_kind="timeout", error_message=f"{member.name}: {STAYED_OPEN}")
    known = {call.call_id for call, _ in work.collector.under(span)[1]}
    agent = build(work, member)
    reached = await answer(work, agent, prompt)
    await work.decoded(span)
    for name, value in work.figures[agent].items():
        reported[name] = reported.get(name, 0.0) + value
    for call, _ in work.collector.under(span)[1]:
        if service is not None and call.call_id not in known:
            began_ns = call.closed_ns if call.sent_ns is None else call.sent_ns
            service.heard(began_ns, call.closed_ns, call.error_kind)
    if reached.error_kind is None and not reached.text.strip():
        return Reached(error_kind="empty", error_message=f"{member.name}'s answer has no text")
    return reached


async def _backed_off(work: Work, found: Tried[T], wait_s: float) -> bool:
    """Wait before the next try; False where the trial's time would be up."""
    from_ns = monotonic_ns()
    if from_ns + wait_s * SECOND_NS >= work.deadline_ns:
        return False
    with work.collector.inside("rate_limit_wait", f"back-off after {found.reached.error_kind}") as waiting:
        waiting.says("", attempt=found.attempts, wait_s=round(wait_s, 6))
        await sleep_until(from_ns + round(wait_s * SECOND_NS))
    return True
