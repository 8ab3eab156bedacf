"""What a reader sees first: what came of the run in words, why, and a handful of figures with their intervals.

A figure is never called better than another here: the lowest is named with its interval, and beside it those whose
intervals overlap with it. Whether targets differ is what a comparison says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchbook.records import TEAM_WORKLOADS
from benchbook.reports import words
from benchbook.reports.gather import RunView
from benchbook.reports.pages.extras import Extras
from benchbook.reports.plots.distribution import Names

Row = Mapping[str, Any]
SAYS = {
    "VALID": "Every check of the measurement passed: the figures below can be used.",
    "DEGRADED": "The figures below can be read, with these reasons beside each of them:",
    "INVALID": "The figures below should not be used:",
}
TONES = {"VALID": "good", "DEGRADED": "warn", "INVALID": "bad"}
_RIVALS = 3


@dataclass(frozen=True, slots=True)
class Card:
    """One figure: what it is, its value and unit, whose it is, its interval and what else to know."""

    what: str
    value: str
    unit: str = ""
    name: str = ""
    between: str = ""
    note: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class _Figure:
    name: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a figure is found in a row and said. alone: its heading where there is but one target."""

    among: str
    alone: str
    unit: str
    better: str
    said: Callable[[float], str]


def reasons(view: RunView, extras: Extras) -> list[tuple[str, str]]:
    """Each reason of the verdict with the command that shows more, "" where none is known."""
    coded = extras.facts.get("reason_codes") or []
    looks = [str(code["look"] or "") for code in coded]
    said = [str(reason) for reason in view.run["reasons"] or []]
    return list(zip(said, looks if len(looks) == len(said) else [""] * len(said), strict=True))


def cards(view: RunView, extras: Extras, names: Names) -> list[Card]:
    """The handful, in the order in which they are read."""
    return [
        card for card in (_failed(view, extras), *_latencies(view, names), *_worth(extras, names)) if card is not None
    ]


def _failed(view: RunView, extras: Extras) -> Card | None:
    attempted = sum(row["attempted"] for row in view.targets)
    if not attempted:
        return None
    bad = sum(row["failed"] + row["timed_out"] for row in view.targets)
    kinds: dict[str, int] = {}
    for row in view.errors:
        if row["level"] == "trial":
            kinds[row["error_kind"]] = kinds.get(row["error_kind"], 0) + row["n"]
    most = max(kinds, key=lambda kind: (kinds[kind], kind), default="")
    note = f"most often {most} ({kinds[most]})" if most else ""
    what = f"{bad:,} of {attempted:,} measured trials" if bad else f"of {attempted:,} measured trials"
    tone = "bad" if bad / attempted > extras.facts.get("max_failure_share", 0.0) else ""
    return Card("Failed", words.share(bad / attempted) if bad else "none", between=what, note=note, tone=tone)


def _latencies(view: RunView, names: Names) -> Iterator[Card | None]:
    plain = _Kind("Lowest median TTFT", "Median TTFT", "ms", "lower", words.number)
    yield _best(_quantiles(view.plain, "ttft_ms", "p50", names), plain)
    tail = _Kind("Lowest p95 end to end", "p95 end to end", "ms", "lower", words.number)
    yield _best(_quantiles(view.plain, "e2e_ms", "p95", names), tail)
    agents = [row for row in view.agents if row["workload"] in TEAM_WORKLOADS]
    wall = _Kind("Lowest median wall time", "Median wall time", "ms", "lower", words.number)
    yield _best(_quantiles(agents, "wall_ms", "p50", names), wall)


def _worth(extras: Extras, names: Names) -> Iterator[Card | None]:
    scored = [
        _Figure(names[row["target"], row["workload"]], row["score"], row["score_low"], row["score_high"])
        for row in extras.cost_quality
        if row["score"] is not None
    ]
    yield _best(scored, _Kind("Highest mean score", "Mean score", "", "higher", "{:.2f}".format))
    priced = [
        _Figure(names[row["target"], row["workload"]], 1000 * row["cost_usd_per_trial"], None, None)
        for row in extras.cost_quality
        if row["cost_usd_per_trial"] is not None
    ]
    yield _best(priced, _Kind("Lowest cost", "Cost", "per 1,000 trials", "lower", words.money))


def _quantiles(rows: Sequence[Row], metric: str, name: str, names: Names) -> list[_Figure]:
    column = f"{metric}_{name}"
    return [
        _Figure(names[row["target"], row["workload"]], row[column], row[f"{column}_low"], row[f"{column}_high"])
        for row in rows
        if row[column] is not None
    ]


def _best(figures: Sequence[_Figure], kind: _Kind) -> Card | None:
    if not figures:
        return None
    sign = -1 if kind.better == "higher" else 1
    best, *others = sorted(figures, key=lambda each: (sign * each.value, each.name))
    between = "" if best.low is None or best.high is None else f"{kind.said(best.low)} to {kind.said(best.high)}"
    rivals = [each.name for each in others if _overlap(best, each)]
    heading = kind.among if others else kind.alone
    return Card(heading, kind.said(best.value), kind.unit, best.name, between, _note(best, others, rivals))


def _note(best: _Figure, others: Sequence[_Figure], rivals: Sequence[str]) -> str:
    if not others:
        return ""
    if best.low is None:
        same = [each.name for each in others if each.value == best.value]
        return f"as {_listed(same)}" if same else ""
    return f"overlaps with {_listed(rivals)}" if rivals else "apart from all others"


def _overlap(a: _Figure, b: _Figure) -> bool:
    """Whether their intervals have a value in common; one without an interval is apart from nobody."""
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return True
    return a.low <= b.high and b.low <= a.high


def _listed(names: Sequence[str]) -> str:
    if len(names) > _RIVALS:
        return f"{', '.join(names[:_RIVALS])} and {len(names) - _RIVALS} more"
    return ", ".join(names)
