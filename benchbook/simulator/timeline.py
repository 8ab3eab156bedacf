"""From a law and a reply to events in time: what is said when, before any wire or fault. Pure.

`at_ms` counts from the last byte of the request. The first content comes at the drawn TTFT; each later chunk
follows the one before by the sum of its own tokens' draws. What opens the answer goes with the first content
(or at `first_byte_ms`), what closes it with the last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from random import Random
from typing import NamedTuple

from benchbook.records import ModelRequest, Usage
from benchbook.simulator.answers import Reply
from benchbook.simulator.laws import TOKEN_CHARS, chance, chunks, count_tokens, draw, prompt_tokens
from benchbook.simulator.profile import Distribution, Law
from benchbook.wire.events import (
    Ended,
    Event,
    Finished,
    ReasoningDelta,
    Started,
    TextDelta,
    TimingReported,
    ToolCallDelta,
    ToolCallStarted,
    UsageReported,
)

CONTENT = {TextDelta: "text", ReasoningDelta: "reasoning", ToolCallDelta: "tool"}
_MUSING = "Let me think about what is asked and what would settle it. "


class Timed(NamedTuple):
    """An event and its time."""

    at_ms: float
    event: Event


@dataclass(frozen=True, slots=True)
class Timeline:
    """An answer in time: events to be taken once. `usage` is what it really used, reported or not."""

    events: Iterator[Timed]
    usage: Usage
    finish: str


@dataclass(frozen=True, slots=True)
class Draws:
    """Where one request's chance comes from: the seed and (model, prompt, how often seen)."""

    seed: int
    key: tuple[str, str, int]

    def of(self, purpose: str) -> Random:
        return chance(self.seed, purpose, *self.key)


@dataclass(frozen=True, slots=True)
class Spoken:
    """A reply cut to its budget: what will really be said."""

    reasoning: str
    hidden: int
    text: str
    calls: tuple[tuple[ToolCallStarted, str], ...]
    finish: str

    def tokens(self) -> int:
        """Tokens sent or held back; a reasoning phase counts."""
        said = sum(count_tokens(text) for text in (self.reasoning, self.text, *(call[1] for call in self.calls)))
        return said + self.hidden


def compose(law: Law, reply: Reply, request: ModelRequest, draws: Draws, cached: int | None = None) -> Timeline:
    """The timeline of an answer under a law; `cached` prompt tokens came from a prefix cache (None: there is none).
    Its events are drawn as they are taken, so that a long answer costs nothing before its first chunk is due."""
    spoken = speak(law, reply, request, draws)
    usage = _usage(law, request, spoken, cached)
    started = Started("", law.served_as or request.model, law.fingerprint)
    return Timeline(_events(law, spoken, (started, usage), draws), usage, spoken.finish)


def _events(law: Law, spoken: Spoken, ends: tuple[Started, Usage], draws: Draws) -> Iterator[Timed]:
    started, usage = ends
    gaps = draws.of("token_ms")
    first_ms = draw(law.ttft_ms, draws.of("ttft"))
    first_ms += law.prefill_token_ms * ((usage.input or 0) - (usage.cached or 0))
    if law.reasoning is not None:
        first_ms += sum(draw(law.reasoning.token_ms, gaps) for _ in range(spoken.hidden))
    start_ms = end_ms = first_ms
    if law.first_byte_ms is not None:
        start_ms = min(first_ms, draw(law.first_byte_ms, draws.of("first_byte")))
    yield Timed(start_ms, started)
    for timed in _content(law, spoken, first_ms, (gaps, draws.of("chunk_tokens"))):
        end_ms = timed.at_ms
        yield timed
    yield Timed(end_ms, Finished(spoken.finish))
    if law.usage:
        yield Timed(end_ms, UsageReported(usage))
    yield Timed(end_ms, TimingReported(_timing(start_ms, end_ms)))
    yield Timed(end_ms, Ended())


