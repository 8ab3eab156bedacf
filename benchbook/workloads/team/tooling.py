"""`benchbook.tools` as Strands' tools: each use a `tool` span from just before ours runs to just after.

A use that failed in a way that may pass is tried again, up to the team's `tool_attempts`, each try a span of its own
and each back-off a `rate_limit_wait`; whatever comes of it in the end is what the model gets to read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from strands.types._events import ToolResultEvent
from strands.types.tools import AgentTool, ToolGenerator, ToolSpec, ToolUse

from benchbook import tools
from benchbook.clock import monotonic_ns, sleep_until
from benchbook.providers.retry import RetryPolicy
from benchbook.records import RETRYABLE, teams
from benchbook.tools import Outcome, Place
from benchbook.workloads import Service
from benchbook.workloads.attempts import SECOND_NS, STAYED_OPEN
from benchbook.workloads.team.services import admitted
from benchbook.workloads.team.work import Work

PASSING = RETRYABLE | {"crash"}
"""Kinds of failures that another try may mend. Of the others only the model can mend some; a time limit is one of
them, unless it was a service outside that was too slow."""


class BenchTool(AgentTool):
    """One of our tools in one member's hands, within one trial."""

    def __init__(self, work: Work, use: teams.ToolUse, timeout_s: float) -> None:
        super().__init__()
        self._work, self._use, self._timeout_s = work, use, timeout_s
        self._spec = _spec(use.name)

    @property
    def tool_name(self) -> str:
        return self._use.name

    @property
    def tool_spec(self) -> ToolSpec:
        return self._spec

    @property
    def tool_type(self) -> str:
        return "benchbook"

    async def stream(self, tool_use: ToolUse, invocation_state: dict[str, Any], **_: Any) -> ToolGenerator:  # noqa: ARG002
        outcome = await self._used(tool_use)
        yield ToolResultEvent(
            {
                "toolUseId": tool_use["toolUseId"],
                "status": "error" if outcome.failed else "success",
                "content": [{"text": outcome.text}],
            }
        )

    async def _used(self, tool_use: ToolUse) -> Outcome:
        tries = self._work.team.retries
        policy = RetryPolicy(tries.tool_attempts, tries.base_s, tries.cap_s)
        attempt = 1
        while True:
            outcome = await self._once(tool_use, attempt)
            if not _may_pass(outcome) or attempt >= policy.attempts:
                return outcome
            wait_s = self._work.chance.uniform(0.0, policy.ceiling_s(attempt))
            if monotonic_ns() + wait_s * SECOND_NS >= self._work.deadline_ns:
                return outcome
            with self._work.collector.inside("rate_limit_wait", f"back-off after {self._use.name} failed"):
                await sleep_until(monotonic_ns() + round(wait_s * SECOND_NS))
            attempt += 1

    async def _once(self, tool_use: ToolUse, attempt: int) -> Outcome:
        arguments = tool_use["input"]
        service = self._service()
        if service is not None and not await admitted(self._work, service, tools.service(*self._named)):
            return tools.failure("timeout", f"{self._use.name}: {STAYED_OPEN}")
        place = self._place()
        began_ns = monotonic_ns()
        with self._work.collector.inside("tool", self._use.name, input=_text(arguments)) as span:
            outcome = await tools.use(self._use.name, arguments, self._use.settings, place)
            facts = {"attempt": attempt, "tool_use_id": tool_use["toolUseId"], **outcome.detail}
            span.says(outcome.text, **facts)
            if outcome.files:
                span.detail["files"] = list(outcome.files)
                self._work.files += outcome.files
            if outcome.failed:
                span.fails(outcome.text)
        if service is not None:
            service.heard(began_ns, monotonic_ns(), _told(outcome))
        return outcome

    @property
    def _named(self) -> tuple[str, Mapping[str, Any]]:
        return self._use.name, self._use.settings

    def _service(self) -> Service | None:
        """The breaker of the service that this tool asks, where it asks one."""
        name = tools.service(*self._named)
        return None if name is None else self._work.desk.service(name)

    def _place(self) -> Place:
        folder: Path = self._work.desk.scratch(self._work.planned)
        left_s = max(0.0, (self._work.deadline_ns - monotonic_ns()) / SECOND_NS)
        return Place(folder, min(self._timeout_s, left_s), os.environ)


def _spec(name: str) -> ToolSpec:
    """What a model is told of a tool, in the SDK's form."""
    described = tools.described(name)
    return {
        "name": described.name,
        "description": described.description,
        "inputSchema": {"json": dict(described.parameters)},
    }


def _told(outcome: Outcome) -> str | None:
    """What a service's breaker is told of a use: nothing of one that never came so far."""
    if not outcome.failed:
        return None
    return str(outcome.detail.get("kind")) if outcome.detail.get("service") else "cancelled"


def _may_pass(outcome: Outcome) -> bool:
    kind = outcome.detail.get("kind")
    return outcome.failed and (kind in PASSING or (kind == "timeout" and bool(outcome.detail.get("service"))))


def _text(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else orjson.dumps(arguments, default=str).decode()
