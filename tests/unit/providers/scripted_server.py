"""A server that does what its script says, byte for byte: the other end for tests of the transport.

A script is a tuple of steps for one connection: `REQUEST` reads one whole request, bytes are written, a number is
a pause in seconds, `CLOSE` closes, `RESET` sends a TCP reset, `STALL` waits for the peer to leave. Each connection
takes the next script; the last one serves all further connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from benchbook.providers.http import Exchange, HttpRequest
from benchbook.providers.transport import Transport

REQUEST, CLOSE, RESET, STALL = "request", "close", "reset", "stall"
Script = tuple[str | bytes | float, ...]


def answer(body: bytes = b"", status: str = "200 OK", **fields: str) -> bytes:
    """A whole answer with Content-Length; underscores in field names become hyphens."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked(*pieces: bytes, content_type: str = "text/event-stream") -> bytes:
    """A whole chunked answer, one HTTP chunk per piece."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def serving(response: bytes, times: int = 50) -> Script:
    """Answers that many requests of a connection alike."""
    return (REQUEST, response) * times


class ScriptedServer:
    """`async with ScriptedServer(script, ...) as server:` then `server.url`; `requests` holds what was received."""

    def __init__(self, *scripts: Script, tls: ssl.SSLContext | None = None) -> None:
        self._scripts = list(scripts)
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self.requests: list[bytes] = []
        self.connections = 0
        self.closed_by_peer = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/v1"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0, ssl=self._tls, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._settle()  # whoever knocks is let in
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._settle()  # both ends see the closing

    @staticmethod
    async def _settle() -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self.serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.closed_by_peer += 1
        except asyncio.CancelledError:
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            self._tasks.discard(task)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection. Servers with a mind of their own override this."""
        for step in self._scripts[min(self.connections, len(self._scripts)) - 1]:
            await self._do(step, reader, writer)

    async def _do(self, step: str | bytes | float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if isinstance(step, bytes):
            writer.write(step)
            await writer.drain()
        elif isinstance(step, float | int):
            await asyncio.sleep(step)
        elif step == REQUEST:
            self.requests.append(await read_request(reader))
        elif step == RESET:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        elif step == STALL:
            await reader.read()
            self.closed_by_peer += 1
        elif step == CLOSE:
            writer.close()


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """One whole request, head and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    size = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            size = int(line.split(b":")[1])
    return head + await reader.readexactly(size)


def soon(seconds: float = 20.0) -> int:
    """A deadline that far away, in monotonic ns."""
    return time.monotonic_ns() + int(seconds * 1e9)


def request(server: ScriptedServer, body: bytes = b"{}") -> HttpRequest:
    return HttpRequest(f"{server.url}/chat/completions", {"content-type": "application/json"}, body)


async def exchanged(*script: str | bytes | float, seconds: float = 20.0) -> Exchange:
    """What one exchange with a server of that script becomes."""
    async with ScriptedServer(script) as server:
        transport = Transport(proxies={})
        try:
            return await transport.exchange(request(server), soon(seconds))
        finally:
            await transport.close()


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that is about to happen; fails where it does not."""
    for _ in range(5000):
        if holds():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("what was waited for did not happen")
