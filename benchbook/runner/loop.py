"""The one loop: planned trials x load x workload -> a stream of finished trials.

Per target there is a lane. A closed lane holds slots: a slot's next trial is intended for the moment the slot
became free. An open lane starts each trial at its intended time, however many are in flight. Decoding is done
by one task, one answer at a time, in slices that hold the loop for at most a millisecond; nothing between
socket and clock waits for it. Stopping is graceful: nothing new is taken up, what is in flight ends by itself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass

from benchbook.clock import monotonic_ns, sleep_until
from benchbook.providers import Provider
from benchbook.providers.calls import Asked, RawCall, attempt
from benchbook.providers.decoding import Decoding
from benchbook.providers.retry import RetryPolicy
from benchbook.providers.transport import Transport
from benchbook.records import Answer, Call, ModelRequest, PlannedTrial, Trial
from benchbook.runner.plan import Plan
from benchbook.workloads import workload

_SECOND_NS = 1_000_000_000
_SLICE_NS = 250_000
_RAMP_NS = 100_000
"""Slots of a closed loop open 0.1 ms apart (0.1 s for 1,000), so that the start is no burst."""


class Decoder:
    """Decodes ended calls in order of arrival, off the critical path."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Decoding, asyncio.Future[tuple[Call, Answer]]]] = deque()
        self._more = asyncio.Event()

    async def decode(self, raw: RawCall) -> tuple[Call, Answer]:
        """The call's record and answer, once its turn has come."""
        future: asyncio.Future[tuple[Call, Answer]] = asyncio.get_running_loop().create_future()
        self._waiting.append((Decoding(raw), future))
        self._more.set()
        return await future

    async def work(self) -> None:
        """Runs until cancelled."""
        while True:
            await self._more.wait()
            while self._waiting:
                decoding, future = self._waiting.popleft()
                await self._one(decoding, future)
            self._more.clear()

    async def _one(self, decoding: Decoding, future: asyncio.Future[tuple[Call, Answer]]) -> None:
        try:
            while not decoding.step(_SLICE_NS):  # noqa: ASYNC110 - not a poll: a slice of work, then the sockets
                await asyncio.sleep(0)
            if not future.done():
                future.set_result(decoding.result)
        except Exception as error:  # noqa: BLE001 - a defect in decoding belongs to the trial that waits for it
            if not future.done():
                future.set_exception(error)
        await asyncio.sleep(0)


class Desk:
    """What workloads use: requests, providers, the transport, the decoder, the retry policy."""

    def __init__(self, plan: Plan, providers: Mapping[str, Provider], transport: Transport) -> None:
        execute = plan.spec.execute
        self._plan, self._providers, self._transport = plan, providers, transport
        self.decoder = Decoder()
        self.timeout_s = execute.timeout_s
        self.retries = RetryPolicy(execute.retries.attempts, execute.retries.base_s, execute.retries.cap_s)

    def request(self, trial: PlannedTrial) -> ModelRequest:
        return self._plan.request(trial)

    def provider(self, target: str) -> Provider:
        return self._providers[target]

    async def attempt(self, provider: Provider, request: ModelRequest, asked: Asked) -> RawCall:
        return await attempt(provider, self._transport, request, asked)

    async def decode(self, raw: RawCall) -> tuple[Call, Answer]:
        return await self.decoder.decode(raw)


class OpenSlot:
    """An open loop's place: there is always one."""

    def __init__(self, intended_ns: int) -> None:
        self.intended_ns = intended_ns

    def release(self, at_ns: int) -> None:
        """Nothing to give back."""

    async def retake(self) -> None:
        """Always granted."""


class ClosedSlot:
    """A place among a lane's fixed number; free again `delay_ns` after its release."""

    def __init__(self, intended_ns: int, lane: ClosedLane) -> None:
        self.intended_ns = intended_ns
        self._lane = lane
        self._held = True

    def release(self, at_ns: int) -> None:
        if self._held:
            self._held = False
            self._lane.free(at_ns)

    async def retake(self) -> None:
        if not self._held:
            await self._lane.take()
            self._held = True


