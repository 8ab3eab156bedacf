"""One step of an agent: a model call, whatever attempts it takes. Each attempt becomes a row of `calls`.

An `Asking` begins when the SDK is about to call its model and lives on the agent's span; the transport below the SDK
finds it there (`asking_here`) and hands over what was exchanged. Decoding follows off the critical path; only a failed
attempt, or a limit that needs its tokens, waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from benchbook.clock import monotonic_ns
from benchbook.providers import Provider
from benchbook.providers.calls import Asked, RawCall
from benchbook.providers.http import Exchange, HttpRequest
from benchbook.records import Answer, Call
from benchbook.workloads.team.collector import Opening, here

if TYPE_CHECKING:
    from benchbook.workloads.team.work import Work

Found = tuple[Call, Answer]
Facts = tuple[Asked, str, bool]
"""What was asked, of which model, and whether as a stream."""


_EARLY_NS = 2_000_000
"""A loop's timers may ring so much early."""


class Exchanging(Protocol):
    """A request under way; `exchange` never fails, it is cancelled at most."""

    exchange: asyncio.Future[Exchange]

    def give_up(self, kind: str) -> None:
        """End it now as that error kind, and keep what came."""
        ...


class Asking:
    """The attempts at one model call of one agent.

    number: which of the trial's it is, from 1; again: whether another attempt is about to be made."""

    def __init__(self, work: Work, around: Opening, number: int) -> None:
        self.work, self.around, self.number = work, around, number
        self.taken_up_ns = monotonic_ns()
        self.backoff_ns = 0
        self.again = False
        self.attempts: list[asyncio.Future[Found]] = []
        self._newest: Exchanging | None = None
        self._numbers = count(1)

    def next_asked(self) -> Asked:
        """The next attempt, about to be made."""
        attempt = next(self._numbers)
        return Asked(
            call_id=f"{self.work.planned.trial_id}-{self.number}.{attempt}",
            attempt=attempt,
            intended_ns=self.taken_up_ns,
            taken_up_ns=self.taken_up_ns,
            deadline_ns=self.work.deadline_ns,
            backoff_ns=self.backoff_ns,
            turn=self.number,
        )

    def carry(self, provider: Provider, send: Callable[[HttpRequest, int], Any], request: HttpRequest) -> Any:
        """Send an attempt by `send(request, deadline_ns)` and take what comes of it."""
        said = orjson.loads(request.body)
        asked = self.next_asked()
        carried = send(request, asked.deadline_ns)
        self.take(provider, carried, (asked, str(said.get("model", "")), bool(said.get("stream", False))), "transport")
        return carried

    def take(self, provider: Provider, carried: Exchanging, facts: Facts, stamped_by: str) -> None:
        """An attempt is under way: once it is over, it is decoded and kept."""
        self._newest = carried
        self.work.opens(carried)
        self.attempts.append(self.work.follow(self._decoded(provider, carried, facts, stamped_by), carried.exchange))

    async def _decoded(self, provider: Provider, carried: Exchanging, facts: Facts, stamped_by: str) -> Found:
        exchange = await carried.exchange
        self.work.closes(carried)
        call, answer = await self.work.desk.decode(RawCall(*facts, exchange, provider.wire, provider.secrets))
        target = provider.target.name
        other = "" if target == self.work.planned.target else target
        call = replace(call, agent=self.around.agent, target=other, stamped_by=stamped_by)
        if stamped_by == "events":  # its pieces are events framed again, no bytes that were ever on a wire
            answer = replace(answer, body=b"", piece_at_ns=(), piece_sizes=())
        self.work.desk.hear(target, call)
        self.work.found(call, answer, self)
        return call, answer

    async def closed(self) -> None:
        """Wait until the exchange of the newest attempt is over (a client may leave before its last bytes)."""
        if self._newest is not None:
            await asyncio.wait([self._newest.exchange])

    async def newest(self) -> Found | None:
        """The newest attempt, decoded; None where none was made."""
        return await asyncio.shield(self.attempts[-1]) if self.attempts else None

    def given_up_as(self) -> str:
        """The error kind of a call whose reader was cancelled now."""
        return "timeout" if monotonic_ns() >= self.work.deadline_ns - _EARLY_NS else "cancelled"


def asking_here() -> Asking:
    """The model call that whoever sends something now is part of. Raises LookupError outside of every agent."""
    around = here()
    if around is None or around.asking is None:
        raise LookupError("a model was called outside of an agent's step")
    found: Asking = around.asking
    return found
