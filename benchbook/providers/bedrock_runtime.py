"""boto3's own runtime client, watched: what it sends and brings back, stamped event by event.

An SDK that insists on boto3 leaves our transport no place, so the stamps are taken one floor higher: dispatch where
the connection writes, the head when boto3 has it, each event of a stream as it comes out of botocore's iterator. What
came is told as an `Exchange` whose pieces are those events framed again, so that the same wire reads it as ever.
A request that nobody waits for any more is ended by shutting its socket down, which no thread sleeps through.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextvars import ContextVar
from typing import Any

import orjson
import urllib3
from botocore import exceptions
from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)

from benchbook.clock import monotonic_ns
from benchbook.providers.http import Exchange
from benchbook.wire import eventstream

_MAKING: ContextVar[Recording | None] = ContextVar("benchbook_bedrock_request", default=None)


class Recording:
    """One request, filled in by the thread that makes it. `over`: resolves with what became of it."""

    def __init__(self, model: str, *, streamed: bool) -> None:
        self.model, self.streamed = model, streamed
        self.over: Future[Exchange] = Future()
        self.sent_ns: int | None = None
        self.connect_ns: int | None = None
        self._connection: Any = None
        self._head_ns: int | None = None
        self._status: int | None = None
        self._headers: Mapping[str, str] = {}
        self._events: list[tuple[int, Mapping[str, Any] | bytes]] = []
        self._once = threading.Lock()

    def uses(self, connection: Any) -> None:
        """The connection that the request is written to."""
        self._connection = connection

    def sends(self) -> None:
        """Bytes are about to be written."""
        if self.sent_ns is None:
            self.sent_ns = monotonic_ns()

    def head(self, response: Mapping[str, Any]) -> None:
        """Status and header fields are in."""
        self._head_ns = monotonic_ns()
        self._status = int(response.get("HTTPStatusCode", 0)) or None
        self._headers = {name.lower(): str(value) for name, value in response.get("HTTPHeaders", {}).items()}

    def brings(self, event: Mapping[str, Any] | bytes) -> None:
        """A stream's event, or a whole body."""
        self._events.append((monotonic_ns(), event))

    def ends(self, error: Exception | None = None) -> None:
        """Over, well or not; what was given up before stays so."""
        kind = message = None
        if isinstance(error, exceptions.ClientError):
            self._refused(error)
        elif error is not None:
            where = "the answer broke off: " if self._head_ns else ""
            kind, message = _kind_of(error), f"{where}{error}"
        self._conclude(kind, message)

    def give_up(self, kind: str, message: str) -> None:
        """Nobody waits for it any more: keep what came, and wake the thread that reads."""
        self._conclude(kind, message)
        sock = getattr(self._connection, "sock", None)
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _refused(self, error: exceptions.ClientError) -> None:
        """An answer that is an error: of the whole request, or in the middle of its stream."""
        said = error.response.get("Error", {})
        text = orjson.dumps({"message": str(said.get("Message", ""))})
        if self._head_ns is None:
            self.head(error.response.get("ResponseMetadata", {}))
            self.brings(text)
        else:
            kind = {":message-type": "exception", ":exception-type": str(said.get("Code", "exception"))}
            self.brings(eventstream.encode({**kind, ":content-type": "application/json"}, text))

    def _conclude(self, kind: str | None, message: str | None) -> None:
        now_ns = monotonic_ns()
        with self._once:
            if self.over.done():
                return
            last_ns = self._events[-1][0] if self._events else self._head_ns
            exchange = Exchange(
                closed_ns=now_ns,
                sent_ns=self.sent_ns,
                first_byte_ns=self._head_ns,
                last_byte_ns=last_ns,
                status=self._status,
                headers=self._headers,
                piece_at_ns=[stamp for stamp, _ in self._events],
                piece_bodies=[_framed(event) for _, event in self._events],
                error_kind=kind,
                error_message=message,
                connect_ns=self.connect_ns,
                cold=self.connect_ns is not None,
            )
            self.over.set_result(exchange)


