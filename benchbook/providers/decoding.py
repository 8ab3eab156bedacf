"""From an attempt's stamped bytes to its facts: a `Call` and an `Answer`. Runs after the call has ended.

Pieces go through the wire's reader in their order, a slice at a time; a content event takes the stamp of the piece
that completed it, so events that came in one segment share one stamp. Whatever arrived is kept, also of a failed
call. Errors rank: what the provider said in the stream, what befell the connection, what the bytes lack.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from benchbook.clock import SystemClock, monotonic_ns, utc
from benchbook.errors import WireError
from benchbook.providers import keys, status
from benchbook.providers.calls import RawCall
from benchbook.providers.gathering import Gathering
from benchbook.providers.skimming import Skimming
from benchbook.records import Answer, Call
from benchbook.wire.events import Event

LONGEST_MESSAGE = 500


class Decoding:
    """The decoding of one attempt. Call `step` until it returns True, then read `result`.

    now: the wall time that a Retry-After date without a `Date` beside it is measured from; None reads the clock.
    bodies: which answers keep their raw body and its pieces: `all`, `failures` or `none`.
    """

    def __init__(self, raw: RawCall, now: datetime | None = None, bodies: str = "all") -> None:
        self._raw = raw
        self._now = now
        self._bodies = bodies
        self._gathering = Gathering(streamed=raw.streamed)
        self._wire_error: str | None = None
        self._content_type = raw.exchange.headers.get("content-type", "").split(";")[0].strip().lower()
        self._coding = raw.exchange.headers.get("content-encoding", "").strip().lower() or "identity"
        self._work = self._decode()
        self._result: tuple[Call, Answer] | None = None

    def step(self, budget_ns: int = 1_000_000) -> bool:
        """Decode for about that long; True when all is decoded. At least one slice is taken each time."""
        until = monotonic_ns() + budget_ns
        while self._result is None:
            if next(self._work, "done") == "done":
                self._result = self._concluded()
            elif monotonic_ns() >= until:
                return False
        return True

    @property
    def result(self) -> tuple[Call, Answer]:
        """What the call was. Decodes to the end if `step` has not."""
        while self._result is None:
            self.step()
        return self._result

    # ------------------------------------------------------------ slices

    def _decode(self) -> Iterator[None]:
        """One slice of work per item."""
        exchange = self._raw.exchange
        if exchange.status != 200 or self._unreadable():
            return
        reader = self._raw.wire.reader(stream=self._raw.streamed)
        try:
            yield from Skimming(reader, self._gathering).read(exchange.piece_at_ns, exchange.piece_bodies)
            if exchange.error_kind is None or self._raw.streamed:
                self._take(reader.close(), exchange.last_byte_ns or exchange.closed_ns)
        except WireError as error:
            # A cut-off answer need not parse: then it is the cut that is reported.
            self._wire_error = str(error)

    def _take(self, events: list[Event], stamp: int) -> None:
        for event in events:
            self._gathering.take(event, stamp)

    def _unreadable(self) -> bool:
        return self._coding != "identity" or self._content_type in ("text/html", "application/xhtml+xml")

    # ------------------------------------------------------------ what it was

    def _concluded(self) -> tuple[Call, Answer]:
        raw, exchange, gathered = self._raw, self._raw.exchange, self._gathering
        kind, message = self._verdict()
        if kind is not None:
            message = keys.scrub(" ".join((message or kind).split()), raw.secrets)[:LONGEST_MESSAGE]
        call = Call(
            call_id=raw.asked.call_id,
            attempt=raw.asked.attempt,
            model_requested=raw.model,
            streamed=raw.streamed,
            intended_ns=raw.asked.intended_ns,
            taken_up_ns=raw.asked.taken_up_ns,
            sent_ns=exchange.sent_ns,
            closed_ns=exchange.closed_ns,
            first_byte_ns=exchange.first_byte_ns,
            last_byte_ns=exchange.last_byte_ns,
            chunks=gathered.chunks,
            connect_ns=exchange.connect_ns,
            connect_parts=exchange.connect_parts,
            cold=exchange.cold,
            backoff_ns=raw.asked.backoff_ns,
            turn=raw.asked.turn,
            http_status=exchange.status,
            retry_after_s=None if kind is None else status.retry_after_s(exchange.headers, self._wall()),
            error_kind=kind,
            error_message=message,
            model_served=gathered.model,
            system_fingerprint=gathered.system_fingerprint,
            request_id=status.request_id(exchange.headers),
            finish_reason=gathered.finish_reason,
            usage=gathered.usage,
            reported=gathered.reported,
        )
        return call, self._answer(keep_body=self._bodies == "all" or (self._bodies == "failures" and kind is not None))

    def _verdict(self) -> tuple[str | None, str | None]:
        """Error kind and message, or two times None."""
        exchange, gathered = self._raw.exchange, self._gathering
        if exchange.status not in (None, 200):
            return self._refused(exchange.status or 0)
        if gathered.failed is not None and exchange.error_kind != "timeout":
            return "stream_error", f"{gathered.failed.kind}: {gathered.failed.message}"
        if exchange.error_kind is not None:
            return exchange.error_kind, exchange.error_message
        return self._missing()

    def _refused(self, http_status: int) -> tuple[str, str]:
        exchange = self._raw.exchange
        if exchange.error_kind == "timeout":
            return "timeout", f"{exchange.error_message}"
        said = self._raw.wire.decode_error(http_status, exchange.body)
        words = ": ".join(word for word in (said.kind, said.message) if word)
        return status.error_kind(http_status, exchange.headers), f"HTTP {http_status}" + (f": {words}" if words else "")

    def _missing(self) -> tuple[str | None, str | None]:
        """What a whole HTTP answer lacks as an answer of its wire."""
        gathered, content_type = self._gathering, self._content_type
        if self._unreadable():
            coded = self._coding != "identity"
            what = f"{self._coding}-coded, though identity was asked for" if coded else content_type
            return "protocol", f"the answer is {what}: is this the API's address?"
        if self._wire_error is not None:
            return "protocol", self._wire_error
        if gathered.ended:
            reason = f" (finish reason {gathered.finish_reason})" if gathered.finish_reason else ""
            return (None, None) if gathered.has_content else ("empty", f"a complete answer without content{reason}")
        if not gathered.events and self._raw.received and content_type == "application/json" and self._raw.streamed:
            return "protocol", "a stream was asked for, and the answer is one JSON object"
        return "truncated", "the stream ended without its closing event"

    def _answer(self, *, keep_body: bool) -> Answer:
        exchange, gathered, secrets = self._raw.exchange, self._gathering, self._raw.secrets
        segments: dict[int, int] = {}
        for stamp, piece in exchange.pieces if keep_body else ():  # what one segment brought is one piece
            segments[stamp] = segments.get(stamp, 0) + len(piece)
        return Answer(
            call_id=self._raw.asked.call_id,
            text=keys.hide(gathered.text, secrets),
            reasoning=keys.hide(gathered.reasoning, secrets),
            tool_calls=gathered.tool_calls,
            body=keys.mask(exchange.body, secrets) if keep_body else b"",
            piece_at_ns=tuple(segments),
            piece_sizes=tuple(segments.values()),
        )

    def _wall(self) -> datetime:
        return self._now or utc(SystemClock().wall_ns())


def decode(raw: RawCall) -> tuple[Call, Answer]:
    """All at once, for callers that hold no loop."""
    return Decoding(raw).result
