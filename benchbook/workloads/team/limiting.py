"""Limits of a team and of its members, looked at before each model call and handoff.

A limit of the team's ends the trial; a member's own ends that member's invocation, and the others go on. Tokens and
money are those of calls that are over and decoded: the call that passes a limit is the last one, and nothing waits for
calls that others have under way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchbook.clock import monotonic_ns
from benchbook.measure.cost import cost_usd
from benchbook.records import Call
from benchbook.records.teams import Limits

if TYPE_CHECKING:
    from benchbook.workloads.team.work import Work

_SECOND_NS = 1_000_000_000
Stop = tuple[str, str]
"""By which limit (steps, tokens, time, usd, handoffs), and a line that says it."""


async def refuses_step(work: Work, agent: str, since_ns: int) -> Stop | None:
    """Why an agent that was asked at `since_ns` may not make another model call now; None if it may."""
    own = work.team.member(agent).limits
    if work.stopped_by is None:
        if _counts_spending(work.team.limits) or (own is not None and _counts_spending(own)):
            await work.settled()
        found = _reached(work, work.team.limits, work.finished_calls, work.steps)
        if found is not None:
            work.stop(found[0], f"{found[1]} of the team is reached")
        elif monotonic_ns() >= work.deadline_ns:
            work.out_of_time()
    if work.stopped_by is not None:
        return work.stopped_by, work.stopped_how
    return None if own is None else _refused_by_own(work, own, agent, since_ns)


def _refused_by_own(work: Work, own: Limits, agent: str, since_ns: int) -> Stop | None:
    calls = [call for call in work.finished_calls if call.agent == agent]
    found = _reached(work, own, calls, work.steps_of.get(agent, 0))
    if found is None and own.time_s is not None and monotonic_ns() - since_ns >= own.time_s * _SECOND_NS:
        found = "time", f"the limit of {own.time_s:g} s"
    return None if found is None else (found[0], f"{found[1]} of {agent} is reached")


def _counts_spending(limits: Limits) -> bool:
    return limits.tokens is not None or limits.usd is not None


def _reached(work: Work, limits: Limits, calls: list[Call], steps: int) -> Stop | None:
    """The first of the limits that steps and calls have reached."""
    if steps >= limits.steps:
        return "steps", f"the limit of {limits.steps} steps"
    if limits.tokens is not None:
        tokens = sum((call.usage.input or 0) + (call.usage.output or 0) for call in calls)
        if tokens >= limits.tokens:
            return "tokens", f"the limit of {limits.tokens} tokens ({tokens} were used)"
    if limits.usd is not None:
        spent = spent_usd(work, calls)
        if spent >= limits.usd:
            return "usd", f"the limit of {limits.usd:g} USD ({spent:.6f} were spent)"
    return None


def spent_usd(work: Work, calls: list[Call]) -> float:
    """What calls have cost as far as that is known, each at the price of the target that its agent asks."""
    targets = {member.name: member.target or work.planned.target for member in work.team.members}
    prices = {name: work.desk.provider(target).target.price for name, target in targets.items()}
    return sum(cost_usd(prices[call.agent], call.usage)[0] or 0.0 for call in calls)
