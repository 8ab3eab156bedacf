"""The cassette: real answers with their timing, in one file that a text editor shows.

NDJSON with a checksum on every line (`results.frame`): the first line describes the file, each further one is
one exchange, written when it has ended. A killed recorder leaves whole lines and at most a torn one; a harmed
line is named and passed over. Read, exchanges stand in the order of their requests, whichever ended first.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson

from benchbook import __version__
from benchbook.clock import Clock, SystemClock, utc
from benchbook.errors import CassetteError, StorageError
from benchbook.results.damage import Damaged
from benchbook.results.frame import FrameError, encoded, framed, frames_in, unframed

CASSETTE_VERSION = 1
"""1  first release"""
HEADER, EXCHANGE = "cassette", "exchange"

COMPLETE, CUT, RESET, LEFT = "complete", "cut", "reset", "left"
"""How an answer ended: whole; the connection closed too early; reset; the client (or the recorder) left before."""
ENDINGS = (COMPLETE, CUT, RESET, LEFT)
CHUNKED, LENGTH, CLOSE = "chunked", "length", "close"
"""How the answer's end was marked: chunked coding; Content-Length (or no body at all); the connection's end."""

Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it is kept: scrubbed, and of its header fields only the harmless ones."""

    method: str
    path: str
    headers: Fields = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer in time. Offsets are ns since the request was sent whole; bodies are without HTTP framing.

    `pieces`: what one segment brought, with `piece_at_ns`. Without a `status` no head came back.
    """

    end_ns: int
    ending: str
    status: int | None = None
    headers: Fields = ()
    framing: str = LENGTH
    head_ns: int = 0
    piece_at_ns: tuple[int, ...] = ()
    pieces: tuple[bytes, ...] = field(default=(), repr=False)
    trailers: Fields = ()

    def __post_init__(self) -> None:
        if self.ending not in ENDINGS or self.framing not in (CHUNKED, LENGTH, CLOSE):
            raise ValueError(f"unknown ending {self.ending!r} or framing {self.framing!r}")
        offsets = (self.head_ns, *self.piece_at_ns, self.end_ns) if self.status is not None else (self.end_ns,)
        if len(self.pieces) != len(self.piece_at_ns) or any(late < early for early, late in pairwise((0, *offsets))):
            raise ValueError("the pieces' offsets don't rise from 0 to the end")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One exchange. `number` counts requests from 1 in order of arrival; `to` is the address that answered."""

    number: int
    to: str
    asked: Asked
    answered: Answered


@dataclass(frozen=True, slots=True)
class Cassette:
    """A cassette as read: its header line, its exchanges in order of their requests, what had to be passed over."""

    path: Path
    header: Mapping[str, Any]
    exchanges: tuple[Recorded, ...]
    damaged: tuple[Damaged, ...]

    @property
    def to(self) -> str:
        """Who answered, in words."""
        return ", ".join(dict.fromkeys(recorded.to for recorded in self.exchanges))

    @property
    def ignore(self) -> tuple[str, ...]:
        """Fields of request bodies that replay does not compare."""
        return tuple(self.header.get("ignore", ()))


class CassetteWriter:
    """Writes a cassette, an exchange a line. Raises CassetteError for a file that is there already (unless
    `append`), StorageError where it can't be written; after a failed write it takes no more."""

    def __init__(
        self, path: Path, facts: Mapping[str, Any], *, append: bool = False, clock: Clock | None = None
    ) -> None:
        self.path = path
        self.written = self.last_number = 0
        self._failed: StorageError | None = None
        there = path.exists() and path.stat().st_size > 0
        if there and not append:
            raise CassetteError(str(path), "is there already", "name another file, or add to it with --append")
        if there:
            self.last_number = max((kept.number for kept in read_cassette(path).exchanges), default=0)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise self._broken(error) from None
        try:
            if there:
                self._mend()
            else:
                self._begin(facts, clock or SystemClock())
        except StorageError:
            self.close()
            raise

    def _begin(self, facts: Mapping[str, Any], clock: Clock) -> None:
        now = utc(clock.wall_ns()).isoformat(timespec="seconds")
        about = {"version": CASSETTE_VERSION, "benchbook": __version__, "recorded_at": now, **facts}
        self._write(framed(HEADER, about))

    def _mend(self) -> None:
        """Begin a line of our own behind one that a kill tore."""
        if not self.path.read_bytes().endswith(b"\n"):
            self._write(b"\n")

    def append(self, recorded: Recorded) -> None:
        """Write one exchange; when this returns a `kill -9` can't undo it. Raises StorageError."""
        if self._failed is not None:
            raise self._failed
        self._write(framed(EXCHANGE, _plain(recorded)))
        self.written += 1

    def close(self) -> None:
        self._file.close()

    def _write(self, line: bytes) -> None:
        rest = memoryview(line)
        try:
            while rest:  # one write, and more only where the system took a part of it
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise self._broken(error) from None

    def _broken(self, error: OSError) -> StorageError:
        what = f"can't be written ({error.strerror or error})"
        self._failed = StorageError(str(self.path), what, f"{self.written} exchanges are safe there")
        return self._failed


