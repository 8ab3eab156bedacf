"""A trial's spans in numbers, against slow plain answers that ask every nanosecond in turn.

Random trees: branches side by side, spans inside spans, every kind. What is checked is exact, in whole nanoseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from random import Random

from hypothesis import example, given
from hypothesis import strategies as st

from benchbook.measure.active import active_intervals, active_ns, handoff_ns
from benchbook.measure.agents import work
from benchbook.measure.breakdown import breakdown_ns, stretches
from benchbook.measure.critical import critical_ns
from benchbook.measure.effort import effort_ns, own_ns
from benchbook.measure.tree import grow
from benchbook.records import SPAN_KINDS, PlannedTrial, Span, Trial

COVERING = ("model", "tool", "human_wait", "rate_limit_wait")
WALL = (100, 148)
INSTANTS = range(*WALL)
PLANNED = PlannedTrial("t", 0, "d", "1", "case", "", "target", "agent", 0, "measured", "", 1, team="t")


@st.composite
def trees(draw: st.DrawFn, kinds: Sequence[str] = SPAN_KINDS) -> list[Span]:
    """Up to a dozen spans, each inside the one around it."""
    spans: list[Span] = []
    for index in range(draw(st.integers(0, 12))):
        parent = draw(st.sampled_from([None, *spans]))
        low, high = WALL if parent is None else (parent.started_ns, parent.ended_ns)
        start, end = sorted((draw(st.integers(low, high)), draw(st.integers(low, high))))
        kind, agent = draw(st.sampled_from(kinds)), draw(st.sampled_from(("", "ann", "bob")))
        parent_id = None if parent is None else parent.span_id
        spans.append(Span(f"s{index}", parent_id, kind, "n", start, end, agent=agent))
    return spans


# ---------------------------------------------------------------- plain answers


def at_work(spans: Iterable[Span], instant: int) -> list[Span]:
    return [span for span in spans if span.started_ns <= instant < span.ended_ns]


def around(span: Span, spans: Sequence[Span]) -> list[Span]:
    """The spans around it, the nearest first."""
    found = []
    while span.parent_id is not None:
        span = next(other for other in spans if other.span_id == span.parent_id)
        found.append(span)
    return found


def innermost(spans: Sequence[Span], instant: int) -> list[Span]:
    """The covering spans at work with none inside them that covers and is at work."""
    covering = [span for span in at_work(spans, instant) if span.kind in COVERING]
    shadowed = {outer.span_id for span in covering for outer in around(span, spans)}
    return [span for span in covering if span.span_id not in shadowed]


def owner(spans: Sequence[Span], instant: int) -> str:
    kinds = {span.kind for span in innermost(spans, instant)}
    return next((kind for kind in COVERING if kind in kinds), "orchestration")


def active_agents(spans: Sequence[Span], instant: int) -> set[str]:
    now = at_work(spans, instant)
    away = set()
    for span in now:
        if span.kind == "handoff":
            away |= {outer.span_id for outer in [o for o in around(span, spans) if o.kind == "agent"][:1]}
    own = (span for span in now if span.kind in COVERING or (span.kind == "agent" and span.span_id not in away))
    return {span.agent for span in own if span.agent}


def covers_anything(span: Span, spans: Sequence[Span]) -> bool:
    inside = [one for one in spans if one.kind in COVERING and span in (one, *around(one, spans))]
    return any(one.started_ns < one.ended_ns for one in inside)


def chain(spans: Sequence[Span], parent: Span | None, until: int) -> list[tuple[int, Span | None]]:
    """(nanosecond, span it belongs to) on the critical path through `parent`, which ends at `until`."""
    start = WALL[0] if parent is None else parent.started_ns
    inside = [span for span in spans if span.parent_id == (parent.span_id if parent else None)]
    ended = [span for span in inside if span.ended_ns <= until and covers_anything(span, spans)]
    if not ended:
        return [(instant, parent) for instant in range(start, until)]
    last = max(ended, key=lambda span: (span.ended_ns, -span.started_ns, [-ord(letter) for letter in span.span_id]))
    own = [(instant, parent) for instant in range(last.ended_ns, until)]
    return own + chain(spans, last, last.ended_ns) + chain(spans, parent, last.started_ns)


# ---------------------------------------------------------------- laws


@given(trees())
def test_every_nanosecond_goes_to_one_kind(spans: list[Span]) -> None:
    plain = dict.fromkeys((*COVERING, "orchestration"), 0)
    for instant in INSTANTS:
        plain[owner(spans, instant)] += 1
    total = breakdown_ns(WALL, spans)
    assert total == plain
    assert sum(total.values()) == WALL[1] - WALL[0]
    assert min(total.values()) >= 0


@given(trees())
def test_stretches_tell_whose_each_nanosecond_is(spans: list[Span]) -> None:
    told = [kind for start, end, kind in stretches(grow(WALL, spans)) for _ in range(start, end)]
    assert told == [owner(spans, instant) for instant in INSTANTS]


@given(trees())
def test_effort_counts_branches_side_by_side(spans: list[Span]) -> None:
    tree = grow(WALL, spans)
    working = [span for instant in INSTANTS for span in innermost(spans, instant)]
    own = own_ns(tree)
    assert own == {s.span_id: working.count(s) for s in spans if s.kind in COVERING}
    assert effort_ns(tree, own) == {kind: sum(span.kind == kind for span in working) for kind in COVERING}


@given(trees())
def test_the_critical_path_is_walked_back_from_the_end(spans: list[Span]) -> None:
    plain = {span.span_id: 0 for span in spans if span.kind in COVERING}
    path = chain(spans, None, WALL[1])
    assert sorted(instant for instant, _ in path) == list(INSTANTS)
    for _, span in path:
        owners = [] if span is None else [one for one in (span, *around(span, spans)) if one.kind in COVERING]
        if owners:
            plain[owners[0].span_id] += 1
    assert critical_ns(grow(WALL, spans)) == plain


@example(
    [
        Span("outer", None, "agent", "n", 100, 148, agent="ann"),
        Span("inner", "outer", "agent", "n", 100, 148, agent="bob"),
        Span("away", "inner", "handoff", "n", 110, 120, agent="bob"),
    ]
)
@given(trees() | trees(("agent", "handoff", "model", "round")))
def test_agents_are_active_by_their_own_spans(spans: list[Span]) -> None:
    tree = grow(WALL, spans)
    active = active_intervals(tree)
    plain = [active_agents(spans, instant) for instant in INSTANTS]
    known = {agent: time_ns for agent, time_ns in active_ns(active).items() if time_ns}
    assert known == {agent: n for agent in ("ann", "bob") if (n := sum(agent in names for names in plain))}
    idle = sum(not names and owner(spans, t) == "orchestration" for names, t in zip(plain, INSTANTS, strict=True))
    assert handoff_ns(tree, active) == idle


# ---------------------------------------------------------------- properties


def numbers(spans: Sequence[Span], wall: tuple[int, int] = WALL) -> object:
    done = work(Trial(PLANNED, "success", 0, *wall, spans=tuple(spans)), spans)
    return dict(done.columns.known), dict(done.own_ns), dict(done.critical_ns), dict(done.active_ns)


@given(trees(), st.randoms())
def test_the_order_of_spans_does_not_matter(spans: list[Span], chance: Random) -> None:
    shuffled = list(spans)
    chance.shuffle(shuffled)
    assert numbers(shuffled) == numbers(spans)


@given(trees())
def test_grouping_spans_cover_nothing(spans: list[Span]) -> None:
    """Without them, what was inside hangs on the nearest span around that covers: the same breakdown and effort."""
    covering = [span for span in spans if span.kind in COVERING]
    outer = {s.span_id: next((o.span_id for o in around(s, spans) if o.kind in COVERING), None) for s in covering}
    alone = [replace(span, parent_id=outer[span.span_id]) for span in covering]
    assert breakdown_ns(WALL, alone) == breakdown_ns(WALL, spans)
    assert own_ns(grow(WALL, alone)) == own_ns(grow(WALL, spans))


@given(trees(), st.integers(-(2**62), 2**61), st.integers(1, 2**50))
def test_it_is_exact_far_beyond_what_a_float_holds(spans: list[Span], start: int, scale: int) -> None:
    def moved(at: int) -> int:
        return start + (at - WALL[0]) * scale

    far = [replace(span, started_ns=moved(span.started_ns), ended_ns=moved(span.ended_ns)) for span in spans]
    total = breakdown_ns((moved(WALL[0]), moved(WALL[1])), far)
    assert total == {kind: time_ns * scale for kind, time_ns in breakdown_ns(WALL, spans).items()}


@given(trees())
def test_effort_and_critical_path_lie_on_their_sides_of_the_covered_wall(spans: list[Span]) -> None:
    tree = grow(WALL, spans)
    covered = WALL[1] - WALL[0] - breakdown_ns(WALL, spans)["orchestration"]
    assert sum(critical_ns(tree).values()) <= covered <= sum(own_ns(tree).values())
    assert 0 <= handoff_ns(tree, active_intervals(tree)) <= WALL[1] - WALL[0] - covered
