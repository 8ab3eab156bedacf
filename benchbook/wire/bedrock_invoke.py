"""Amazon Bedrock's InvokeModel: every family of models has bodies of its own. Here: Claude's and Nova's.

A request's family is told by the model id, an answer's by its shape. Streamed objects are base64 in `chunk` events.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator

from benchbook.errors import WireError
from benchbook.records import ModelRequest
from benchbook.wire import (
    Reader,
    WireRequest,
    Writer,
    bedrock_http,
    claude_answers,
    claude_requests,
    converse_answers,
    converse_requests,
    eventstream,
)
from benchbook.wire.answers import FramedReader, Gathered, WholeReader, WholeWriter
from benchbook.wire.events import Ended, Event, Failed, TimingReported
from benchbook.wire.objects import Object, child, dump, excerpt, filled, load, text

WHOLE, STREAM = "invoke", "invoke-with-response-stream"
VERSION = "bedrock-2023-05-31"
SCHEMA = "messages-v1"
_FAMILY = re.compile(r"(?:^|[./])(anthropic\.|amazon\.nova)")


def family(model: str) -> str:
    """`claude` or `nova`, by a model's id, also with a region's prefix or inside an ARN. WireError for another."""
    found = _FAMILY.search(model)
    if found is None:
        raise WireError(f"model {model!r}: InvokeModel bodies are known for anthropic.* and amazon.nova*; use Converse")
    return "claude" if found[1] == "anthropic." else "nova"


# ---------------------------------------------------------------- requests


def encode_request(request: ModelRequest) -> WireRequest:
    claude = family(request.model) == "claude"
    body = _claude_body(request) if claude else _nova_body(request)
    return WireRequest(bedrock_http.path(request.model, STREAM if request.stream else WHOLE), dump(body))


def _claude_body(request: ModelRequest) -> Object:
    return {"anthropic_version": VERSION, **claude_requests.encode_body(request)}


def _nova_body(request: ModelRequest) -> Object:
    """`params.extra["inferenceConfig"]` (Nova's topK) is merged; the rest of `extra` stands beside it."""
    body, extra = converse_requests.encode_body(request), dict(request.params.extra)
    config = {**extra.pop("inferenceConfig", {}), **body.pop("inferenceConfig", {})}
    return {"schemaVersion": SCHEMA, **body, **filled(inferenceConfig=config), **extra}


def decode_request(path: str, body: bytes) -> ModelRequest:
    model, operation = bedrock_http.model_and_operation(path, (WHOLE, STREAM))
    source, stream = load(body), operation == STREAM
    if family(model) == "nova":
        return _decode_nova(source, model, stream=stream)
    if not text(source, "anthropic_version"):
        raise WireError("anthropic_version: this wire demands it")
    del source["anthropic_version"]
    return claude_requests.decode_body(source, model=model, stream=stream)


_NOVA_CONFIG = ("maxTokens", "max_new_tokens", "temperature", "topP", "stopSequences")


def _decode_nova(source: Object, model: str, *, stream: bool) -> ModelRequest:
    config = {key: value for key, value in child(source, "inferenceConfig").items() if key not in _NOVA_CONFIG}
    own = (*converse_requests.OWN, "schemaVersion")
    extra = {key: value for key, value in source.items() if key not in own}
    return converse_requests.decode_body(source, model, {**extra, **filled(inferenceConfig=config)}, stream=stream)


# ---------------------------------------------------------------- answers, read


def reader(*, stream: bool) -> Reader:
    if not stream:
        return WholeReader(_read_whole)
    interpreter = _Interpreter()
    return FramedReader(eventstream.Reader(), bedrock_http.interpreted(interpreter.interpret), interpreter.close)


def _read_whole(source: Object) -> Iterable[Event]:
    """Nova's bodies hold `output`, Claude's a `type`."""
    if "output" in source:
        return converse_answers.read_whole(source)
    if "type" in source:
        return claude_answers.read_whole(source)
    raise WireError(f"a body that is neither Claude's nor Nova's: {excerpt(repr(source))}")


class _Interpreter:
    def __init__(self) -> None:
        self._claude, self._nova = claude_answers.Interpreter(), converse_answers.Interpreter()

    def interpret(self, kind: str, payload: Object) -> Iterable[Event]:
        if kind != "chunk":
            return ()
        try:
            source = load(b64decode(text(payload, "bytes"), validate=True))
        except ValueError:
            raise WireError(f"a chunk that is not base64: {excerpt(repr(payload))}") from None
        return self._claude.interpret(source) if "type" in source else self._parts(source)

    def _parts(self, source: Object) -> Iterator[Event]:
        """A Nova chunk names its kind; Bedrock's timings stand beside the last one's `metadata`."""
        beside = filled(**{claude_answers.METRICS: source.pop(claude_answers.METRICS, None)})
        for kind, payload in source.items():
            if isinstance(payload, dict):
                yield from self._nova.interpret(kind, {**payload, **beside})

    def close(self) -> list[Event]:
        return self._nova.close()


# ---------------------------------------------------------------- answers, written


def writer(request: ModelRequest, *, request_id: str) -> Writer:
    claude = family(request.model) == "claude"
    if request.stream:
        return _StreamWriter(_claude_stream(request, request_id) if claude else _NovaStream())

    def render(answer: Gathered) -> bytes:
        if claude:
            return dump(claude_answers.whole_object(request, request_id, answer))
        return dump(filled(**{**converse_answers.whole_object(answer), "metrics": None}))

    return WholeWriter(render, lambda event: bedrock_http.error_object(event.message))


def _claude_stream(request: ModelRequest, request_id: str) -> claude_answers.ObjectWriter:
    return claude_answers.ObjectWriter(request, request_id)


class _NovaStream:
    """Nova's objects: a kind with its payload, the timings beside `metadata`."""

    def __init__(self) -> None:
        self._parts = converse_answers.PartWriter()
        self._metrics: Object = {}

    def objects(self, event: Event) -> Iterator[Object]:
        if isinstance(event, TimingReported):
            self._metrics = claude_answers.encode_timings(event)
            return
        last: Object = {}
        for kind, payload in self._parts.parts(event):
            last = {kind: payload}
            if kind != "metadata":
                yield last
        if isinstance(event, Ended):
            yield {"metadata": last.get("metadata", {}), **self._metrics}


class _StreamWriter:
    content_type = eventstream.CONTENT_TYPE

    def __init__(self, objects: claude_answers.ObjectWriter | _NovaStream) -> None:
        self._objects = objects

    def write(self, event: Event) -> bytes:
        if isinstance(event, Failed):
            return bedrock_http.exception(event)
        return b"".join(map(_chunk, self._objects.objects(event)))


def _chunk(source: Object) -> bytes:
    return bedrock_http.event("chunk", {"bytes": b64encode(dump(source)).decode()})


encode_error = bedrock_http.encode_error
decode_error = bedrock_http.decode_error
error_headers = bedrock_http.error_headers
