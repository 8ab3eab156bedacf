"""From the harness's own record of itself (events of kind `harness`) to a run's figures. Pure.

An event `second` sums up about a second of one measuring process: times add up, peaks are peaks, and lags of the event
loop are counted in buckets 5 % wide, so that a quantile of a run of any length is exact to 5 % and costs no memory.
Over several processes or sessions the worst one's figure stands.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

SECOND, CALIBRATION = "second", "calibration"
"""Names of the events of kind `harness`."""

_FLOOR_MS = 0.01
_WIDTH = math.log(1.05)
_NS_PER_MS = 1e6

FIGURES = (
    "seconds",
    "beats",
    "loop_lag_p50_ms",
    "loop_lag_p99_ms",
    "loop_lag_max_ms",
    "cpu_share",
    "process_cpu_share",
    "run_delay_share",
    "steal_share",
    "gc_pauses",
    "gc_pause_max_ms",
    "gc_share",
    "in_flight_mean",
    "in_flight_max",
    "clock_step_ms",
)
"""What `summary` gives; each is None where nothing recorded it."""

_ADDED = ("seconds", "beats", "gc_pauses")

Figures = dict[str, float | None]


def bucket(lag_ms: float) -> int:
    """The bucket of a lag; 0 holds all up to 0.01 ms."""
    return 0 if lag_ms <= _FLOOR_MS else math.ceil(math.log(lag_ms / _FLOOR_MS) / _WIDTH)


def upper_ms(place: int) -> float:
    """The largest lag that a bucket holds."""
    return float(_FLOOR_MS * math.exp(place * _WIDTH))


def lag_quantile(counts: Mapping[int, int], q: float) -> float | None:
    """The q-quantile of counted lags by nearest rank, up to 5 % high; it describes these lags and infers nothing."""
    left = math.ceil(q * sum(counts.values()))
    for place in sorted(counts):
        left -= counts[place]
        if left <= 0:
            return upper_ms(place)
    return None


def summary(sessions: Iterable[tuple[int | None, Sequence[Mapping[str, Any]]]]) -> Figures:
    """The run's figures from each session's wall offset and the fields of its `second` events, in their order."""
    parts = [_session(offset, seconds) for offset, seconds in sessions if seconds]
    found: Figures = {}
    for name in FIGURES:
        values = [value for part in parts if (value := part[name]) is not None]
        found[name] = None if not values else sum(values) if name in _ADDED else max(values, key=abs)
    return found


def _session(offset: int | None, seconds: Sequence[Mapping[str, Any]]) -> Figures:
    took = _sum(seconds, "seconds") or 0.0
    counts: Counter[int] = Counter()
    for second in seconds:
        counts.update({int(place): count for place, count in second.get("lags", {}).items()})
    total = _sum(seconds, "host_ticks")
    worst_ms = _max(seconds, "loop_lag_max_ms")
    return {
        "seconds": took,
        "beats": float(sum(counts.values())),
        "loop_lag_p50_ms": _at_most(lag_quantile(counts, 0.5), worst_ms),
        "loop_lag_p99_ms": _at_most(lag_quantile(counts, 0.99), worst_ms),
        "loop_lag_max_ms": worst_ms,
        "cpu_share": _per(_sum(seconds, "cpu_s"), took),
        "process_cpu_share": _per(_sum(seconds, "process_cpu_s"), took),
        "run_delay_share": _per(_sum(seconds, "run_delay_s"), took),
        "steal_share": _per(_sum(seconds, "steal_ticks"), total),
        "gc_pauses": _sum(seconds, "gc_pauses"),
        "gc_pause_max_ms": _max(seconds, "gc_pause_max_ms"),
        "gc_share": _per(_sum(seconds, "gc_pause_ms"), took * 1000),
        "in_flight_mean": _per(_sum(seconds, "in_flight_s"), took),
        "in_flight_max": _max(seconds, "in_flight_max"),
        "clock_step_ms": _step_ms(offset, seconds),
    }


def _step_ms(offset: int | None, seconds: Sequence[Mapping[str, Any]]) -> float | None:
    """How far the wall clock strayed from the monotonic one at most, from the session's start on; signed."""
    offsets = [one["wall_offset_ns"] for one in seconds if one.get("wall_offset_ns") is not None]
    if offset is None or not offsets:
        return None
    return float(max((one - offset for one in offsets), key=abs)) / _NS_PER_MS


def _sum(seconds: Sequence[Mapping[str, Any]], name: str) -> float | None:
    known = [second[name] for second in seconds if second.get(name) is not None]
    return math.fsum(known) if known else None


def _max(seconds: Sequence[Mapping[str, Any]], name: str) -> float | None:
    return max((float(second[name]) for second in seconds if second.get(name) is not None), default=None)


def _at_most(value: float | None, most: float | None) -> float | None:
    """A bucket's upper edge may lie above all that it holds."""
    return value if value is None or most is None else min(value, most)


def _per(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole else part / whole
