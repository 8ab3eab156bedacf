"""One connection and the answer it is receiving: the measuring point.

`data_received` stamps first, then lets httptools take the HTTP framing off, then keeps the bytes under that
stamp. No JSON, no copy, no await. A connection carries one exchange at a time; the one that ends without
a complete message is closed, never reused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import cast

import httptools

from benchbook.clock import monotonic_ns

_NO_BODY = (204, 304)


@lru_cache(maxsize=256)
def _field_name(name: bytes) -> str:
    """A header field's name in lower case: servers say the same ones again and again."""
    return name.decode("latin-1").lower()


Over = Callable[[int], None]
"""Told, at once and with its last stamp, of an exchange that ended well: HTTP 200 and complete."""


class Receiving:
    """An answer as it comes in; httptools calls what begins with `on_`, with the segment's stamp in `stamp`."""

    __slots__ = (
        "closed_ns",
        "complete",
        "done",
        "error_kind",
        "error_message",
        "feed",
        "fields",
        "first_byte_ns",
        "keep_alive",
        "over",
        "parser",
        "piece_at_ns",
        "piece_bodies",
        "sent_ns",
        "stamp",
        "status",
    )

    def __init__(self, done: asyncio.Future[None], over: Over | None = None) -> None:
        self.done = done
        self.over = over
        self.stamp = 0
        self.sent_ns = 0
        self.closed_ns = 0
        self.first_byte_ns: int | None = None
        self.status: int | None = None
        self.fields: list[tuple[bytes, bytes]] = []  # header fields as they came; `headers` reads them, later
        self.piece_at_ns: list[int] = []  # two flat lists: nothing here wakes the garbage collector
        self.piece_bodies: list[bytes] = []
        self.complete = False
        self.keep_alive = False
        self.error_kind: str | None = None
        self.error_message: str | None = None
        self.parser = httptools.HttpResponseParser(self)
        self.feed = self.parser.feed_data

    on_segment: Callable[[], None] | None = None
    """Called after each segment, where somebody looks on."""

    @property
    def last_byte_ns(self) -> int | None:
        """The newest segment's stamp."""
        return self.stamp or None

    def on_message_begin(self) -> None:
        if self.complete:
            raise ValueError("bytes after the end of the answer")
        if self.first_byte_ns is None:
            self.first_byte_ns = self.stamp

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.status is not None:
            return  # a trailer
        self.fields.append((name, value))

    def on_headers_complete(self) -> None:
        status = self.parser.get_status_code()
        if status >= 200:
            self.status = status

    @property
    def on_body(self) -> Callable[[bytes], None]:
        """Takes a piece of the body. httptools asks for it once, and then calls the list itself, thousands of times
        a second; `stamped` gives the pieces of a segment their stamp, all at once."""
        return self.piece_bodies.append

    def stamped(self) -> None:
        """The pieces without a stamp get that of the segment which brought them."""
        self.piece_at_ns += [self.stamp] * (len(self.piece_bodies) - len(self.piece_at_ns))

    def on_message_complete(self) -> None:
        if self.status is None:  # 1xx: not the answer yet
            self.fields.clear()
            self.first_byte_ns = None
            return
        self.complete = True
        self.keep_alive = self.parser.should_keep_alive()

    @property
    def headers(self) -> dict[str, str]:
        """The header fields: names in lower case, a name that came twice with both values."""
        headers: dict[str, str] = {}
        for name, value in self.fields:
            key, text = _field_name(name), value.decode("latin-1")
            headers[key] = f"{headers[key]}, {text}" if key in headers else text
        return headers

    @property
    def until_close(self) -> bool:
        """The head is in, and only the connection's end can end the body."""
        headers = self.headers
        if self.status is None or self.status in _NO_BODY or "content-length" in headers:
            return False
        return not headers.get("transfer-encoding", "").lower().rstrip().endswith("chunked")


Receiver = Callable[["asyncio.Future[None]"], Receiving]
Free = Callable[["Connection"], None]
"""Takes a connection that may carry another exchange."""


