"""Teams: who works on a task, with which tools, in which order, and how far they may go.

A team is as frozen as the plan that names it. It says nothing of how it is run: that is the workload's. Names in it
are checked where it is read (`config.team_files`); what is checked here is what no reader may build.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchbook.errors import RecordError

TEAM_KINDS: Mapping[str, str] = {
    "agent": "agent",
    "supervisor": "multi_agent",
    "graph": "multi_agent",
    "swarm": "multi_agent",
    "workflow": "workflow",
}
"""Kind of a team -> the workload that runs it."""
TEAM_WORKLOADS = ("agent", "multi_agent", "workflow")
CONDITIONS = ("contains", "lacks")


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a member or a team may go in one trial; None = no such limit.

    steps: model calls; tokens: in and out together, as reported; usd: at the target's price; handoffs: how often work
    passes from one member to another; tool_timeout_s: of a single tool call. Looked at before each model call and
    handoff, so the last call may pass the limits of tokens and usd by what it takes itself.
    """

    steps: int = 20
    tokens: int | None = None
    time_s: float | None = None
    usd: float | None = None
    handoffs: int = 10
    tool_timeout_s: float = 5.0


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool that a member may call, by its name in `benchbook.tools`, with its settings."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Member:
    """An agent of a team. target: a target of the plan, None for the trial's own."""

    name: str
    role: str
    goal: str
    tools: tuple[ToolUse, ...] = ()
    target: str | None = None
    instructions: str = ""
    limits: Limits | None = None

    @property
    def system(self) -> str:
        """Its system prompt; the first line says who it is and nothing else."""
        parts = (f"You are {self.name}, {self.role}.", self.goal and f"Your goal: {self.goal}", self.instructions)
        return "\n".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Edge:
    """A way from one member of a graph to another; taken when `when` holds of what the first one answered."""

    source: str
    to: str
    when: str | None = None

    def __post_init__(self) -> None:
        if self.when is not None and (self.when.partition(" ")[0] not in CONDITIONS or not self._text):
            raise RecordError(f"{self.when!r} is no condition: contains TEXT or lacks TEXT")

    @property
    def _text(self) -> str:
        return (self.when or "").partition(" ")[2].strip()

    def holds(self, output: str) -> bool:
        """Whether the way is open after that output; upper and lower case are alike."""
        if self.when is None:
            return True
        return (self._text.casefold() in output.casefold()) == self.when.startswith("contains ")


@dataclass(frozen=True, slots=True)
class Step:
    """A subtask. task: a template over `task`, `steps.NAME` (what that step answered) and `feedback`; needs: steps that
    come before it; approval: whether its result waits for an approver."""

    name: str
    agent: str
    task: str = "{{ task }}"
    needs: tuple[str, ...] = ()
    approval: bool = False


@dataclass(frozen=True, slots=True)
class Tries:
    """How often a failed tool call and a failed agent are tried in all, and the back-off between, with full jitter."""

    tool_attempts: int = 3
    agent_attempts: int = 2
    base_s: float = 0.1
    cap_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Team:
    """Who works on a trial's task.

    entry: the member that gets the task first ("" for a workflow); planner: the member that makes a workflow's steps
    of the task; aggregator: the one that makes one answer of them; path, sha256: of the file, as the user named it.
    """

    name: str
    kind: str
    members: tuple[Member, ...]
    entry: str = ""
    edges: tuple[Edge, ...] = ()
    steps: tuple[Step, ...] = ()
    planner: str | None = None
    aggregator: str | None = None
    limits: Limits = field(default_factory=Limits)
    retries: Tries = field(default_factory=Tries)
    description: str = ""
    path: str = ""
    sha256: str = ""

    def __post_init__(self) -> None:
        if self.kind not in TEAM_KINDS:
            raise RecordError(f"team kind {self.kind!r} is not one of {tuple(TEAM_KINDS)}")
        if not self.members:
            raise RecordError(f"team {self.name!r} has no member")

    @property
    def workload(self) -> str:
        """The workload that runs it."""
        return TEAM_KINDS[self.kind]

    def member(self, name: str) -> Member:
        """The member of that name. Raises KeyError."""
        found = {member.name: member for member in self.members}
        return found[name]