class ClosedLane:
    """One target's slots. A slot is a stamp: the moment from which it is free."""

    def __init__(self, concurrency: int, delay_ns: int, from_ns: int) -> None:
        self._delay_ns = delay_ns
        self._free: deque[int] = deque(from_ns + number * _RAMP_NS for number in range(concurrency))
        self._takers: deque[asyncio.Future[int]] = deque()

    def free(self, at_ns: int) -> None:
        """A slot has become free: a waiting taker gets it."""
        stamp = at_ns + self._delay_ns
        while self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(stamp)
                return
        self._free.append(stamp)

    async def take(self) -> int:
        """A slot, as the stamp from which it is free (it may lie ahead: wait for it then)."""
        if self._free:
            return self._free.popleft()
        taker: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._takers.append(taker)
        return await taker


@dataclass(slots=True)
class Pulse:
    """How the loop is doing, for a live view."""

    planned: int
    done: int = 0
    in_flight: int = 0
    current: str = ""


class Loop:
    """Runs `todo` of `plan`. Iterate `finished()`; call `stop()` to take up nothing more."""

    def __init__(self, plan: Plan, todo: Iterable[PlannedTrial], desk: Desk) -> None:
        self._plan, self._desk = plan, desk
        self._todo = tuple(todo)
        self._done: asyncio.Queue[Trial | BaseException | None] = asyncio.Queue()
        self._lanes: list[asyncio.Task[None]] = []
        self._running: set[asyncio.Task[None]] = set()
        self.pulse = Pulse(planned=len(self._todo))

    def stop(self) -> None:
        """Take up nothing more; what is in flight ends by itself."""
        for lane in self._lanes:
            lane.cancel()

    def abandon(self) -> None:
        """Stop, and end what is in flight as well: those trials count as not started."""
        self.stop()
        for task in self._running:
            task.cancel()

    async def finished(self) -> AsyncIterator[Trial]:
        """Finished trials, in order of completion. Raises what a trial raised by our own defect."""
        decoding = asyncio.create_task(self._desk.decoder.work())
        waiting = asyncio.create_task(self._run_lanes())
        try:
            while (trial := await self._done.get()) is not None:
                if isinstance(trial, BaseException):
                    raise trial
                self.pulse.done += 1
                yield trial
        finally:
            left = [waiting, decoding, *self._lanes, *self._running]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _run_lanes(self) -> None:
        by_target: dict[str, list[PlannedTrial]] = {}
        for trial in self._todo:
            by_target.setdefault(trial.target, []).append(trial)
        start_ns = monotonic_ns()
        self._lanes = [asyncio.create_task(self._run_lane(trials, start_ns)) for trials in by_target.values()]
        outcomes = await asyncio.gather(*self._lanes, return_exceptions=True)
        while self._running:
            await asyncio.wait(self._running)
        defects = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        self._done.put_nowait(defects[0] if defects else None)

    async def _run_lane(self, trials: list[PlannedTrial], start_ns: int) -> None:
        slots = self._plan.load.slots
        if slots is None:
            await self._run_open(trials, start_ns)
        else:
            delay_ns = round(self._plan.spec.execute.delay_s * _SECOND_NS)
            await self._run_closed(trials, ClosedLane(slots, delay_ns, start_ns))

    async def _run_open(self, trials: list[PlannedTrial], start_ns: int) -> None:
        first_ns = trials[0].intended_offset_ns or 0
        for trial in trials:
            intended_ns = start_ns + (trial.intended_offset_ns or 0) - first_ns
            await sleep_until(intended_ns)
            self._begin(trial, OpenSlot(intended_ns))

    async def _run_closed(self, trials: list[PlannedTrial], lane: ClosedLane) -> None:
        for trial in trials:
            free_ns = await lane.take()
            await sleep_until(free_ns)
            self._begin(trial, ClosedSlot(free_ns, lane))

    def _begin(self, trial: PlannedTrial, slot: OpenSlot | ClosedSlot) -> None:
        self.pulse.in_flight += 1
        self.pulse.current = f"{trial.test_id} @ {trial.target}"
        task = asyncio.create_task(self._one(trial, slot))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _one(self, trial: PlannedTrial, slot: OpenSlot | ClosedSlot) -> None:
        try:
            self._done.put_nowait(await workload(trial.workload)(trial, self._desk, slot))
        except Exception as error:  # noqa: BLE001 - ours: handed to the reader of `finished`
            self._done.put_nowait(error)
        finally:
            self.pulse.in_flight -= 1