def read_cassette(path: str | Path) -> Cassette:
    """The cassette, whole. Raises CassetteError for a file that is none, is of a later version, or holds nothing."""
    path = Path(path)
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        right = "record one with `benchbook record`"
        raise CassetteError(str(path), f"no cassette can be read there ({error.strerror})", right) from None
    damaged: list[Damaged] = []
    header, rest = _header(path, lines, damaged)
    kept: dict[int, Recorded] = {}
    for number, line in rest:
        for frame in frames_in(line):
            try:
                recorded = _recorded(unframed(EXCHANGE, frame))
            except FrameError as error:
                damaged.append(Damaged(str(path), number, str(error)))
            else:
                kept.setdefault(recorded.number, recorded)
    if not kept:
        said = f" ({damaged[0]})" if damaged else ""
        raise CassetteError(str(path), f"holds no exchange{said}", "record one with `benchbook record`")
    return Cassette(path, header, tuple(kept[number] for number in sorted(kept)), tuple(damaged))


def cassette_sha256(path: str | Path) -> str | None:
    """SHA-256 of the file in hex, None where there is none."""
    path = Path(path)
    return sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _header(
    path: Path, lines: Sequence[bytes], damaged: list[Damaged]
) -> tuple[Mapping[str, Any], list[tuple[int, bytes]]]:
    """The first line's facts, and the numbered lines behind it."""
    numbered = list(enumerate(lines, 1))
    try:
        header: Mapping[str, Any] = unframed(HEADER, lines[0] if lines else b"")
    except FrameError as error:
        if not lines or not lines[0].startswith(b'{"crc32":"'):
            raise CassetteError(str(path), "is no cassette", "`benchbook record` makes one") from None
        damaged.append(Damaged(str(path), 1, str(error)))
        is_header = b'","' + HEADER.encode() + b'":' in lines[0][:40]
        return {}, numbered[1:] if is_header else numbered
    if int(header.get("version", 0)) > CASSETTE_VERSION:
        what = f"is of version {header['version']}; this Benchbook reads up to {CASSETTE_VERSION}"
        raise CassetteError(str(path), what, "update Benchbook")
    return header, numbered[1:]


# ---------------------------------------------------------------- one exchange as JSON


def _plain(recorded: Recorded) -> dict[str, Any]:
    asked, answered = recorded.asked, recorded.answered
    request: dict[str, Any] = {"method": asked.method, "path": asked.path, "headers": dict(asked.headers)}
    request |= _body(asked.body)
    response: dict[str, Any] = {"status": answered.status}
    if answered.status is not None:
        response |= {
            "headers": [list(pair) for pair in answered.headers],
            "framing": answered.framing,
            "head_ns": answered.head_ns,
            "pieces": [
                [at_ns, _text(piece)] for at_ns, piece in zip(answered.piece_at_ns, answered.pieces, strict=True)
            ],
        }
        if answered.trailers:
            response["trailers"] = [list(pair) for pair in answered.trailers]
    response |= {"ending": answered.ending, "end_ns": answered.end_ns}
    return {"number": recorded.number, "to": recorded.to, "request": request, "response": response}


def _recorded(data: Any) -> Recorded:
    """Raises FrameError for data that `_plain` did not write."""
    try:
        request, response = data["request"], data["response"]
        asked = Asked(request["method"], request["path"], tuple(request["headers"].items()), _bytes(request))
        pieces = response.get("pieces", ())
        answered = Answered(
            end_ns=response["end_ns"],
            ending=response["ending"],
            status=response["status"],
            headers=tuple((name, value) for name, value in response.get("headers", ())),
            framing=response.get("framing", LENGTH),
            head_ns=response.get("head_ns", 0),
            piece_at_ns=tuple(at_ns for at_ns, _ in pieces),
            pieces=tuple(_raw(piece) for _, piece in pieces),
            trailers=tuple((name, value) for name, value in response.get("trailers", ())),
        )
        return Recorded(int(data["number"]), str(data["to"]), asked, answered)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FrameError(f"not an exchange ({error!r})") from None


def _body(body: bytes) -> dict[str, Any]:
    """A request's body: as JSON where it is that, else as text, else as base64."""
    try:
        return {"json": orjson.loads(body)}
    except orjson.JSONDecodeError:
        text = _text(body)
        return {"body": text} if body else {}


def _bytes(request: Mapping[str, Any]) -> bytes:
    return encoded(request["json"]) if "json" in request else _raw(request.get("body", ""))


def _text(piece: bytes) -> str | dict[str, str]:
    """Bytes as text where they are UTF-8, else as base64 under that name."""
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(piece).decode()}


def _raw(value: str | Mapping[str, str]) -> bytes:
    return value.encode() if isinstance(value, str) else base64.b64decode(value["base64"])
