"""Strands' hooks as spans: an agent's invocation, its rounds of tool calls, handoffs; and the limits on its steps.

One `Watch` per agent object. Model spans come from the transport and tool spans from the tools themselves; what is
recorded here of a tool call is only what no tool of ours ever sees: a tool that is not there, a call that was refused,
and a tool that is an agent (a handoff).
"""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from strands.hooks import (
    AfterInvocationEvent,
    AfterToolCallEvent,
    AfterToolsEvent,
    BeforeInvocationEvent,
    BeforeModelCallEvent,
    BeforeToolCallEvent,
    BeforeToolsEvent,
    HookProvider,
    HookRegistry,
)

from benchbook.records.teams import Member
from benchbook.workloads.attempts import STAYED_OPEN
from benchbook.workloads.team.collector import Opening, one_line
from benchbook.workloads.team.tooling import BenchTool
from benchbook.workloads.team.work import Work

HANDOFF_TOOLS = frozenset({"handoff_to_agent"})
"""Tools of Strands' own that pass work on to another agent."""


class Watch(HookProvider):
    """Records one agent."""

    def __init__(self, work: Work, member: Member) -> None:
        self._work, self._member = work, member
        self._target = member.target or work.planned.target
        self._agent: Opening | None = None
        self._round: Opening | None = None
        self._rounds = 0
        self._wanted: dict[str, tuple[str, str]] = {}
        self._tools: dict[str, Opening] = {}
        self._seen: set[str] = set()

    def register_hooks(self, registry: HookRegistry, **_: Any) -> None:
        registry.add_callback(BeforeInvocationEvent, self._before_invocation)
        registry.add_callback(AfterInvocationEvent, self._after_invocation)
        registry.add_callback(BeforeModelCallEvent, self._before_model)
        registry.add_callback(BeforeToolsEvent, self._before_tools)
        registry.add_callback(AfterToolsEvent, self._after_tools)
        registry.add_callback(BeforeToolCallEvent, self._before_tool)
        registry.add_callback(AfterToolCallEvent, self._after_tool)

    # ------------------------------------------------------------ the agent

    def _before_invocation(self, event: BeforeInvocationEvent) -> None:
        collector = self._work.collector
        said = event.messages or event.agent.messages
        asked = text_of(said[-1]) if said else ""
        self._agent = collector.open("agent", self._member.name, agent=self._member.name, input=asked)
        collector.enter(self._agent)

    def _after_invocation(self, event: AfterInvocationEvent) -> None:
        opening, self._agent = self._agent, None
        if opening is None:
            return
        opening.asking = None
        self._work.collector.leave(opening)
        if event.result is None:
            task = asyncio.current_task()
            status = "cancelled" if task is not None and task.cancelling() else "error"
            self._work.collector.close(opening, status=status, error=opening.error or "it ended without an answer")
            return
        self._work.collector.close(opening, output=text_of(event.result.message), stop=event.result.stop_reason)

    async def _before_model(self, event: BeforeModelCallEvent) -> None:
        if self._agent is None:
            return
        asking = self._agent.asking
        if asking is not None and asking.again:  # a retry of the same step
            asking.again = False
            return
        if not await self._work.allows_step(self._member.name, self._agent.started_ns):
            _, how = self._work.stops[self._member.name]
            self._agent.fails(how)
            event.cancel = f"Stopped: {how}."
            self._agent.asking = None
        elif not await self._work.admitted(self._target, self._agent):
            event.cancel = f"Stopped: {STAYED_OPEN}."
            self._agent.asking = None
        else:
            self._work.asks(self._agent)

    # ------------------------------------------------------------ tools

    def _before_tools(self, event: BeforeToolsEvent) -> None:
        self._rounds += 1
        self._seen.clear()
        wanted = [content["toolUse"] for content in event.message["content"] if "toolUse" in content]
        collector = self._work.collector
        self._round = collector.open("round", f"round {self._rounds}", agent=self._member.name, under=self._agent)
        self._round.detail.update(number=self._rounds, tools=[use["name"] for use in wanted])
        self._wanted = {use["toolUseId"]: (use["name"], as_json(use["input"])) for use in wanted}
        collector.enter(self._round)

    def _after_tools(self, event: AfterToolsEvent) -> None:
        opening, self._round = self._round, None
        if opening is None:
            return
        for content in event.message["content"]:
            result = content["toolResult"]
            if (use_id := result["toolUseId"]) not in self._seen:  # refused before any hook or tool saw it
                name, arguments = self._wanted.get(use_id, ("?", ""))
                unseen = self._work.collector.open("tool", name, input=arguments, under=opening)
                said = text_of(result)
                self._work.collector.close(unseen, error=said, output=said, refused=True, tool_use_id=use_id)
        self._work.collector.leave(opening)
        self._work.collector.close(opening)

    def _before_tool(self, event: BeforeToolCallEvent) -> None:
        use = event.tool_use
        self._seen.add(use["toolUseId"])
        if isinstance(event.selected_tool, BenchTool):
            return
        handoff = use["name"] in HANDOFF_TOOLS or getattr(event.selected_tool, "tool_type", "") == "agent"
        kind, name = ("handoff", _handed_to(use)) if handoff else ("tool", use["name"])
        if handoff and not self._work.hands_over():
            event.cancel_tool = f"Stopped: {self._work.stopped_how}."
        opening = self._work.collector.open(kind, name, agent=self._member.name, input=as_json(use["input"]))
        opening.detail["tool_use_id"] = use["toolUseId"]
        if handoff:
            opening.detail.update({"from": self._member.name, "to": name})
        self._tools[use["toolUseId"]] = opening
        self._work.collector.enter(opening)

    def _after_tool(self, event: AfterToolCallEvent) -> None:
        opening = self._tools.pop(event.tool_use["toolUseId"], None)
        if opening is None:
            return
        self._work.collector.leave(opening)
        said = text_of(event.result)
        failed = event.result.get("status") == "error"
        self._work.collector.close(opening, error=one_line(said) if failed else None, output=said)


def _handed_to(use: Any) -> str:
    """Whom a handoff is to: the agent that is the tool, or the one that Strands' own tool is asked to hand to."""
    if use["name"] not in HANDOFF_TOOLS:
        return str(use["name"])
    asked = use["input"] if isinstance(use["input"], dict) else {}
    return str(asked.get("agent_name", "?"))


def text_of(message: Any) -> str:
    """The text of a message or a tool result."""
    return "\n".join(part["text"] for part in message.get("content", ()) if "text" in part)


def as_json(value: Any) -> str:
    """Arguments as JSON text."""
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
