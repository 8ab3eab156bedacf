"""The recorder: a pass-through on loopback. What the provider sends leaves towards the client as it came in.

Bytes of the answer, framing included, are written on from within the callback that received them, one write for
each segment: nothing is buffered, reordered or framed anew; httptools reads along only to know the end and to
keep the pieces under their stamps. A cut-off or a reset is passed on as such. Offsets count from the moment the
request was written to the provider. An exchange is scrubbed and written to the cassette when it has ended.

A SigV4 signature names the host that it was made for, and a client that was pointed at us named us. Such a
request is signed again for the real host, with this environment's credentials; every other one keeps its own.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from benchbook.clock import monotonic_ns
from benchbook.errors import BenchbookError, CredentialError, StorageError, UserError
from benchbook.providers import address, keys
from benchbook.providers.connection import Receiving
from benchbook.providers.http import HttpRequest, split_url
from benchbook.providers.transport import Transport
from benchbook.proxy import cassette as tape
from benchbook.proxy import scrubbing
from benchbook.proxy.cassette import Answered, Asked, CassetteWriter, Recorded
from benchbook.records import Target
from benchbook.simulator.connection import Connection
from benchbook.simulator.messages import HttpRequest as Incoming
from benchbook.simulator.player import Playing
from benchbook.simulator.score import RESET_GAP_MS, head
from benchbook.simulator.server import Listener, keep, start

_BODILESS = ("HEAD", "CONNECT")
"""Methods whose answers say nothing of where they end."""
_LONGEST_NS = 3600 * 1_000_000_000
_HOP_BY_HOP = re.compile(
    "connection|keep-alive|te|trailer|transfer-encoding|upgrade|proxy-.*|expect|host|content-length|accept-encoding"
)
"""Header fields that are between two hops, or that our transport writes itself."""
_SIGNATURE = ("authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256")
_BEDROCK = re.compile(r"bedrock[a-z-]*\.([a-z]{2}(?:-[a-z]+)+-\d+)\.")
_SCOPE = re.compile(r"^AWS4-HMAC-SHA256 .*Credential=[^/]+/\d+/([^/]+)/")


@dataclass(slots=True)
class Tally:
    """What has come of a recording so far. unreached: requests that never got to the provider (no exchange);
    coded: answers in a compression that could not be searched for secrets, passed on and not kept."""

    recorded: int = 0
    unreached: int = 0
    coded: int = 0
    last_trouble: str = ""
    failed: StorageError | None = None


@dataclass(slots=True)
class Deck:
    """The cassette under way and what its recorders share. `told` hears of each exchange that was kept."""

    writer: CassetteWriter
    told: Callable[[Recorded], None] = lambda _recorded: None
    tally: Tally = field(default_factory=Tally)
    number: int = 0

    def next_number(self) -> int:
        self.number += 1
        return self.writer.last_number + self.number

    def keep(self, recorded: Recorded) -> None:
        try:
            self.writer.append(recorded)
        except StorageError as error:  # traffic goes on; whoever started us is told at the end
            self.tally.failed = error
            return
        self.tally.recorded += 1
        self.told(recorded)


class Recorder(Listener):
    """Passes on to one address, `to`; `name` is what the cassette calls it."""

    def __init__(self, to: str, name: str, deck: Deck, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.to, self.name, self.deck = to, name, deck
        self.transport = Transport()
        self.loop = loop
        self.relays: set[asyncio.Task[None]] = set()
        self._signers: dict[str, Any] = {}
        split_url(to)
        region = _BEDROCK.search(address.host_of(to))
        if region is not None:
            with suppress(CredentialError):  # a bearer token needs none; now, not within the first request
                self._signer(region[1])

    def player(self, connection: Connection, request: Incoming) -> Playing:
        return Relay(self, connection, request)

    async def close(self) -> None:
        """Stop listening; what is under way is kept as far as it came."""
        await super().close()
        for relay in self.relays:
            relay.cancel()
        await asyncio.gather(*self.relays, return_exceptions=True)
        await self.transport.close()

    # ------------------------------------------------------------ requests

    def outgoing(self, request: Incoming) -> HttpRequest:
        """The request towards the real address. Raises BenchbookError where it has to be signed and can't be."""
        url = address.join(self.to, request.target)
        headers = {name: value for name, value in request.headers.items() if not _HOP_BY_HOP.fullmatch(name)}
        scope = _SCOPE.match(headers.get("authorization", ""))
        if scope is not None:
            bare = {name: value for name, value in headers.items() if name not in _SIGNATURE}
            headers = self._signer(scope[1]).signed(request.method, url, bare, request.body)
        return HttpRequest(url, headers, request.body, request.method)

    @property
    def own_secrets(self) -> tuple[str, ...]:
        """What we sign with."""
        return tuple(secret for signer in self._signers.values() for secret in signer.secrets)

    def _signer(self, region: str) -> Any:
        if region not in self._signers:
            from benchbook.providers.bedrock import signer

            self._signers[region] = signer(self.to, region)
        return self._signers[region]


