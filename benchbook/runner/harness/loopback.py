"""A sender whose every send is stamped, on threads of this process, for the harness to measure itself by.

Bare blocking sockets on loopback: a thread takes a request, and writes an answer of the OpenAI wire made ready before,
taking the monotonic clock just before each chunk's `send`. It never parses more than it must. The threads share this
interpreter's lock with the event loop, so what is found is an upper bound of an error and a lower bound of a rate.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

import orjson

from benchbook.clock import monotonic_ns

PACED, BURST = "paced", "burst"
"""Models: `paced` sends chunk by chunk by its law, `burst` the whole answer in one send."""
CHUNKS = {PACED: 8, BURST: 64}
FIRST_NS, GAP_NS = 2_000_000, 1_000_000
"""The law of `paced`: from the request to the first chunk, and from chunk to chunk."""
_TIMEOUT_S = 5.0


class Loopback:
    """The sender, as a context manager. `stamps`: by request id, the time of each chunk's send."""

    def __init__(self) -> None:
        self.stamps: dict[str, list[int]] = {}
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._served = 0
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        """Its base URL, as an OpenAI target's."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        with suppress(OSError):  # wakes the thread that accepts
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(_TIMEOUT_S)

    def _spawn(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, name="loopback", daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(_TIMEOUT_S)
            self._spawn(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while body := _request(connection):
                model = BURST if b'"burst"' in body else PACED
                with self._lock:
                    self._served += 1
                    request_id = f"loopback-{self._served}"
                self._answer(connection, model, request_id)

    def _answer(self, connection: socket.socket, model: str, request_id: str) -> None:
        head = _HEAD + request_id.encode() + b"\r\n\r\n"
        if model == BURST:
            connection.sendall(head + _BURST_BODY)
            return
        at_ns = monotonic_ns() + FIRST_NS
        connection.sendall(head)
        stamps = []
        for _ in range(CHUNKS[PACED]):
            ahead_ns = at_ns - monotonic_ns()
            if ahead_ns > 0 and self._stop.wait(ahead_ns / 1e9):
                return
            stamps.append(monotonic_ns())
            connection.sendall(_CHUNK)
            at_ns += GAP_NS
        self.stamps[request_id] = stamps
        connection.sendall(_END)


def _request(connection: socket.socket) -> bytes:
    """One request's body; empty where the connection has ended."""
    received = connection.recv(65_536)
    while received and b"\r\n\r\n" not in received:
        received += connection.recv(65_536) or b"\r\n\r\n"
    head, _, body = received.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    missing = int(lengths[0].split(b":")[1]) - len(body) if lengths else 0
    while missing > 0 and (more := connection.recv(65_536)):
        body += more
        missing -= len(more)
    return body


def _event(delta: dict[str, str], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    value = {"id": "loopback", "object": "chat.completion.chunk", "created": 0, "model": "loopback"}
    return _framed(b"data: " + orjson.dumps({**value, "choices": [choice]}) + b"\n\n")


def _framed(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nx-request-id: "
_CHUNK = _event({"content": "word "})
_END = _event({}, "stop") + _framed(b"data: [DONE]\n\n") + b"0\r\n\r\n"
_BURST_BODY = _CHUNK * CHUNKS[BURST] + _END
