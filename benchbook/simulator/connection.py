"""HTTP/1.1 on one connection: httptools reads, requests wait in line, and one response at a time is played.

Each write goes to the socket by itself, straight through its file descriptor: no loop gathers writes behind a
stamp. Only when the socket's buffer is full does the transport take over. A read that is, byte for byte, a whole
request as it came before is known and not parsed again.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, Any

import httptools

from benchbook.clock import monotonic_ns
from benchbook.simulator.messages import HttpRequest, Message
from benchbook.simulator.player import Playing
from benchbook.simulator.truth import Record

if TYPE_CHECKING:
    from benchbook.simulator.server import Listener

MAX_BODY = 64 * 1024 * 1024
MAX_QUEUED = 64
_RST_ON_CLOSE = struct.pack("ii", 1, 0)
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Connection(asyncio.Protocol):
    """One client's connection. `number` counts connections, `_requests` its requests, both from 1."""

    def __init__(self, simulator: Listener) -> None:
        self.simulator = simulator
        self._waiting: deque[HttpRequest] = deque()
        self._requests = 0
        self._busy = False
        self._last_words = b""
        self._player: Playing | None = None
        self._clogged = False
        self._between = True
        self._parser: Any = None
        self._head: dict[str, str] = {}
        self._target = b""
        self._body: list[bytes] = []
        self._size = 0

    # ------------------------------------------------------------ asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.number = self.simulator.admit(self)
        self._fd: int = transport.get_extra_info("socket").fileno()
        self._option(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.simulator.refuses(self.number):
            self.reset()
            return
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._read_ns = monotonic_ns()
        if self._parser is None:
            return
        known = self.simulator.known.get(data) if self._between else None
        if known is None:
            self._parse(data)
        else:
            self._queue(known)
        if not self._busy:
            self.next()

    def _parse(self, data: bytes) -> None:
        """Feed the parser; if the read was one whole request, it is known from now on."""
        fresh, before = self._between, self._requests
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._parser, self._last_words = None, _BAD_REQUEST
        if self._size > MAX_BODY:
            self._parser, self._last_words = None, _TOO_LARGE
        whole = fresh and self._between and self._requests == before + 1 and self._parser is not None
        if whole and "expect" not in self._head:
            self.simulator.known.put(data, self._waiting[-1].message, len(data))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._parser = None
        self._waiting.clear()
        if self._player is not None:
            self._player.abandon()
        self.simulator.dismiss(self)

    # ------------------------------------------------------------ httptools' callbacks

    def on_message_begin(self) -> None:
        self._target, self._body, self._size, self._head = b"", [], 0, {}
        self._between = False

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if int(self._head.get("content-length", 0)) > MAX_BODY:
            self._size = MAX_BODY + 1
        elif self._head.get("expect", "").lower() == "100-continue":
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size <= MAX_BODY:
            self._body.append(body)

    def on_message_complete(self) -> None:
        message = Message(
            method=self._parser.get_method().decode("latin-1"),
            target=self._target.decode("latin-1"),
            headers=self._head,
            body=b"".join(self._body),
            keep_alive=self._parser.should_keep_alive() and self._parser.get_http_version() == "1.1",
        )
        self._between = True
        self._queue(message)

    def _queue(self, message: Message) -> None:
        self._requests += 1
        self._waiting.append(HttpRequest(message, self._read_ns, self.number, self._requests))
        if len(self._waiting) >= MAX_QUEUED:
            self.transport.pause_reading()

    # ------------------------------------------------------------ one response after the other

    def next(self) -> None:
        """Take the next request in line, if there is one. Its response is composed when the loop gets to it.

        Behind the last request of a connection that can't be read any further, say so and close.
        """
        self._busy = bool(self._waiting) and not self.transport.is_closing()
        if self._last_words and not self._busy:
            self.write(self._last_words)
            self.transport.close()
        if self._busy:
            self.simulator.compose_soon(self, self._waiting.popleft())
            if len(self._waiting) == MAX_QUEUED - 1:
                self.transport.resume_reading()

    def play(self, request: HttpRequest) -> None:
        """Have the response composed and start to play it."""
        if self.transport.is_closing():
            return
        self._player = self.simulator.player(self, request)
        again_ns = self._player.step()
        if again_ns is not None:
            self.at(again_ns, self._player)

    def finish(self, *, keep_alive: bool) -> None:
        """The response has ended in order."""
        self._player = None
        if keep_alive:
            self.next()
        else:
            self.transport.close()

    def at(self, due_ns: int, player: Playing) -> None:
        self.simulator.agenda.at(due_ns, player.step)

    def log(self, record: Record | None) -> None:
        if record is not None:
            self.simulator.log(record)

    # ------------------------------------------------------------ the socket

    def write(self, data: bytes) -> bool:
        """Hand bytes to the kernel now; False when the client is gone."""
        if self._clogged or self.transport.is_closing():
            return self._write_behind(data)
        try:
            sent = os.write(self._fd, data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.transport.abort()
            return False
        if sent < len(data):
            self._clogged = True
            self.transport.write(data[sent:])
        return True

    def _write_behind(self, data: bytes) -> bool:
        """Write where the transport may still hold what the kernel would not take, or may be closing."""
        if self.transport.is_closing():
            return False
        if self.transport.get_write_buffer_size():
            self.transport.write(data)
            return True
        self._clogged = False
        return self.write(data)

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self._option(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
        self.transport.abort()

    def _option(self, level: int, name: int, value: int | bytes) -> None:
        borrowed = socket.socket(fileno=self._fd)
        try:
            borrowed.setsockopt(level, name, value)
        except OSError:
            pass  # the client was gone before we looked
        finally:
            borrowed.detach()
