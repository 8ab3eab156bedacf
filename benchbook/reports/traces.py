"""A trial's reasoning trace as lines: when, who, what kind of step, and all that was said. Pure."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchbook.measure.trace import Step, steps
from benchbook.records import Span
from benchbook.reports.grid import Line, visible

Row = Mapping[str, Any]
"""A row of the question `timeline`."""
_STYLES = {"thought": "cyan", "action": "green", "observation": "", "answer": "bold"}
_OF = {"handoff": "handoff to ", "human_wait": "asks for "}
_LEAST = 30


def steps_of(rows: Sequence[Row]) -> tuple[Step, ...]:
    """The trace of a trial, from its stored spans."""
    return steps(_span(row) for row in rows if row["span_id"] is not None)


def as_rows(trace: Sequence[Step], started_ns: int) -> list[dict[str, Any]]:
    """The trace as plain data; at_ms counts from the trial's start."""
    return [
        {
            "at_ms": (step.at_ns - started_ns) / 1e6,
            "agent": step.agent,
            "step": step.kind,
            "of": step.of,
            "name": step.name,
            "text": step.text,
            "status": step.status,
            "error": step.error,
            "span_id": step.span_id,
            "detail": dict(step.detail),
        }
        for step in trace
    ]


def lines(trace: Sequence[Step], started_ns: int, width: int | None) -> Iterator[Line]:
    """A heading line a step, and below it what was said, whole; wrapped where there is a width."""
    if not trace:
        yield [("no step: nothing was thought or done", "")]
    agents = max((len(step.agent) for step in trace), default=0)
    for step in trace:
        at = f"{(step.at_ns - started_ns) / 1e6:>10,.1f} ms"
        failed = f"  {step.status}" if step.status != "ok" and step.kind != "action" else ""
        name = _OF.get(step.of, "") + visible(step.name)
        head = f"  {visible(step.agent):<{agents}}  " if agents else "  "
        yield [(at + head, "dim"), (f"{step.kind:<11}", _STYLES[step.kind]), (f"  {name}", ""), (failed, "red")]
        said = step.text or (step.error or "" if step.kind != "action" else "")
        for line in _wrapped(visible(said), width):
            yield [("    " + line, "")]


def _wrapped(text: str, width: int | None) -> Iterator[str]:
    for line in text.splitlines():
        if width is None or len(line) + 4 <= width:
            yield line
        else:
            yield from textwrap.wrap(line, max(_LEAST, width - 4), replace_whitespace=False, drop_whitespace=False)


def _span(row: Row) -> Span:
    """The stored span as its record. The table keeps every field of it."""
    return Span(
        span_id=row["span_id"],
        parent_id=row["parent_id"],
        kind=row["kind"],
        name=row["name"] or "",
        started_ns=row["started_ns"],
        ended_ns=row["ended_ns"],
        agent=row["agent"] or "",
        status=row["status"] or "ok",
        error=row["error"],
        call_id=row["call_id"],
        input=row["input"] or "",
        output=row["output"] or "",
        detail=json.loads(row["detail"] or "{}"),
    )
