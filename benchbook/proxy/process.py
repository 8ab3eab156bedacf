"""Recorder and replayer as processes of their own: no run's process shares its loop with what it measures."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import orjson

from benchbook.proxy.recorder import Order
from benchbook.proxy.replayer import MAX, How
from benchbook.simulator.process import started

_COMMAND = (sys.executable, "-m", "benchbook.proxy")


@dataclass(frozen=True, slots=True)
class Serving:
    """A cassette that is being served at `address`. to: who answered when it was recorded; damaged: lines of the
    file that had to be passed over."""

    address: str
    exchanges: int
    to: str
    recorded_at: str
    damaged: tuple[str, ...] = ()


@contextmanager
def start_replay(path: str, how: How | None = None) -> Iterator[Serving]:
    """Serve a cassette while the block runs. Raises UserError."""
    how = how or How()
    asked = {"path": path, "speed": "max" if how.speed == MAX else how.speed, "on_miss": how.on_miss}
    with started([*_COMMAND, "replay", orjson.dumps(asked | {"ignore": how.ignore}).decode()]) as said:
        yield Serving(**{**said, "damaged": tuple(said["damaged"])})


@contextmanager
def start_recording(order: Order) -> Iterator[Mapping[str, str]]:
    """Record while the block runs; yields a listening address for each name in `order.to`. Raises UserError."""
    asked = {
        "cassette": str(order.cassette),
        "to": dict(order.to),
        "host": order.host,
        "port": order.port,
        "append": order.append,
        "ignore": order.ignore,
    }
    with started([*_COMMAND, "record", orjson.dumps(asked).decode()]) as said:
        yield said["addresses"]
