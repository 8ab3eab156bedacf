"""One trial's spans and calls, as they come. Knows no SDK.

A `Collector` belongs to one trial. `open` begins a span, `close` ends it, `inside` does both around a block and makes
the span the one that everything begun within it belongs to. Which span is around is a context variable: each asyncio
task (and each thread that asyncio starts) inherits the one it was created under, so parents are right however many
tools, nodes and agents run side by side. `enter` and `leave` do the same for callers whose block is not one `with`.

    collector.open(kind, name, agent=, input=, under=) -> Opening      under: the span around, by default `here()`
    collector.close(opening, status=, error=, output=, ended_ns=, **detail)
    with collector.inside(kind, name, ...) as opening: ...             opening.says(output) before the end
    collector.enter(opening), collector.leave(opening)
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from benchbook.clock import monotonic_ns
from benchbook.measure.tree import COVERS
from benchbook.records import Answer, Call, Span

_AROUND: ContextVar[Opening | None] = ContextVar("benchbook_span_around", default=None)


@dataclass(slots=True, eq=False)
class Opening:
    """A span that has begun. agent: whose it is; asking: of an agent's span, the model call that it waits for."""

    collector: Collector
    span_id: str
    around: Opening | None
    kind: str
    name: str
    started_ns: int
    agent: str = ""
    input: str = ""
    output: str = ""
    status: str = "ok"
    error: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    asking: Any = None
    entered_from: Opening | None = None
    closed: bool = False

    def says(self, output: str, **detail: Any) -> None:
        """What came of it, for a span that ends with its block."""
        self.output = output
        self.detail.update(detail)

    def fails(self, error: str, status: str = "error") -> None:
        """It went wrong; one line says how."""
        self.status, self.error = status, one_line(error)


def here() -> Opening | None:
    """The span around whoever asks; None outside of all."""
    return _AROUND.get()


def is_under(opening: Opening | None, around: Opening) -> bool:
    """Whether a span is `around` or inside it."""
    while opening is not None and opening is not around:
        opening = opening.around
    return opening is not None


def one_line(text: object, longest: int = 500) -> str:
    """Whatever was said, in one line of bounded length."""
    return " ".join(str(text).split())[:longest]


