"""The official clients' HTTP over our own transport: bytes are stamped where every call's are, then handed on.

An official client of OpenAI, Anthropic or Ollama sends through httpx or httpx2, and both let their transport be
replaced. `dressed` makes one for either library: it takes the client's request as it is, sends it over
`providers.transport` (stamps in `data_received`, framing by httptools, our pool of connections), and gives the body
to the client piece by piece as it arrives. The raw pieces are decoded afterwards by our own wires, as for a bare
call. Whose call it is, is read from the span around (`collector.here`), so one client serves all trials of a target.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from functools import partial
from types import ModuleType
from typing import Any

from benchbook.clock import monotonic_ns
from benchbook.errors import ProviderError
from benchbook.providers import Provider
from benchbook.providers.connection import Receiving
from benchbook.providers.http import Exchange, HttpRequest
from benchbook.providers.transport import Transport
from benchbook.workloads.team import rehearsal
from benchbook.workloads.team.asking import asking_here

_OURS = frozenset({"host", "connection", "content-length", "accept-encoding", "transfer-encoding"})
"""Header fields that the transport writes itself."""


class _Passing(Receiving):
    """An answer that is handed on while it comes in: whoever reads it is told of each piece."""

    def __init__(self, done: asyncio.Future[None], stir: Any) -> None:
        super().__init__(done)
        self.stir = stir
        done.add_done_callback(stir)

    def on_segment(self) -> None:
        self.stir()


class Carried:
    """One request on its way, and its answer as far as it is in."""

    def __init__(self, transport: Transport, request: HttpRequest, deadline_ns: int) -> None:
        self._receiving: _Passing | None = None
        self._wake: asyncio.Future[None] | None = None
        self._given_up: str | None = None
        self.exchange: asyncio.Future[Exchange] = asyncio.create_task(self._carry(transport, request, deadline_ns))
        self.exchange.add_done_callback(self._stir)

    async def _carry(self, transport: Transport, request: HttpRequest, deadline_ns: int) -> Exchange:
        try:
            return await transport.exchange(request, deadline_ns, self._receive)
        except asyncio.CancelledError:
            if self._given_up is None:
                raise
            return self._partial(self._given_up)

    def _receive(self, done: asyncio.Future[None]) -> Receiving:
        self._receiving = _Passing(done, self._stir)
        return self._receiving

    async def head(self) -> tuple[int, list[tuple[bytes, bytes]]]:
        """Status and header fields, once they are in. Raises ProviderError if they never come."""
        while self._receiving is None or self._receiving.status is None:
            if self.exchange.done():
                raise _failure(self.exchange.result())
            await self._change()
        return self._receiving.status, list(self._receiving.fields)

    async def body(self) -> AsyncIterator[bytes]:
        """The body's pieces as they arrive. Raises ProviderError where the exchange fails before its end."""
        assert self._receiving is not None  # noqa: S101 - `head` has been awaited
        pieces, place = self._receiving.piece_bodies, 0
        while True:
            while place < len(pieces):
                yield pieces[place]
                place += 1
            if self._receiving.done.done():
                break
            await self._change()
        if (exchange := await self.exchange).error_kind is not None:
            raise _failure(exchange)

    def give_up(self, kind: str) -> None:
        """Nobody reads on: end the exchange, keep what came."""
        if not self.exchange.done():
            self._given_up = kind
            self.exchange.cancel()

    def _partial(self, kind: str) -> Exchange:
        """What there is of an exchange that was given up."""
        now_ns, got = monotonic_ns(), self._receiving
        said = "the trial's time was up" if kind == "timeout" else "given up before its answer was complete"
        if got is None:
            return Exchange(closed_ns=now_ns, error_kind=kind, error_message=said)
        return Exchange(
            closed_ns=now_ns,
            sent_ns=got.sent_ns,
            first_byte_ns=got.first_byte_ns,
            last_byte_ns=got.last_byte_ns,
            status=got.status,
            headers=got.headers,
            piece_at_ns=got.piece_at_ns,
            piece_bodies=got.piece_bodies,
            error_kind=kind,
            error_message=said,
        )

    async def _change(self) -> None:
        self._wake = asyncio.get_running_loop().create_future()
        await self._wake

    def _stir(self, *_: object) -> None:
        if self._receiving is not None and self.exchange.done():
            self._receiving.stir = _at_rest  # no circle is left for a sweep of the heap
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


def _at_rest(*_: object) -> None:
    """Nothing more will come."""


def _failure(exchange: Exchange) -> ProviderError:
    return ProviderError(exchange.error_kind or "truncated", exchange.error_message or "the exchange failed")


def dressed(library: ModuleType, provider: Provider, transport: Transport) -> Any:
    """A transport of that library (`httpx` or `httpx2`) over ours, for calls of that provider."""

    class Body(library.AsyncByteStream):  # type: ignore[name-defined]
        """A response's body; closing it early leaves the exchange to end by itself, unless its reader is cancelled."""

        def __init__(self, carried: Carried) -> None:
            self._carried = carried

        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                async for piece in self._carried.body():
                    yield piece
            except ProviderError as failure:
                raise _as_theirs(library, failure) from None

        async def aclose(self) -> None:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                self._carried.give_up(asking_here().given_up_as())

    class Dress(library.AsyncBaseTransport):  # type: ignore[name-defined]
        """Our transport as the library's."""

        async def handle_async_request(self, request: Any) -> Any:
            if rehearsal.is_rehearsal():
                kind, said = rehearsal.answer(provider, request.url.path, await request.aread())
                return library.Response(200, headers={"content-type": kind}, content=said, request=request)
            asking = asking_here()
            carried = asking.carry(provider, partial(Carried, transport), _as_ours(request, await request.aread()))
            try:
                status, fields = await carried.head()
            except asyncio.CancelledError:
                carried.give_up(asking.given_up_as())
                raise
            except ProviderError as failure:
                raise _as_theirs(library, failure) from None
            return library.Response(status, headers=fields, stream=Body(carried), request=request)

        async def aclose(self) -> None:
            """The connections are the desk's."""

    return Dress()


def _as_ours(request: Any, body: bytes) -> HttpRequest:
    headers = {name: value for name, value in request.headers.items() if name not in _OURS}
    return HttpRequest(str(request.url), headers, body, request.method)


def _as_theirs(library: ModuleType, failure: ProviderError) -> Exception:
    """Our failure as the library's own exception, so that the client acts as it would over its own transport."""
    kinds: Mapping[str, Any] = {
        "timeout": library.ReadTimeout,
        "reset": library.ReadError,
        "truncated": library.RemoteProtocolError,
        "protocol": library.RemoteProtocolError,
        "proxy": library.ProxyError,
    }
    error: Exception = kinds.get(failure.kind, library.ConnectError)(failure.message)
    return error
