"""Converse's answers: whole bodies and a stream's events, which Nova under InvokeModel shares.

Token counts come with `metadata`, after `messageStop`. A stream is complete at `metadata`; one whose bytes end after
`messageStop` without it is complete as well and has no counts.

`inputTokens` leaves out what was read from or written to the cache, for most models; `totalTokens` counts every token
once, for all of them, so all prompt tokens are the total without the output wherever a total is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from benchbook.errors import WireError
from benchbook.records import ToolCall, Usage
from benchbook.wire import claude_answers
from benchbook.wire.answers import Gathered, turned, word
from benchbook.wire.converse_requests import tool_use
from benchbook.wire.events import (
    Ended,
    Event,
    Finished,
    ReasoningDelta,
    Started,
    TextDelta,
    TimingReported,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from benchbook.wire.objects import Object, child, children, count, excerpt, filled, number, text
from benchbook.wire.turns import fresh_input, input_text, whole_input

REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
}
_REASONS_BACK = turned(REASONS)
Part = tuple[str, Object]
"""An event's kind and payload."""


# ---------------------------------------------------------------- read


class Interpreter:
    """A stream's events, as kind and payload, to ours."""

    def __init__(self) -> None:
        self._tools: dict[int, int] = {}
        self._stopped = False
        self._kinds: dict[str, Callable[[Object], Iterable[Event]]] = {
            "messageStart": lambda _: [Started()],
            "contentBlockStart": self._start,
            "contentBlockDelta": self._delta,
            "messageStop": self._stop,
            "metadata": _metadata,
        }

    def interpret(self, kind: str, payload: Object) -> Iterable[Event]:
        """Events of a kind that is not known are passed over."""
        known = self._kinds.get(kind)
        return () if known is None else known(payload)

    def close(self) -> list[Event]:
        return [Ended()] if self._stopped else []

    def _start(self, payload: Object) -> Iterator[Event]:
        use = child(child(payload, "start"), "toolUse")
        if use:
            index = self._tools[count(payload, "contentBlockIndex") or 0] = len(self._tools)
            yield ToolCallStarted(index, text(use, "toolUseId"), text(use, "name"))

    def _delta(self, payload: Object) -> Iterator[Event]:
        delta = child(payload, "delta")
        yield from _said(text(child(delta, "reasoningContent"), "text"), text(delta, "text"))
        use = child(delta, "toolUse")
        if use:
            index = self._tools.get(count(payload, "contentBlockIndex") or 0)
            if index is None:
                raise WireError(f"input for a tool call that has not started: {excerpt(repr(payload))}")
            yield from _arguments(index, use.get("input"))

    def _stop(self, payload: Object) -> Iterator[Event]:
        self._stopped = True
        yield from _finished(payload)


def _metadata(payload: Object) -> Iterator[Event]:
    yield from _used(payload)
    yield Ended()


def _used(source: Object) -> Iterator[Event]:
    usage = child(source, "usage")
    if usage:
        yield UsageReported(read_usage(usage))
    latency = number(child(source, "metrics"), "latencyMs")
    if latency is not None:
        yield TimingReported({"latency_ms": float(latency)})
    yield from claude_answers.timings(child(source, claude_answers.METRICS))


def _said(reasoning: str, visible: str) -> Iterator[Event]:
    if reasoning:
        yield ReasoningDelta(reasoning)
    if visible:
        yield TextDelta(visible)


def _arguments(index: int, value: Any) -> Iterator[Event]:
    """Input as JSON text, which Converse streams, or as the object that Nova may send."""
    arguments = value if isinstance(value, str) else input_text(value)
    if arguments:
        yield ToolCallDelta(index, arguments)


def _finished(source: Object) -> Iterator[Event]:
    reason = text(source, "stopReason")
    if reason:
        yield Finished(word(REASONS, reason))


def read_usage(usage: Object) -> Usage:
    cached, cache_write = _cache(usage, "Read"), _cache(usage, "Write")
    fresh, output, total = count(usage, "inputTokens"), count(usage, "outputTokens"), count(usage, "totalTokens")
    whole = whole_input(fresh, cached, cache_write)
    if fresh is not None and output is not None and total is not None and total - output >= fresh > 0:
        whole = total - output
    return Usage(input=whole, cached=cached, cache_write=cache_write, output=output)


def _cache(usage: Object, what: str) -> int | None:
    """Converse's name for the count, or Nova's."""
    value = count(usage, f"cache{what}InputTokens")
    return count(usage, f"cache{what}InputTokenCount") if value is None else value


