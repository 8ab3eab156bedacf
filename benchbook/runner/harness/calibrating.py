"""The harness measures itself: the very transport, connection and decoding that measure providers, against a sender
whose stamps are known (`loopback`). Half of the time goes into paced streams, half into a burst at saturation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from benchbook.clock import monotonic_ns
from benchbook.measure.harness import CALIBRATION
from benchbook.providers import Provider, open_provider
from benchbook.providers.calls import Asked, Outbox, RawCall, attempt
from benchbook.providers.decoding import Decoding
from benchbook.providers.transport import Transport
from benchbook.records import Call, Event, Message, ModelRequest, Target
from benchbook.runner.harness.loopback import BURST, PACED, Loopback
from benchbook.stats.calibration import Burst, Calibration, calibrated

SECONDS = 0.3
"""How long a calibration takes unless it is told otherwise."""
PACED_STREAMS, BURST_STREAMS = 12, 16
_DEADLINE_NS = 10_000_000_000
_NS_PER_MS, _NS_PER_S = 1e6, 1e9


MANY = 500
"""From so many trials on a run is calibrated before as well as after: a shorter one should not have to wait."""


def calibration_seconds(asked: bool | float) -> float:  # noqa: FBT001 - a field of the plan as it is
    """What `execute.calibrate` means: seconds a calibration takes, 0 for none."""
    return (SECONDS if asked else 0.0) if isinstance(asked, bool) else asked


async def noted(when: str, seconds: float, note: Callable[[Event], None]) -> None:
    """Calibrate and write it down, as an event of kind `harness`, name `calibration`."""
    note(Event(at_ns=monotonic_ns(), **as_note(await calibrate(seconds), when)))


def as_note(found: Calibration, when: str = "before") -> dict[str, Any]:
    """A calibration as an event without its time."""
    return {"kind": "harness", "target": "", "name": CALIBRATION, "fields": {"when": when, **found.fields()}}


async def calibrate(seconds: float = SECONDS, streams: int = BURST_STREAMS) -> Calibration:
    """One calibration, on the running loop, in about so many seconds. streams: in flight during the burst.

    A stream that fails is left out: on loopback that is the host's doing, and shows in n.
    """
    transport = Transport(proxies={})
    try:
        with Loopback() as sender:
            provider = open_provider(Target("loopback", "openai", PACED, base_url=sender.address))
            provider.check()
            asking = _Asking(provider, Outbox(transport), monotonic_ns())
            paced = await asking.paced(seconds / 2)
            burst = await asking.burst(seconds / 2, streams)
            first, every = _errors(paced, sender.stamps)
            await transport.close()  # before the sender: its threads wait for the connections' ends
    finally:
        await transport.close()
    return calibrated(first, every, burst)


class _Asking:
    """What is asked of the sender."""

    def __init__(self, provider: Provider, outbox: Outbox, started_ns: int) -> None:
        self._provider, self._outbox, self._started_ns = provider, outbox, started_ns
        self._requests = {model: ModelRequest(model, (Message("user", "go"),)) for model in (PACED, BURST)}

    async def paced(self, seconds: float) -> list[Call]:
        """Streams by the law, decoded when all have ended; the first of each connection is for its opening."""
        raws: list[RawCall] = []
        await self._until(seconds, PACED_STREAMS, lambda: self._keep(PACED, raws))
        calls = [Decoding(raw).result[0] for raw in raws]
        return [call for call in calls if call.error_kind is None and not call.cold]

    async def burst(self, seconds: float, streams: int) -> Burst:
        """As many answers as can be taken in and decoded."""
        calls: list[Call] = []
        began_ns = monotonic_ns()
        await self._until(seconds, streams, lambda: self._decode(BURST, calls))
        good = [call for call in calls if call.error_kind is None]
        return Burst(len(good), sum(len(call.chunks) for call in good), (monotonic_ns() - began_ns) / _NS_PER_S)

    async def _until(self, seconds: float, streams: int, one: Callable[[], Awaitable[None]]) -> None:
        end_ns = monotonic_ns() + round(seconds * _NS_PER_S)

        async def again() -> None:
            while monotonic_ns() < end_ns:
                await one()

        await asyncio.gather(*(again() for _ in range(streams)))

    async def _keep(self, model: str, raws: list[RawCall]) -> None:
        raws.append(await self._ask(model))

    async def _decode(self, model: str, calls: list[Call]) -> None:
        calls.append(Decoding(await self._ask(model)).result[0])

    async def _ask(self, model: str) -> RawCall:
        now_ns = monotonic_ns()
        asked = Asked("loopback", 1, now_ns, now_ns, now_ns + _DEADLINE_NS)
        return await attempt(self._provider, self._outbox, self._requests[model], asked)


def _errors(calls: list[Call], stamps: dict[str, list[int]]) -> tuple[list[float], list[float]]:
    """Our stamp minus the sender's, in ms: of first chunks, and of all chunks."""
    first: list[float] = []
    every: list[float] = []
    for call in calls:
        sent = stamps.get(call.request_id or "", [])
        if len(sent) == len(call.chunks):
            errors = [(chunk.at_ns - at_ns) / _NS_PER_MS for chunk, at_ns in zip(call.chunks, sent, strict=True)]
            first += errors[:1]
            every += errors
    return first, every
