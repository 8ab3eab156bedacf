"""The nouns of every wire: what a model's answer says, whatever bytes carry it.

A wire module turns bytes into these and these into bytes, for both roles, without I/O. Content-bearing
events are `TextDelta`, `ReasoningDelta` and `ToolCallDelta` with something in them; a role-only or empty
delta yields no event. A complete answer ends with `Ended`; one that does not was cut off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from benchbook.records import Usage, record


@record
class Started:
    """The answer has begun: what the server says of itself."""

    id: str = ""
    model: str = ""
    system_fingerprint: str | None = None


@record
class TextDelta:
    text: str


@record
class ReasoningDelta:
    text: str


@record
class ToolCallStarted:
    """`index` counts an answer's tool calls from 0."""

    index: int
    id: str
    name: str


@record
class ToolCallDelta:
    """A piece of a tool call's arguments (JSON text)."""

    index: int
    arguments: str


@record
class Finished:
    """Why generation stopped: `stop`, `length`, `tool_calls`, `content_filter`, or the wire's own word."""

    reason: str


@record
class UsageReported:
    usage: Usage


@record
class TimingReported:
    """The provider's own timings in ms, by name."""

    reported: Mapping[str, float] = field(default_factory=dict)


@record
class Ping:
    """A keep-alive that carries nothing."""


@record
class Failed:
    """An error object inside an answer; `kind` is the wire's own word for it."""

    kind: str
    message: str


@record
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
