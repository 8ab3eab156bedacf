"""A first call without a server: what an SDK builds when it first speaks is built before the first trial.

Official clients make their models of the wire's messages only when the first of them arrives, and that holds the loop
for up to a second. Within `rehearsing()` our transport answers by itself, in the provider's own wire, and keeps
nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from benchbook.providers import Provider
from benchbook.records import Usage
from benchbook.wire.events import Ended, Finished, Started, TextDelta, TimingReported, UsageReported

_REHEARSING: ContextVar[bool] = ContextVar("benchbook_rehearsing", default=False)
_LINES = (
    Started(id="rehearsal"),
    TextDelta("ready"),
    Finished("stop"),
    UsageReported(Usage(input=1, output=1)),
    TimingReported({"total_ms": 1.0, "latency_ms": 1.0}),
    Ended(),
)


@contextmanager
def rehearsing() -> Iterator[None]:
    """Calls made within are answered here."""
    token = _REHEARSING.set(True)
    try:
        yield
    finally:
        _REHEARSING.reset(token)


def is_rehearsal() -> bool:
    return _REHEARSING.get()


def answer(provider: Provider, path: str, body: bytes) -> tuple[str, bytes]:
    """Content type and body of an answer to that request."""
    wire = provider.wire
    writer = wire.writer(wire.decode_request(path, body), request_id="rehearsal")
    return writer.content_type, b"".join([writer.write(line) for line in _LINES])
