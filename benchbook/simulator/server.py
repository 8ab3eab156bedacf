"""The listening side: one simulator on one address, as a library call or as a blocking process.

`serve` is for a running loop, `run` for a process of its own: it takes uvloop where there is one, raises the
limit on open files, keeps the collector's pauses rare and ends on SIGTERM, SIGINT or its parent's end.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol, TypeVar, cast

from benchbook.clock import monotonic_ns
from benchbook.errors import PlanError
from benchbook.simulator.agenda import Agenda
from benchbook.simulator.connection import Connection
from benchbook.simulator.messages import HttpRequest, Memory, Message
from benchbook.simulator.player import Player, Playing, PrintPlayer
from benchbook.simulator.prints import Print
from benchbook.simulator.profile import Profile, load_profile
from benchbook.simulator.replies import Responder, Response
from benchbook.simulator.truth import Record

BACKLOG = 4096
SLICE_NS = 200_000


class Listener:
    """A listening server, whoever answers. `address` is what clients take as a base URL (before `/v1`)."""

    coalesces = False

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.agenda = Agenda(loop)
        self.known: Memory[bytes, Message] = Memory()
        self.host, self.port = "", 0
        self._loop = loop
        self._server: asyncio.AbstractServer | None = None
        self._connections: set[Connection] = set()
        self._accepted = 0
        self._uncomposed: deque[tuple[Connection, HttpRequest]] = deque()

    @property
    def address(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def listen(self, host: str, port: int) -> None:
        """Bind and listen. Raises PlanError where the address can't be had."""
        try:
            server = await self._loop.create_server(lambda: Connection(self), host, port, backlog=BACKLOG)
        except OSError as error:
            raise _address_error(host, port, error) from None
        self._server = server
        self.host, self.port = host, server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._connections):
            connection.transport.abort()
        self.agenda.close()
        await asyncio.sleep(0)

    # ------------------------------------------------------------ who answers

    def player(self, connection: Connection, request: HttpRequest) -> Playing:
        """What answers a request."""
        raise NotImplementedError

    def refuses(self, number: int) -> bool:  # noqa: ARG002
        """Whether the connection of this number is to be reset at once."""
        return False

    def log(self, record: Record) -> None:
        """Take the record of an answer that has ended."""

    # ------------------------------------------------------------ for connections

    def admit(self, connection: Connection) -> int:
        """Take a connection in and give it its number."""
        self._connections.add(connection)
        self._accepted += 1
        return self._accepted

    def dismiss(self, connection: Connection) -> None:
        self._connections.discard(connection)

    def compose_soon(self, connection: Connection, request: HttpRequest) -> None:
        """Have a response composed in its turn: a slice in each round of the loop. Between two slices sockets are
        read and due writes leave, so that a burst is stamped when it arrives and not when it has been composed."""
        self._uncomposed.append((connection, request))
        if len(self._uncomposed) == 1:
            self._loop.call_soon(self._compose)

    def _compose(self) -> None:
        until_ns = monotonic_ns() + SLICE_NS
        try:
            while self._uncomposed and monotonic_ns() < until_ns:
                connection, request = self._uncomposed[0]
                connection.play(request)
                self._uncomposed.popleft()
        except BaseException:
            self._uncomposed.popleft()
            raise
        finally:
            if self._uncomposed:
                self._loop.call_soon(self._compose)


class Simulator(Listener):
    """A listening simulator."""

    def __init__(self, profile: Profile, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.responder = Responder(profile)
        self.coalesces = profile.coalesce
        self._reopening: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._reopening is not None:
            self._reopening.cancel()
        await super().close()

    def player(self, connection: Connection, request: HttpRequest) -> Playing:
        score, record, _ = self.respond(request)
        if not isinstance(score, Print):
            return Player(connection, request, score, record)
        return PrintPlayer(connection, request, score, cast("Record", record))  # only model calls have prints

    def refuses(self, number: int) -> bool:
        return self.responder.trigger.refuses(number)

    def log(self, record: Record) -> None:
        self.responder.log.add(record)

    def respond(self, request: HttpRequest) -> Response:
        """The response to a request; a `refused` fault that counts requests may close the door behind it."""
        response = self.responder.respond(request)
        fault = self.responder.trigger.shuts(response.requests) if response.record is not None else None
        if fault is not None and self._server is not None:
            self._server.close()
            self._server = None
            if fault.for_s is not None:
                self._reopening = self._loop.call_later(fault.for_s, self._reopen)
        return response

    def _reopen(self) -> None:
        task = self._loop.create_task(self.listen(self.host, self.port))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def serve(profile: Profile, host: str = "127.0.0.1", port: int = 0) -> Simulator:
    """A simulator that listens in the running loop; `await simulator.close()` ends it. Raises UserError."""
    simulator = Simulator(profile, asyncio.get_running_loop())
    await start(simulator, host, port)
    return simulator


async def start(listener: Listener, host: str, port: int) -> None:
    """Have it listen. Raises PlanError, and then nothing of it is left open."""
    try:
        await listener.listen(host, port)
    except PlanError:
        listener.agenda.close()
        raise


def run(
    profile: str | Path | None, host: str, port: int, announce: Callable[[str], None], *, with_parent: bool = False
) -> None:
    """Serve until told to stop. `announce` gets the address when it listens. Raises UserError before that.

    with_parent: also stop when standard input ends, as it does when the process that holds its pipe dies.
    """
    loaded = load_profile(profile)
    keep(lambda: serve(loaded, host, port), lambda simulator: announce(simulator.address), with_parent=with_parent)


class Served(Protocol):
    """Whatever listens until it is closed."""

    async def close(self) -> None: ...


S = TypeVar("S", bound=Served)


def keep(begin: Callable[[], Awaitable[S]], announce: Callable[[S], None], *, with_parent: bool = False) -> None:
    """Keep what `begin` starts until this process is told to stop: `run`'s way, for whatever listens."""
    _settle_process()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_until_stopped(begin, announce, with_parent=with_parent))


async def _until_stopped(
    begin: Callable[[], Awaitable[S]], announce: Callable[[S], None], *, with_parent: bool
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    served = await begin()
    gc.freeze()
    if with_parent:
        threading.Thread(target=_watch_input, args=(loop, stop), daemon=True).start()
    announce(served)
    await stop.wait()
    await served.close()


def _watch_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    with contextlib.suppress(OSError):
        while os.read(sys.stdin.fileno(), 4096):
            pass
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(stop.set)


def _settle_process() -> None:
    """Many connections need many descriptors; a full collection in mid-stream would be what is measured."""
    gc.set_threshold(50_000, 50, 1_000)
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _address_error(host: str, port: int, error: OSError) -> PlanError:
    where = f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return PlanError(where, "the port is in use", "take another, or 0 for a free one")
    if error.errno == errno.EACCES:
        return PlanError(where, "not allowed to listen there", "take a port above 1023, or 0 for a free one")
    return PlanError(where, f"can't listen there ({error.strerror or error})", "127.0.0.1 and port 0 always work")
