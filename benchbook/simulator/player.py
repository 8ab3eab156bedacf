"""Playing a response is waiting and writing, nothing else. The stamp stands right before the system call.

Two players, one for each form of a response. A `Score` is encoded beat by beat while it is played, one beat ahead:
nothing waits for the end of a long answer. A `Print` is ready: all its writes are one string of bytes that requests
with the same answer share, and playing it costs little more than its system calls.

`step` writes what is due, a burst at most so that others get a turn, and returns when it wants its next turn.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from benchbook.clock import monotonic_ns
from benchbook.simulator.prints import Print
from benchbook.simulator.score import CLOSE, COMPLETE, HOLD, Beat, coalesced, due_ns
from benchbook.simulator.truth import Record

if TYPE_CHECKING:
    from benchbook.simulator.connection import Connection
    from benchbook.simulator.messages import HttpRequest

MAX_BURST = 256


class Playing(Protocol):
    """A response under way. It ends with `Connection.finish` or `Connection.reset`."""

    def step(self) -> int | None:
        """Begin, or go on: called once, and again at the time that it returns or that `Connection.at` was given."""
        ...

    def abandon(self) -> None:
        """The connection is gone."""
        ...


class Playable(Protocol):
    """What `Player` plays: writes in time and how they end, as `score.Score` has them."""

    @property
    def ending(self) -> str: ...

    @property
    def end_ms(self) -> float | None: ...

    def framed(self, *, keep_alive: bool) -> Iterator[Beat]: ...


class Player:
    """Plays a score: the next beat is taken, and so encoded, right after the one before was written."""

    __slots__ = (
        "_beats", "_connection", "_done", "_due_ns", "_keep_alive", "_kinds", "_next", "_origin_ns", "_record",
        "_score", "_sizes",
    )  # fmt: skip

    def __init__(
        self, connection: Connection, request: HttpRequest, score: Playable, record: Record | None = None
    ) -> None:
        self._connection, self._record, self._score = connection, record, score
        self._keep_alive = request.keep_alive and score.ending == COMPLETE
        self._origin_ns = request.received_ns
        beats = score.framed(keep_alive=self._keep_alive)
        self._beats = coalesced(beats) if connection.simulator.coalesces else beats
        self._done, self._due_ns = False, 0
        self._next: Beat | None = None
        self._kinds: list[str] = []
        self._sizes = array("l")
        if record is not None:
            record.kinds, record.sizes = self._kinds, self._sizes
        self._take()

    def _take(self) -> None:
        beat = self._next = next(self._beats, None)
        if beat is not None:
            self._due_ns = self._origin_ns + due_ns(beat.at_ms)

    def step(self) -> int | None:
        written = 0
        while self._next is not None and not self._done:
            beat, now_ns = self._next, monotonic_ns()
            if self._due_ns > now_ns or written == MAX_BURST:
                return self._due_ns
            if not self._connection.write(beat.data):
                return None
            self._stamp(beat, now_ns)
            self._take()
            written += 1
        return None if self._done else self._end()

    def _stamp(self, beat: Beat, now_ns: int) -> None:
        if self._record is not None:
            self._record.sent_ns.append(now_ns)
            self._record.offsets_ns.append(self._due_ns - self._origin_ns)
            self._kinds.append(beat.kind)
            self._sizes.append(beat.size)

    def _end(self) -> int | None:
        ending, end_ms = self._score.ending, self._score.end_ms
        if ending == HOLD:
            return None
        if end_ms is not None:
            end_ns = self._origin_ns + due_ns(end_ms)
            if end_ns > monotonic_ns():
                return end_ns
        self._close("complete" if ending == COMPLETE else "cut")
        if ending == COMPLETE:
            self._connection.finish(keep_alive=self._keep_alive)
        elif ending == CLOSE:
            self._connection.finish(keep_alive=False)
        else:
            self._connection.reset()
        return None

    def abandon(self) -> None:
        """The connection is gone."""
        if not self._done:
            self._close("cut" if self._score.ending == HOLD and self._next is None else "client_gone")

    def _close(self, outcome: str) -> None:
        self._done = True
        if self._record is not None:
            self._record.outcome = outcome
        self._connection.log(self._record)


class PrintPlayer:
    """Plays a print under a request's own id."""

    __slots__ = ("_bytes", "_connection", "_done", "_keep_alive", "_next", "_print", "_record")

    def __init__(self, connection: Connection, request: HttpRequest, ready: Print, record: Record) -> None:
        self._connection, self._print, self._record = connection, ready, record
        self._keep_alive = request.keep_alive
        self._bytes = ready.signed(record.request_id)
        self._next, self._done = 0, False
        record.offsets_ns, record.kinds, record.sizes = ready.offsets_ns, ready.kinds, ready.sizes

    def step(self) -> int | None:
        if self._done:
            return None
        ready, record, text = self._print, self._record, self._bytes
        origin_ns, offsets_ns, cuts = record.received_ns, ready.offsets_ns, ready.cuts
        write, stamp = self._connection.write, record.sent_ns.append
        index, last = self._next, len(offsets_ns)
        until, start = min(last, index + MAX_BURST), cuts[index]
        while index < last:
            now_ns, due_ns = monotonic_ns(), origin_ns + offsets_ns[index]
            if due_ns > now_ns or index == until:
                self._next = index
                return due_ns
            index += 1
            end = cuts[index]
            if not write(text[start:end]):
                return None
            stamp(now_ns)
            start = end
        self._close("complete")
        self._connection.finish(keep_alive=self._keep_alive)
        return None

    def abandon(self) -> None:
        """The connection is gone."""
        if not self._done:
            self._close("client_gone")

    def _close(self, outcome: str) -> None:
        self._done = True
        self._record.outcome = outcome
        self._connection.log(self._record)
