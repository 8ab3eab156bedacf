"""From a member of a team to an agent of the SDK, and from a text to that agent's answer.

build(work, member, tools=(), hooks=()) -> strands.Agent      once per trial and member: agents keep their history
await answer(work, agent, text) -> Reached                    under the span that is around; never raises but a
                                                              cancellation
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from strands import Agent
from strands.types.exceptions import MaxTokensReachedException

from benchbook.records import Message, ModelRequest
from benchbook.records.teams import Member
from benchbook.workloads import Desk
from benchbook.workloads.team.collector import one_line
from benchbook.workloads.team.hooks import Watch, text_of
from benchbook.workloads.team.models import model
from benchbook.workloads.team.retries import Retries
from benchbook.workloads.team.tooling import BenchTool
from benchbook.workloads.team.work import Reached, Work, hush


def ready(desk: Desk, targets: Iterable[str]) -> None:
    """Before the first trial: have the SDKs imported and the targets' clients made. Raises PlanError."""
    hush()
    for name in targets:
        target = desk.provider(name).target
        request = ModelRequest(target.model, (Message("user", "?"),), params=target.params, stream=target.stream)
        Agent(model=model(desk, name, request), callback_handler=None)


def build(work: Work, member: Member, *, tools: Sequence[Any] = (), hooks: Sequence[Any] = ()) -> Agent:
    """The member as an agent: its model at its target, its own tools and `tools` (other agents), recorded by the
    trial's collector; `hooks` come after ours."""
    target = member.target or work.planned.target
    request = request_of(work, target)
    timeout_s = (member.limits or work.team.limits).tool_timeout_s
    return Agent(
        model=model(work.desk, target, request),
        name=member.name,
        agent_id=member.name,
        description=f"{member.role}. {member.goal}".strip(),
        system_prompt=_system(work, member),
        tools=[*(BenchTool(work, use, timeout_s) for use in member.tools), *tools],
        hooks=[Watch(work, member), *hooks],
        retry_strategy=Retries(work, target),
        callback_handler=None,
    )


async def answer(work: Work, agent: Agent, text: str) -> Reached:
    """The agent's answer to a text; a failure is a value."""
    try:
        result = await agent.invoke_async(text)
    except MaxTokensReachedException:
        return Reached(error_kind="agent", error_message="an answer reached max_tokens, where the SDK ends an agent")
    except Exception as error:  # noqa: BLE001 - whatever ended the agent is this trial's result
        return await failed(work, error)
    finally:
        report(work, agent)
    if (stop := work.stops.get(agent.name)) is not None:
        return stopped(*stop)
    if result.stop_reason == "cancelled":
        return Reached(error_kind="agent", error_message="the agent was cancelled")
    return Reached(text=text_of(result.message))


def stopped(by: str, how: str) -> Reached:
    """What there is to say of an answer that a limit took the place of."""
    return Reached(error_kind="limit", error_message=f"stopped: {how}", end_state={"stopped_by": by})


async def failed(work: Work, error: Exception) -> Reached:
    """What ended an agent: the last call's failure where there is one, else what the SDK raised."""
    await work.decoded()
    broken = [call for call, _ in work.collector.calls if call.error_kind is not None]
    if broken:
        last = broken[-1]
        return Reached(error_kind=last.error_kind, error_message=last.error_message)
    cause = error.__cause__ or error
    return Reached(error_kind="agent", error_message=one_line(f"{type(cause).__name__}: {cause}"))


def report(work: Work, agent: Agent) -> None:
    """Add up the SDK's own figures for an agent that has answered: a cross-check, never a metric."""
    metrics = agent.event_loop_metrics
    usage = metrics.accumulated_usage
    figures = {
        "sdk_model_ms": float(metrics.accumulated_metrics["latencyMs"]),
        "sdk_tool_ms": sum(tool.total_time for tool in metrics.tool_metrics.values()) * 1e3,
        "sdk_cycles": float(metrics.cycle_count),
        "sdk_tokens_in": float(usage["inputTokens"]),
        "sdk_tokens_out": float(usage["outputTokens"]),
    }
    for name, value in figures.items():
        work.reported[name] = work.reported.get(name, 0.0) + value


def request_of(work: Work, target: str) -> ModelRequest:
    """Model, parameters and streaming for calls to a target: the case's own if it is the trial's, else the target's."""
    if target == work.planned.target:
        return work.request
    other = work.desk.provider(target).target
    return replace(work.request, model=other.model, params=other.params, stream=other.stream)


def _system(work: Work, member: Member) -> str:
    """The member's prompt, then the case's own."""
    return "\n\n".join(part for part in (member.system, work.request.system) if part)
