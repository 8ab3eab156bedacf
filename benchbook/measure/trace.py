"""The reasoning trace of a trial, read from its spans: thoughts, actions with what was observed, answers. Pure.

A model span is a thought, or the answer of its agent's turn where that agent did nothing more; a tool, handoff or
approval span is an action when it starts and an observation when it ends. All are in order of time, so that agents
that work side by side interleave, each named. Nothing that a model, tool or person said is left out; spans that only
group, and waits between attempts, say nothing and have no step.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchbook.records import Span

STEP_KINDS = ("thought", "action", "observation", "answer")
ACTED = ("tool", "handoff", "human_wait")
"""The kinds of spans that are actions."""
_GOES_ON = ("model", *ACTED, "rate_limit_wait")
_RANKS = {"thought": 0, "observation": 2, "answer": 3, "action": 4}
"""Of steps at the same nanosecond: what has ended comes before what begins."""
_AT_ONCE = 1
"""Of an action that ends as it begins: before its own observation."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a trace.

    kind: of STEP_KINDS; at_ns: when it came to be; started_ns, ended_ns, status, error, detail: of its span, whose kind
    is `of`; name: the model, the tool, who was handed to, or what was to be approved; text: what was thought or
    answered, an action's input, or what was observed.
    """

    kind: str
    at_ns: int
    agent: str
    name: str
    text: str
    of: str
    started_ns: int
    ended_ns: int
    span_id: str
    status: str = "ok"
    error: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    def is_tool(self, name: str) -> bool:
        """Whether it is the use of that tool."""
        return self.kind == "action" and self.of == "tool" and self.name == name


def steps(spans: Iterable[Span]) -> tuple[Step, ...]:
    """The steps of a trial's spans (given in any order), in order of time."""
    every = sorted(spans, key=lambda span: (span.started_ns, span.ended_ns, span.span_id))
    answers = _answers(every)
    found = [step for span in every for step in _of(span, answers)]
    return tuple(sorted(found, key=lambda step: (step.at_ns, _rank(step), step.started_ns, step.span_id)))


def _rank(step: Step) -> int:
    at_once = step.kind == "action" and step.started_ns == step.ended_ns
    return _AT_ONCE if at_once else _RANKS[step.kind]


def _of(span: Span, answers: set[str]) -> Iterable[Step]:
    if span.kind == "model":
        yield _step(span, "answer" if span.span_id in answers else "thought", span.ended_ns, span.output)
    elif span.kind in ACTED:
        yield _step(span, "action", span.started_ns, span.input)
        yield _step(span, "observation", span.ended_ns, span.output)


def _step(span: Span, kind: str, at_ns: int, text: str) -> Step:
    return Step(
        kind,
        at_ns,
        span.agent,
        span.name,
        text,
        span.kind,
        span.started_ns,
        span.ended_ns,
        span.span_id,
        span.status,
        span.error,
        span.detail,
    )


def _answers(spans: Sequence[Span]) -> set[str]:
    """Ids of the model spans that answered, and after which their agent's turn did nothing more."""
    known = {span.span_id: span for span in spans}
    turns = {span.span_id: _turn(span, known) for span in spans if span.kind in _GOES_ON}
    starts: dict[str | None, list[int]] = {}
    for span in spans:  # in order of their start
        if span.span_id in turns:
            starts.setdefault(turns[span.span_id], []).append(span.started_ns)

    def is_last(span: Span) -> bool:
        own = starts[turns[span.span_id]]
        later = len(own) - bisect_left(own, span.ended_ns)
        return later == (1 if span.started_ns == span.ended_ns else 0)

    return {span.span_id for span in spans if span.kind == "model" and span.status == "ok" and is_last(span)}


def _turn(span: Span, known: Mapping[str, Span]) -> str | None:
    """The id of the innermost agent span around this one, None where there is none."""
    around = known.get(span.parent_id or "")
    for _ in known:  # parents that go round in a circle have no end
        if around is None or around.kind == "agent":
            break
        around = known.get(around.parent_id or "")
    return None if around is None else around.span_id
