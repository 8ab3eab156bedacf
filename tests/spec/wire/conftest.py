"""The laws that every wire's spec tables are held against, in both directions."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from benchbook.records import Message, ModelRequest, Params
from benchbook.wire import wire
from benchbook.wire.events import Event


@dataclass(frozen=True)
class Laws:
    """One wire under test. `model` matters where the wire chooses a body by it."""

    name: str
    model: str = "sim-fast"

    def request(self, *, stream: bool, params: Params | None = None) -> ModelRequest:
        return ModelRequest(self.model, (Message("user", "hi"),), params=params or Params(), stream=stream)

    def written(self, events: Sequence[Event], *, stream: bool) -> bytes:
        writer = wire(self.name).writer(self.request(stream=stream), request_id="req-1")
        return b"".join(writer.write(event) for event in events)

    def read(self, pieces: Sequence[bytes], *, stream: bool) -> list[Event]:
        reader = wire(self.name).reader(stream=stream)
        events = [event for piece in pieces for event in reader.feed(piece)]
        return [*events, *reader.close()]

    def reads(self, body: bytes, events: Sequence[Event], *, stream: bool) -> None:
        """The body says these events, wherever it is cut: at each single place, at every place, and at random."""
        expected = list(events)
        assert self.read([body], stream=stream) == expected
        for cut in range(len(body) + 1):
            assert self.read([body[:cut], body[cut:]], stream=stream) == expected, cut
        assert self.read([body[at : at + 1] for at in range(len(body))], stream=stream) == expected
        chance = random.Random(len(body))
        for _ in range(20):
            cuts = sorted(chance.randrange(len(body) + 1) for _ in range(chance.randrange(1, 12)))
            pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
            assert self.read(pieces, stream=stream) == expected, cuts

    def both_ways(self, body: bytes, events: Sequence[Event], *, stream: bool) -> None:
        assert self.written(events, stream=stream) == body
        self.reads(body, events, stream=stream)


@pytest.fixture
def laws() -> type[Laws]:
    return Laws
