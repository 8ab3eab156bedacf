"""One attempt at one model call: prepare, exchange, and later decode. A failure is a value here, never an exception.

`attempt` runs in the hot loop and stamps; `Decoding` runs after the call has ended, in slices that the caller
paces, so that no decode holds the loop while other answers arrive.
"""

from __future__ import annotations

from dataclasses import field
from functools import partial

from benchbook.clock import monotonic_ns
from benchbook.errors import BenchbookError, ProviderError, WireError
from benchbook.providers import Provider
from benchbook.providers.connection import Over, Receiving
from benchbook.providers.http import Exchange
from benchbook.providers.transport import Outgoing, Transport
from benchbook.records import ModelRequest, record
from benchbook.wire import Wire


@record
class Asked:
    """What the caller knows of an attempt before it starts. Stamps and the deadline are monotonic ns."""

    call_id: str
    attempt: int
    intended_ns: int
    taken_up_ns: int
    deadline_ns: int
    backoff_ns: int = 0
    turn: int = 1
    over: Over | None = None
    """Told at once, before anything is decoded, when a complete HTTP 200 is in."""


@record
class RawCall:
    """A finished attempt, not yet decoded."""

    asked: Asked
    model: str
    streamed: bool
    exchange: Exchange
    wire: Wire
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def received(self) -> int:
        """Body bytes that wait to be decoded."""
        return sum(map(len, self.exchange.piece_bodies))


class Outbox:
    """Requests made ready, and the transport that sends them. What is asked again (the same request object) is
    encoded once, unless it has to be signed anew each time."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self._kept: dict[tuple[str, int], tuple[ModelRequest, Outgoing]] = {}

    def ready(self, provider: Provider, request: ModelRequest) -> Outgoing:
        """The request as bytes. Raises WireError, CredentialError, ProviderError."""
        key = (provider.target.name, id(request))
        kept = self._kept.get(key)
        if kept is not None and kept[0] is request:
            return kept[1]
        outgoing = self.transport.ready(provider.prepare(request))
        if provider.repeatable and len(outgoing.payload) <= _KEPT_BYTES:
            if len(self._kept) >= _KEPT_REQUESTS:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = request, outgoing
        return outgoing


_KEPT_REQUESTS, _KEPT_BYTES = 1_024, 16 * 1_024


async def attempt(provider: Provider, outbox: Outbox, request: ModelRequest, asked: Asked) -> RawCall:
    """Make the call once. Raises asyncio.CancelledError and nothing else that a provider could cause."""
    exchange = await _exchanged(provider, outbox, request, asked)
    return RawCall(asked, request.model, request.stream, exchange, provider.wire, provider.secrets)


async def _exchanged(provider: Provider, outbox: Outbox, request: ModelRequest, asked: Asked) -> Exchange:
    try:
        outgoing = outbox.ready(provider, request)
    except WireError as error:
        return Exchange(closed_ns=monotonic_ns(), error_kind="bad_request", error_message=f"not sent: {error}")
    except ProviderError as error:
        return Exchange(closed_ns=monotonic_ns(), error_kind=error.kind, error_message=error.message)
    except BenchbookError as error:
        return Exchange(closed_ns=monotonic_ns(), error_kind="auth", error_message=f"not sent: {error}")
    receive = Receiving if asked.over is None else partial(Receiving, over=asked.over)
    return await outbox.transport.exchange(outgoing, asked.deadline_ns, receive)
