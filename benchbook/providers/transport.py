"""The measuring instrument: one exchange at a time per connection, connections kept alive and reused.

`Transport.exchange` stamps and keeps bytes; it never parses a body and never raises for what a provider or
the path to it does: that comes back as an `Exchange` with an `error_kind`. Free connections are reused last in,
first out, so that few stay warm rather than many lukewarm.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from benchbook.clock import monotonic_ns
from benchbook.errors import ProviderError
from benchbook.providers import proxy_env
from benchbook.providers.connect import Route, connect
from benchbook.providers.connection import Connection, Receiver, Receiving
from benchbook.providers.http import Exchange, HttpRequest, render, split_url

MAX_IDLE = 16_384
"""Idle connections kept per route: as many as the largest concurrency that one process is asked for."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request made ready: where it goes, and its head and body in one piece (which hold the key)."""

    route: Route
    payload: bytes = field(repr=False)


_WARMED_AT_ONCE = 128


class Transport:
    """A pool of connections and the one way to use them. Belongs to one event loop.

    proxies: by scheme, `no` for exceptions; None takes the environment's. tls: None is Python's default context
    (system certificates, SSL_CERT_FILE and SSL_CERT_DIR respected), built when first needed.
    """

    def __init__(
        self,
        *,
        proxies: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        max_idle: int = MAX_IDLE,
    ) -> None:
        self._proxies = proxy_env.from_environment() if proxies is None else proxies
        self._tls = tls
        self._max_idle = max_idle
        self._idle: dict[Route, list[Connection]] = {}
        self._routes: dict[tuple[str, str, int], Route] = {}

    def ready(self, request: HttpRequest) -> Outgoing:
        """The request as it will be sent, to be sent as often as one likes. Raises ProviderError."""
        origin, target = split_url(request.url)
        route = self._route(request.url)
        if route.proxy is not None and not route.tunnelled:
            target, more = f"http://{origin.authority}{target}", route.proxy.headers
        else:
            more = {}
        return Outgoing(route, render(request, origin.authority, target, more))

    async def exchange(
        self, request: HttpRequest | Outgoing, deadline_ns: int, receive: Receiver = Receiving
    ) -> Exchange:
        """Send and receive until the message is complete, the connection ends or the deadline (monotonic ns) is
        reached. Raises asyncio.CancelledError only, after closing the connection.

        receive: makes what takes the answer in; another than `Receiving` can look on while it arrives.
        """
        try:
            outgoing = request if isinstance(request, Outgoing) else self.ready(request)
            route = outgoing.route
            connection = self._take(route) or await self._open(route, deadline_ns)
            if not connection.alive:
                raise ProviderError("reset", f"{route.origin.address} ended the connection before anything was asked")
        except ProviderError as failure:
            return Exchange(closed_ns=monotonic_ns(), error_kind=failure.kind, error_message=failure.message, cold=True)
        cold = not connection.exchanges
        receiving = connection.send(outgoing.payload, deadline_ns, receive, partial(self._give_back, route))
        try:
            await receiving.done
        except asyncio.CancelledError:
            if not receiving.closed_ns:  # else it may carry another exchange by now
                connection.abort()
            raise
        return _exchange(connection, receiving, cold=cold)

    async def warm(self, url: str, count: int, deadline_ns: int) -> int:
        """Open up to `count` connections towards `url` ahead of need; the number that could be opened.

        The first request on each is still marked cold and carries the connection's set-up time.
        """
        route = self._route(url)
        missing = max(0, count - len(self._idle.get(route, ())))
        opened = 0
        while missing > 0:
            batch = min(missing, _WARMED_AT_ONCE)
            tries = (self._open(route, deadline_ns) for _ in range(batch))
            found = await asyncio.gather(*tries, return_exceptions=True)
            ready = [connection for connection in found if isinstance(connection, Connection)]
            for connection in ready:
                self._give_back(route, connection)
            opened, missing = opened + len(ready), missing - batch if len(ready) == batch else 0
        return opened

    async def close(self) -> None:
        """Close every idle connection; those in use close with their exchange's end or the loop's."""
        self._max_idle = 0
        for connections in self._idle.values():
            for connection in connections:
                connection.abort()
        self._idle.clear()
        await asyncio.sleep(0)  # lets transports see their own closing

    def idle(self) -> int:
        """How many live connections wait to be reused."""
        return sum(connection.alive for connections in self._idle.values() for connection in connections)

    # ------------------------------------------------------------ inside

    def _route(self, url: str) -> Route:
        origin, _ = split_url(url)
        key = (origin.scheme, origin.host, origin.port)
        if key not in self._routes:
            self._routes[key] = Route(origin, proxy_env.choose(origin, self._proxies))
        return self._routes[key]

    def _take(self, route: Route) -> Connection | None:
        connections = self._idle.get(route, [])
        while connections:
            connection = connections.pop()
            if connection.alive:
                return connection
        return None

    def _give_back(self, route: Route, connection: Connection) -> None:
        if not connection.alive:
            return
        connections = self._idle.setdefault(route, [])
        if len(connections) >= self._max_idle:
            connections[:] = [kept for kept in connections if kept.alive]
        if len(connections) >= self._max_idle:
            connection.abort()
        else:
            connections.append(connection)

    async def _open(self, route: Route, deadline_ns: int) -> Connection:
        tls = self._context() if route.origin.scheme == "https" else None
        try:
            return await asyncio.wait_for(connect(route, tls), (deadline_ns - monotonic_ns()) / 1e9)
        except TimeoutError:
            raise ProviderError("timeout", f"time was up before {route.origin.address} was connected") from None

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls


def _exchange(connection: Connection, receiving: Receiving, *, cold: bool) -> Exchange:
    return Exchange(
        closed_ns=receiving.closed_ns,
        sent_ns=receiving.sent_ns,
        first_byte_ns=receiving.first_byte_ns,
        last_byte_ns=receiving.last_byte_ns,
        status=receiving.status,
        headers=receiving.headers,
        piece_at_ns=receiving.piece_at_ns,
        piece_bodies=receiving.piece_bodies,
        error_kind=receiving.error_kind,
        error_message=receiving.error_message,
        connect_ns=sum(connection.connect_parts.values()) if cold else None,
        connect_parts=connection.connect_parts if cold else {},
        cold=cold,
    )
