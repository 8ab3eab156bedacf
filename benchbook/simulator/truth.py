"""What the simulator did and when, by its own monotonic stamps: the ground that reported numbers are held against.

A record is finished when its response is: complete, cut by a fault, or abandoned by the client. While a response
is played only the moment of each write is noted; everything else is known before (and shared by the requests that
get the same answer) or follows from it when somebody asks. The log keeps the newest `MAX_RECORDS` requests and at
most `MAX_STAMPS` stamps; older ones fall out.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from itertools import islice
from typing import Any

from benchbook.clock import cpu_ns, monotonic_ns

MAX_RECORDS = 500_000
MAX_STAMPS = 20_000_000


@dataclass(frozen=True, slots=True)
class Meant:
    """What a response is meant to be. Requests that get the same answer share one."""

    method: str
    path: str
    model: str | None = None
    wire: str | None = None
    streamed: bool = False
    status: int | None = None
    fault: str | None = None
    case: str | None = None
    correct: bool | None = None
    tokens_in: int | None = None
    tokens_cached: int | None = None
    tokens_out: int | None = None
    tokens_reasoning: int | None = None
    finish_reason: str | None = None


_MEANT = tuple(one.name for one in fields(Meant))


@dataclass(slots=True)
class Record:
    """One request and its response, write by write. Stamps are monotonic ns, taken right before each write.

    outcome: `complete`, `cut` (by a fault), `client_gone`. Of the i-th write: due `offsets_ns[i]` after
    `received_ns`, sent at `sent_ns[i]`, and if it completes a content chunk then of `kinds[i]` (else '') and
    `sizes[i]` bytes. Only `sent_ns` tells how many writes there were: the others may hold what never came.
    """

    request_id: str
    connection: int
    request: int
    received_ns: int
    meant: Meant
    nth: int | None = None
    outcome: str = "client_gone"
    offsets_ns: array[int] = field(default_factory=lambda: array("q"))
    kinds: Sequence[str] = ()
    sizes: Sequence[int] = ()
    sent_ns: array[int] = field(default_factory=lambda: array("q"))

    def content(self) -> list[int]:
        """Which writes completed a content chunk."""
        return [index for index, kind in zip(range(len(self.sent_ns)), self.kinds, strict=False) if kind]

    def as_json(self, number: int) -> dict[str, Any]:
        """The record as `/truth` gives it, with the lateness that follows from its stamps."""
        content, sent, received = self.content(), self.sent_ns, self.received_ns
        offsets, last = self.offsets_ns, len(sent) - 1
        return {
            "number": number,
            "request_id": self.request_id,
            "connection": self.connection,
            "request": self.request,
            "received_ns": received,
            **{name: getattr(self.meant, name) for name in _MEANT},
            "nth": self.nth,
            "outcome": self.outcome,
            "first_due_ns": received + offsets[0] if sent else None,
            "last_due_ns": received + offsets[last] if sent else None,
            "first_byte_ns": sent[0] if sent else None,
            "last_byte_ns": sent[last] if sent else None,
            "due_ns": [received + offsets[index] for index in content],
            "sent_ns": [sent[index] for index in content],
            "sizes": [self.sizes[index] for index in content],
            "kinds": [self.kinds[index] for index in content],
            "lateness_ns": [sent[index] - received - offsets[index] for index in content],
        }


class Log:
    """The finished records, numbered from 1 in the order in which they finished."""

    def __init__(self, max_records: int = MAX_RECORDS, max_stamps: int = MAX_STAMPS) -> None:
        self._records: deque[Record] = deque()
        self._max_records, self._max_stamps = max_records, max_stamps
        self._stamps = 0
        self._last = self._cleared = 0
        self._reset_ns, self._reset_cpu_ns = monotonic_ns(), cpu_ns()

    def add(self, record: Record) -> None:
        self._records.append(record)
        self._stamps += len(record.sent_ns)
        self._last += 1
        if self._stamps > self._max_stamps or len(self._records) > self._max_records:
            self._shed()

    def _shed(self) -> None:
        while len(self._records) > self._max_records or (self._stamps > self._max_stamps and len(self._records) > 1):
            self._stamps -= len(self._records.popleft().sent_ns)

    def since(self, number: int = 0, limit: int | None = None) -> Iterator[dict[str, Any]]:
        """The kept records with a higher number, oldest first, at most `limit` of them."""
        first = self._last - len(self._records) + 1
        skip = max(0, number + 1 - first)
        stop = None if limit is None else skip + limit
        for index, record in enumerate(islice(self._records, skip, stop), first + skip):
            yield record.as_json(index)

    def summary(self) -> dict[str, Any]:
        """How late and how busy the simulator was itself, since `clear`. Lateness is that of the kept records."""
        wall_ns, used_ns = monotonic_ns() - self._reset_ns, cpu_ns() - self._reset_cpu_ns
        return {
            "requests": self._last - self._cleared,
            "kept": len(self._records),
            **_lateness(self._records),
            "wall_ns": wall_ns,
            "cpu_ns": used_ns,
            "busy": used_ns / max(1, wall_ns),
        }

    def clear(self) -> None:
        """Forget the records; their numbers go on."""
        self._records.clear()
        self._stamps, self._cleared = 0, self._last
        self._reset_ns, self._reset_cpu_ns = monotonic_ns(), cpu_ns()


def _lateness(records: Iterable[Record]) -> dict[str, Any]:
    """Chunks, and quantiles and maximum of their lateness in ns; those of the first chunks apart."""
    import numpy as np  # half a second of start-up that only those pay who ask

    masks: dict[int, Any] = {}
    late, first = [np.empty(0, np.int64)], []
    for record in records:
        writes = len(record.sent_ns)
        mask = masks.get(id(record.kinds))
        if mask is None or len(mask) < writes:
            mask = masks[id(record.kinds)] = np.array([bool(kind) for kind in record.kinds], bool)
        behind = np.frombuffer(record.sent_ns, np.int64) - np.frombuffer(record.offsets_ns, np.int64)[:writes]
        behind = behind[mask[:writes]] - record.received_ns
        late.append(behind)
        first.extend(behind[:1].tolist())
    every = np.concatenate(late)
    return {"chunks": len(every), "lateness_ns": _quantiles(every), "first_lateness_ns": _quantiles(np.array(first))}


def _quantiles(values: Any) -> dict[str, int | None]:
    """Nearest ranks."""
    import numpy as np

    if not len(values):
        return {"p50": None, "p99": None, "max": None}
    middle, high, most = np.quantile(values, (0.5, 0.99, 1.0), method="inverted_cdf").tolist()
    return {"p50": middle, "p99": high, "max": most}