class Passing(Receiving):
    """An answer that is passed on while it is received. `pairs` and `trailers` keep the fields as they were sent."""

    __slots__ = ("pairs", "trailers")

    def __init__(self, done: asyncio.Future[None], write: Callable[[bytes], object]) -> None:
        super().__init__(done)
        self.pairs: list[tuple[str, str]] = []
        self.trailers: list[tuple[str, str]] = []
        self.feed = _tee(self.feed, write)

    def on_header(self, name: bytes, value: bytes) -> None:
        into = self.pairs if self.status is None else self.trailers
        into.append((name.decode("latin-1"), value.decode("latin-1")))
        super().on_header(name, value)

    def on_message_complete(self) -> None:
        if self.status is None:  # 1xx
            self.pairs.clear()
        super().on_message_complete()


def _tee(feed: Callable[[bytes], object], write: Callable[[bytes], object]) -> Callable[[bytes], object]:
    """The parser's feed, and before it the client: every segment goes there first."""

    def both(data: bytes) -> None:
        write(data)
        feed(data)

    return both


class Relay:
    """One exchange: passes the request on, then the answer as it comes, and keeps both."""

    def __init__(self, recorder: Recorder, connection: Connection, request: Incoming) -> None:
        self._recorder, self._connection, self._request = recorder, connection, request
        self._number = recorder.deck.next_number()
        self._passing: Passing | None = None
        self._task: asyncio.Task[None] | None = None
        self._ended = False

    def step(self) -> None:
        if self._ended:  # called again a moment after a reset was received
            self._connection.reset()
            return
        self._task = self._recorder.loop.create_task(self._pass_on())
        self._recorder.relays.add(self._task)
        self._task.add_done_callback(self._recorder.relays.discard)

    def abandon(self) -> None:
        if self._task is not None and not self._ended:
            self._task.cancel()

    async def _pass_on(self) -> None:
        if self._request.method in _BODILESS:
            self._not_reached(f"{self._request.method} requests are not passed on")
            return
        try:
            outgoing = self._recorder.outgoing(self._request)
        except BenchbookError as error:
            self._not_reached(str(error))
            return
        try:
            deadline_ns = monotonic_ns() + _LONGEST_NS
            exchange = await self._recorder.transport.exchange(outgoing, deadline_ns, self._receive)
        except asyncio.CancelledError:
            self._keep(tape.LEFT, outgoing, monotonic_ns())
            raise
        if exchange.sent_ns is None:
            self._not_reached(f"{exchange.error_kind}: {exchange.error_message}")
            return
        ending = tape.COMPLETE if exchange.error_kind is None else _ENDINGS.get(exchange.error_kind, tape.CUT)
        self._ended = True
        self._end(ending)
        self._keep(ending, outgoing, exchange.closed_ns)

    def _receive(self, done: asyncio.Future[None]) -> Passing:
        self._passing = Passing(done, self._connection.write)
        return self._passing

    def _end(self, ending: str) -> None:
        """End the client's side as the provider's side ended."""
        if ending == tape.RESET:  # not at once: it must not overtake the bytes before it
            self._connection.at(monotonic_ns() + round(RESET_GAP_MS * 1e6), self)
            return
        passing = self._passing
        whole = ending == tape.COMPLETE and passing is not None and passing.keep_alive
        self._connection.finish(keep_alive=whole and self._request.keep_alive)

    def _not_reached(self, why: str) -> None:
        """The provider never had the request: say so to the client; there is nothing to keep."""
        self._ended = True
        tally = self._recorder.deck.tally
        tally.unreached += 1
        tally.last_trouble = said = keys.scrub(why, scrubbing.secrets_of(self._request.headers, ""))
        body = orjson.dumps({"error": {"message": f"the recorder could not pass this on: {said}"}})
        fields = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close"}
        self._connection.write(head(502, fields.items()) + b"\r\n" + body)
        self._connection.finish(keep_alive=False)

    # ------------------------------------------------------------ the record

    def _keep(self, ending: str, outgoing: HttpRequest, closed_ns: int) -> None:
        deck, passing, request = self._recorder.deck, self._passing, self._request
        if passing is None:
            return
        if passing.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
            deck.tally.coded += 1
            return
        own = (*self._recorder.own_secrets, *scrubbing.secrets_of(_lowered(outgoing.headers), ""))
        secrets = scrubbing.secrets_of(request.headers, request.target, own)
        asked = Asked(
            request.method,
            scrubbing.scrubbed_path(split_url(outgoing.url)[1], secrets),
            scrubbing.kept_headers(request.headers, secrets),
            scrubbing.scrubbed_body(request.body, secrets),
        )
        deck.keep(Recorded(self._number, self._recorder.name, asked, answered(passing, ending, closed_ns, secrets)))