class Watched:
    """A runtime client; each request is told to the recording that `begin(model, streamed)` gives."""

    def __init__(self, client: Any, begin: Callable[[str, bool], Recording]) -> None:
        self._client, self._begin = client, begin
        pools = client._endpoint.http_session._pool_classes_by_scheme  # noqa: SLF001 - botocore offers no other way
        pools.update(http=_Pool, https=_SecurePool)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def converse(self, **request: Any) -> Any:
        """As boto3's."""
        recording, response = self._made("converse", request)
        recording.brings(_whole(response))
        recording.ends()
        return response

    def converse_stream(self, **request: Any) -> Any:
        """As boto3's; its stream is stamped as it is read."""
        recording, response = self._made("converse_stream", request)
        return {**response, "stream": _Stream(response["stream"], recording)}

    def _made(self, operation: str, request: Mapping[str, Any]) -> tuple[Recording, Any]:
        recording = self._begin(str(request.get("modelId", "")), operation.endswith("stream"))
        token = _MAKING.set(recording)
        try:
            response = getattr(self._client, operation)(**request)
        except Exception as error:
            recording.ends(error)
            raise
        finally:
            _MAKING.reset(token)
        recording.head(response["ResponseMetadata"])
        return recording, response


class _Stream:
    """botocore's event stream, each event stamped as it comes out."""

    def __init__(self, events: Any, recording: Recording) -> None:
        self._events, self._recording = events, recording

    def __iter__(self) -> Iterator[Any]:
        try:
            for event in self._events:
                self._recording.brings(event)
                yield event
        except Exception as error:
            self._recording.ends(error)
            raise
        self._recording.ends()

    def close(self) -> None:
        self._recording.give_up("cancelled", "given up before its answer was complete")
        self._events.close()


class _Dispatch:
    """A connection that says when it is used, opened and written to."""

    def request(self, *args: Any, **kwargs: Any) -> Any:
        recording = _MAKING.get()
        if recording is not None:
            recording.uses(self)
        return super().request(*args, **kwargs)  # type: ignore[misc]

    def connect(self) -> None:
        started_ns = monotonic_ns()
        super().connect()  # type: ignore[misc]
        recording = _MAKING.get()
        if recording is not None:
            recording.connect_ns = monotonic_ns() - started_ns

    def send(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        recording = _MAKING.get()
        if recording is not None:
            if self.sock is None:  # type: ignore[attr-defined]
                self.connect()
            recording.sends()
        return super().send(data, *args, **kwargs)  # type: ignore[misc]


class _Connection(_Dispatch, AWSHTTPConnection):
    pass


class _SecureConnection(_Dispatch, AWSHTTPSConnection):
    pass


class _Pool(AWSHTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(AWSHTTPSConnectionPool):
    ConnectionCls = _SecureConnection


def _framed(event: Mapping[str, Any] | bytes) -> bytes:
    """An event as botocore gave it, as the frame that it came in."""
    if isinstance(event, bytes):
        return event
    kind, payload = next(iter(event.items()))
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return eventstream.encode(headers, orjson.dumps(payload, default=_plain))


def _whole(response: Mapping[str, Any]) -> bytes:
    body = {name: value for name, value in response.items() if name != "ResponseMetadata"}
    return orjson.dumps(body, default=_plain)


def _plain(value: object) -> str:
    """What JSON can't say (bytes of a redacted thought), as text of the same length."""
    return "*" * len(value) if isinstance(value, bytes) else str(value)


_KINDS: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.ProxyConnectionError, "proxy"),
    (exceptions.SSLError, "tls"),
    (exceptions.ReadTimeoutError, "timeout"),
    (exceptions.ConnectTimeoutError, "timeout"),
    (exceptions.EndpointConnectionError, "refused"),
    (exceptions.ConnectionClosedError, "reset"),
    (exceptions.ResponseStreamingError, "truncated"),
    (exceptions.IncompleteReadError, "truncated"),
    (exceptions.NoCredentialsError, "auth"),
    (exceptions.ParamValidationError, "bad_request"),
    (exceptions.EventStreamError, "stream_error"),
    (exceptions.HTTPClientError, "reset"),
)


def _kind_of(error: BaseException) -> str:
    """The error kind of what botocore raised, or urllib3 below it in the middle of a stream."""
    if isinstance(error, urllib3.exceptions.ReadTimeoutError):
        return "timeout"
    if isinstance(error, urllib3.exceptions.HTTPError):
        causes = (error.__cause__, error.__context__, *error.args)
        return "reset" if any(isinstance(cause, ConnectionError) for cause in causes) else "truncated"
    return next((kind for found, kind in _KINDS if isinstance(error, found)), "protocol")
