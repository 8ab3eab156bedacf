"""Chat Completions' answers, read: streamed frame by frame, or whole.

Only choice 0 is read. What one answer's frames of facts say is remembered for the next, without the answer's id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from benchbook.records import Usage
from benchbook.wire import refusals, sse
from benchbook.wire.answers import word
from benchbook.wire.chat_messages import (
    arguments_text,
    decode_call,
)
from benchbook.wire.events import (
    Ended,
    Event,
    Failed,
    Finished,
    Ping,
    ReasoningDelta,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from benchbook.wire.objects import (
    Object,
    child,
    children,
    count,
    joined_text,
    load,
    text,
)

DONE = b"[DONE]"

REASONS = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


_USUAL_ID = re.compile(rb'{("id":"([\w.:-]+)")')
"""How most servers begin a frame."""
_FACTS = frozenset({Finished, UsageReported})
_KNOWN: dict[bytes, tuple[Event, ...]] = {}
"""Frames that say nothing but facts, without their answer's id, and what they say: the last frames of one answer are
those of thousands. Frames of tool calls are not among them: what they say hangs on those before."""
_OPENINGS: dict[bytes, Started] = {}
"""The same of first frames that say no more than that they are."""
_MOST_KNOWN = 512


class Interpreter:
    """Frames of a stream to events. Tool calls are told apart by index, and by a new id at an old index."""

    def __init__(self) -> None:
        self._started = False
        self._named = b""
        self._calls: dict[int, tuple[int, str]] = {}
        self._next = self._last = 0

    def interpret(self, frame: sse.Frame) -> Iterable[Event]:
        if isinstance(frame, sse.Comment):
            return (Ping(),)
        data = frame.data.strip()
        if data == DONE:
            return (Ended(),)
        if not self._named:
            return self._opening(data) if data else ()
        nameless = data.replace(self._named, b"")
        known = _KNOWN.get(nameless)
        if known is None:
            known = tuple(self._chunk(load(data)) if data else ())
            if b"tool_calls" not in data and _FACTS.issuperset(map(type, known)):
                if len(_KNOWN) >= _MOST_KNOWN:
                    _KNOWN.clear()
                _KNOWN[nameless] = known
        return known

    def name(self) -> bytes:
        """The answer's id as frames give it; b"" while it is unknown."""
        return self._named

    def _opening(self, data: bytes) -> Iterable[Event]:
        """A frame of an answer whose id is unknown yet."""
        found = None if self._started else _USUAL_ID.match(data)
        if found is None:
            return self._chunk(load(data))
        named, answer_id = found.groups()
        nameless = data.replace(named, b"")
        known = _OPENINGS.get(nameless)
        if known is not None:
            self._started, self._named = True, named
            return (Started(answer_id.decode(), known.model, known.system_fingerprint),)
        events = self._chunk(load(data))
        if self._named == named and len(events) == 1 and isinstance(events[0], Started):
            if len(_OPENINGS) >= _MOST_KNOWN:
                _OPENINGS.clear()
            _OPENINGS[nameless] = events[0]
        return events

    def _chunk(self, source: Object) -> list[Event]:
        if source.get("error"):
            return [_failed(source)]
        events: list[Event] = []
        choices = [choice for choice in children(source, "choices") if not choice.get("index")]
        if not self._started and (choices or source.get("id") or source.get("model")):
            self._started = True
            started = _started(source)
            events.append(started)
            self._named = b'"id":"%b"' % started.id.encode(errors="replace") if started.id else b""
        for choice in choices:
            delta = child(choice, "delta")
            if delta:
                events += _content(delta)
                if delta.get("tool_calls"):
                    for call in children(delta, "tool_calls"):
                        events += self._call(call)
            if choice.get("finish_reason"):
                events += _finished(choice)
        if source.get("usage"):
            events += _used(source)
        return events

    def _call(self, call: Object) -> Iterator[Event]:
        function, call_id = child(call, "function"), text(call, "id")
        at = count(call, "index")
        if at is None:  # a call that has an id and no index is a new one, else it goes on with the last
            at = -1 - self._next if call_id else self._last
        known = self._calls.get(at)
        if known is None or (call_id and known[1] and call_id != known[1]):
            known = self._calls[at] = (self._next, call_id)
            self._next += 1
            yield ToolCallStarted(known[0], call_id, text(function, "name"))
        self._last = at
        arguments = arguments_text(function.get("arguments"))
        if arguments:
            yield ToolCallDelta(known[0], arguments)


def read_whole(source: Object) -> Iterable[Event]:
    """The events of an answer that was not streamed."""
    if source.get("error"):
        yield _failed(source)
        return
    yield _started(source)
    for choice in children(source, "choices")[:1]:
        message = child(choice, "message")
        yield from _content(message)
        for index, call in enumerate(children(message, "tool_calls")):
            whole = decode_call(call)
            yield ToolCallStarted(index, whole.id, whole.name)
            if whole.arguments:
                yield ToolCallDelta(index, whole.arguments)
        yield from _finished(choice)
    yield from _used(source)
    yield Ended()


def _started(source: Object) -> Started:
    return Started(text(source, "id"), text(source, "model"), text(source, "system_fingerprint") or None)


def _content(delta: Object) -> Iterator[Event]:
    reasoning = text(delta, "reasoning_content") or text(delta, "reasoning")
    if reasoning:
        yield ReasoningDelta(reasoning)
    visible = joined_text(delta.get("content")) + text(delta, "refusal")
    if visible:
        yield TextDelta(visible)


def _finished(choice: Object) -> Iterator[Event]:
    reason = text(choice, "finish_reason")
    if reason:
        yield Finished(word(REASONS, reason))


def _used(source: Object) -> Iterator[Event]:
    usage = child(source, "usage")
    if usage:
        prompt, completion = child(usage, "prompt_tokens_details"), child(usage, "completion_tokens_details")
        yield UsageReported(
            Usage(
                input=count(usage, "prompt_tokens"),
                cached=count(prompt, "cached_tokens"),
                cache_write=count(prompt, "cache_write_tokens"),
                output=count(usage, "completion_tokens"),
                reasoning=count(completion, "reasoning_tokens"),
            ),
        )


def _failed(source: Object) -> Failed:
    kind, message = refusals.said(source)
    return Failed(kind or "error", refusals.short(message))
