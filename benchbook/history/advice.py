"""From numbers to what may be said of them, and what may not: sentences that an interval carries, and refusals.

A saving is said only where the cost is lower for sure and the quality is shown to be no worse than the margin allows;
what is faster, slower or fails more often is said in the same breath. A refusal has its reason and the command that
would supply what is lacking.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from benchbook.history.contenders import Contender
from benchbook.history.weighing import MARGINS
from benchbook.stats.joint import Bounded, cases_needed
from benchbook.stats.pareto import Gain

Row = Mapping[str, Any]
Against = Mapping[tuple[str, str, str], Mapping[str, Bounded]]
"""(workload, a, b) -> axis -> b against a."""

DIFFERENCES = ("score", "failure_share")
"""Axes on which two are told apart by a difference; on the others by a ratio."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked. volume: trials a month, or (unit `tokens`) tokens a month; reference: the target that savings are
    said against (None: every pair); limits: upper bounds by axis, of `score` the lower one; score_margin in 0..1;
    prices: a price file to take in the place of the stored prices."""

    sides: Sequence[str] = ()
    latency: str = "e2e_ms"
    volume: float | None = None
    unit: str = "trials"
    reference: str | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    score_margin: float = MARGINS["score"]
    prices: str | None = None
    confidence: float = 0.95


@dataclass(frozen=True, slots=True)
class Refusal:
    """about: whom or what; reason: why it can't be said; command: what would supply what is lacking."""

    about: str
    reason: str
    command: str


@dataclass(frozen=True, slots=True)
class Advice:
    """sentences: the answer first; refusals in the order of the rows."""

    sentences: tuple[str, ...]
    refusals: tuple[Refusal, ...]


def advice(rows: Sequence[Row], against: Against, wish: Wish, again: str) -> Advice:
    """What these rows and pairs carry. again: the command that measures the same plan once more."""
    sentences: list[str] = []
    refusals: list[Refusal] = []
    for workload in dict.fromkeys(row["workload"] for row in rows):
        of_it = [row for row in rows if row["workload"] == workload]
        here = f"{workload}: " if len({row["workload"] for row in rows}) > 1 else ""
        compared = [row for row in of_it if row["standing"] != "not comparable"]
        refusals += [replace(one, about=here + one.about) for one in _lacking(of_it, again)]
        if len(compared) < 2:
            said = "one target only" if compared else "no target with a successful trial"
            refusals.append(Refusal(f"{here}a choice", f"{said}: there is nothing to choose between", _OTHERS))
        answers = _by_limits(of_it, wish) if wish.limits else _by_front(compared, wish)
        sentences += [here + line for line in answers]
        saved = list(_savings(of_it, against, wish, again))
        sentences += [here + one for one in saved if isinstance(one, str)]
        refusals += [replace(one, about=here + one.about) for one in saved if isinstance(one, Refusal)]
        sentences += [here + line for line in _standings(compared)]
    return Advice(tuple(sentences), tuple(refusals))


_OTHERS = "benchbook run --target PROVIDER:MODEL --target PROVIDER:MODEL --dataset FILE"


def pair_row(a: Contender, b: Contender, axis: str, found: Bounded, gain: Gain) -> dict[str, Any]:
    """A pair of contenders on one axis, b against a."""
    turned = gain.turned()
    return {
        "workload": a.workload,
        "a": a.target,
        "b": b.target,
        "axis": axis,
        "kind": "difference" if axis in DIFFERENCES else "ratio",
        "cases": found.cases,
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "refused": found.refused,
        "better": "a" if gain.better else "b" if turned.better else None,
    }


def _by_limits(rows: Sequence[Row], wish: Wish) -> Iterator[str]:
    said = " and ".join(_limit(axis, limit) for axis, limit in wish.limits.items())
    good = [row for row in rows if row["meets"] == "yes"]
    unsure = [row["target"] for row in rows if row["meets"] == "cannot tell"]
    if good:
        best = min(good, key=lambda row: (row["cost_usd"] is None, row["cost_usd"] or 0.0, row["target"]))
        others = f", of {len(good)} the one that costs least" if len(good) > 1 and best["cost_usd"] is not None else ""
        yield f"Take {best['target']}: it meets {said} for sure{others}."
    elif unsure:
        yield f"No target meets {said} for sure; of {_listed(unsure)} these trials can't tell."
    elif rows:
        yield f"No target meets {said}: each of them misses a limit for sure."
    missing = [row["target"] for row in rows if row["meets"] == "no"]
    if missing and (good or unsure):
        yield f"{_listed(missing)}: a limit is missed for sure."
    if good and unsure:
        yield f"{_listed(unsure)}: these trials can't tell."


