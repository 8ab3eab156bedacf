"""What one target's run looks like to any load generator: requests, their attempts, and when pieces arrived.

Stamps are ns on one clock. Nothing here is a metric; each tool's file makes its own of these facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Attempt:
    """One HTTP request.

    start_ns: before the connection's set-up where the attempt had to wait for it, else the dispatch: where most tools
    start their clocks; sent_ns: the dispatch, None if it never came to that; content_ns: arrivals of content chunks;
    text_ns: of visible text among them; output_ns: of the events that vLLM's client takes for tokens, None where that
    is not stored; end_ns: closed. tokens_reasoning are among tokens_out.
    """

    start_ns: int
    end_ns: int
    sent_ns: int | None = None
    failed: bool = False
    streamed: bool = True
    content_ns: tuple[int, ...] = ()
    text_ns: tuple[int, ...] = ()
    output_ns: tuple[int, ...] | None = None
    last_byte_ns: int | None = None
    tokens_out: int | None = None
    tokens_reasoning: int | None = None

    @property
    def written_ns(self) -> int:
        """Where a clock starts that starts with the request's first byte."""
        return self.start_ns if self.sent_ns is None else self.sent_ns

    @property
    def tokens_text(self) -> int | None:
        """Of visible text; None where unknown: not reported, or other content among it that nobody counts apart."""
        if self.tokens_out is None or (len(self.text_ns) < len(self.content_ns) and not self.tokens_reasoning):
            return None
        return self.tokens_out - (self.tokens_reasoning or 0)


@dataclass(frozen=True, slots=True)
class Request:
    """A measured trial: taken up, attempted at least once, ended."""

    started_ns: int
    ended_ns: int
    attempts: tuple[Attempt, ...]

    @property
    def first(self) -> Attempt:
        """All that a tool without retries would have sent."""
        return self.attempts[0]

    @property
    def last(self) -> Attempt:
        """The attempt that decided the trial."""
        return self.attempts[-1]


@dataclass(frozen=True, slots=True)
class Window:
    """What a rate is taken over, and of how many requests."""

    ns: int
    requests: int
    sessions: int


@dataclass(frozen=True, slots=True)
class Observed:
    """The measured requests of one target, by start, and the limits that a good one meets (our metrics' names).

    sessions: stretches in which the target was asked without a break: one, unless the run was resumed or took turns.
    """

    requests: tuple[Request, ...]
    slos: Mapping[str, float] = field(default_factory=dict)
    sessions: int = 1

    def window(self, starts: Iterable[int], ends: Iterable[int]) -> Window:
        """From the first of these starts to the last of these ends; 0 ns where there is none."""
        return Window(max(ends, default=0) - min(starts, default=0), len(self.requests), self.sessions)


@dataclass(frozen=True, slots=True)
class Figure:
    """One number as a tool prints it. value None: it prints none for such a run, `note` says why."""

    quantity: str
    statistic: str
    name: str
    value: float | None
    n: int
    note: str = ""


Statistic = Callable[[list[float]], float]
_STRETCHES = "the run was resumed, or its targets took turns; a tool has one window"


def distribution(
    quantity: str, name: str, values: Iterable[float], statistics: Mapping[str, Statistic], note: str = ""
) -> list[Figure]:
    """The values (ms) by each statistic; null with a note where there is no value."""
    known = sorted(values)
    said = note if known else "no value"
    return [
        Figure(quantity, statistic, name, compute(known) if known else None, len(known), said)
        for statistic, compute in statistics.items()
    ]


def rate(quantity: str, name: str, amount: float | None, window: Window, note: str = "") -> Figure:
    """An amount per second of a window; null for a run in several stretches, which no tool can have."""
    if window.sessions > 1:
        return Figure(quantity, "rate", name, None, window.requests, _STRETCHES)
    if amount is None or window.ns <= 0:
        return Figure(quantity, "rate", name, None, window.requests, note or "no window")
    return Figure(quantity, "rate", name, amount / (window.ns / 1e9), window.requests, note)


def share(name: str, good: int | None, of: int, note: str = "") -> Figure:
    """Good requests over `of`, 0 to 1; null where there is none to share, or no count of good ones."""
    if good is None or not of:
        return Figure("goodput_share", "share", name, None, of, note or "no request")
    return Figure("goodput_share", "share", name, good / of, of, note)


def good(metrics: Mapping[str, float | None], slos: Mapping[str, float], spelt: Mapping[str, str]) -> bool | None:
    """Whether every limit is met, a missing number meeting none; None where none is set or the tool has no such limit.

    metrics: by the tool's names; spelt: our metric -> the tool's.
    """
    if not slos or not set(slos) <= set(spelt):
        return None
    return all((value := metrics[spelt[ours]]) is not None and value <= limit for ours, limit in slos.items())