class Connection(asyncio.Protocol):
    """A connected transport. `alive` says whether it may carry another request."""

    def __init__(self) -> None:
        self.alive = True
        self.exchanges = 0
        self.connect_parts: Mapping[str, int] = {}
        self._transport: asyncio.Transport | None = None
        self._receiving: Receiving | None = None
        self._free: Free | None = None
        self._deadline_ns = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns = 0

    # ------------------------------------------------------------ towards the pool

    def send(
        self, payload: bytes, deadline_ns: int, receive: Receiver = Receiving, free: Free | None = None
    ) -> Receiving:
        """Write head and body at once; `Receiving.done` resolves when the exchange is over, however it ends.

        free: told at once where the connection may carry another, before anybody else hears of the end.
        """
        self._free = free
        loop = asyncio.get_running_loop()
        receiving = self._receiving = receive(loop.create_future())
        self.exchanges += 1
        receiving.sent_ns = sent_ns = monotonic_ns()
        cast("asyncio.Transport", self._transport).write(payload)
        self._deadline_ns = deadline_ns
        if self._timer is None or deadline_ns < self._timer_ns:
            self._set_timer(sent_ns)
        return receiving

    def abort(self) -> None:
        """Close at once, dropping what is unsent; an exchange under way is given up silently."""
        self.alive = False
        self._detach()
        self._stop_timer()
        if self._transport is not None:
            self._transport.abort()

    # ------------------------------------------------------------ asyncio calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Writes go to the kernel as they are made: uvloop holds them back until every callback of the round has
        run, unless a transport may buffer nothing, and a request would leave milliseconds after its stamp."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=0)

    def data_received(self, data: bytes) -> None:
        stamp = monotonic_ns()
        receiving = self._receiving
        if receiving is None:  # nobody asked: a server's farewell, or bytes of no message
            self.abort()
            return
        receiving.stamp = stamp
        try:
            receiving.feed(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            receiving.stamped()
            self._broken(receiving, error)
            return
        at_ns = receiving.piece_at_ns
        if len(receiving.piece_bodies) == len(at_ns) + 1:  # as a rule: a segment brings a piece
            at_ns.append(stamp)
        else:
            receiving.stamped()
        if receiving.on_segment is not None:
            receiving.on_segment()
        if receiving.complete:
            self._finish(stamp, None, None)

    def eof_received(self) -> None:
        self.alive = False
        receiving = self._receiving
        if receiving is None:
            return
        if receiving.until_close:
            receiving.complete = True
            self._finish(monotonic_ns(), None, None)
        else:
            self._cut_off(receiving)

    def connection_lost(self, exc: Exception | None) -> None:
        self.alive = False
        self._stop_timer()
        receiving = self._receiving
        if receiving is None:
            return
        if exc is None:
            self._cut_off(receiving)
        else:
            self._finish(monotonic_ns(), "reset", f"the connection broke {self._progress(receiving)}: {_reason(exc)}")

    # ------------------------------------------------------------ endings

    def _set_timer(self, now_ns: int) -> None:
        """A timer outlives its exchange: the next one's deadline is later, as a rule, and is looked at when the timer
        fires. Setting and cancelling one for each request would cost more than writing the request's bytes."""
        self._stop_timer()
        self._timer_ns = self._deadline_ns
        delay_s = max(0.0, (self._deadline_ns - now_ns) / 1e9)
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._expire)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        receiving = self._receiving
        if receiving is None:  # idle: the next exchange sets a timer again
            return
        if self._deadline_ns > self._timer_ns:
            self._set_timer(monotonic_ns())
        else:
            self._finish(monotonic_ns(), "timeout", f"time was up {self._progress(receiving)}")

    def _broken(self, receiving: Receiving, error: Exception) -> None:
        if receiving.complete:  # the answer is whole; what follows it makes the connection useless
            receiving.keep_alive = False
            self._finish(receiving.stamp, None, None)
            return
        if receiving.first_byte_ns is None:
            receiving.first_byte_ns = receiving.stamp
        what = "it switches protocols" if isinstance(error, httptools.HttpParserUpgrade) else str(error)
        self._finish(receiving.stamp, "protocol", f"the answer is not HTTP/1.1: {what}")

    def _cut_off(self, receiving: Receiving) -> None:
        if receiving.first_byte_ns is None and self.exchanges > 1:
            message = "the server closed a kept-alive connection just as it was used again"
            self._finish(monotonic_ns(), "reset", message)
        else:
            message = f"the server closed the connection {self._progress(receiving)}"
            self._finish(monotonic_ns(), "truncated", message)

    def _finish(self, stamp: int, kind: str | None, message: str | None) -> None:
        receiving = self._detach()
        if receiving is None:
            return
        receiving.closed_ns, receiving.error_kind, receiving.error_message = stamp, kind, message
        transport = cast("asyncio.Transport", self._transport)
        if kind is not None:
            self.alive = False
            transport.abort()
        elif not receiving.keep_alive or transport.get_write_buffer_size() or not self.alive:
            self.alive = False
            transport.close()
        elif self._free is not None:
            self._free(self)
        if not receiving.done.done():
            receiving.done.set_result(None)
        if kind is None and receiving.over is not None and receiving.status == 200:
            receiving.over(stamp)  # last: who is told may send on this very connection

    def _detach(self) -> Receiving | None:
        receiving, self._receiving = self._receiving, None
        if receiving is not None:
            receiving.parser = receiving.feed = None  # breaks the cycle between the parser and its callbacks
        return receiving

    @staticmethod
    def _progress(receiving: Receiving) -> str:
        if receiving.first_byte_ns is None:
            return "before the first byte of an answer"
        if receiving.status is None:
            return "within the answer's head"
        return f"after {sum(map(len, receiving.piece_bodies))} body bytes of an HTTP {receiving.status} answer"


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
