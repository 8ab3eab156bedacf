"""Decodes ended calls, one at a time, after the sockets.

Between two slices of decoding the loop's own poller is asked whether input waits; if so, the sockets come first: a
round of the loop where few streams are under way, and as many as it takes in a crowd. There only a backlog that has
grown too large or too old is decoded regardless, a slice between two rounds of the sockets. `full` tells a closed loop
to hold its next trials back until there is room.
"""

from __future__ import annotations

import asyncio
import select
from collections import deque
from collections.abc import Callable

from benchbook.clock import monotonic_ns
from benchbook.providers.calls import RawCall
from benchbook.providers.decoding import Decoding
from benchbook.records import Answer, Call

SLICE_NS = 250_000
"""Decoded between two looks at the sockets."""
_MOST_CALLS, _MOST_BYTES = 128, 4 << 20
"""Backlog up to which the sockets come first."""
_FULL_CALLS, _FULL_BYTES = 1_024, 24 << 20
"""Backlog from which on no closed loop takes up another trial."""
_OLDEST_NS = 50_000_000
"""A retry and a conversation's next turn wait for their decode: not longer than this and the time it takes."""
_FEW = 256
"""So many streams are read in one round of the loop before more has come; of a crowd, more comes meanwhile."""

Decoded = tuple[Call, Answer]


class Decoder:
    """bodies: which raw bodies the answers keep: `all`, `failures` or `none`."""

    def __init__(self, bodies: str = "all") -> None:
        self._bodies = bodies
        self._waiting: deque[tuple[RawCall, int, int, asyncio.Future[Decoded]]] = deque()
        self._bytes = 0
        self._more = asyncio.Event()
        self._on_room: list[Callable[[], None]] = []

    async def decode(self, raw: RawCall) -> Decoded:
        """The call's record and answer, once its turn has come."""
        future: asyncio.Future[Decoded] = asyncio.get_running_loop().create_future()
        received = raw.received
        self._waiting.append((raw, received, monotonic_ns(), future))
        self._bytes += received
        self._more.set()
        return await future

    @property
    def full(self) -> bool:
        """More waits than should: let it be decoded before more is asked for."""
        return len(self._waiting) >= _FULL_CALLS or self._bytes >= _FULL_BYTES

    def on_room(self, call: Callable[[], None]) -> None:
        """Have `call` called once, when `full` has become false."""
        self._on_room.append(call)

    async def work(self, in_flight: Callable[[], int]) -> None:
        """Runs until cancelled. in_flight: how many trials are under way."""
        busy = _input_waits(asyncio.get_running_loop())
        while True:
            await self._more.wait()
            while self._waiting:
                while busy() and not self._urgent():
                    await asyncio.sleep(0)
                    if in_flight() <= _FEW:
                        break
                until_ns = monotonic_ns() + SLICE_NS
                await self._next(busy)
                while self._waiting and monotonic_ns() < until_ns and not busy():
                    await self._next(busy)
                if self._waiting:
                    await asyncio.sleep(0)  # the trials that were decoded go on, and so do the sockets
            self._more.clear()

    async def _next(self, busy: Callable[[], bool]) -> None:
        raw, received, _, future = self._waiting.popleft()
        decoding = Decoding(raw, bodies=self._bodies)
        try:
            while not decoding.step(SLICE_NS):
                if busy():
                    await asyncio.sleep(0)
            if not future.done():
                future.set_result(decoding.result)
        except Exception as error:  # noqa: BLE001 - a defect in decoding belongs to the trial that waits for it
            if not future.done():
                future.set_exception(error)
        self._bytes -= received
        if self._on_room and not self.full:
            waiting, self._on_room = self._on_room, []
            for call in waiting:
                call()

    def _urgent(self) -> bool:
        if not self._waiting:
            return False
        if len(self._waiting) > _MOST_CALLS or self._bytes > _MOST_BYTES:
            return True
        return monotonic_ns() - self._waiting[0][2] > _OLDEST_NS


def _input_waits(loop: asyncio.AbstractEventLoop) -> Callable[[], bool]:
    """Asks the loop's own epoll, without waiting, whether any of its sockets is ready. A loop that does not show
    its epoll is always taken to be busy: then decoding goes slice by slice, a round of the loop between two."""
    backend = getattr(loop, "_get_backend_id", None)
    if backend is None:
        return lambda: True
    poll = select.poll()
    poll.register(backend(), select.POLLIN)
    ask = poll.poll
    return lambda: bool(ask(0))
