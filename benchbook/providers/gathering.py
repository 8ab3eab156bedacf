"""A wire's events, gathered into what an answer is. Pure: stamps come with the events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, ClassVar

from benchbook.records import Chunks, ToolCall, Usage
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

_NOTHING = Usage()


class Gathering:
    """What the events have said so far. Chunks are kept of streamed answers only."""

    def __init__(self, *, streamed: bool) -> None:
        self._streamed = streamed
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, tuple[ToolCallStarted | None, list[str]]] = {}
        self.events = 0
        self._at_ns: list[int] = []
        self._sizes: list[int] = []
        self._kinds: list[str] = []
        self.usage = _NOTHING
        self.reported: dict[str, float] = {}
        self.model: str | None = None
        self.system_fingerprint: str | None = None
        self.finish_reason: str | None = None
        self.failed: Failed | None = None
        self.ended = False

    def take(self, event: Event, stamp: int) -> None:
        """Add one event, completed by bytes that arrived at `stamp`."""
        self.events += 1
        takes = self._FACTS.get(type(event))
        if takes is not None:
            takes(self, event)
        else:
            self._take_content(event, stamp)

    def _take_content(self, event: Event, stamp: int) -> None:
        match event:
            case TextDelta(text):
                self._content(self._text, text, "text", stamp)
            case ReasoningDelta(text):
                self._content(self._reasoning, text, "reasoning", stamp)
            case ToolCallDelta(index, arguments):
                self._content(self._arguments(index), arguments, "tool", stamp)
            case ToolCallStarted(index):
                self._calls[index] = (event, self._arguments(index))

    def _take_started(self, event: Started) -> None:
        self.model = event.model or self.model
        self.system_fingerprint = event.system_fingerprint or self.system_fingerprint

    def _take_finished(self, event: Finished) -> None:
        self.finish_reason = event.reason

    def _take_usage(self, event: UsageReported) -> None:
        self.usage = merged(self.usage, event.usage)

    def _take_timing(self, event: TimingReported) -> None:
        self.reported.update(event.reported)

    def _take_failed(self, event: Failed) -> None:
        self.failed = self.failed or event

    def _take_ended(self, _event: Ended) -> None:
        self.ended = True

    _FACTS: ClassVar[Mapping[type, Callable[[Gathering, Any], None]]] = {
        Started: _take_started,
        Finished: _take_finished,
        UsageReported: _take_usage,
        TimingReported: _take_timing,
        Failed: _take_failed,
        Ended: _take_ended,
    }
    """What is made of the events that are no content."""

    def take_texts(self, kind: str, texts: Sequence[str], stamps: Sequence[int]) -> None:
        """Add content events of one kind, `text` or `reasoning`, each with its stamp."""
        self.events += len(texts)
        joined = "".join(texts)
        (self._text if kind == "text" else self._reasoning).append(joined)
        if self._streamed:
            self._at_ns += stamps
            self._sizes += map(len, texts) if joined.isascii() else map(_size, texts)
            self._kinds += [kind] * len(texts)

    @property
    def chunks(self) -> Chunks:
        return Chunks(tuple(self._at_ns), tuple(self._sizes), tuple(self._kinds))

    @property
    def text(self) -> str:
        return "".join(self._text)

    @property
    def reasoning(self) -> str:
        return "".join(self._reasoning)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        if not self._calls:
            return ()
        return tuple(
            ToolCall(started.id if started else "", started.name if started else "", "".join(arguments))
            for _, (started, arguments) in sorted(self._calls.items())
        )

    @property
    def has_content(self) -> bool:
        return bool(self._text or self._reasoning or self._calls)

    def _arguments(self, index: int) -> list[str]:
        return self._calls.setdefault(index, (None, []))[1]

    def _content(self, into: list[str], text: str, kind: str, stamp: int) -> None:
        into.append(text)
        if self._streamed:
            self._at_ns.append(stamp)
            self._sizes.append(_size(text))
            self._kinds.append(kind)


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))


def merged(before: Usage, after: Usage) -> Usage:
    """Counts as last reported: a later report replaces only what it names (a stream may report in two parts)."""
    if before is _NOTHING:
        return after
    newest: dict[str, Any] = {
        part.name: getattr(after, part.name) if getattr(after, part.name) is not None else getattr(before, part.name)
        for part in fields(Usage)
    }
    return Usage(**newest)
