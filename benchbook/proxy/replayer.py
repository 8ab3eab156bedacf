"""Plays a cassette: each recorded segment is one write, at its offset from the request's last byte.

Writes are put together when the cassette is read, so that a due one is a copy into a socket and nothing else; the
simulator's connection and its exact timer play them. `speed` divides every offset; none of them waits at `max`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import orjson

from benchbook.proxy import cassette as tape
from benchbook.proxy.cassette import Answered, Cassette, Recorded, read_cassette
from benchbook.proxy.matching import ERROR, NEAREST, Matcher, Miss
from benchbook.simulator import score
from benchbook.simulator.connection import Connection
from benchbook.simulator.messages import HttpRequest
from benchbook.simulator.player import Player, Playing
from benchbook.simulator.replies import endpoint_of
from benchbook.simulator.score import Beat, Score, whole
from benchbook.simulator.server import Listener, keep, start
from benchbook.wire import wire

MAX = float("inf")
"""The speed at which nothing waits."""
STATUS_PATH = "/cassette"
_MISSES_KEPT = 100


@dataclass(frozen=True, slots=True)
class How:
    """How to play. ignore: dotted places in request bodies that are not compared, beside the cassette's own."""

    speed: float = 1.0
    on_miss: str = ERROR
    ignore: tuple[str, ...] = ()


class Playback:
    """One recorded answer, ready to be played any number of times."""

    def __init__(self, answered: Answered, speed: float = 1.0) -> None:
        self._head = b"" if answered.status is None else score.head(answered.status, answered.headers)
        self._closes = answered.framing == tape.CLOSE or _says_close(answered)
        self._writes = tuple(_writes(answered))
        self._ns_per_ms = 1e6 * speed
        self.ending = _ENDINGS[answered.ending]
        if self.ending == score.COMPLETE and self._closes:
            self.ending = score.CLOSE
        self.end_ms = answered.end_ns / self._ns_per_ms
        if self.ending == score.RESET and self._writes:  # so that it does not overtake the bytes before it
            self.end_ms = max(self.end_ms, self._writes[-1][0] / self._ns_per_ms + score.RESET_GAP_MS)

    def framed(self, *, keep_alive: bool) -> Iterator[Beat]:
        """The writes in time; the first is led by the status line and the header fields."""
        lead = self._head
        if lead:
            says_so = keep_alive or self.ending != score.COMPLETE
            lead += b"\r\n" if says_so else b"connection: close\r\n\r\n"
        for at_ns, data in self._writes:
            yield Beat(at_ns / self._ns_per_ms, lead + data)
            lead = b""


_ENDINGS = {tape.COMPLETE: score.COMPLETE, tape.CUT: score.CLOSE, tape.RESET: score.RESET, tape.LEFT: score.HOLD}


def _says_close(answered: Answered) -> bool:
    return any(name.lower() == "connection" and "close" in value.lower() for name, value in answered.headers)


def _writes(answered: Answered) -> Iterator[tuple[int, bytes]]:
    """Body bytes with their framing, one write for each recorded segment; the head's own may be empty."""
    if answered.status is None:
        return
    chunked = answered.framing == tape.CHUNKED
    parts = [(answered.head_ns, b"")]
    for at_ns, piece in zip(answered.piece_at_ns, answered.pieces, strict=True):
        parts.append((at_ns, b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece))
    if chunked and answered.ending == tape.COMPLETE:
        trailers = "".join(f"{name}: {value}\r\n" for name, value in answered.trailers)
        parts.append((answered.end_ns, b"0\r\n" + trailers.encode("latin-1") + b"\r\n"))
    for at_ns, together in groupby(parts, key=lambda part: part[0]):
        yield at_ns, b"".join(data for _, data in together)


class Replayer(Listener):
    """A listening cassette."""

    def __init__(self, cassette: Cassette, how: How, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._how = how
        self.cassette = cassette
        self._matcher = Matcher(cassette, how.ignore)
        self._playbacks = {kept.number: Playback(kept.answered, how.speed) for kept in cassette.exchanges}
        self.served = self.missed = 0
        self.misses: list[str] = []

    def player(self, connection: Connection, request: HttpRequest) -> Playing:
        if request.method == "GET" and request.path == STATUS_PATH:
            return Player(connection, request, self._status())
        found = self._matcher.take(request.method, request.target, request.headers, request.body)
        recorded = self._excused(found) if isinstance(found, Miss) else found
        if recorded is None:
            return Player(connection, request, _not_there(found))
        self.served += 1
        return Player(connection, request, self._playbacks[recorded.number])

    def _excused(self, miss: Miss) -> Recorded | None:
        """What a missed request gets all the same."""
        self.missed += 1
        if len(self.misses) < _MISSES_KEPT:
            self.misses.append(miss.message)
        return self._matcher.nearest(miss) if self._how.on_miss == NEAREST else None

    def _status(self) -> Score:
        said = {"cassette": str(self.cassette.path), "exchanges": len(self.cassette.exchanges)}
        counts = {"served": self.served, "missed": self.missed, "misses": self.misses}
        return whole(200, {"content-type": "application/json"}, orjson.dumps(said | counts))


def _not_there(found: object) -> Score:
    """A miss as the error that the client's own wire has for it."""
    message = found.message if isinstance(found, Miss) else ""
    endpoint = endpoint_of(found.path) if isinstance(found, Miss) else None
    headers = {"content-type": "application/json"}
    if endpoint is None:
        body = orjson.dumps({"error": {"message": message, "type": "cassette_miss", "code": 404}})
    else:
        spoken = wire(endpoint)
        body = spoken.encode_error(404, message)
        headers |= spoken.error_headers(404) if hasattr(spoken, "error_headers") else {}
    return whole(404, headers, body)


async def serve(cassette: Cassette, how: How, host: str = "127.0.0.1", port: int = 0) -> Replayer:
    """The cassette, served in the running loop; `await replayer.close()` ends it. Raises UserError."""
    replayer = Replayer(cassette, how, asyncio.get_running_loop())
    await start(replayer, host, port)
    return replayer


def replay(
    path: Path,
    how: How,
    place: tuple[str, int],
    announce: Callable[[Replayer], None],
    *,
    with_parent: bool = False,
) -> None:
    """Serve a cassette at a host and port until told to stop. Raises UserError."""
    cassette = read_cassette(path)
    keep(lambda: serve(cassette, how, *place), announce, with_parent=with_parent)


def spelt_speed(text: str) -> float:
    """`max`, `1x`, `2.5` as a factor. Raises ValueError."""
    bare = text.strip().lower()
    if bare == "max":
        return MAX
    try:
        speed = float(bare.removesuffix("x"))
    except ValueError:
        speed = 0.0
    if not 0 < speed < MAX:
        raise ValueError(f"{text!r} is no speed")
    return speed


def ignored(fields: Sequence[str]) -> tuple[str, ...]:
    """Places in request bodies from texts that may hold several, separated by commas."""
    return tuple(part.strip() for text in fields for part in text.split(",") if part.strip())
