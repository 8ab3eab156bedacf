"""The nouns of every wire: what a model's answer says, whatever bytes carry it.

A wire module turns bytes into these and these into bytes, for both roles, without I/O. Content-bearing
events are `TextDelta`, `ReasoningDelta` and `ToolCallDelta` with something in them; a role-only or empty
delta yields no event. A complete answer ends with `Ended`; one that does not was cut off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchbook.records import Usage


@dataclass(frozen=True, slots=True)
class Started:
    """The answer has begun: what the server says of itself."""

    id: str = ""
    model: str = ""
    system_fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ToolCallStarted:
    """`index` counts an answer's tool calls from 0."""

    index: int
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a tool call's arguments (JSON text)."""

    index: int
    arguments: str


@dataclass(frozen=True, slots=True)
class Finished:
    """Why generation stopped: `stop`, `length`, `tool_calls`, `content_filter`, or the wire's own word."""

    reason: str


@dataclass(frozen=True, slots=True)
class UsageReported:
    usage: Usage


@dataclass(frozen=True, slots=True)
class TimingReported:
    """The provider's own timings in ms, by name."""

    reported: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ping:
    """A keep-alive that carries nothing."""


@dataclass(frozen=True, slots=True)
class Failed:
    """An error object inside an answer; `kind` is the wire's own word for it."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The wire's closing mark was seen ([DONE], message_stop, done: true, a whole body)."""


Event = (
    Started
    | TextDelta
    | ReasoningDelta
    | ToolCallStarted
    | ToolCallDelta
    | Finished
    | UsageReported
    | TimingReported
    | Ping
    | Failed
    | Ended
)