_ENDINGS = {"reset": tape.RESET, "truncated": tape.CUT, "timeout": tape.LEFT}


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def answered(passing: Passing, ending: str, closed_ns: int, secrets: Sequence[str]) -> Answered:
    """What was received, scrubbed, with offsets from when the request was sent."""
    sent_ns = passing.sent_ns
    if passing.status is None or passing.first_byte_ns is None:
        return Answered(closed_ns - sent_ns, ending)
    stamps, bodies = _segments(passing.piece_at_ns, passing.piece_bodies)
    if "content-length" in passing.headers or passing.status in (204, 304):
        framing = tape.LENGTH
    else:
        framing = tape.CLOSE if passing.until_close else tape.CHUNKED
    return Answered(
        end_ns=max(closed_ns, *stamps, passing.first_byte_ns) - sent_ns,
        ending=ending,
        status=passing.status,
        headers=scrubbing.scrubbed_fields(passing.pairs, secrets),
        framing=framing,
        head_ns=passing.first_byte_ns - sent_ns,
        piece_at_ns=tuple(stamp - sent_ns for stamp in stamps),
        pieces=scrubbing.scrubbed_pieces(bodies, passing.headers.get("content-type", ""), secrets),
        trailers=scrubbing.scrubbed_fields(passing.trailers, secrets),
    )


def _segments(stamps: Sequence[int], bodies: Sequence[bytes]) -> tuple[list[int], list[bytes]]:
    """Body bytes that came in one segment as one piece."""
    at: list[int] = []
    parts: list[list[bytes]] = []
    for stamp, body in zip(stamps, bodies, strict=True):
        if not at or at[-1] != stamp:
            at.append(stamp)
            parts.append([])
        parts[-1].append(body)
    return at, [b"".join(together) for together in parts]


# ---------------------------------------------------------------- as a server


@dataclass(frozen=True, slots=True)
class Order:
    """What to record. to: real addresses by the names that the cassette gives them; ignore: kept in its header."""

    cassette: Path
    to: Mapping[str, str]
    host: str = "127.0.0.1"
    port: int = 0
    append: bool = False
    ignore: tuple[str, ...] = ()


def upstream(url: str) -> tuple[str, str]:
    """A real address: its name on a cassette (without secrets) and the address itself. Raises UserError."""
    address.checked(Target("--to", "", "", base_url=url), url)
    parts = urlsplit(url)
    return scrubbing.scrubbed_path(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}", ()), url


class Recording:
    """Recorders on one cassette, a listening address for each real one: `addresses`, by name."""

    def __init__(self, deck: Deck, recorders: Mapping[str, Recorder]) -> None:
        self.deck = deck
        self._recorders = recorders

    @property
    def addresses(self) -> dict[str, str]:
        return {name: recorder.address for name, recorder in self._recorders.items()}

    async def close(self) -> None:
        for recorder in self._recorders.values():
            await recorder.close()
        self.deck.writer.close()
        if self.deck.writer.written == self.deck.writer.last_number == 0:
            self.deck.writer.path.unlink(missing_ok=True)  # nobody asked anything: nothing in the next one's way


async def serve(order: Order, told: Callable[[Recorded], None] | None = None) -> Recording:
    """Recorders that listen in the running loop; `await recording.close()` ends them. Raises UserError."""
    loop = asyncio.get_running_loop()
    facts = {"by": "benchbook record", "to": list(order.to), "ignore": list(order.ignore)}
    deck = Deck(CassetteWriter(order.cassette, facts, append=order.append), told or (lambda _recorded: None))
    recorders = {name: Recorder(to, name, deck, loop) for name, to in order.to.items()}
    recording = Recording(deck, recorders)
    try:
        for recorder in recorders.values():
            await start(recorder, order.host, order.port)
    except UserError:
        await recording.close()
        raise
    return recording


def record(
    order: Order,
    announce: Callable[[Recording], None],
    told: Callable[[Recorded], None] | None = None,
    *,
    with_parent: bool = False,
) -> None:
    """Pass on and record until told to stop. Raises UserError."""
    keep(lambda: serve(order, told), announce, with_parent=with_parent)