def _by_front(rows: Sequence[Row], wish: Wish) -> Iterator[str]:
    front = [row for row in rows if row["standing"] == "front"]
    if len(rows) < 2:
        return
    if len(front) == 1:
        rest = [row for row in rows if row is not front[0]]
        sure = all(row["standing"] == "dominated" for row in rest)
        doubt = "" if sure else " as far as these trials tell"
        yield f"Take {front[0]['target']}: every other target is worse somewhere and better nowhere{doubt}."
        return
    yield f"No target is best at everything: {_listed([row['target'] for row in front])} are at the front."
    parts = []
    latency = next((name for name in (wish.latency, "wall_ms") if rows[0][f"{name}_p50"] is not None), wish.latency)
    for axis, what in (("score", "best score"), ("cost_usd", "cheapest"), (f"{latency}_p50", "fastest")):
        known = [row for row in front if row[axis] is not None]
        if known:
            best = (max if axis == "score" else min)(known, key=lambda row: row[axis])
            parts.append(f"{what} {best['target']} ({_amount(axis, best)})")
    if parts:
        yield f"By estimate: {', '.join(parts)}."


def _standings(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        by = _listed(row["dominated_by"])
        if row["standing"] == "dominated":
            yield f"{row['target']} is dominated by {by}: worse for sure on some axis, on none better by the margin."
        elif row["standing"] == "may be dominated":
            yield f"{row['target']} may be dominated by {by}: the estimates say so, the intervals don't settle it."


def _savings(rows: Sequence[Row], against: Against, wish: Wish, again: str) -> Iterator[str | Refusal]:
    """Each pair of which one costs less for sure, the larger saving first."""
    found = []
    for (workload, one, other), axes in against.items():
        if workload == rows[0]["workload"]:
            for a, b, seen in ((one, other, axes), (other, one, _inverted(axes))):
                cost = seen["cost_usd"]
                if cost.high is not None and cost.high < 1 and wish.reference in (None, a):
                    found.append((cost.value or 0.0, a, b, seen))
    named = {row["target"]: row for row in rows}
    for _, a, b, seen in sorted(found, key=lambda part: part[:3]):
        if named[b]["standing"] == "dominated" and wish.reference is None:
            continue
        yield _saving(named[a], named[b], seen, wish) or _no_saving(a, b, seen["score"], wish, again)


def _saving(a: Row, b: Row, seen: Mapping[str, Bounded], wish: Wish) -> str | None:
    """b in the place of a, in a sentence; None where the quality is not shown to hold."""
    score, cost = seen["score"], seen["cost_usd"]
    if score.low is None or score.high is None or score.low <= -wish.score_margin:
        return None
    within = f"{100 * wish.score_margin:g} points"
    on = f"in quality on these {score.cases} cases"
    if score.high < wish.score_margin:
        quality = f"equivalent to {a['target']} {on} within {within} ({_points(score)})"
    elif score.low > 0:
        quality = f"better than {a['target']} {on} ({_points(score)})"
    else:
        quality = f"not worse than {a['target']} {on} by {within} ({_points(score)})"
    said = f"{b['target']} is {quality}, at {_percents(cost)}"
    return said + "".join(f"; {part}" for part in (*_besides(a, b, seen), *_money(a, b, wish))) + "."


def _besides(a: Row, b: Row, seen: Mapping[str, Bounded]) -> Iterator[str]:
    """What else changes with the choice, where the intervals show it."""
    for axis, ratio in seen.items():
        if not axis.endswith(("_p50", "_p95")):
            continue
        if ratio.value is not None and ratio.low is not None and ratio.high is not None:
            known = ratio.low > 1 or ratio.high < 1
            word = f"{ratio.value:.2f} times ({ratio.low:.2f} to {ratio.high:.2f})" if known else "no difference shown"
            yield f"{_SAID[axis]} {word}"
    failures = seen["failure_share"]
    if failures.low is not None and failures.low > 0:
        yield f"it fails more often ({100 * b['failure_share']:.1f} % against {100 * a['failure_share']:.1f} %)"


def _money(a: Row, b: Row, wish: Wish) -> Iterator[str]:
    if wish.volume is None or a["monthly_usd"] is None or b["monthly_usd"] is None:
        return
    yield f"{_monthly(b)} a month in the place of {_monthly(a)}"


def _monthly(row: Row) -> str:
    low, high = row["monthly_usd_low"], row["monthly_usd_high"]
    spread = "" if low is None or high is None else f" ({_dollars(low)} to {_dollars(high)})"
    return f"{_dollars(row['monthly_usd'])}{spread}"


def _dollars(usd: float) -> str:
    return f"${usd:,.0f}" if usd >= 100 else f"${usd:,.2f}"


def _no_saving(a: str, b: str, score: Bounded, wish: Wish, again: str) -> Refusal:
    """Why a cheaper target is not recommended in another's place."""
    about = f"{b} in the place of {a}"
    points = f"{100 * wish.score_margin:g} points"
    if score.value is None:
        reason, command = _supplied(score.refused or "unknown", again, None)
        return Refusal(about, f"it costs less, and its quality can't be held against {a}'s: {reason}", command)
    if score.high is not None and score.high < 0:
        return Refusal(
            about, f"it costs less, and scores worse for sure ({_points(score)})", "benchbook history scores"
        )
    needed = cases_needed(score, wish.score_margin)
    seen = f"the score differs by {_points(score)}, on {score.cases} cases, which is not within {points}"
    if needed is None:
        return Refusal(about, f"it costs less, and {seen}", "benchbook history scores")
    return Refusal(
        about, f"it costs less, and {seen}; about {needed} cases like these would tell", f"{again} --dataset FILE"
    )


def _lacking(rows: Sequence[Row], again: str) -> Iterator[Refusal]:
    """What no target, or some, have no number or interval for; alike reasons together."""
    found: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row["standing"] == "not comparable":
            yield Refusal(
                str(row["target"]), f"every one of its {row['attempted']} trials failed", "benchbook history failures"
            )
            continue
        for axis in _SAID:
            if row[f"{axis}_refused"]:
                found[axis, row[f"{axis}_refused"]].append(row)
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (axis, reason), lacking in found.items():
        alike[reason, tuple(row["target"] for row in lacking)].append(_SAID[axis])
    every = tuple(row["target"] for row in rows if row["standing"] != "not comparable")
    cases = max((row["cases"] for row in rows), default=0)
    for (reason, names), axes in alike.items():
        whose = "every target" if names == every and len(every) > 1 else _listed(names)
        yield Refusal(f"{_listed(axes)} of {whose}", *_supplied(reason, again, cases))


_SAID = {
    "score": "score",
    "e2e_ms_p50": "e2e_ms p50",
    "e2e_ms_p95": "e2e_ms p95",
    "ttft_ms_p50": "ttft_ms p50",
    "ttft_ms_p95": "ttft_ms p95",
    "wall_ms_p50": "wall_ms p50",
    "wall_ms_p95": "wall_ms p95",
    "cost_usd": "cost",
    "cost_usd_per_solved": "cost of a solved task",
    "monthly_usd": "monthly cost",
}


def _supplied(reason: str, again: str, cases: int | None) -> tuple[str, str]:
    """A reason with what would help, and the command that supplies it."""
    needs = re.match(r"needs (\d+), has (\d+)", reason)
    if needs and cases:
        return reason, f"{again} -n {math.ceil(int(needs[1]) / cases)}"
    found = next((supply for part, supply in _SUPPLIES.items() if part in reason), ("", "{again}"))
    return reason + found[0], found[1].format(again=again)


_SUPPLIES = {
    "test cases": ("; take a dataset with more", "{again} --dataset FILE"),
    "scored": ("; give the cases `expected`, `references` or a `scorer`", "{again}"),
    "price": ("; or name one in the plan, price: FILE#PROVIDER/MODEL", "benchbook recommend --prices FILE"),
    "stream": ("", "{again} --stream"),
    "cost of": ("", "benchbook history failures"),
    "succeeded": ("", "benchbook history failures"),
    "solved": ("", "benchbook history scores"),
}
"""What a reason says -> what else is to be said, and the command that helps."""


def _inverted(axes: Mapping[str, Bounded]) -> dict[str, Bounded]:
    """a against b, from b against a."""
    found = {}
    for axis, one in axes.items():
        parts = (one.value, one.high, one.low)
        turned = [None if x is None else -x if axis in DIFFERENCES else (1 / x if x else None) for x in parts]
        found[axis] = Bounded(one.cases, turned[0], turned[1], turned[2], one.refused)
    return found


def _limit(axis: str, limit: float) -> str:
    if axis == "score":
        return f"score >= {limit:g}"
    return f"{_SAID.get(axis, axis.replace('_', ' '))} <= {limit:g}"


def _amount(axis: str, row: Row) -> str:
    low, high = row[f"{axis}_low"], row[f"{axis}_high"]
    digits = ".2f" if axis == "score" else ".3g" if axis == "cost_usd" else ",.0f"
    unit = {"score": ("", ""), "cost_usd": ("$", "")}.get(axis, ("", " ms"))
    spread = "" if low is None or high is None else f", {low:{digits}} to {high:{digits}}"
    return f"{unit[0]}{row[axis]:{digits}}{spread}{unit[1]}"


def _points(found: Bounded) -> str:
    low, high = found.low or 0.0, found.high or 0.0
    return f"{100 * (found.value or 0):+.1f} points, {100 * low:+.1f} to {100 * high:+.1f}"


def _percents(found: Bounded) -> str:
    """`41 % of the cost (39 to 43)`, with as many digits as tell its ends apart."""
    parts = [100 * (part or 0.0) for part in (found.value, found.low, found.high)]
    digits = next((digits for digits in range(3) if f"{parts[1]:.{digits}f}" != f"{parts[2]:.{digits}f}"), 0)
    value, low, high = (f"{part:.{digits}f}" for part in parts)
    return f"{value} % of the cost ({low} to {high})"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else ""
