"""What every wire's readers and writers share: reading frame by frame or whole, writing by a table of kinds or whole.

Events never depend on where the bytes were cut. So damage is reported after the events that came before it: if the
same `feed` brought good ones, WireError comes with the next `feed` or `close`, and from then on always.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from benchbook.errors import WireError
from benchbook.records import ToolCall, Usage
from benchbook.wire.events import (
    Ended,
    Event,
    Failed,
    Finished,
    ReasoningDelta,
    Started,
    TextDelta,
    TimingReported,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from benchbook.wire.objects import Object, load

FrameT = TypeVar("FrameT")
FrameT_co = TypeVar("FrameT_co", covariant=True)

JSON_TYPE = "application/json"


class Framing(Protocol[FrameT_co]):
    """Cuts bytes into frames. `close` gives what the end of the body completes. `boundary`: bytes that end a frame
    wherever they stand, if the framing has such; `at_rest`: no part of a frame is held."""

    @property
    def boundary(self) -> bytes | None: ...

    @property
    def at_rest(self) -> bool: ...

    def feed(self, data: bytes) -> Iterable[FrameT_co]: ...

    def close(self) -> Iterable[FrameT_co]: ...


class FramedReader(Generic[FrameT]):
    """A streamed answer: a framing, and what the wire makes of each frame. What follows `Ended` is ignored.

    `at_close` gives the events of a body that ended without more bytes; it is not asked after `Ended`. `name`
    says by which bytes frames name this answer, for wires that repeat them in every frame.
    """

    def __init__(
        self,
        framing: Framing[FrameT],
        interpret: Callable[[FrameT], Iterable[Event]],
        at_close: Callable[[], Iterable[Event]] = tuple,
        name: Callable[[], bytes] = bytes,
    ) -> None:
        self._framing, self._interpret, self._at_close = framing, interpret, at_close
        self._name = name
        self._damage: WireError | None = None
        self._ended = False

    @property
    def boundary(self) -> bytes | None:
        """What ends a frame wherever it stands, while frames may be read one by one; else None."""
        return None if self._ended or self._damage else self._framing.boundary

    @property
    def at_rest(self) -> bool:
        return self._framing.at_rest

    @property
    def name(self) -> bytes:
        return self._name()

    def feed(self, data: bytes) -> list[Event]:
        return [] if self._ended else self._read(self._framing.feed(data))

    def close(self) -> list[Event]:
        if self._ended:
            return []
        events = self._read(self._framing.close())
        return events if self._ended else [*events, *self._at_close()]

    def _read(self, frames: Iterable[FrameT]) -> list[Event]:
        if self._damage is not None:
            raise self._damage
        events: list[Event] = []
        try:
            for frame in frames:
                for event in self._interpret(frame):
                    events.append(event)  # noqa: PERF402  (what came before the damage is kept)
                if events and isinstance(events[-1], Ended):
                    self._ended = True
                    break
        except WireError as damage:
            self._damage = damage
            if not events:
                raise
        return events


class WholeReader:
    """An answer that is not streamed: nothing until `close`, then everything. An empty body yields nothing."""

    boundary: bytes | None = None
    at_rest = False
    name = b""

    def __init__(self, interpret: Callable[[Object], Iterable[Event]]) -> None:
        self._interpret = interpret
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> list[Event]:
        self._pieces.append(data)
        return []

    def close(self) -> list[Event]:
        body = b"".join(self._pieces)
        self._pieces = []
        return list(self._interpret(load(body))) if body.strip() else []


@dataclass(slots=True)
class Gathered:
    """A whole answer, from its events."""

    started: Started = field(default_factory=Started)
    text: str = ""
    reasoning: str = ""
    calls: dict[int, ToolCall] = field(default_factory=dict)
    reason: str | None = None
    usage: Usage | None = None
    reported: Mapping[str, float] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        match event:
            case Started():
                self.started = event
            case TextDelta(text):
                self.text += text
            case ReasoningDelta(text):
                self.reasoning += text
            case ToolCallStarted(index, call_id, name):
                self.calls[index] = ToolCall(call_id, name, "")
            case ToolCallDelta(index, arguments):
                call = self.calls.get(index, ToolCall("", "", ""))
                self.calls[index] = ToolCall(call.id, call.name, call.arguments + arguments)
            case Finished(reason):
                self.reason = reason
            case UsageReported(usage):
                self.usage = usage
            case TimingReported(reported):
                self.reported = reported


class WholeWriter:
    """Gathers an answer and renders it at `Ended`; a `Failed` renders the error body instead."""

    content_type = JSON_TYPE

    def __init__(self, render: Callable[[Gathered], bytes], fail: Callable[[Failed], bytes]) -> None:
        self._render, self._fail = render, fail
        self._gathered = Gathered()
        self._failed = False

    def write(self, event: Event) -> bytes:
        if isinstance(event, Failed):
            self._failed = True
            return self._fail(event)
        if isinstance(event, Ended):
            return b"" if self._failed else self._render(self._gathered)
        self._gathered.add(event)
        return b""


class TableWriter:
    """Writes each kind of event by its entry; a kind without one has no place on the wire."""

    def __init__(self, content_type: str, table: Mapping[type[Any], Callable[[Any], bytes]]) -> None:
        self.content_type = content_type
        self._table = table

    def write(self, event: Event) -> bytes:
        entry = self._table.get(type(event))
        return entry(event) if entry is not None else b""


def word(table: Mapping[str, str], key: str) -> str:
    """A word by the table, or itself: finish reasons keep the wire's own word where we have none."""
    return table.get(key, key)


def turned(table: Mapping[str, str]) -> Mapping[str, str]:
    """The table read the other way; of several words for one thing, the first is canonical."""
    back: dict[str, str] = {}
    for theirs, ours in table.items():
        back.setdefault(ours, theirs)
    return back
