"""OpenAI's Chat Completions, and the many servers that speak it.

Reasoning is read as `reasoning_content` or `reasoning` and written as the first; a refusal counts as visible text.
Only choice 0 is read. A stream ends with `[DONE]`; usage comes in a last chunk without choices, if the request asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchbook.errors import WireError
from benchbook.records import Message, ModelRequest, Params, ToolCall, Usage
from benchbook.wire import ErrorBody, Reader, WireRequest, Writer, refusals, sse
from benchbook.wire.answers import FramedReader, Gathered, TableWriter, WholeReader, WholeWriter, turned, word
from benchbook.wire.chat_messages import (
    decode_call,
    decode_tool,
    encode_tool,
    message_of,
    split_system,
)
from benchbook.wire.events import (
    Ended,
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
from benchbook.wire.openai_answers import DONE, REASONS, Interpreter, read_whole

PATH = "/chat/completions"
CREATED = 1_767_225_600
"""`created` in answers that we write: wires know no clock (2026-01-01)."""

_REASONS_BACK = turned(REASONS)
KINDS = {
    400: "invalid_request_error",
    401: "invalid_api_key",
    403: "permission_denied",
    404: "model_not_found",
    429: "rate_limit_exceeded",
    500: "server_error",
    503: "service_unavailable",
}
_OWN = ("model", "messages", "temperature", "max_tokens", "top_p", "stop", "seed", "tools", "stream")


# ---------------------------------------------------------------- requests


def encode_request(request: ModelRequest) -> WireRequest:
    params = request.params
    body: Object = {
        "model": request.model,
        "messages": list(_encode_messages(request)),
        "stream": request.stream,
        **({"stream_options": {"include_usage": True}} if request.stream else {}),
        **filled(
            temperature=params.temperature,
            max_tokens=None if "max_completion_tokens" in params.extra else params.max_tokens,
            top_p=params.top_p,
            stop=params.stop,
            seed=params.seed,
            tools=[encode_tool(tool) for tool in request.tools],
        ),
        **params.extra,
    }
    return WireRequest(PATH, dump(body))


def _encode_messages(request: ModelRequest) -> Iterator[Object]:
    if request.system is not None:
        yield {"role": "system", "content": request.system}
    for message in request.messages:
        calls = [_encode_call(call) for call in message.tool_calls]
        content = None if calls and not message.content else message.content
        yield {
            "role": message.role,
            "content": content,
            **filled(tool_calls=calls, tool_call_id=message.tool_call_id),
        }


def _encode_call(call: ToolCall) -> Object:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def decode_request(path: str, body: bytes) -> ModelRequest:
    """A server's view. The body's other fields are `params.extra`; `max_completion_tokens` is a maximum as well.

    A stream whose request asks for no usage says so in `extra["stream_options"]`, which the writer obeys.
    """
    if not path.partition("?")[0].endswith(PATH):
        raise WireError(f"path {path!r} is not {PATH}")
    source = load(body)
    stream = flag(source, "stream", default=False)
    extra = {key: value for key, value in source.items() if key not in _OWN}
    if stream and extra.get("stream_options") == {"include_usage": True}:
        del extra["stream_options"]
    elif stream:
        extra.setdefault("stream_options", {"include_usage": False})
    most = count(source, "max_tokens")
    params = Params(
        temperature=number(source, "temperature"),
        max_tokens=count(source, "max_completion_tokens") if most is None else most,
        top_p=number(source, "top_p"),
        stop=strings(source, "stop"),
        seed=count(source, "seed"),
        extra=extra,
    )
    system, others = split_system(children(source, "messages"))
    return ModelRequest(
        model=text(source, "model"),
        messages=tuple(_decode_message(message) for message in others),
        system=system,
        params=params,
        tools=tuple(decode_tool(tool) for tool in children(source, "tools")),
        stream=stream,
    )


def _decode_message(source: Object) -> Message:
    return message_of(source, tuple(decode_call(call) for call in children(source, "tool_calls")))


# ---------------------------------------------------------------- answers


def reader(*, stream: bool) -> Reader:
    if stream:
        interpreter = Interpreter()
        return FramedReader(sse.Reader(closing=DONE), interpreter.interpret, name=interpreter.name)
    return WholeReader(read_whole)


def writer(request: ModelRequest, *, request_id: str) -> Writer:
    if request.stream:
        return _stream_writer(_Head(request, request_id), wants_usage=_wants_usage(request))
    return WholeWriter(lambda answer: _render(_Head(request, request_id), answer), _error_object)


def _wants_usage(request: ModelRequest) -> bool:
    options = request.params.extra.get("stream_options", {"include_usage": True})
    return bool(isinstance(options, dict) and options.get("include_usage"))


class _Head:
    """The fields that every object of an answer repeats."""

    def __init__(self, request: ModelRequest, request_id: str) -> None:
        self._started = Started(request_id, request.model)

    def take(self, started: Started) -> None:
        own = self._started
        self._started = Started(started.id or own.id, started.model or own.model, started.system_fingerprint)

    def fields(self, kind: str) -> Object:
        own = self._started
        return {
            "id": own.id,
            "object": kind,
            "created": CREATED,
            "model": own.model,
            **filled(system_fingerprint=own.system_fingerprint),
        }

    def chunk(self, delta: Object, reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return _event({**self.fields("chat.completion.chunk"), "choices": [choice]})

    def start(self, started: Started) -> bytes:
        self.take(started)
        return self.chunk({"role": "assistant", "content": ""})

    def usage(self, usage: Usage) -> bytes:
        return _event({**self.fields("chat.completion.chunk"), "choices": [], "usage": _encode_usage(usage)})


def _stream_writer(head: _Head, *, wants_usage: bool) -> TableWriter:
    return TableWriter(
        "text/event-stream; charset=utf-8",
        {
            Started: head.start,
            TextDelta: lambda event: head.chunk({"content": event.text}),
            ReasoningDelta: lambda event: head.chunk({"reasoning_content": event.text}),
            ToolCallStarted: lambda event: head.chunk({"tool_calls": [_call_start(event)]}),
            ToolCallDelta: lambda event: head.chunk({"tool_calls": [_call_delta(event)]}),
            Finished: lambda event: head.chunk({}, word(_REASONS_BACK, event.reason)),
            UsageReported: lambda event: head.usage(event.usage) if wants_usage else b"",
            Ping: lambda _: sse.encode(sse.Comment("keep-alive")),
            Failed: lambda event: sse.encode(sse.ServerSentEvent(_error_object(event))),
            Ended: lambda _: sse.encode(sse.ServerSentEvent(DONE)),
        },
    )


def _event(value: Any) -> bytes:
    return sse.encode(sse.ServerSentEvent(dump(value)))


def _call_start(event: ToolCallStarted) -> Object:
    return {"index": event.index, **_encode_call(ToolCall(event.id, event.name, ""))}


def _call_delta(event: ToolCallDelta) -> Object:
    return {"index": event.index, "function": {"arguments": event.arguments}}


def _render(head: _Head, answer: Gathered) -> bytes:
    head.take(answer.started)
    calls = [_encode_call(call) for call in answer.calls.values()]
    message = {
        "role": "assistant",
        "content": None if calls and not answer.text else answer.text,
        "refusal": None,
        **filled(reasoning_content=answer.reasoning, tool_calls=calls),
    }
    reason = None if answer.reason is None else word(_REASONS_BACK, answer.reason)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    usage = {} if answer.usage is None else {"usage": _encode_usage(answer.usage)}
    return dump({**head.fields("chat.completion"), "choices": [choice], **usage})


def _encode_usage(usage: Usage) -> Object:
    return filled(
        prompt_tokens=usage.input,
        completion_tokens=usage.output,
        total_tokens=None if usage.input is None or usage.output is None else usage.input + usage.output,
        prompt_tokens_details=filled(cached_tokens=usage.cached, cache_write_tokens=usage.cache_write),
        completion_tokens_details=filled(reasoning_tokens=usage.reasoning),
    )


# ---------------------------------------------------------------- errors


def _error_object(event: Failed) -> bytes:
    return dump({"error": {"message": event.message, "type": event.kind, "param": None, "code": None}})


def encode_error(status: int, message: str) -> bytes:
    kind = KINDS.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return dump({"error": {"message": message, "type": kind, "param": None, "code": kind}})


def decode_error(status: int, body: bytes) -> ErrorBody:
    return refusals.read(body, KINDS, status)


error_headers = refusals.no_headers
