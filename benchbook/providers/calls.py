"""One attempt at one model call: prepare, exchange, and later decode. A failure is a value here, never an exception.

`attempt` runs in the hot loop and stamps; `Decoding` runs after the call has ended, in slices that the caller
paces, so that no decode holds the loop while other answers arrive.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from benchbook.clock import monotonic_ns
from benchbook.errors import BenchbookError, WireError
from benchbook.providers import Provider
from benchbook.providers.http import Exchange
from benchbook.providers.transport import Transport
from benchbook.records import ModelRequest
from benchbook.wire import Wire


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caller knows of an attempt before it starts. Stamps and the deadline are monotonic ns."""

    call_id: str
    attempt: int
    intended_ns: int
    taken_up_ns: int
    deadline_ns: int
    backoff_ns: int = 0
    turn: int = 1


@dataclass(frozen=True, slots=True)
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


async def attempt(provider: Provider, transport: Transport, request: ModelRequest, asked: Asked) -> RawCall:
    """Make the call once. Raises asyncio.CancelledError and nothing else that a provider could cause."""
    exchange = await _exchanged(provider, transport, request, asked)
    return RawCall(asked, request.model, request.stream, exchange, provider.wire, provider.secrets)


async def _exchanged(provider: Provider, transport: Transport, request: ModelRequest, asked: Asked) -> Exchange:
    try:
        prepared = provider.prepare(request)
    except WireError as error:
        return Exchange(closed_ns=monotonic_ns(), error_kind="bad_request", error_message=f"not sent: {error}")
    except BenchbookError as error:
        return Exchange(closed_ns=monotonic_ns(), error_kind="auth", error_message=f"not sent: {error}")
    return await transport.exchange(prepared, asked.deadline_ns)
