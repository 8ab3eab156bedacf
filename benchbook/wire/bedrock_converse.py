"""Amazon Bedrock's Converse and ConverseStream: one shape for every model."""

from __future__ import annotations

from benchbook.records import ModelRequest
from benchbook.wire import Reader, WireRequest, Writer, bedrock_http, converse_answers, converse_requests, eventstream
from benchbook.wire.answers import FramedReader, WholeReader, WholeWriter
from benchbook.wire.events import Event, Failed
from benchbook.wire.objects import Object, child, dump, filled, load

WHOLE, STREAM = "converse", "converse-stream"
FIELDS = (
    "additionalModelResponseFieldPaths",
    "guardrailConfig",
    "outputConfig",
    "performanceConfig",
    "promptVariables",
    "requestMetadata",
    "serviceTier",
)
"""Converse's own fields that `params.extra` may name; its other entries go to the model as they are."""
MORE = "additionalModelRequestFields"


def encode_request(request: ModelRequest) -> WireRequest:
    extra = request.params.extra
    body: Object = {
        **converse_requests.encode_body(request),
        **{key: value for key, value in extra.items() if key in FIELDS},
        **filled(**{MORE: {key: value for key, value in extra.items() if key not in FIELDS}}),
    }
    return WireRequest(bedrock_http.path(request.model, STREAM if request.stream else WHOLE), dump(body))


def decode_request(path: str, body: bytes) -> ModelRequest:
    model, operation = bedrock_http.model_and_operation(path, (WHOLE, STREAM))
    source = load(body)
    own = {key: value for key, value in source.items() if key in FIELDS}
    return converse_requests.decode_body(source, model, {**own, **child(source, MORE)}, stream=operation == STREAM)


def reader(*, stream: bool) -> Reader:
    if not stream:
        return WholeReader(converse_answers.read_whole)
    interpreter = converse_answers.Interpreter()
    return FramedReader(
        eventstream.Reader(),
        bedrock_http.interpreted(interpreter.interpret),
        interpreter.close,
    )


def writer(request: ModelRequest, *, request_id: str) -> Writer:  # noqa: ARG001  (the body carries no id)
    if request.stream:
        return _StreamWriter()
    return WholeWriter(
        lambda answer: dump(converse_answers.whole_object(answer)),
        lambda event: bedrock_http.error_object(event.message),
    )


class _StreamWriter:
    content_type = eventstream.CONTENT_TYPE

    def __init__(self) -> None:
        self._parts = converse_answers.PartWriter()

    def write(self, event: Event) -> bytes:
        if isinstance(event, Failed):
            return bedrock_http.exception(event)
        return b"".join(bedrock_http.event(kind, payload) for kind, payload in self._parts.parts(event))


encode_error = bedrock_http.encode_error
decode_error = bedrock_http.decode_error
error_headers = bedrock_http.error_headers
