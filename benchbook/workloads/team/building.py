"""From a member of a team to an agent of the SDK, and from a text to that agent's answer.

build(work, member, tools=(), hooks=(), history=()) -> strands.Agent
    once per trial and member, for agents keep their history; to begin with, what was said before
await answer(work, agent, text) -> Reached
    under the span that is around; raises nothing but a cancellation
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import orjson
from strands import Agent
from strands.types.exceptions import MaxTokensReachedException

from benchbook.records import RETRYABLE, Message, ModelRequest
from benchbook.records.teams import Member
from benchbook.workloads import Desk
from benchbook.workloads.team.collector import here, one_line
from benchbook.workloads.team.hooks import Watch, text_of
from benchbook.workloads.team.models import model
from benchbook.workloads.team.rehearsal import rehearsing
from benchbook.workloads.team.retries import Retries
from benchbook.workloads.team.tooling import BenchTool
from benchbook.workloads.team.work import Reached, Work, hush


async def ready(desk: Desk, targets: Iterable[str]) -> None:
    """Before the first trial: have the SDKs imported, the targets' clients made, and each once used, without a server
    (not boto3, which builds little). Raises PlanError."""
    hush()
    known: set[str] = desk.shared("targets that are ready for agents", set)
    for name in targets:
        if name in known:
            continue
        known.add(name)
        target = desk.provider(name).target
        request = ModelRequest(target.model, (Message("user", "?"),), params=target.params, stream=target.stream)
        agent = Agent(model=model(desk, name, request), callback_handler=None)
        if target.provider != "bedrock":
            with rehearsing():
                await agent.invoke_async("Ready?")


def build(
    work: Work,
    member: Member,
    *,
    tools: Sequence[Any] = (),
    hooks: Sequence[Any] = (),
    history: Sequence[Message] = (),
) -> Agent:
    """The member as an agent: its model at its target, its own tools and `tools` (other agents), recorded by the
    trial's collector; `hooks` come after ours; `history` is what was said before it is asked."""
    target = member.target or work.planned.target
    request = request_of(work, target)
    timeout_s = (member.limits or work.team.limits).tool_timeout_s
    return Agent(
        model=model(work.desk, target, request),
        name=member.name,
        agent_id=member.name,
        description=f"{member.role}. {member.goal}".strip(),
        system_prompt=_system(work, member),
        messages=[_said(message) for message in history],
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
        return await failed(work, error, agent.name)
    finally:
        report(work, agent)
    if (stop := work.stops.get(agent.name)) is not None:
        return stopped(*stop)
    if result.stop_reason == "cancelled":
        return Reached(error_kind="agent", error_message="the agent was cancelled")
    return Reached(text=text_of(result.message))


def stopped(by: str, how: str) -> Reached:
    """What there is to say of an answer that a limit, or a breaker that stayed open, took the place of."""
    if by == "breaker":
        return Reached(error_kind="timeout", error_message=how)
    return Reached(error_kind="limit", error_message=f"stopped: {how}", end_state={"stopped_by": by})


async def failed(work: Work, error: Exception, agent: str = "") -> Reached:
    """What ended an agent, or (without a name) several: the failure of its newest call, else what the SDK raised. Of
    what goes on outside of the span around, nothing is waited for and nothing counts."""
    around = here()
    await work.decoded(around)
    found = work.collector.calls if around is None else work.collector.under(around)[1]
    calls = [call for call, _ in found if agent in ("", call.agent)]
    broken = [call for call in (calls[-1:] if agent else calls) if call.error_kind is not None]
    if not broken:
        cause = error.__cause__ or error
        return Reached(error_kind="agent", error_message=one_line(f"{type(cause).__name__}: {cause}"))
    last = broken[-1]
    reason = work.reasons.get(last.agent) if last.error_kind in RETRYABLE else None
    said = f"{last.error_message} ({reason})" if reason else last.error_message
    return Reached(error_kind=last.error_kind, error_message=said)


def report(work: Work, agent: Agent) -> None:
    """Keep the SDK's own figures for an agent, all its answers so far: a cross-check, never a metric."""
    metrics = agent.event_loop_metrics
    usage = metrics.accumulated_usage
    figures = {
        "sdk_model_ms": float(metrics.accumulated_metrics["latencyMs"]),
        "sdk_tool_ms": sum(tool.total_time for tool in metrics.tool_metrics.values()) * 1e3,
        "sdk_cycles": float(metrics.cycle_count),
        "sdk_tokens_in": float(usage["inputTokens"]),
        "sdk_tokens_out": float(usage["outputTokens"]),
    }
    work.figures[agent] = figures


def request_of(work: Work, target: str) -> ModelRequest:
    """Model, parameters and streaming for calls to a target: the case's own if it is the trial's, else the target's."""
    if target == work.planned.target:
        return work.request
    other = work.desk.provider(target).target
    return replace(work.request, model=other.model, params=other.params, stream=other.stream)


def _system(work: Work, member: Member) -> str:
    """The member's prompt, then the case's own."""
    return "\n\n".join(part for part in (member.system, work.request.system) if part)


def _said(message: Message) -> Any:
    """A message in the SDK's form."""
    if message.role == "tool":
        result = {"toolUseId": message.tool_call_id or "", "status": "success", "content": [{"text": message.content}]}
        return {"role": "user", "content": [{"toolResult": result}]}
    uses = [
        {"toolUse": {"toolUseId": call.id, "name": call.name, "input": orjson.loads(call.arguments or "{}")}}
        for call in message.tool_calls
    ]
    text = [{"text": message.content}] if message.content else []
    return {"role": message.role, "content": [*text, *uses]}
