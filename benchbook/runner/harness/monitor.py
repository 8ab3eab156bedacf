"""The harness watches itself while it measures: is what is measured the provider, or this process?

A beat is an appointment with the event loop, eight a second: how late it is kept is the lag that an answer's bytes met
as well. A lag of many beats counts as each of them: appointments that fell into it would have waited for the rest of
it. Four times a second the number in flight is taken; once a second the host is read, and an event of kind `harness`,
name `second`, sums up what was seen (`measure.harness` reads it). A killed run keeps all but its last second. What it
costs is mostly waking a loop that would have slept.
"""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Self

from benchbook.clock import Clock, SystemClock, wall_offset_ns
from benchbook.errors import StorageError
from benchbook.measure.harness import SECOND, bucket
from benchbook.records import Event
from benchbook.runner.harness.host import Host, ProcHost, Reading

BEAT_NS = 125_000_000
_BEATS_A_SAMPLE = 2
_NOTE_NS = 1_000_000_000
_LONGEST_NS = 3_600_000_000_000
"""A lag beyond an hour (a suspended machine) counts as one of an hour."""
_NS_PER_MS, _NS_PER_S = 1e6, 1e9


class Monitor:
    """One event loop's watch. `note` takes an event about each second; `in_flight` says how many trials are.

    Use it as a context manager inside the loop, or call `start` and `stop`; `beat` is what a timer calls.
    """

    def __init__(
        self,
        note: Callable[[Event], None],
        in_flight: Callable[[], int],
        clock: Clock | None = None,
        host: Host | None = None,
    ) -> None:
        self._note, self._in_flight = note, in_flight
        self._clock, self._host = clock or SystemClock(), host or ProcHost()
        self._timer: asyncio.TimerHandle | None = None
        self._collecting_ns: int | None = None
        self._last_worst_ns = 0
        self.due_ns: int
        self._beats: int
        self._begin(self._clock.monotonic_ns())

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Watch from now on."""
        gc.callbacks.append(self.collected)
        self._begin(self._clock.monotonic_ns())
        self._appoint()

    def stop(self) -> None:
        """Note what is left, and watch no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.collected in gc.callbacks:
            gc.callbacks.remove(self.collected)
        self.note()
        self._host.close()

    @property
    def lag_ms(self) -> float:
        """The largest lag of this second, of the last one, and of the appointment that is being missed now."""
        missed_ns = self._clock.monotonic_ns() - self.due_ns
        return max(self._worst_ns, self._last_worst_ns, missed_ns) / _NS_PER_MS

    def beat(self) -> None:
        """An appointment, due at `due_ns`: its lag, and now and then a sample and an event."""
        now_ns = self._clock.monotonic_ns()
        self._late(now_ns - self.due_ns)
        self._beats += 1
        if self._beats % _BEATS_A_SAMPLE == 0 or now_ns - self._sampled_ns > BEAT_NS * _BEATS_A_SAMPLE:
            self._sample(now_ns)
        if now_ns - self._begun_ns >= _NOTE_NS:
            self.note()
        self.due_ns = self._clock.monotonic_ns() + BEAT_NS

    def collected(self, phase: str, _info: Mapping[str, Any]) -> None:
        """What the garbage collector calls before and after its work."""
        now_ns = self._clock.monotonic_ns()
        if phase == "start":
            self._collecting_ns = now_ns
        elif self._collecting_ns is not None:
            self._pauses.append((now_ns - self._collecting_ns) / _NS_PER_MS)
            self._collecting_ns = None

    def note(self) -> None:
        """Write an event about the time since the last one. A journal that takes no more says so to its trials."""
        now_ns = self._clock.monotonic_ns()
        if now_ns > self._begun_ns:
            self._sample(now_ns)
            with suppress(StorageError):
                self._note(Event(now_ns, "harness", SECOND, fields=self._fields(now_ns)))
        self._last_worst_ns = self._worst_ns
        self._begin(now_ns)

    # ------------------------------------------------------------ inside

    def _begin(self, now_ns: int) -> None:
        self._begun_ns = self._sampled_ns = now_ns
        self.due_ns = now_ns + BEAT_NS
        self._beats = 0
        self._lags: Counter[int] = Counter()
        self._worst_ns = 0
        self._pauses: list[float] = []
        self._flying_s, self._most = 0.0, 0
        self._before = self._host.read()

    def _appoint(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(
            max(0, self.due_ns - self._clock.monotonic_ns()) / _NS_PER_S, self._ring
        )

    def _ring(self) -> None:
        self.beat()
        self._appoint()

    def _late(self, lag_ns: int) -> None:
        lag_ns = min(max(0, lag_ns), _LONGEST_NS)
        self._worst_ns = max(self._worst_ns, lag_ns)
        while lag_ns >= 0:
            self._lags[bucket(lag_ns / _NS_PER_MS)] += 1
            lag_ns -= BEAT_NS

    def _sample(self, now_ns: int) -> None:
        flying = self._in_flight()
        self._most = max(self._most, flying)
        self._flying_s += flying * (now_ns - self._sampled_ns) / _NS_PER_S
        self._sampled_ns = now_ns

    def _fields(self, now_ns: int) -> dict[str, Any]:
        after = self._host.read()
        fields = {
            "seconds": (now_ns - self._begun_ns) / _NS_PER_S,
            "lags": {str(place): count for place, count in sorted(self._lags.items())},
            "loop_lag_max_ms": self._worst_ns / _NS_PER_MS,
            **_spent(self._before, after),
            "gc_pauses": len(self._pauses),
            "gc_pause_ms": sum(self._pauses),
            "gc_pause_max_ms": max(self._pauses, default=0.0),
            "in_flight_s": self._flying_s,
            "in_flight_max": self._most,
            "wall_offset_ns": wall_offset_ns(self._clock),
        }
        return {name: round(value, 6) if isinstance(value, float) else value for name, value in fields.items()}


def _spent(before: Reading, after: Reading) -> dict[str, float | int | None]:
    """What was spent between two readings."""
    return {
        "cpu_s": _less(after.cpu_ns, before.cpu_ns, _NS_PER_S),
        "run_delay_s": _less(after.delay_ns, before.delay_ns, _NS_PER_S),
        "process_cpu_s": _less(after.process_cpu_s, before.process_cpu_s, 1),
        "steal_ticks": _less(after.steal_ticks, before.steal_ticks, 1),
        "host_ticks": _less(after.host_ticks, before.host_ticks, 1),
    }


def _less(after: float | None, before: float | None, unit: float) -> float | None:
    return None if after is None or before is None else (after - before) / unit