class Collector:
    """What one trial is made of. Spans of model calls have the call's own id."""

    def __init__(self, trial_id: str) -> None:
        self.trial_id = trial_id
        self._numbers = count(1)
        self._open: dict[str, Opening] = {}
        self._spans: list[Span] = []
        self._calls: list[tuple[Call, Answer]] = []
        self._said: dict[str, str] = {}

    # ------------------------------------------------------------ spans

    def open(  # noqa: PLR0913 - a span has these
        self,
        kind: str,
        name: str,
        *,
        agent: str | None = None,
        input: str = "",  # noqa: A002 - the column's name
        under: Opening | None = None,
        started_ns: int | None = None,
    ) -> Opening:
        """Begin a span, now or at `started_ns`, under `under` or what is around. Its agent is that of the span around
        unless named."""
        around = under or self._around()
        if agent is None:
            agent = around.agent if around else ""
        opening = Opening(
            collector=self,
            span_id=f"{self.trial_id}-s{next(self._numbers)}",
            around=around,
            kind=kind,
            name=name,
            started_ns=monotonic_ns() if started_ns is None else started_ns,
            agent=agent,
            input=input,
        )
        self._open[opening.span_id] = opening
        return opening

    def close(
        self,
        opening: Opening,
        *,
        status: str | None = None,
        error: str | None = None,
        output: str | None = None,
        ended_ns: int | None = None,
        **detail: Any,
    ) -> None:
        """End a span, now or at `ended_ns`. A span that has ended stays as it was."""
        if opening.closed:
            return
        opening.closed = True
        del self._open[opening.span_id]
        if error is not None:
            opening.fails(error)
        opening.status = status or opening.status
        opening.output = opening.output if output is None else output
        opening.detail.update(detail)
        self._spans.append(
            Span(
                span_id=opening.span_id,
                parent_id=opening.around.span_id if opening.around else None,
                kind=opening.kind,
                name=opening.name,
                started_ns=opening.started_ns,
                ended_ns=monotonic_ns() if ended_ns is None else ended_ns,
                agent=opening.agent,
                status=opening.status,
                error=opening.error,
                input=opening.input,
                output=opening.output,
                detail=opening.detail,
            )
        )

    def enter(self, opening: Opening) -> None:
        """Make it the span around whatever this task begins from now on, tasks that it starts included."""
        opening.entered_from = _AROUND.get()
        _AROUND.set(opening)

    def leave(self, opening: Opening) -> None:
        """Back to the span that was around when it was entered."""
        _AROUND.set(opening.entered_from)

    @contextmanager
    def inside(self, kind: str, name: str, **opened: Any) -> Iterator[Opening]:
        """A span around a block; `opened` as for `open`. What the block raises marks it and is raised on."""
        opening = self.open(kind, name, **opened)
        self.enter(opening)
        try:
            yield opening
        except asyncio.CancelledError:
            self.close(opening, status="cancelled")
            raise
        except BaseException as error:
            self.close(opening, error=f"{type(error).__name__}: {error}")
            raise
        finally:
            self.leave(opening)
            self.close(opening)

    def end_all(self, ended_ns: int) -> None:
        """End what is still open, innermost first: it was cut off."""
        for opening in reversed(list(self._open.values())):
            self.close(opening, status="cancelled", ended_ns=max(ended_ns, opening.started_ns))

    # ------------------------------------------------------------ calls

    def keep(self, call: Call, answer: Answer, around: Opening | None, detail: Mapping[str, Any]) -> None:
        """Add a finished attempt at a model call, and its span: from its dispatch (its taking up, if it was never
        sent) to its close."""
        self._calls.append((call, answer))
        self._said.update({wish.id: wish.arguments for wish in answer.tool_calls})
        self._spans.append(
            Span(
                span_id=call.call_id,
                parent_id=around.span_id if around else None,
                kind="model",
                name=call.model_requested,
                started_ns=max(call.taken_up_ns, call.closed_ns) if call.sent_ns is None else call.sent_ns,
                ended_ns=call.closed_ns,
                agent=call.agent,
                status="ok" if call.error_kind is None else "error",
                error=call.error_message,
                call_id=call.call_id,
                output="\n".join(part for part in (answer.reasoning, answer.text) if part),
                detail=dict(detail),
            )
        )

    def under(self, opening: Opening) -> tuple[tuple[Span, ...], tuple[tuple[Call, Answer], ...]]:
        """Finished spans and calls of what `opening` stands around, itself included, as far as they are there."""
        inside = {opening.span_id}
        spans = []
        for span in self.spans:
            if span.span_id in inside or span.parent_id in inside:
                inside.add(span.span_id)
                spans.append(span)
        return tuple(spans), tuple(pair for pair in self.calls if pair[0].call_id in inside)

    def restore(self, spans: Iterable[Span], calls: Iterable[tuple[Call, Answer]]) -> None:
        """Take in what an earlier process recorded of this trial. New spans are numbered after these."""
        self._spans += spans
        self._calls += calls
        numbers = [span.span_id.rpartition("-s")[2] for span in self._spans]
        self._numbers = count(1 + max((int(number) for number in numbers if number.isdigit()), default=0))

    @property
    def calls(self) -> tuple[tuple[Call, Answer], ...]:
        """Finished calls with their answers, in order of their end."""
        return tuple(sorted(self._calls, key=lambda pair: (pair[0].closed_ns, pair[0].call_id)))

    @property
    def spans(self) -> tuple[Span, ...]:
        """Finished spans in order of their start, the outer first. One that groups others is over when the last of
        them is: an exchange that was cut off outlives, by a moment, the agent that began it."""
        known = {span.span_id: span for span in self._spans}
        for span in self._spans:
            parent_id = span.parent_id
            while parent_id in known and (around := known[parent_id]).kind not in COVERS:
                if around.ended_ns < span.ended_ns:
                    known[parent_id] = replace(around, ended_ns=span.ended_ns)
                parent_id = around.parent_id
        spans = map(self._as_said, known.values())
        return tuple(sorted(spans, key=lambda span: (span.started_ns, -span.ended_ns, span.span_id)))

    def _as_said(self, span: Span) -> Span:
        """A tool's span with the arguments as the model wrote them, where they are no JSON and the SDK took none."""
        said = self._said.get(span.detail.get("tool_use_id", ""), "").strip()
        if span.kind not in ("tool", "handoff") or span.input != "{}" or said in ("", "{}"):
            return span
        return replace(span, input=said, detail={**span.detail, "arguments": "no JSON object"})

    def _around(self) -> Opening | None:
        """The span around, if it is one of this trial's."""
        around = _AROUND.get()
        return around if around is not None and around.collector is self else None