def read_whole(source: Object) -> Iterator[Event]:
    yield Started()
    tools = 0
    for block in children(child(child(source, "output"), "message"), "content"):
        reasoning = child(child(block, "reasoningContent"), "reasoningText")
        yield from _said(text(reasoning, "text"), text(block, "text"))
        use = child(block, "toolUse")
        if use:
            yield ToolCallStarted(tools, text(use, "toolUseId"), text(use, "name"))
            yield from _arguments(tools, use.get("input"))
            tools += 1
    yield from _finished(source)
    yield from _used(source)
    yield Ended()


# ---------------------------------------------------------------- written


class PartWriter:
    """Events to a stream's kinds and payloads. Counts and timings wait for `metadata`, which ends the stream."""

    def __init__(self) -> None:
        self._open: str | None = None
        self._blocks = 0
        self._at: dict[int, int] = {}
        self._rest = Gathered()
        self._table: dict[type[Any], Callable[[Any], Iterable[Part]]] = {
            Started: lambda _: [("messageStart", {"role": "assistant"})],
            TextDelta: lambda event: self._piece("text", {"text": event.text}),
            ReasoningDelta: lambda event: self._piece("reasoning", {"reasoningContent": {"text": event.text}}),
            ToolCallStarted: self._call,
            ToolCallDelta: self._call_delta,
            Finished: self._finish,
            Ended: self._end,
        }

    def parts(self, event: Event) -> Iterable[Part]:
        entry = self._table.get(type(event))
        if entry is not None:
            return entry(event)
        self._rest.add(event)
        return ()

    def _piece(self, kind: str, delta: Object) -> Iterator[Part]:
        if self._open != kind:
            yield from self._begin(kind)
        yield "contentBlockDelta", {"delta": delta, "contentBlockIndex": self._blocks - 1}

    def _begin(self, kind: str) -> Iterator[Part]:
        yield from self._close()
        self._open = kind
        self._blocks += 1

    def _close(self) -> Iterator[Part]:
        if self._open is not None:
            self._open = None
            yield "contentBlockStop", {"contentBlockIndex": self._blocks - 1}

    def _call(self, event: ToolCallStarted) -> Iterator[Part]:
        yield from self._begin("tool")
        at = self._at[event.index] = self._blocks - 1
        start = {"toolUse": {"toolUseId": event.id, "name": event.name}}
        yield "contentBlockStart", {"start": start, "contentBlockIndex": at}

    def _call_delta(self, event: ToolCallDelta) -> Iterator[Part]:
        at = self._at.get(event.index, self._blocks - 1)
        yield "contentBlockDelta", {"delta": {"toolUse": {"input": event.arguments}}, "contentBlockIndex": at}

    def _finish(self, event: Finished) -> Iterator[Part]:
        self._rest.reason = event.reason
        yield from self._close()
        yield "messageStop", {"stopReason": word(_REASONS_BACK, event.reason)}

    def _end(self, _: Ended) -> Iterator[Part]:
        if self._rest.reason is None:  # without it there would be no closing mark
            yield from self._finish(Finished("stop"))
        counts = _encode_counts(self._rest)
        if counts:
            yield "metadata", counts


def _encode_counts(answer: Gathered) -> Object:
    usage = {} if answer.usage is None else encode_usage(answer.usage)
    latency = answer.reported.get("latency_ms")
    return filled(usage=usage, metrics=filled(latencyMs=None if latency is None else round(latency)))


def encode_usage(usage: Usage) -> Object:
    return filled(
        inputTokens=fresh_input(usage.input, usage.cached, usage.cache_write),
        outputTokens=usage.output,
        totalTokens=None if usage.input is None or usage.output is None else usage.input + usage.output,
        cacheReadInputTokens=usage.cached,
        cacheWriteInputTokens=usage.cache_write,
    )


def whole_object(answer: Gathered) -> Object:
    thinking = [{"reasoningContent": {"reasoningText": {"text": answer.reasoning}}}] if answer.reasoning else []
    said = [{"text": answer.text}] if answer.text else []
    calls = [tool_use(ToolCall(call.id, call.name, call.arguments)) for call in answer.calls.values()]
    return {
        "output": {"message": {"role": "assistant", "content": [*thinking, *said, *calls]}},
        **filled(stopReason=None if answer.reason is None else word(_REASONS_BACK, answer.reason)),
        **_encode_counts(answer),
    }
