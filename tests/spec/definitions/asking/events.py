"""Fixed requests, their bytes and the clock that every tool is made to read. All times are in µs.

Drawn with `random`, whose numbers are the same everywhere. A token is a word.
"""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Iterator
from itertools import groupby
from typing import Any

SLOS = {"ttft_ms": 40.0, "decode_ms_per_token": 9.0, "e2e_ms": 110.0}
PERCENTS = (50, 90, 95, 99)
BASE_S = 1000.0
"""Where the tools' clocks start: some of them take 0 for no time."""

Row = dict[str, Any]


# ---------------------------------------------------------------- the requests


def drawn() -> list[Row]:
    """Forty requests: retried ones (every tenth), refused and broken ones, connections set up, reasoning, empty first
    pieces; and one more that ends 60 µs before the last of them."""
    rng = random.Random(41)
    requests = []
    for number in range(40):
        started = 4_000 * number + rng.randrange(2_000)
        taken_up = started + rng.randrange(100)
        attempts = []
        if number % 10 == 3 or number in (8, 28):
            attempts.append(_refused(rng, taken_up))
        if not attempts or number % 10 == 3:
            free = attempts[-1]["end"] + 20_000 if attempts else taken_up
            attempts.append(_answered(rng, free, broken=number == 17, reasoning=number in (5, 25)))
        requests.append({"started": started, "ended": attempts[-1]["end"] + rng.randrange(200), "attempts": attempts})
    return [*requests, _earlier(max(requests, key=lambda request: request["ended"]), 60)]


def _earlier(request: Row, by: int) -> Row:
    attempts = [
        {key: value - by if key in ("start", "sent", "end") else value for key, value in attempt.items()}
        | {"events": [[at - by, kind, text] for at, kind, text in attempt["events"]]}
        for attempt in request["attempts"]
    ]
    return {"started": request["started"] - by, "ended": request["ended"] - by, "attempts": attempts}


def _refused(rng: random.Random, start: int) -> Row:
    sent = start + rng.choice((0, 1_500))
    return {"start": start, "sent": sent, "end": sent + 3_000, "failed": True, "tokens": None, "events": []}


def _answered(rng: random.Random, start: int, *, broken: bool, reasoning: bool) -> Row:
    sent = start + rng.choice((0, 0, 0, 1_500, 8_000))
    at = sent + rng.randrange(10_000, 45_000)
    events: list[list[Any]] = [[at, "role", ""]]
    at += rng.randrange(1, 5_000)
    if rng.random() < 0.2:
        events.append([at, "empty", ""])
        at += rng.randrange(1, 3_000)
    kinds = ["reasoning"] * (3 if reasoning else 0) + ["text"] * rng.randrange(1, 9)
    for kind in kinds:
        events.append([at, kind, "w " * rng.choice((1, 1, 1, 2, 3))])
        at += rng.choice((0, rng.randrange(4_000, 14_000)))
    tokens = sum(text.count("w") for _, _, text in events)
    if not broken:
        at += rng.randrange(2_000)
        events += [[at, "finish", ""], [at, "usage", str(tokens)], [at, "done", ""]]
    thought = sum(text.count("w") for _, kind, text in events if kind == "reasoning")
    counted = {"tokens": None, "reasoning": None} if broken else {"tokens": tokens, "reasoning": thought}
    return {"start": start, "sent": sent, "end": events[-1][0], "failed": broken, **counted, "events": events}


def decoded(kind: str, text: str) -> Row | None:
    """An event of an OpenAI stream; None for the closing one."""
    if kind == "done":
        return None
    deltas: dict[str, Row] = {
        "role": {"role": "assistant", "content": ""},
        "empty": {"content": ""},
        "reasoning": {"reasoning": text},
        "text": {"content": text},
        "finish": {},
    }
    event: Row = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": []}
    if kind == "usage":
        return event | {"usage": {"prompt_tokens": 5, "completion_tokens": int(text), "total_tokens": 5 + int(text)}}
    choice = {"index": 0, "delta": deltas[kind], "finish_reason": "stop" if kind == "finish" else None}
    return event | {"choices": [choice]}


def sse(kind: str, text: str) -> bytes:
    """The event as it crosses the wire."""
    event = decoded(kind, text)
    return b"data: " + (b"[DONE]" if event is None else json.dumps(event).encode()) + b"\n\n"


def pieces(attempt: Row) -> Iterator[tuple[int, bytes]]:
    """(arrival, bytes): events with one stamp came in one piece."""
    for at, events in groupby(attempt["events"], key=lambda event: event[0]):
        yield at, b"".join(sse(kind, text) for _, kind, text in events)


# ---------------------------------------------------------------- the clock and the source


class Clock:
    """Stands where a tool has imported `time`."""

    us = 0

    def time(self) -> float:
        return BASE_S + self.us / 1e6

    perf_counter = time

    def perf_counter_ns(self) -> int:
        return round(BASE_S * 1e9) + self.us * 1000

    time_ns = perf_counter_ns


class BrokenError(Exception):
    """The connection went away."""


async def arriving(attempt: Row, clock: Clock) -> AsyncIterator[bytes]:
    """The pieces, each when it is due."""
    for at, data in pieces(attempt):
        clock.us = at
        yield data
    clock.us = attempt["end"]
    if attempt["failed"]:
        raise BrokenError


def first_attempts(requests: list[Row]) -> list[Row]:
    """All that a tool without retries would have seen."""
    return [request["attempts"][0] for request in requests]


def ms(values: Row, mean: str = "mean", median: str = "p50", factor: float = 1000.0) -> Row:
    """Our names for a tool's summary in seconds."""
    found = {"mean": values[mean], "p50": values[median], **{f"p{p}": values.get(f"p{p}") for p in PERCENTS[1:]}}
    return {name: value * factor for name, value in found.items() if value is not None}
