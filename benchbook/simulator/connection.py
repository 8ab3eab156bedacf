"""HTTP/1.1 on one connection: httptools reads, requests wait in line, and one response at a time is played.

Playing is waiting and writing, nothing else. Each beat goes to the socket by itself, straight through its
file descriptor: the stamp stands right before the system call, and no loop gathers writes behind it. Only
when the socket's buffer is full does the transport take over.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections import deque
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any, Protocol

import httptools

from benchbook.clock import monotonic_ns
from benchbook.simulator.replies import HttpRequest
from benchbook.simulator.score import CLOSE, COMPLETE, HOLD, Beat, merged
from benchbook.simulator.truth import Record

if TYPE_CHECKING:
    from benchbook.simulator.server import Listener

MAX_BODY = 64 * 1024 * 1024
MAX_QUEUED = 64
MAX_BURST = 256
_RST_ON_CLOSE = struct.pack("ii", 1, 0)
_NS_PER_MS = 1_000_000
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Playing(Protocol):
    """A response under way. It ends with `Connection.finish` or `Connection.reset`."""

    def step(self) -> None:
        """Begin, or go on: called once, and again whenever `Connection.at` was asked to."""
        ...

    def abandon(self) -> None:
        """The connection is gone."""
        ...


class Playable(Protocol):
    """What `Player` plays: writes in time and how they end, as `score.Score` has them."""

    @property
    def ending(self) -> str: ...

    @property
    def end_ms(self) -> float | None: ...

    def framed(self, *, keep_alive: bool) -> Iterator[Beat]: ...


class Connection(asyncio.Protocol):
    """One client's connection. `number` counts connections, `_requests` its requests, both from 1."""

    def __init__(self, simulator: Listener) -> None:
        self.simulator = simulator
        self._waiting: deque[HttpRequest] = deque()
        self._requests = 0
        self._busy = False
        self._last_words = b""
        self._player: Playing | None = None
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
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._parser, self._last_words = None, _BAD_REQUEST
        if self._size > MAX_BODY:
            self._parser, self._last_words = None, _TOO_LARGE
        if not self._busy:
            self.next()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._parser = None
        self._waiting.clear()
        if self._player is not None:
            self._player.abandon()
        self.simulator.dismiss(self)

    # ------------------------------------------------------------ httptools' callbacks

    def on_message_begin(self) -> None:
        self._target, self._body, self._size, self._head = b"", [], 0, {}

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
        self._requests += 1
        self._waiting.append(
            HttpRequest(
                method=self._parser.get_method().decode("latin-1"),
                target=self._target.decode("latin-1"),
                headers=self._head,
                body=b"".join(self._body),
                received_ns=self._read_ns,
                keep_alive=self._parser.should_keep_alive() and self._parser.get_http_version() == "1.1",
                connection=self.number,
                number=self._requests,
            )
        )
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
        self._player.step()

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
        transport = self.transport
        if transport.is_closing():
            return False
        if transport.get_write_buffer_size():
            transport.write(data)
            return True
        try:
            sent = os.write(self._fd, data)
        except BlockingIOError:
            sent = 0
        except OSError:
            transport.abort()
            return False
        if sent < len(data):
            transport.write(data[sent:])
        return True

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


class Player:
    """Plays one response: writes each beat when it is due, stamps it, and ends the body as its score says.

    The next beat is taken, and so encoded, right after the one before was written.
    """

    __slots__ = ("_beats", "_connection", "_done", "_due_ns", "_keep_alive", "_next", "_origin_ns", "_record", "_score")

    def __init__(
        self, connection: Connection, request: HttpRequest, score: Playable, record: Record | None = None
    ) -> None:
        self._connection, self._record, self._score = connection, record, score
        self._keep_alive = request.keep_alive and self._score.ending == COMPLETE
        self._origin_ns = request.received_ns
        beats = self._score.framed(keep_alive=self._keep_alive)
        self._beats = _coalesced(beats) if connection.simulator.coalesces else beats
        self._done, self._due_ns = False, 0
        self._next: Beat | None = None
        self._take()

    def _take(self) -> None:
        beat = self._next = next(self._beats, None)
        if beat is not None:
            self._due_ns = self._origin_ns + round(beat.at_ms * _NS_PER_MS)

    def step(self) -> None:
        """Write what is due, a burst at most so that others get a turn; then wait for the next beat or the end."""
        written = 0
        while self._next is not None and not self._done:
            beat, due_ns, now_ns = self._next, self._due_ns, monotonic_ns()
            if due_ns > now_ns or written == MAX_BURST:
                self._connection.at(due_ns, self)
                return
            if not self._connection.write(beat.data):
                return
            self._stamp(beat, due_ns, now_ns)
            self._take()
            written += 1
        if not self._done:
            self._end()

    def _stamp(self, beat: Beat, due_ns: int, now_ns: int) -> None:
        record = self._record
        if record is None:
            return
        if record.first_byte_ns is None:
            record.first_byte_ns, record.first_due_ns = now_ns, due_ns
        record.last_byte_ns, record.last_due_ns = now_ns, due_ns
        if beat.kind:
            record.due_ns.append(due_ns)
            record.sent_ns.append(now_ns)
            record.sizes.append(beat.size)
            record.kinds.append(beat.kind)

    def _end(self) -> None:
        ending, end_ms = self._score.ending, self._score.end_ms
        if ending == HOLD:
            return
        if end_ms is not None:
            end_ns = self._origin_ns + round(end_ms * _NS_PER_MS)
            if end_ns > monotonic_ns():
                self._connection.at(end_ns, self)
                return
        self._close("complete" if ending == COMPLETE else "cut")
        if ending == COMPLETE:
            self._connection.finish(keep_alive=self._keep_alive)
        elif ending == CLOSE:
            self._connection.finish(keep_alive=False)
        else:
            self._connection.reset()

    def abandon(self) -> None:
        """The connection is gone."""
        if not self._done:
            self._close("cut" if self._score.ending == HOLD and self._next is None else "client_gone")

    def _close(self, outcome: str) -> None:
        self._done = True
        if self._record is not None:
            self._record.outcome = outcome
            self._connection.log(self._record)


def _coalesced(beats: Iterator[Beat]) -> Iterator[Beat]:
    """Beats of the same instant as one write; its content counts as one chunk."""
    for at_ms, group in groupby(beats, key=lambda beat: beat.at_ms):
        together = tuple(group)
        kind = next((beat.kind for beat in together if beat.kind), "")
        yield Beat(at_ms, merged(together), kind, sum(beat.size for beat in together))
