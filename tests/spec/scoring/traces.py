"""Spans by hand: what an agent did, as tables of tests write it."""

from __future__ import annotations

from typing import Any

from benchbook.records import Span


def span(kind: str, name: str, started: int, ended: int, **facts: Any) -> Span:
    """A span whose id is its kind and start; times in whole nanoseconds."""
    facts.setdefault("span_id", f"{kind}-{name}-{started}")
    return Span(parent_id=facts.pop("parent", None), kind=kind, name=name, started_ns=started, ended_ns=ended, **facts)


def alone() -> tuple[Span, ...]:
    """One agent: thinks, searches twice and asks the database (which fails once), has it approved, and answers."""
    inside = {"agent": "ada", "parent": "A"}
    return (
        span("agent", "ada", 0, 1000, span_id="A", agent="ada", input="How many?"),
        span("model", "sim", 10, 100, output="I look it up.", **inside),
        span("round", "1", 110, 300, span_id="R", **inside),
        span("tool", "search", 120, 200, agent="ada", parent="R", input='{"query": "a"}', detail={"hits": 3}),
        span("tool", "search", 125, 290, agent="ada", parent="R", input='{"query": "b"}', detail={"hits": 5}),
        span("model", "sim", 310, 400, output="Now the table.", **inside),
        span(
            "tool", "sql", 410, 450, input="{}", output="no such table", status="error", error="no such table", **inside
        ),
        span("tool", "sql", 460, 500, input="{}", output="7", **inside),
        span("human_wait", "approval", 510, 700, input="Send 7?", output="approved", **inside),
        span("model", "sim", 710, 800, status="error", error="HTTP 529", **inside),
        span("rate_limit_wait", "back-off", 800, 850, **inside),
        span("model", "sim", 850, 950, output="Seven.", **inside),
    )
