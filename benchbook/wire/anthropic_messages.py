"""Anthropic's Messages API: Claude's objects as JSON bodies and as named server-sent events."""

from __future__ import annotations

from benchbook.errors import WireError
from benchbook.records import ModelRequest
from benchbook.wire import ErrorBody, Reader, WireRequest, Writer, claude_answers, claude_requests, refusals, sse
from benchbook.wire.answers import FramedReader, WholeReader, WholeWriter
from benchbook.wire.events import Event, Failed, Ping, TimingReported
from benchbook.wire.objects import Object, dump, flag, load, text

PATH = "/v1/messages"
VERSION = "2023-06-01"
KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def encode_request(request: ModelRequest) -> WireRequest:
    body = {"model": request.model, "stream": request.stream, **claude_requests.encode_body(request)}
    return WireRequest(PATH, dump(body), {"anthropic-version": VERSION})


def decode_request(path: str, body: bytes) -> ModelRequest:
    if not path.partition("?")[0].endswith(PATH):
        raise WireError(f"path {path!r} is not {PATH}")
    source = load(body)
    stream = flag(source, "stream", default=False)
    return claude_requests.decode_body(source, model=text(source, "model"), stream=stream)


def reader(*, stream: bool) -> Reader:
    if not stream:
        return WholeReader(claude_answers.read_whole)
    interpreter = claude_answers.Interpreter()

    def interpret(frame: sse.Frame) -> list[Event]:
        if isinstance(frame, sse.Comment):
            return [Ping()]
        return list(interpreter.interpret(load(frame.data)))

    return FramedReader(sse.Reader(), interpret)


def writer(request: ModelRequest, *, request_id: str) -> Writer:
    if request.stream:
        return _StreamWriter(claude_answers.ObjectWriter(request, request_id))
    return WholeWriter(
        lambda answer: dump(claude_answers.whole_object(request, request_id, answer)),
        lambda event: dump(_error_object(event)),
    )


class _StreamWriter:
    content_type = "text/event-stream; charset=utf-8"

    def __init__(self, objects: claude_answers.ObjectWriter) -> None:
        self._objects = objects

    def write(self, event: Event) -> bytes:
        if isinstance(event, Ping):
            return _named({"type": "ping"})
        if isinstance(event, Failed):
            return _named(_error_object(event))
        if isinstance(event, TimingReported):  # only Bedrock tells its own
            return b""
        return b"".join(map(_named, self._objects.objects(event)))


def _named(source: Object) -> bytes:
    return sse.encode(sse.ServerSentEvent(dump(source), event=source["type"]))


def _error_object(event: Failed) -> Object:
    return {"type": "error", "error": {"type": event.kind, "message": event.message}}


def encode_error(status: int, message: str) -> bytes:
    kind = KINDS.get(status, "api_error" if status >= 500 else "invalid_request_error")
    return dump(_error_object(Failed(kind, message)))


def decode_error(status: int, body: bytes) -> ErrorBody:
    return refusals.read(body, KINDS, status)


error_headers = refusals.no_headers
