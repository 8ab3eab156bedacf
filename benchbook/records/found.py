"""What was found: calls with their chunks and answers, finished trials, spans, events, scores, checks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from benchbook.errors import RecordError
from benchbook.records.asked import PlannedTrial, ToolCall
from benchbook.records.kinds import ERROR_KINDS, EVENT_KINDS, SPAN_KINDS, SPAN_STATUSES, STAMPED_BY, STATUSES
from benchbook.records.quick import record


@record
class Usage:
    """Token counts as the provider reported them. `input` holds all prompt tokens, cached ones included;
    `output` all generated tokens, reasoning included. None = not reported."""

    input: int | None = None
    cached: int | None = None
    cache_write: int | None = None
    output: int | None = None
    reasoning: int | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """One content-bearing piece of an answer: when its bytes arrived, its UTF-8 size, its kind."""

    at_ns: int
    size: int
    kind: str


@record
class Chunks(Sequence[Chunk]):
    """A call's chunks in order of arrival, kept as three columns: thousands of calls end each second, and an
    object a chunk would cost more than decoding it. Reads, and compares, as a tuple of `Chunk`."""

    at_ns: tuple[int, ...] = ()
    sizes: tuple[int, ...] = ()
    kinds: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.at_ns) == len(self.sizes) == len(self.kinds):
            raise RecordError("the columns of a call's chunks differ in length")

    def first_ns(self, kind: str) -> int | None:
        """When the first chunk of that kind arrived, None where there is none."""
        return self.at_ns[self.kinds.index(kind)] if kind in self.kinds else None

    @classmethod
    def of(cls, chunks: Iterable[Chunk]) -> Chunks:
        """The columns of those chunks."""
        rows = [(chunk.at_ns, chunk.size, chunk.kind) for chunk in chunks]
        return cls(*zip(*rows, strict=True)) if rows else cls()

    def __len__(self) -> int:
        return len(self.at_ns)

    def __iter__(self) -> Iterator[Chunk]:
        return map(Chunk, self.at_ns, self.sizes, self.kinds)

    @overload
    def __getitem__(self, place: int) -> Chunk: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Chunk]: ...
    def __getitem__(self, place: int | slice) -> Chunk | Sequence[Chunk]:
        if isinstance(place, slice):
            return Chunks(self.at_ns[place], self.sizes[place], self.kinds[place])
        return Chunk(self.at_ns[place], self.sizes[place], self.kinds[place])

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Chunks):
            return (self.at_ns, self.sizes, self.kinds) == (other.at_ns, other.sizes, other.kinds)
        return tuple(self) == other

    def __hash__(self) -> int:
        return hash((self.at_ns, self.sizes, self.kinds))


NO_CHUNKS = Chunks()


@record
class Call:
    """One attempt at one model call: facts only. METRICS are computed from it in `measure`.

    intended_ns  s: by the schedule, or the moment the slot became free
    taken_up_ns  d: the trial was taken up
    sent_ns      a: just before the socket write, on a ready connection (None: never sent)
    first_byte_ns, last_byte_ns   first and last byte of the response
    chunks       content-bearing chunks in order of arrival, empty when not streamed
    closed_ns    z: message complete or connection closed (or the attempt given up)
    connect_ns   connection set-up in ns, None when a connection was reused
    connect_parts  its parts in ns (CONNECT_PARTS), those that there were
    backoff_ns   waited before this attempt, retry arithmetic and Retry-After included
    turn         the turn of a conversation that it makes, from 1; attempts count from 1 in each
    agent        the agent that made it, "" where there is none
    target       the target that was asked, "" for the trial's own
    span_id      its row among the trial's spans, None where that is `call_id`
    stamped_by   who took its stamps, in STAMPED_BY
    """

    call_id: str
    attempt: int
    model_requested: str
    streamed: bool
    intended_ns: int
    taken_up_ns: int
    sent_ns: int | None
    closed_ns: int
    first_byte_ns: int | None = None
    last_byte_ns: int | None = None
    chunks: Sequence[Chunk] = NO_CHUNKS
    connect_ns: int | None = None
    connect_parts: Mapping[str, int] = field(default_factory=dict)
    cold: bool = False
    backoff_ns: int = 0
    turn: int = 1
    http_status: int | None = None
    retry_after_s: float | None = None
    error_kind: str | None = None
    error_message: str | None = None
    model_served: str | None = None
    system_fingerprint: str | None = None
    request_id: str | None = None
    finish_reason: str | None = None
    usage: Usage = field(default_factory=Usage)
    reported: Mapping[str, float] = field(default_factory=dict)
    """The provider's own timings in ms (`latency_ms`, `load_ms`, ...): cross-check, never a metric."""
    agent: str = ""
    target: str = ""
    span_id: str | None = None
    stamped_by: str = "transport"

    def __post_init__(self) -> None:
        if self.stamped_by not in STAMPED_BY:
            raise RecordError(f"a call's stamps are by {self.stamped_by!r}, which is not one of {STAMPED_BY}")
        if self.error_kind is not None and self.error_kind not in ERROR_KINDS:
            raise RecordError(f"error kind {self.error_kind!r} is not in ERROR_KINDS")
        if type(self.chunks) is not Chunks:
            object.__setattr__(self, "chunks", Chunks.of(self.chunks))

    @property
    def columns(self) -> Chunks:
        """Its chunks as columns."""
        return self.chunks  # type: ignore[return-value]


