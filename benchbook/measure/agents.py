"""What a trial's spans say of agents, as columns: counts, effort, critical path, active time, handoff.

The columns are there for every workload, so that a plain call and a team are compared in one table: a plain call
has no tools and no agents, and its effort is its breakdown. Where spans contradict one another, what is computed
from them is missing with the contradiction as reason. The agent SDK's own figures are `reported`, for cross-checks
alone, and no measured column is made of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchbook.errors import RecordError
from benchbook.measure.active import active_intervals, active_ns, handoff_ns
from benchbook.measure.breakdown import BREAKDOWN_COLUMNS, ORCHESTRATION, one_after_the_other, plain, shares_ns
from benchbook.measure.critical import critical_ns
from benchbook.measure.effort import effort_ns, own_ns
from benchbook.measure.provenance import DERIVED, MEASURED, REPORTED, Known, Metrics, metrics_of, missing
from benchbook.measure.tree import COVERING, COVERS, Interval, grow
from benchbook.records import Span, Trial

REPORTED_COLUMNS = ("sdk_model_ms", "sdk_tool_ms", "sdk_cycles", "sdk_tokens_in", "sdk_tokens_out")
"""Columns, and their names in `Trial.reported`."""
_WHOLE = frozenset({"sdk_cycles", "sdk_tokens_in", "sdk_tokens_out"})
_COUNTED = {"tool_calls": "tool", "tool_rounds": "round", "handoffs": "handoff"}
_COMPUTED = ("effort_ms", "model_effort_ms", "tool_effort_ms", "critical_path_ms", "parallel_speedup", "handoff_ms")
_COLUMN = {kind: f"{kind}_ms" for kind in (*COVERING, ORCHESTRATION)}
_NO_AGENT = missing("no agent at work")
_NOT_REPORTED = missing("not reported")
_NO_AGENTS: Mapping[str, Known] = {
    **dict.fromkeys((*_COUNTED, "agents"), (0, MEASURED)),
    **dict.fromkeys(REPORTED_COLUMNS, _NOT_REPORTED),
}
"""Of a trial of plain calls: no tools, no agents, no SDK."""
_NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Work:
    """A trial's spans in numbers: columns of its row, and by span id or agent what belongs to these, in ns."""

    columns: Metrics
    own_ns: Mapping[str, int] = field(default_factory=dict)
    critical_ns: Mapping[str, int] = field(default_factory=dict)
    active_ns: Mapping[str, int] = field(default_factory=dict)


def work(trial: Trial, spans: Sequence[Span]) -> Work:
    """The breakdown, effort, critical path and counts of a trial, or why there are none."""
    known = _counts(spans) | _sdk(trial) if trial.by_agents else _NO_AGENTS
    try:
        found = _apart(trial, spans) if plain(spans) else _together(trial, spans)
    except RecordError as error:
        return Work(metrics_of({**known, **dict.fromkeys((*BREAKDOWN_COLUMNS, *_COMPUTED), missing(str(error)))}))
    return Work(metrics_of({**known, **found.columns.known}), found.own_ns, found.critical_ns, found.active_ns)


def _apart(trial: Trial, spans: Sequence[Span]) -> Work:
    """Spans that follow one another: all their time is their own, and the end waited for each of them."""
    wall = trial.started_ns, trial.ended_ns
    shares = one_after_the_other(wall, spans)
    own = {span.span_id: span.ended_ns - span.started_ns for span in spans}
    active: dict[str, list[Interval]] = {}
    for span in spans:
        if span.agent:
            active.setdefault(span.agent, []).append((span.started_ns, span.ended_ns))
    handoff = shares[ORCHESTRATION] if active else None
    efforts = {kind: shares[kind] for kind in COVERING}
    columns = _columns(wall, shares, efforts, sum(own.values()), handoff)
    return Work(columns, own, own, active_ns(active) if active else {})


def _together(trial: Trial, spans: Sequence[Span]) -> Work:
    tree = grow((trial.started_ns, trial.ended_ns), spans)
    own, critical, active = own_ns(tree), critical_ns(tree), active_intervals(tree)
    handoff = handoff_ns(tree, active) if active else None
    columns = _columns(tree.wall, shares_ns(tree), effort_ns(tree, own), sum(critical.values()), handoff)
    return Work(columns, own, critical, active_ns(active))


def _columns(
    wall: Interval, shares: Mapping[str, int], efforts: Mapping[str, int], critical: int, handoff: int | None
) -> Metrics:
    wall_ns, effort = wall[1] - wall[0], sum(efforts.values())
    speedup: Known = (effort / wall_ns, DERIVED) if wall_ns else missing("no wall time")
    return metrics_of(
        {
            **{_COLUMN[kind]: (share / _NS_PER_MS, MEASURED) for kind, share in shares.items()},
            "effort_ms": (effort / _NS_PER_MS, MEASURED),
            "model_effort_ms": (efforts["model"] / _NS_PER_MS, MEASURED),
            "tool_effort_ms": (efforts["tool"] / _NS_PER_MS, MEASURED),
            "critical_path_ms": (critical / _NS_PER_MS, MEASURED),
            "parallel_speedup": speedup,
            "handoff_ms": _NO_AGENT if handoff is None else (handoff / _NS_PER_MS, MEASURED),
        }
    )


def _counts(spans: Sequence[Span]) -> dict[str, Known]:
    kinds = Counter(span.kind for span in spans)
    active = {span.agent for span in spans if span.agent and (span.kind == "agent" or span.kind in COVERS)}
    counts = {column: kinds[kind] for column, kind in _COUNTED.items()} | {"agents": len(active)}
    return {column: (count, MEASURED) for column, count in counts.items()}


def _sdk(trial: Trial) -> dict[str, Known]:
    if not trial.reported:
        return dict.fromkeys(REPORTED_COLUMNS, _NOT_REPORTED)
    found: dict[str, Known] = {}
    for column in REPORTED_COLUMNS:
        value = trial.reported.get(column)
        whole = int(value) if value is not None and column in _WHOLE else value
        found[column] = _NOT_REPORTED if whole is None else (whole, REPORTED)
    return found
