"""Ollama's own chat API: one JSON object a line, the last one with `done`, counts and durations.

Tool calls come whole. Where the server gives a call no id, its place in the answer is one. A text that ends in tool
calls is done with `stop` here, so `tool_calls` is written as that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchbook.errors import WireError
from benchbook.records import Message, ModelRequest, Params, ToolCall, Usage
from benchbook.wire import ErrorBody, Reader, WireRequest, Writer, ndjson, refusals
from benchbook.wire.answers import FramedReader, Gathered, WholeReader, WholeWriter
from benchbook.wire.chat_messages import decode_call, decode_tool, encode_tool, message_of, split_system
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
from benchbook.wire.objects import (
    Object,
    arguments_object,
    child,
    children,
    count,
    dump,
    filled,
    flag,
    load,
    number,
    strings,
    text,
)

PATH = "/api/chat"
CREATED_AT = "2026-01-01T00:00:00.000000Z"
"""`created_at` in answers that we write: wires know no clock."""

_DURATIONS = {
    "total_duration": "total_ms",
    "load_duration": "load_ms",
    "prompt_eval_duration": "prompt_eval_ms",
    "eval_duration": "eval_ms",
}
_OWN = ("model", "messages", "stream", "options", "tools")
_OWN_OPTIONS = ("temperature", "num_predict", "top_p", "stop", "seed")


# ---------------------------------------------------------------- requests


def encode_request(request: ModelRequest) -> WireRequest:
    """`params.extra["options"]` is merged into the options; everything else in `extra` stands beside them."""
    params = request.params
    extra = dict(params.extra)
    options = {
        **extra.pop("options", {}),
        **filled(
            temperature=params.temperature,
            num_predict=params.max_tokens,
            top_p=params.top_p,
            stop=params.stop,
            seed=params.seed,
        ),
    }
    tools = [encode_tool(tool) for tool in request.tools]
    body = {
        "model": request.model,
        "messages": list(_encode_messages(request)),
        "stream": request.stream,
        **filled(options=options, tools=tools),
        **extra,
    }
    return WireRequest(PATH, dump(body))


def _encode_messages(request: ModelRequest) -> Iterator[Object]:
    if request.system is not None:
        yield {"role": "system", "content": request.system}
    names = {call.id: call.name for message in request.messages for call in message.tool_calls}
    for message in request.messages:
        yield {
            "role": message.role,
            "content": message.content,
            **filled(
                tool_calls=[_encode_call(call) for call in message.tool_calls],
                tool_call_id=message.tool_call_id,
                tool_name=names.get(message.tool_call_id or ""),
            ),
        }


def _encode_call(call: ToolCall) -> Object:
    return {**filled(id=call.id), "function": {"name": call.name, "arguments": arguments_object(call.arguments)}}


def decode_request(path: str, body: bytes) -> ModelRequest:
    if not path.partition("?")[0].endswith(PATH):
        raise WireError(f"path {path!r} is not {PATH}")
    source = load(body)
    options = child(source, "options")
    extra = {key: value for key, value in source.items() if key not in _OWN}
    more = {key: value for key, value in options.items() if key not in _OWN_OPTIONS}
    params = Params(
        temperature=number(options, "temperature"),
        max_tokens=count(options, "num_predict"),
        top_p=number(options, "top_p"),
        stop=strings(options, "stop"),
        seed=count(options, "seed"),
        extra={**extra, **filled(options=more)},
    )
    system, others = split_system(children(source, "messages"))
    return ModelRequest(
        model=text(source, "model"),
        messages=tuple(_decode_message(message) for message in others),
        system=system,
        params=params,
        tools=tuple(decode_tool(tool) for tool in children(source, "tools")),
        stream=flag(source, "stream", default=True),
    )


def _decode_message(source: Object) -> Message:
    return message_of(source, tuple(decode_call(call) for call in children(source, "tool_calls")))


# ---------------------------------------------------------------- answers, read


def reader(*, stream: bool) -> Reader:
    interpreter = _Interpreter()
    if stream:
        return FramedReader(ndjson.Reader(), interpreter.interpret)
    return WholeReader(interpreter.interpret)


class _Interpreter:
    """Objects to events. An answer that is not streamed is one object of the same shape."""

    def __init__(self) -> None:
        self._started = False
        self._calls = 0

    def interpret(self, source: Object) -> Iterator[Event]:
        if source.get("error"):
            kind, message = refusals.said(source)
            yield Failed(kind or "error", refusals.short(message))
            return
        if not self._started:
            self._started = True
            yield Started(model=text(source, "model"))
        yield from self._message(child(source, "message"))
        if flag(source, "done", default=False):
            yield from _done(source)

    def _message(self, message: Object) -> Iterator[Event]:
        if message.get("thinking"):
            yield ReasoningDelta(text(message, "thinking"))
        if message.get("content"):
            yield TextDelta(text(message, "content"))
        for call in map(decode_call, children(message, "tool_calls")):
            yield ToolCallStarted(self._calls, call.id or f"call_{self._calls}", call.name)
            yield ToolCallDelta(self._calls, call.arguments or "{}")
            self._calls += 1


def _done(source: Object) -> Iterator[Event]:
    if source.get("done_reason"):
        yield Finished(text(source, "done_reason"))
    usage = Usage(input=count(source, "prompt_eval_count"), output=count(source, "eval_count"))
    if usage != Usage():
        yield UsageReported(usage)
    durations = {ours: number(source, theirs) for theirs, ours in _DURATIONS.items()}
    reported = {name: value / 1e6 for name, value in durations.items() if value is not None}
    if reported:
        yield TimingReported(reported)
    yield Ended()


# ---------------------------------------------------------------- answers, written


def writer(request: ModelRequest, *, request_id: str) -> Writer:  # noqa: ARG001  (this wire carries no id)
    if request.stream:
        return _StreamWriter(request)
    return WholeWriter(lambda answer: dump(_render(request, answer)), _error_line)


class _StreamWriter:
    """A line for each piece; tool calls wait until they are whole, reason, counts and durations for the last line."""

    content_type = "application/x-ndjson"

    def __init__(self, request: ModelRequest) -> None:
        self._request = request
        self._rest = Gathered()

    def write(self, event: Event) -> bytes:
        if isinstance(event, TextDelta):
            return self._calls() + self._line({"content": event.text})
        if isinstance(event, ReasoningDelta):
            return self._calls() + self._line({"content": "", "thinking": event.text})
        if isinstance(event, Failed):
            return self._calls() + _error_line(event) + b"\n"
        if isinstance(event, Ended):
            return self._calls() + ndjson.encode(_render(self._request, self._rest))
        waiting = self._calls() if isinstance(event, ToolCallStarted | Finished) else b""
        self._rest.add(event)
        return waiting

    def _calls(self) -> bytes:
        calls = [_encode_call(call) for call in self._rest.calls.values()]
        self._rest.calls.clear()
        return self._line({"content": "", "tool_calls": calls}) if calls else b""

    def _line(self, message: Object) -> bytes:
        return ndjson.encode(_object(self._request, self._rest.started, message, done=False))


def _object(request: ModelRequest, started: Started, message: Object, *, done: bool) -> Object:
    return {
        "model": started.model or request.model,
        "created_at": CREATED_AT,
        "message": {"role": "assistant", **message},
        "done": done,
    }


def _render(request: ModelRequest, answer: Gathered) -> Object:
    """The last object of a stream, or the only one of an answer that is not streamed."""
    calls = [_encode_call(call) for call in answer.calls.values()]
    message = {"content": answer.text, **filled(thinking=answer.reasoning, tool_calls=calls)}
    usage = answer.usage or Usage()
    return {
        **_object(request, answer.started, message, done=True),
        **filled(
            done_reason="stop" if answer.reason == "tool_calls" else answer.reason,
            **_nanoseconds(answer.reported),
            prompt_eval_count=usage.input,
            eval_count=usage.output,
        ),
    }


def _nanoseconds(reported: Any) -> Object:
    return {theirs: round(reported[ours] * 1e6) for theirs, ours in _DURATIONS.items() if ours in reported}


# ---------------------------------------------------------------- errors


def _error_line(event: Failed) -> bytes:
    return dump({"error": event.message})


def encode_error(status: int, message: str) -> bytes:  # noqa: ARG001  (the body does not tell statuses apart)
    return dump({"error": message})


def decode_error(status: int, body: bytes) -> ErrorBody:
    return refusals.read(body, {}, status)


error_headers = refusals.no_headers
