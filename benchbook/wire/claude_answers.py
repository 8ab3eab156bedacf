"""Claude's Messages answers: whole bodies and a stream's objects, whatever frames carry them.

Anthropic's own wire carries them as server-sent events, Bedrock's InvokeModel as event-stream chunks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from benchbook.errors import WireError
from benchbook.records import ModelRequest, ToolCall, Usage
from benchbook.wire import refusals
from benchbook.wire.answers import Gathered, turned, word
from benchbook.wire.claude_requests import tool_use
from benchbook.wire.events import (
    Ended,
    Event,
    Failed,
    Finished,
    Ping,
    ReasoningDelta,
    Started,
    TextDelta,
    TimingReported,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)
from benchbook.wire.objects import (
    Object,
    child,
    children,
    count,
    excerpt,
    filled,
    number,
    text,
)
from benchbook.wire.turns import fresh_input, input_text, whole_input

REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_REASONS_BACK = turned(REASONS)
METRICS = "amazon-bedrock-invocationMetrics"
_TIMINGS = {"invocationLatency": "latency_ms", "firstByteLatency": "first_byte_ms"}


# ---------------------------------------------------------------- answers, read


class Interpreter:
    """A stream's objects to events. Counts at the start are a first word, those at the end the last."""

    def __init__(self) -> None:
        self._tools: dict[int, int | None] = {}
        self._usage: Object = {}
        self._kinds: dict[str, Callable[[Object], Iterable[Event]]] = {
            "message_start": self._start,
            "content_block_start": self._block_start,
            "content_block_delta": self._delta,
            "message_delta": self._message_delta,
            "message_stop": _stop,
            "ping": lambda _: [Ping()],
            "error": lambda source: [failed(source)],
        }

    def interpret(self, source: Object) -> Iterable[Event]:
        """Objects of a kind that is not known are passed over, as Anthropic asks of clients."""
        kind = self._kinds.get(text(source, "type"))
        return () if kind is None else kind(source)

    def _start(self, source: Object) -> Iterator[Event]:
        message = child(source, "message")
        yield Started(text(message, "id"), text(message, "model"))
        self._count(child(message, "usage"))
        self._usage.pop("output_tokens", None)
        self._usage.pop("output_tokens_details", None)
        usage = read_usage(self._usage)
        if usage.input:
            yield UsageReported(usage)

    def _count(self, usage: Object) -> None:
        self._usage.update({key: value for key, value in usage.items() if value is not None})

    def _block_start(self, source: Object) -> Iterator[Event]:
        block, at = child(source, "content_block"), count(source, "index") or 0
        if text(block, "type") != "tool_use":
            self._tools[at] = None
            yield from _said(block)
            return
        index = self._tools[at] = sum(known is not None for known in self._tools.values())
        yield ToolCallStarted(index, text(block, "id"), text(block, "name"))
        yield from _arguments(index, input_text(child(block, "input")))

    def _delta(self, source: Object) -> Iterator[Event]:
        delta, at = child(source, "delta"), count(source, "index") or 0
        if text(delta, "type") != "input_json_delta":
            yield from _said(delta)
            return
        if at not in self._tools:
            raise WireError(f"input for content block {at}, which has not started: {excerpt(repr(source))}")
        index = self._tools[at]
        if index is not None:  # None: a tool of the server's own
            yield from _arguments(index, text(delta, "partial_json"))

    def _message_delta(self, source: Object) -> Iterator[Event]:
        yield from _finished(child(source, "delta"))
        usage = child(source, "usage")
        if usage:
            self._count(usage)
            yield UsageReported(read_usage(self._usage))


def _stop(source: Object) -> Iterator[Event]:
    yield from timings(child(source, METRICS))
    yield Ended()


def timings(metrics: Object) -> Iterator[Event]:
    """Bedrock's own timings, which it adds to the last object of a stream."""
    reported = {ours: number(metrics, theirs) for theirs, ours in _TIMINGS.items()}
    known = {name: float(value) for name, value in reported.items() if value is not None}
    if known:
        yield TimingReported(known)


def encode_timings(event: TimingReported) -> Object:
    """Without a timing of Bedrock's, nothing."""
    metrics = {theirs: round(event.reported[ours]) for theirs, ours in _TIMINGS.items() if ours in event.reported}
    return {METRICS: metrics} if metrics else {}


def _said(block: Object) -> Iterator[Event]:
    """Text and thinking, of a block or of a delta; signatures and redacted thinking say nothing."""
    if block.get("thinking"):
        yield ReasoningDelta(text(block, "thinking"))
    if block.get("text"):
        yield TextDelta(text(block, "text"))


def _arguments(index: int, arguments: str) -> Iterator[Event]:
    if arguments:
        yield ToolCallDelta(index, arguments)


def _finished(source: Object) -> Iterator[Event]:
    reason = text(source, "stop_reason")
    if reason:
        yield Finished(word(REASONS, reason))


def read_usage(usage: Object) -> Usage:
    cached, cache_write = count(usage, "cache_read_input_tokens"), count(usage, "cache_creation_input_tokens")
    return Usage(
        input=whole_input(count(usage, "input_tokens"), cached, cache_write),
        cached=cached,
        cache_write=cache_write,
        output=count(usage, "output_tokens"),
        reasoning=count(child(usage, "output_tokens_details"), "thinking_tokens"),
    )


def failed(source: Object) -> Failed:
    kind, message = refusals.said(source)
    return Failed(kind or "error", refusals.short(message))


