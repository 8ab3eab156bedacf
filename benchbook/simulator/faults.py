"""What each kind of fault does to an answer, as pure functions of events or of beats.

`strike` says which fault hits a request: the first one of the profile's list whose trigger fires. Some faults
replace the answer (`refusal`), some change what is said (`on_events`), the rest what is sent (`on_score`).
A fault that means nothing to an answer that is not streamed leaves it alone, and the truth then says none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from math import inf
from typing import Any

from benchbook.records import ModelRequest
from benchbook.simulator import fault_kinds as kinds
from benchbook.simulator.laws import agent_of, chance
from benchbook.simulator.score import CLOSE, HOLD, RESET, RESET_GAP_MS, Beat, Score, merged
from benchbook.simulator.timeline import CONTENT, Timed
from benchbook.wire.events import (
    Ended,
    Failed,
    Finished,
    Started,
    TimingReported,
    ToolCallDelta,
    UsageReported,
)

_CLOSING = (Finished, UsageReported, TimingReported, Ended)
STREAM_ONLY = frozenset(
    {"stream_error", "role_only_first_chunk", "empty_deltas", "keep_alive_comments", "many_tokens_per_chunk"}
)
HTML_PAGE = (
    b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Welcome to the network</h1></body></html>"
)


class Trigger:
    """Counts what each fault lets through and says which one strikes. The one thing here with a memory."""

    def __init__(self, seed: int, faults: tuple[Any, ...]) -> None:
        self._seed = seed
        self._faults = [fault for fault in faults if not isinstance(fault, kinds.Refused)]
        self._refusals = [fault for fault in faults if isinstance(fault, kinds.Refused)]
        self._seen = [0] * len(self._faults)

    def strike(self, request: ModelRequest, key: tuple[object, ...]) -> kinds.FaultSpec | None:
        """The fault of a request. `key` names the request for draws by rate, whatever the order of arrival."""
        struck = None
        for index, fault in enumerate(self._faults):
            if not _lets_through(fault, request):
                continue
            self._seen[index] += 1
            fires = _fires(fault, self._seen[index], (self._seed, f"fault {index}", *key))
            struck = struck or (fault if fires else None)
        return struck

    def refuses(self, connection: int) -> bool:
        """Whether the n-th connection (from 1) is reset right after it was accepted."""
        return any(
            _fires(fault, connection, (self._seed, f"refused {index}", connection))
            for index, fault in enumerate(self._refusals)
        )

    def shuts(self, request: int) -> kinds.Refused | None:
        """The fault that closes the listening socket after the n-th request (from 1)."""
        return next((fault for fault in self._refusals if fault.after_requests == request), None)


def _lets_through(fault: Any, request: ModelRequest) -> bool:
    """Whether a request counts for a fault."""
    if fault.streamed not in (None, request.stream) or (fault.kind in STREAM_ONLY and not request.stream):
        return False
    if not fnmatchcase(request.model, fault.match) or fault.agent not in (None, agent_of(request)):
        return False
    return fault.holds is None or any(fault.holds.casefold() in said.content.casefold() for said in request.messages)


def _fires(fault: Any, number: int, key: tuple[Any, ...]) -> bool:
    if fault.script is not None:
        return number in fault.script
    if fault.every is not None:
        return number % fault.every == 0
    return fault.rate is not None and chance(*key).random() < fault.rate


# ---------------------------------------------------------------- instead of an answer


def refusal(fault: kinds.FaultSpec) -> tuple[int, str, dict[str, str]] | None:
    """(status, message, headers) of a fault that is an error answer."""
    match fault:
        case kinds.RateLimited(retry_after_s=wait):
            return 429, "Rate limit reached.", _retry_after(wait)
        case kinds.ServerError():
            return 500, "The server had an error.", {}
        case kinds.Unavailable(status=status, retry_after_s=wait):
            return status, "The service is overloaded.", _retry_after(wait)
    return None


def _retry_after(wait_s: float | None) -> dict[str, str]:
    return {} if wait_s is None else {"retry-after": f"{wait_s:g}"}


# ---------------------------------------------------------------- what is said


def _without_usage(_: Any, events: Iterable[Timed]) -> Iterator[Timed]:
    return (timed for timed in events if not isinstance(timed.event, UsageReported))


def _with_empties(fault: kinds.EmptyDeltas, events: Iterable[Timed]) -> Iterator[Timed]:
    for timed in events:
        if type(timed.event) in CONTENT:
            yield from [Timed(timed.at_ms, _emptied(timed.event))] * fault.count
        yield timed


def _emptied(event: Any) -> Any:
    return ToolCallDelta(event.index, "") if isinstance(event, ToolCallDelta) else type(event)("")


def _role_first(fault: kinds.RoleOnlyFirstChunk, events: Iterable[Timed]) -> Iterator[Timed]:
    for timed in events:
        yield timed if isinstance(timed.event, Started) else timed._replace(at_ms=timed.at_ms + fault.delay_ms)


def _failing(fault: kinds.StreamError, events: Iterable[Timed]) -> Iterator[Timed]:
    said, at_ms, opened = 0, 0.0, False
    for timed in events:
        if opened and (said == fault.after_chunks or isinstance(timed.event, _CLOSING)):
            break
        opened = opened or isinstance(timed.event, Started)
        said += type(timed.event) in CONTENT
        at_ms = timed.at_ms
        yield timed
    yield Timed(at_ms, Failed(fault.error, fault.message))


def _unclosed(_: Any, events: Iterable[Timed]) -> Iterator[Timed]:
    return (timed for timed in events if not isinstance(timed.event, _CLOSING))


_ON_EVENTS: Mapping[str, Callable[[Any, Iterable[Timed]], Iterator[Timed]]] = {
    "missing_usage": _without_usage,
    "empty_deltas": _with_empties,
    "role_only_first_chunk": _role_first,
    "stream_error": _failing,
    "early_end": _unclosed,
}


# ---------------------------------------------------------------- what is sent


Beats = tuple[Beat, ...]


def _cut(score: Score, beats: Beats, after_chunks: int) -> Beats:
    """A stream up to and with its n-th content chunk (0 = nothing); of a whole answer nothing (0) or half."""
    if after_chunks == 0:
        return ()
    if not score.streamed:
        body = merged(beats)
        return (Beat(beats[-1].at_ms, body[: len(body) // 2]),)
    content = [index for index, beat in enumerate(beats) if beat.kind]
    return beats if len(content) < after_chunks else beats[: content[after_chunks - 1] + 1]


def _reset(fault: kinds.Reset, score: Score, beats: Beats) -> Score:
    before = _cut(score, beats, fault.after_chunks)
    end_ms = (before[-1] if before else beats[0]).at_ms + RESET_GAP_MS
    return replace(score, beats=before, ending=RESET, declared=len(merged(beats)), end_ms=end_ms)


def _truncated(fault: kinds.TruncatedBody, score: Score, beats: Beats) -> Score:
    before = _cut(score, beats, fault.after_chunks) or (Beat(beats[0].at_ms, beats[0].data[:1]),)
    return replace(score, beats=before, ending=CLOSE, declared=len(merged(beats)))


def _stalled(fault: kinds.Stall, score: Score, beats: Beats) -> Score:
    before = _cut(score, beats, fault.after_chunks)
    if fault.for_s is None:
        return replace(score, beats=before, ending=HOLD, declared=len(merged(beats)))
    wait_ms = fault.for_s * 1000
    if before and not score.streamed:
        rest = Beat(before[0].at_ms + wait_ms, merged(beats)[len(before[0].data) :])
        return replace(score, beats=(*before, rest))
    later = (beat._replace(at_ms=beat.at_ms + wait_ms) for beat in beats[len(before) :])
    return replace(score, beats=(*before, *later))


def _trickled(fault: kinds.SlowTrickle, score: Score, beats: Beats) -> Score:
    step, free_ms = fault.bytes_per_write, -inf
    drops: list[Beat] = []
    for beat in beats:
        for start in range(0, len(beat.data), step):
            free_ms = max(free_ms + fault.delay_ms, beat.at_ms)
            drops.append(Beat(free_ms, beat.data[start : start + step]))
        if beat.data:
            drops[-1] = drops[-1]._replace(kind=beat.kind, size=beat.size)
    return replace(score, beats=tuple(drops))


def _commented(fault: kinds.KeepAliveComments, score: Score, beats: Beats) -> Score:
    comment = _comment(score.headers.get("content-type", ""))
    if not comment:
        return replace(score, beats=beats)
    end_ms = beats[-1].at_ms
    times = (fault.interval_ms * n for n in range(1, int(end_ms / fault.interval_ms) + 1))
    both = [*(Beat(at_ms, comment) for at_ms in times if at_ms < end_ms), *beats]
    return replace(score, beats=tuple(sorted(both, key=lambda beat: beat.at_ms)))


def _comment(content_type: str) -> bytes:
    if content_type.startswith("text/event-stream"):
        return b": keep-alive\n\n"
    return b"\n" if content_type.startswith("application/x-ndjson") else b""


def _split(fault: kinds.SplitUtf8, score: Score, beats: Beats) -> Score:
    halves: list[Beat] = []
    free_ms = 0.0
    for beat in beats:
        at_ms = max(beat.at_ms, free_ms)
        cut = _inside_character(beat.data)
        free_ms = at_ms + fault.gap_ms
        halves += (Beat(at_ms, beat.data[:cut]), Beat(free_ms, beat.data[cut:], beat.kind, beat.size))
    return replace(score, beats=tuple(beat for beat in halves if beat.data))


def _inside_character(data: bytes) -> int:
    lead = next((index for index, byte in enumerate(data) if byte >= 0xC0), None)
    return len(data) // 2 if lead is None else lead + 1


def _half(_: Any, score: Score, beats: Beats) -> Score:
    """A whole answer that ends early: half the JSON, framed as if that were all."""
    return replace(score, beats=beats if score.streamed else _cut(score, beats, 1))


_ON_SCORE: Mapping[str, Callable[[Any, Score, Beats], Score]] = {
    "reset": _reset,
    "truncated_body": _truncated,
    "stall": _stalled,
    "slow_trickle": _trickled,
    "keep_alive_comments": _commented,
    "split_utf8": _split,
    "early_end": _half,
}


def on_score(fault: Any, score: Score) -> Score:
    """What a fault makes of what is sent. One that changes it needs all beats at once."""
    change = None if fault is None else _ON_SCORE.get(fault.kind)
    return score if change is None else change(fault, score, tuple(score.beats))


def on_events(fault: Any, events: Iterator[Timed], *, streamed: bool) -> Iterator[Timed]:
    """What a fault makes of what is said."""
    change = None if fault is None else _ON_EVENTS.get(fault.kind)
    if change is None or not (streamed or fault.kind == "missing_usage"):
        return events
    return change(fault, events)
