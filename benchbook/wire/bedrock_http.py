"""What Bedrock's two wires share: paths with a quoted model id, event-stream messages, exceptions and errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote, unquote

from benchbook.errors import WireError
from benchbook.wire import ErrorBody, eventstream, refusals
from benchbook.wire.events import Event, Failed
from benchbook.wire.objects import Object, dump, load

KINDS = {
    400: "ValidationException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}


def path(model: str, operation: str) -> str:
    """The model id, which may be an ARN, is quoted whole."""
    return f"/model/{quote(model, safe='')}/{operation}"


def model_and_operation(path: str, operations: Iterable[str]) -> tuple[str, str]:
    """The other way round; WireError for an operation that is not among these."""
    found = re.search(r"/model/(.+)/([^/]+)$", path.partition("?")[0])
    if found is None or found[2] not in operations:
        raise WireError(f"path {path!r} is not /model/ID/{{{','.join(operations)}}}")
    return unquote(found[1]), found[2]


def interpreted(
    event: Callable[[str, Object], Iterable[Event]],
) -> Callable[[eventstream.Message], Iterator[Event]]:
    """What the wire makes of a message's kind and JSON payload; exceptions and errors are the same on both."""

    def interpret(message: eventstream.Message) -> Iterator[Event]:
        kind = message.headers.get(":message-type")
        if kind == "exception":
            name = str(message.headers.get(":exception-type", "exception"))
            yield Failed(name, refusals.read(message.payload, {}, 0).message)
        elif kind == "error":
            name = str(message.headers.get(":error-code", "error"))
            yield Failed(name, refusals.short(str(message.headers.get(":error-message", ""))))
        else:
            yield from event(str(message.headers.get(":event-type", "")), load(message.payload))

    return interpret


def event(kind: str, payload: Any) -> bytes:
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return eventstream.encode(headers, dump(payload))


def exception(failed: Failed) -> bytes:
    headers = {":exception-type": failed.kind, ":content-type": "application/json", ":message-type": "exception"}
    return eventstream.encode(headers, error_object(failed.message))


def error_object(message: str) -> bytes:
    return dump({"message": message})


def kind_of(status: int) -> str:
    return KINDS.get(status, "InternalServerException" if status >= 500 else "ValidationException")


def encode_error(status: int, message: str) -> bytes:  # noqa: ARG001  (the header tells errors apart)
    return error_object(message)


def error_headers(status: int) -> dict[str, str]:
    return {"x-amzn-ErrorType": kind_of(status)}


def decode_error(status: int, body: bytes) -> ErrorBody:
    return refusals.read(body, KINDS, status)
