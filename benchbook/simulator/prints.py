"""A whole response, encoded once and sent many times: what differs from request to request is the id alone.

An id has always the same length, so one `replace` signs all places of it and no framing changes. Pure.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass

from benchbook.simulator.score import Beat, due_ns
from benchbook.simulator.truth import Meant


@dataclass(frozen=True, slots=True)
class Print:
    """All bytes of a response in one string, `mark` in the place of the request's id.

    The i-th write is `text[cuts[i]:cuts[i + 1]]`, due `offsets_ns[i]` after the request; `kinds` and `sizes` are
    those of the content chunks that the writes complete, as in a truth's record.
    """

    text: bytes
    mark: bytes
    cuts: tuple[int, ...]
    offsets_ns: array[int]
    kinds: tuple[str, ...]
    sizes: tuple[int, ...]
    meant: Meant

    def signed(self, request_id: str) -> bytes:
        """The bytes for the request of this id, which ends in as many characters as the mark has."""
        return self.text.replace(self.mark, request_id[-len(self.mark) :].encode())


def press(writes: Iterable[Beat], mark: str, meant: Meant) -> Print:
    """The print of a response whose writes carry `mark` as their request's id."""
    made = tuple(writes)
    cuts = [0]
    for beat in made:
        cuts.append(cuts[-1] + len(beat.data))
    return Print(
        text=b"".join([beat.data for beat in made]),
        mark=mark.encode(),
        cuts=tuple(cuts),
        offsets_ns=array("q", [due_ns(beat.at_ms) for beat in made]),
        kinds=tuple(beat.kind for beat in made),
        sizes=tuple(beat.size for beat in made),
        meant=meant,
    )
