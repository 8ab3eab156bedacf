"""What the simulator did and when, by its own monotonic stamps: the ground that reported numbers are held against.

A record is finished when its response is: complete, cut by a fault, or abandoned by the client. The log keeps
the newest `MAX_RECORDS` requests and at most `MAX_STAMPS` chunk stamps; older ones fall out.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

MAX_RECORDS = 200_000
MAX_STAMPS = 5_000_000


@dataclass(slots=True)
class Record:
    """One request and its response. Stamps are monotonic ns; `None` = it never came to that.

    outcome: `complete`, `cut` (by a fault), `client_gone`; `due_ns` and `sent_ns` hold one entry per content chunk
    that was sent, `first_byte_ns` and `last_byte_ns` belong to the response as a whole.
    """

    request_id: str
    method: str
    path: str
    connection: int
    request: int
    received_ns: int
    model: str | None = None
    wire: str | None = None
    streamed: bool = False
    status: int | None = None
    outcome: str = "client_gone"
    fault: str | None = None
    case: str | None = None
    correct: bool | None = None
    nth: int | None = None
    tokens_in: int | None = None
    tokens_cached: int | None = None
    tokens_out: int | None = None
    tokens_reasoning: int | None = None
    finish_reason: str | None = None
    first_due_ns: int | None = None
    last_due_ns: int | None = None
    first_byte_ns: int | None = None
    last_byte_ns: int | None = None
    due_ns: array[int] = field(default_factory=lambda: array("q"))
    sent_ns: array[int] = field(default_factory=lambda: array("q"))
    sizes: array[int] = field(default_factory=lambda: array("i"))
    kinds: list[str] = field(default_factory=list)

    def as_json(self, number: int) -> dict[str, Any]:
        """The record as `/truth` gives it, with the lateness that follows from its stamps."""
        body: dict[str, Any] = {"number": number}
        for name in self.__slots__:
            value = getattr(self, name)
            body[name] = value.tolist() if isinstance(value, array) else value
        body["lateness_ns"] = [sent - due for due, sent in zip(self.due_ns, self.sent_ns, strict=True)]
        return body


class Log:
    """The finished records, numbered from 1 in the order in which they finished."""

    def __init__(self, max_records: int = MAX_RECORDS, max_stamps: int = MAX_STAMPS) -> None:
        self._records: deque[Record] = deque()
        self._max_records, self._max_stamps = max_records, max_stamps
        self._stamps = 0
        self._last = 0

    def add(self, record: Record) -> None:
        self._records.append(record)
        self._stamps += len(record.sent_ns)
        self._last += 1
        while len(self._records) > self._max_records or (self._stamps > self._max_stamps and len(self._records) > 1):
            self._stamps -= len(self._records.popleft().sent_ns)

    def since(self, number: int = 0) -> Iterator[dict[str, Any]]:
        """The kept records with a higher number."""
        first = self._last - len(self._records) + 1
        skip = max(0, number + 1 - first)
        for index, record in enumerate(islice(self._records, skip, None), first + skip):
            yield record.as_json(index)

    def clear(self) -> None:
        """Forget the records; their numbers go on."""
        self._records.clear()
        self._stamps = 0
