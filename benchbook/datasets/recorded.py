"""Generated cases with the lengths of recorded requests: a trace's columns as the sizes of a declaration.

A declaration that names a `trace` has a case for each of its requests, in order of time. What comes out is whole: the
sizes stand in it, so that a run's own copy of its datasets needs no file beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchbook.config.traces import resolve_trace
from benchbook.datasets.notes import Note, place, problem
from benchbook.errors import PlanError

_TAKEN = ("cases", "prompt_tokens", "output_tokens")


def sized(declared: Mapping[str, Any], path: str) -> tuple[dict[str, Any] | None, list[Note]]:
    """Cases, sizes and the trace's hash for a declaration, or what is wrong. One that has them already keeps them."""
    if declared.get("trace_sha256"):
        return {}, []
    where = place(path, None, None, "synthetic", "trace")
    if said := [name for name in _TAKEN if name in declared]:
        return None, [problem(where, f"says {said[0]}, and so does the declaration", f"leave {said[0]} out")]
    try:
        trace = resolve_trace(str(declared["trace"]), path)
    except PlanError as error:
        return None, [problem(where, f"can't be used: {error}", "name a file of recorded requests")]
    if None in trace.input_tokens or 0 in trace.input_tokens:
        number = next(place for place, tokens in enumerate(trace.input_tokens, 1) if not tokens)
        return None, [problem(where, f"request {number} in order of time has no input_tokens", "give every length")]
    sizes: dict[str, Any] = {
        "cases": len(trace.at_ns),
        "prompt_tokens": {"kind": "recorded", "values": list(trace.input_tokens)},
        "trace_sha256": trace.sha256,
    }
    if all(trace.output_tokens):
        sizes["output_tokens"] = {"kind": "recorded", "values": list(trace.output_tokens)}
    return sizes, []