@record
class Answer:
    """What one call brought back: text, reasoning, tool calls, and the raw body's pieces with their stamps."""

    call_id: str
    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    body: bytes = b""
    piece_at_ns: tuple[int, ...] = ()
    piece_sizes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """One timed step inside a trial, of a kind in SPAN_KINDS; `parent_id` is the span around it, so a span and
    those around it are one branch. model, tool, human_wait and rate_limit_wait cover time, the others group.

    agent    whose step it is, "" where it is no agent's
    status   in SPAN_STATUSES; `error` in one line, where it is not `ok`
    call_id  of a model span: its call
    input    tool: its arguments as JSON text; agent and step: the task
    output   tool: what it brought; model, agent and step: the text; human_wait: the decision and its feedback
    detail   further facts, few and JSON-able
    """

    span_id: str
    parent_id: str | None
    kind: str
    name: str
    started_ns: int
    ended_ns: int
    agent: str = ""
    status: str = "ok"
    error: str | None = None
    call_id: str | None = None
    input: str = ""
    output: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in SPAN_KINDS:
            raise RecordError(f"span kind {self.kind!r} is not one of {SPAN_KINDS}")
        if self.status not in SPAN_STATUSES:
            raise RecordError(f"span status {self.status!r} is not one of {SPAN_STATUSES}")


@record
class Trial:
    """One finished trial: the planned unit, what became of it, and its calls in order of attempt.

    spans      an agent's timed steps, one `model` span a call among them; () where calls follow one another plainly
    output     the final answer; None: the last call's text
    reported   the agent SDK's own figures, by their columns' names (`sdk_model_ms`, ...): cross-check, never a metric
    end_state  what was reached, few facts and JSON-able
    """

    planned: PlannedTrial
    status: str
    intended_ns: int
    started_ns: int
    ended_ns: int
    calls: tuple[Call, ...] = ()
    answers: tuple[Answer, ...] = ()
    error_kind: str | None = None
    error_message: str | None = None
    spans: tuple[Span, ...] = ()
    output: str | None = None
    reported: Mapping[str, float] = field(default_factory=dict)
    end_state: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise RecordError(f"status {self.status!r} is not one of {STATUSES}")
        if self.ended_ns < self.started_ns:
            raise RecordError(f"trial {self.planned.trial_id} ends before it starts")

    @property
    def by_agents(self) -> bool:
        """Whether agents made its calls, so that its spans are the collected ones and its calls may be many."""
        return bool(self.planned.team or self.spans)

    @property
    def answer(self) -> str | None:
        """The text that the trial came to; None where there is none."""
        if self.output is not None:
            return self.output
        return self.answers[-1].text if self.answers else None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened during a run beside its trials, of a kind in EVENT_KINDS.

    at_ns: monotonic, of the session's clock; target: whom it is about, "" for the run as a whole; fields: the numbers
    behind it, JSON-able, units in their names; the one called `value` has a column of its own.
    """

    at_ns: int
    kind: str
    name: str
    target: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in EVENT_KINDS:
            raise RecordError(f"event kind {self.kind!r} is not one of {tuple(EVENT_KINDS)}")
        if not self.name:
            raise RecordError(f"an event of kind {self.kind} needs a name")


@dataclass(frozen=True, slots=True)
class Score:
    """One scorer's judgement of one trial's answer; `value` in 0..1."""

    trial_id: str
    scorer: str
    value: float
    passed: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One data-quality expectation and how it came out.

    suite: `dataset` or `result`; subject: file or table; severity: `critical`, `warning`; failures: places
    (`case`, `field`) with what is wrong and what would be right, every one of them.
    """

    suite: str
    subject: str
    name: str
    success: bool
    severity: str
    observed: int
    unexpected: int
    failures: tuple[str, ...] = ()