def read_whole(source: Object) -> Iterator[Event]:
    if source.get("error"):
        yield failed(source)
        return
    yield Started(text(source, "id"), text(source, "model"))
    tools = 0
    for block in children(source, "content"):
        yield from _said(block)
        if text(block, "type") == "tool_use":
            yield ToolCallStarted(tools, text(block, "id"), text(block, "name"))
            yield from _arguments(tools, input_text(child(block, "input")))
            tools += 1
    yield from _finished(source)
    usage = child(source, "usage")
    if usage:
        yield UsageReported(read_usage(usage))
    yield Ended()


# ---------------------------------------------------------------- answers, written


class ObjectWriter:
    """Events to a stream's objects. A block opens with its first piece and closes when another kind begins.

    The reason to stop and the token counts share one object: it goes out as soon as both are known, at the end at
    the latest. Counts that are told before `Started` stand in the first object too, as Anthropic has them.
    """

    def __init__(self, request: ModelRequest, request_id: str) -> None:
        self._request, self._id = request, request_id
        self._open: str | None = None
        self._blocks = 0
        self._at: dict[int, int] = {}
        self._reason: str | None = None
        self._usage: Usage | None = None
        self._metrics: Object = {}
        self._table: dict[type[Any], Any] = {
            Started: self._start,
            TextDelta: lambda event: self._piece("text", event.text),
            ReasoningDelta: lambda event: self._piece("thinking", event.text),
            ToolCallStarted: self._call,
            ToolCallDelta: self._call_delta,
            Finished: self._finish,
            UsageReported: self._count,
            TimingReported: self._time,
            Ended: self._end,
        }

    def objects(self, event: Event) -> Iterable[Object]:
        entry = self._table.get(type(event))
        return () if entry is None else entry(event)

    def _start(self, event: Started) -> Iterator[Object]:
        placeholder = {"input_tokens": 0, "output_tokens": 0}
        usage = placeholder if self._usage is None else encode_usage(replace(self._usage, output=0, reasoning=None))
        message = _envelope(event, self._request, self._id)
        yield {"type": "message_start", "message": {**message, "stop_reason": None, "usage": usage}}

    def _piece(self, kind: str, piece: str) -> Iterator[Object]:
        if self._open != kind:
            yield from self._begin(kind, {"type": kind, kind: "", **({"signature": ""} if kind == "thinking" else {})})
        yield _delta(self._blocks - 1, {"type": f"{kind}_delta", kind: piece})

    def _begin(self, kind: str, block: Object) -> Iterator[Object]:
        yield from self._close()
        yield {"type": "content_block_start", "index": self._blocks, "content_block": block}
        self._open = kind
        self._blocks += 1

    def _close(self) -> Iterator[Object]:
        if self._open is not None:
            self._open = None
            yield {"type": "content_block_stop", "index": self._blocks - 1}

    def _call(self, event: ToolCallStarted) -> Iterator[Object]:
        self._at[event.index] = self._blocks
        yield from self._begin("tool_use", tool_use(ToolCall(event.id, event.name, "")))

    def _call_delta(self, event: ToolCallDelta) -> Iterator[Object]:
        at = self._at.get(event.index, self._blocks - 1)
        yield _delta(at, {"type": "input_json_delta", "partial_json": event.arguments})

    def _finish(self, event: Finished) -> Iterator[Object]:
        self._reason = event.reason
        yield from self._close()
        if self._usage is not None:
            yield from self._message_delta()

    def _count(self, event: UsageReported) -> Iterator[Object]:
        self._usage = event.usage
        if self._reason is not None:
            yield from self._message_delta()

    def _message_delta(self) -> Iterator[Object]:
        if self._reason is None and self._usage is None:
            return
        reason = None if self._reason is None else word(_REASONS_BACK, self._reason)
        delta = {"stop_reason": reason, "stop_sequence": None}
        usage = {} if self._usage is None else {"usage": encode_usage(self._usage)}
        self._reason = self._usage = None
        yield {"type": "message_delta", "delta": delta, **usage}

    def _time(self, event: TimingReported) -> Iterable[Object]:
        self._metrics = encode_timings(event)
        return ()

    def _end(self, _: Ended) -> Iterator[Object]:
        yield from self._close()
        yield from self._message_delta()
        yield {"type": "message_stop", **self._metrics}


def _delta(at: int, delta: Object) -> Object:
    return {"type": "content_block_delta", "index": at, "delta": delta}


def _envelope(started: Started, request: ModelRequest, request_id: str) -> Object:
    return {
        "id": started.id or request_id,
        "type": "message",
        "role": "assistant",
        "model": started.model or request.model,
        "content": [],
        "stop_sequence": None,
    }


def encode_usage(usage: Usage) -> Object:
    return filled(
        input_tokens=fresh_input(usage.input, usage.cached, usage.cache_write),
        cache_creation_input_tokens=usage.cache_write,
        cache_read_input_tokens=usage.cached,
        output_tokens=usage.output,
        output_tokens_details=filled(thinking_tokens=usage.reasoning),
    )


def whole_object(request: ModelRequest, request_id: str, answer: Gathered) -> Object:
    thinking = [{"type": "thinking", "thinking": answer.reasoning, "signature": ""}] if answer.reasoning else []
    said = [{"type": "text", "text": answer.text}] if answer.text else []
    calls = [tool_use(call) for call in answer.calls.values()]
    return {
        **_envelope(answer.started, request, request_id),
        "content": [*thinking, *said, *calls],
        "stop_reason": None if answer.reason is None else word(_REASONS_BACK, answer.reason),
        **({} if answer.usage is None else {"usage": encode_usage(answer.usage)}),
    }
