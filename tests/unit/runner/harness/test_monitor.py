"""The harness's watch over itself: what a scripted clock and host make of it, and of the verdict."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from benchbook.errors import StorageError
from benchbook.measure.harness import bucket, lag_quantile, summary, upper_ms
from benchbook.records import Event
from benchbook.runner.harness.host import ProcHost, Reading
from benchbook.runner.harness.monitor import BEAT_NS, Monitor

MS = 1_000_000


@dataclass
class Hands:
    """A clock whose hands the test moves."""

    now_ns: int = 1_000_000_000
    offset_ns: int = 5_000_000_000

    def monotonic_ns(self) -> int:
        return self.now_ns

    def wall_ns(self) -> int:
        return self.now_ns + self.offset_ns


@dataclass
class Script:
    """A host whose counters the test moves."""

    reading: Reading = field(default_factory=lambda: Reading(0, 0, 0.0, 0, 0))
    closed: bool = False

    def read(self) -> Reading:
        return self.reading

    def close(self) -> None:
        self.closed = True


@dataclass
class Watch:
    """A monitor with its ports."""

    clock: Hands = field(default_factory=Hands)
    host: Script = field(default_factory=Script)
    events: list[Event] = field(default_factory=list)
    flying: int = 0

    def __post_init__(self) -> None:
        self.monitor = Monitor(self.events.append, lambda: self.flying, self.clock, self.host)
        self.begun_offset_ns = self.clock.offset_ns

    def beat(self, late_ms: float = 0.0) -> None:
        """Keep the next appointment that much too late."""
        self.clock.now_ns = self.monitor.due_ns + round(late_ms * MS)
        self.monitor.beat()

    def seconds(self) -> list[Any]:
        return [event.fields for event in self.events if event.name == "second"]

    def summary(self) -> dict[str, float | None]:
        self.monitor.note()
        return summary([(self.begun_offset_ns, self.seconds())])


def test_a_punctual_loop_has_no_lag_and_an_event_a_second() -> None:
    watch = Watch()
    for _ in range(24):
        watch.beat()
    assert [event.kind for event in watch.events] == ["harness"] * 3
    assert [second["seconds"] for second in watch.seconds()] == [1.0, 1.0, 1.0]
    assert [second["lags"] for second in watch.seconds()] == [{"0": 8}] * 3
    found = watch.summary()
    assert (found["seconds"], found["loop_lag_max_ms"], found["loop_lag_p99_ms"]) == (3.0, 0.0, 0.0)


def test_the_lag_of_the_moment_is_that_of_the_last_two_seconds_and_of_the_appointment_being_missed() -> None:
    watch = Watch()
    watch.beat(45.0)
    assert watch.monitor.lag_ms == 45.0
    watch.clock.now_ns = watch.monitor.due_ns + 70 * MS
    assert watch.monitor.lag_ms == 70.0
    for _ in range(9):
        watch.beat()
    assert watch.monitor.lag_ms == 45.0
    for _ in range(9):
        watch.beat()
    assert watch.monitor.lag_ms == 0.0


def test_lateness_is_the_lag_to_five_percent() -> None:
    watch = Watch()
    for number in range(200):
        watch.beat(10.0 if number % 20 == 0 else 0.5)
    found = watch.summary()
    assert found["loop_lag_p50_ms"] == pytest.approx(0.5, rel=0.05)
    assert found["loop_lag_p99_ms"] == pytest.approx(10, rel=0.05)
    assert found["loop_lag_max_ms"] == 10.0


def test_a_loop_that_was_held_counts_for_every_appointment_that_fell_into_it() -> None:
    """Held for a second out of two, once: a random instant would have met it with even chance."""
    watch = Watch()
    for _ in range(8):
        watch.beat()
    watch.beat(1000.0)
    for _ in range(7):
        watch.beat()
    watch.monitor.note()
    counts: Counter[int] = Counter()
    for second in watch.seconds():
        counts.update({int(place): count for place, count in second["lags"].items()})
    assert sum(counts.values()) == 24
    assert watch.summary()["loop_lag_p99_ms"] == pytest.approx(1000, rel=0.1)
    assert lag_quantile(counts, 0.83) == pytest.approx(500, rel=0.1)


def test_what_the_host_says_becomes_shares() -> None:
    watch = Watch()
    for _ in range(8):
        watch.host.reading = Reading(600 * MS, 150 * MS, 0.9, 4, 200)
        watch.flying = 7
        watch.beat()
    found = watch.summary()
    assert found["cpu_share"] == pytest.approx(0.6)
    assert found["run_delay_share"] == pytest.approx(0.15)
    assert found["process_cpu_share"] == pytest.approx(0.9)
    assert found["steal_share"] == pytest.approx(0.02)
    assert (found["in_flight_mean"], found["in_flight_max"]) == (pytest.approx(7), 7)


def test_a_host_that_says_nothing_leaves_nothing() -> None:
    watch = Watch(host=Script(Reading()))
    for _ in range(8):
        watch.beat()
    found = watch.summary()
    assert {found[name] for name in ("cpu_share", "run_delay_share", "steal_share", "process_cpu_share")} == {None}
    assert found["seconds"] == 1.0


def test_collections_are_timed_by_the_collectors_own_calls() -> None:
    watch = Watch()
    watch.monitor.collected("stop", {})
    for pause in (3, 40):
        watch.monitor.collected("start", {})
        watch.clock.now_ns += pause * MS
        watch.monitor.collected("stop", {})
    watch.beat()
    watch.monitor.note()
    second = watch.seconds()[-1]
    assert (second["gc_pauses"], second["gc_pause_ms"], second["gc_pause_max_ms"]) == (2, 43.0, 40.0)


@pytest.mark.parametrize("back", [False, True])
def test_a_wall_clock_that_is_set_is_seen_also_when_it_is_set_back(back: bool) -> None:
    watch = Watch()
    for number in range(32):
        if number == 12:
            watch.clock.offset_ns -= 3_600_000 * MS
        if number == 26 and back:
            watch.clock.offset_ns += 3_600_000 * MS
        watch.beat()
    found = watch.summary()
    assert found["clock_step_ms"] == pytest.approx(-3_600_000)
    assert found["seconds"] == 4.0


def test_a_suspended_machine_is_one_long_lag_and_no_endless_loop() -> None:
    watch = Watch()
    watch.beat(24 * 3_600_000.0)
    assert watch.summary()["loop_lag_max_ms"] == 3_600_000.0


def test_a_journal_that_takes_no_more_does_not_break_the_watch() -> None:
    def refuse(_event: Event) -> None:
        raise StorageError("journal", "full", "free some space")

    clock = Hands()
    monitor = Monitor(refuse, lambda: 0, clock, Script())
    clock.now_ns += 2_000 * MS
    monitor.beat()


def test_sessions_and_workers_together_are_the_worst_of_them() -> None:
    parts = [
        (0, [{"seconds": 2.0, "lags": {"100": 80}, "cpu_s": 1.0, "loop_lag_max_ms": 4.0, "wall_offset_ns": -9}]),
        (1, [{"seconds": 3.0, "lags": {"10": 120}, "cpu_s": 0.3, "loop_lag_max_ms": 9.0, "wall_offset_ns": 2}]),
        (2, []),
    ]
    found = summary(parts)
    assert (found["seconds"], found["cpu_share"], found["loop_lag_max_ms"]) == (5.0, 0.5, 9.0)
    assert found["loop_lag_p99_ms"] == upper_ms(100)
    assert found["clock_step_ms"] == pytest.approx(-9e-6)
    assert set(summary([]).values()) == {None}


@pytest.mark.parametrize("lag", [0.0, 0.01, 0.0101, 0.5, 1.0, 99.9, 3_600_000.0])
def test_a_bucket_holds_its_lag_to_five_percent(lag: float) -> None:
    assert upper_ms(bucket(lag)) >= lag * (1 - 1e-9)
    assert upper_ms(bucket(lag)) <= max(0.01, lag * 1.05 * (1 + 1e-9))


async def test_it_rings_on_a_real_loop_and_leaves_nothing_behind() -> None:
    events: list[Event] = []
    before = list(gc.callbacks)
    monitor = Monitor(events.append, lambda: 3)
    monitor.start()
    assert len(gc.callbacks) == len(before) + 1
    gc.collect()
    await asyncio.sleep(4 * BEAT_NS / 1e9)
    monitor.stop()
    assert gc.callbacks == before
    seconds = [event.fields for event in events]  # one, or several where the machine was slow
    assert sum(sum(fields["lags"].values()) for fields in seconds) >= 1
    assert max(fields["in_flight_max"] or 0 for fields in seconds) == 3
    assert sum(fields["gc_pauses"] for fields in seconds) >= 1
    if seconds[0]["cpu_s"] is not None:
        assert min(fields["cpu_s"] for fields in seconds) >= 0
        assert sum(fields["host_ticks"] for fields in seconds) > 0


def test_a_host_without_these_files_reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    host = ProcHost()
    host.close()
    reading = host.read()
    assert (reading.cpu_ns, reading.delay_ns, reading.steal_ticks, reading.host_ticks) == (None, None, None, None)
