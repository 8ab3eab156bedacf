"""Trials and clocks for the results room's tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchbook.records import Answer, Call, Chunk, PlannedTrial, Trial, Usage


@pytest.fixture
def make_trial() -> Callable[[int], Trial]:
    """A whole trial by number."""

    def made(number: int) -> Trial:
        planned = PlannedTrial(
            f"t{number:04d}", number, "d", "1", f"case-{number}", "math", "sim", "api", 0, "measured", "ab" * 32, number
        )
        start = 1_000_000_000 + number
        call = Call(
            call_id=f"t{number:04d}-1",
            attempt=1,
            model_requested="m",
            streamed=True,
            intended_ns=start,
            taken_up_ns=start + 10,
            sent_ns=start + 20,
            closed_ns=start + 90,
            first_byte_ns=start + 30,
            last_byte_ns=start + 80,
            chunks=(Chunk(start + 40, 5, "text"), Chunk(start + 50, 6, "text"), Chunk(start + 60, 1, "tool")),
            http_status=200,
            usage=Usage(input=3, output=2),
            reported={"latency_ms": 1.5},
        )
        answer = Answer(
            call.call_id,
            "hello world",
            body=b'data: {"x": "\xc3\xa9"}\n\n',
            piece_at_ns=(start + 30,),
            piece_sizes=(21,),
        )
        return Trial(planned, "success", start, start + 10, start + 90, (call,), (answer,))

    return made


class FakeClock:
    """A clock that stands still until it is told."""

    def __init__(self, wall_ns: int = 1_795_248_902_250_000_000) -> None:
        self.now_ns = wall_ns

    def monotonic_ns(self) -> int:
        return self.now_ns

    def wall_ns(self) -> int:
        return self.now_ns


@pytest.fixture
def fake_clock() -> FakeClock:
    return FakeClock()