def speak(law: Law, reply: Reply, request: ModelRequest, draws: Draws) -> Spoken:
    """Stretch or cut a reply to `tokens_out`, the stop sequences, and `max_tokens`: reasoning first, then text."""
    wanted = 0 if law.reasoning is None else round(draw(law.reasoning.tokens, draws.of("reasoning")))
    left = request.params.max_tokens
    thought = wanted if left is None else min(wanted, left)
    visible = law.reasoning is not None and law.reasoning.visible
    text, finish = reply.text, "stop"
    if law.tokens_out != "answer" and not reply.calls:
        text = stretch(text, round(draw(law.tokens_out, draws.of("tokens"))))
    text = min((text.partition(stop)[0] for stop in request.params.stop if stop), key=len, default=text)
    if left is not None and count_tokens(text) > left - thought:
        text, finish = text[: (left - thought) * TOKEN_CHARS], "length"
    calls = tuple((ToolCallStarted(i, call.id, call.name), call.arguments) for i, call in enumerate(reply.calls))
    if calls and finish != "length":
        finish = "tool_calls"
    return Spoken(
        reasoning=stretch(_MUSING, thought) if visible else "",
        hidden=0 if visible else thought,
        text=text,
        calls=calls if finish == "tool_calls" else (),
        finish=finish,
    )


def stretch(text: str, tokens: int) -> str:
    """The text repeated or cut to exactly so many tokens."""
    chars = tokens * TOKEN_CHARS
    unit = f"{text.rstrip() or 'Benchbook'} "
    return (unit * (chars // len(unit) + 1))[:chars]


def _content(law: Law, spoken: Spoken, at_ms: float, random: tuple[Random, Random]) -> Iterator[Timed]:
    """The content chunks, the first at `at_ms`; a tool call's start comes just before its arguments."""
    gaps, sizes = random
    first = True
    for event, tokens, pace in _pieces(law, spoken, sizes):
        if not first:
            at_ms += sum([draw(pace, gaps) for _ in range(tokens)])
        first = first and tokens == 0
        yield Timed(at_ms, event)


def _pieces(law: Law, spoken: Spoken, sizes: Random) -> Iterator[tuple[Event, int, Distribution]]:
    per_chunk = (round(draw(law.tokens_per_chunk, sizes)) for _ in repeat(None))
    if law.reasoning is not None:
        for piece, tokens in chunks(spoken.reasoning, per_chunk):
            yield ReasoningDelta(piece), tokens, law.reasoning.token_ms
    for piece, tokens in chunks(spoken.text, per_chunk):
        yield TextDelta(piece), tokens, law.token_ms
    for started, arguments in spoken.calls:
        yield started, 0, law.token_ms
        for piece, tokens in chunks(arguments, per_chunk):
            yield ToolCallDelta(started.index, piece), tokens, law.token_ms


def _usage(law: Law, request: ModelRequest, spoken: Spoken, cached: int | None) -> Usage:
    asked = prompt_tokens(request)
    if cached is None and law.cached_share:
        cached = int(asked * law.cached_share)
    return Usage(
        input=asked,
        cached=cached,
        output=spoken.tokens(),
        reasoning=count_tokens(spoken.reasoning) + spoken.hidden if law.reasoning is not None else None,
    )


def _timing(start_ms: float, end_ms: float) -> dict[str, float]:
    """The server's own view of its time; each wire takes what it has a field for."""
    return {
        "latency_ms": end_ms,
        "first_byte_ms": start_ms,
        "total_ms": end_ms,
        "load_ms": 0.0,
        "prompt_eval_ms": start_ms,
        "eval_ms": end_ms - start_ms,
    }


def usage_first(timeline: Timeline) -> Timeline:
    """The same answer in Claude's order: the prompt's tokens open it, and the reason to stop comes after the counts."""
    return Timeline(_usage_first(timeline), timeline.usage, timeline.finish)


def _usage_first(timeline: Timeline) -> Iterator[Timed]:
    opening = UsageReported(Usage(input=timeline.usage.input, cached=timeline.usage.cached))
    finished: Timed | None = None
    for timed in timeline.events:
        match timed.event:
            case Started():
                yield from (Timed(timed.at_ms, opening), timed)
            case Finished():
                finished = timed
            case UsageReported() if finished is not None:
                yield from (timed, finished)
                finished = None
            case _:
                if finished is not None:
                    yield finished
                    finished = None
                yield timed
