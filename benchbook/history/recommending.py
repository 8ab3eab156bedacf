"""Which target to take: quality, latency, cost and reliability of comparable targets, side by side, with intervals.

Targets are compared on the test cases that they share; the case is the cluster. What the stored runs can't carry is
refused, with the reason and the command that would supply what is lacking; no number stands in for it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchbook.config.prices import OLD_DAYS, age_days
from benchbook.errors import UserError
from benchbook.history.advice import Refusal, Wish, advice, pair_row
from benchbook.history.contenders import TRIALS, Chosen, Contender, contenders, rivals
from benchbook.history.frozen import frozen
from benchbook.history.questions import ask, select
from benchbook.history.repricing import PlanPrices, plan_prices, repriced, table_of
from benchbook.history.selecting import select_side
from benchbook.history.series import AGAIN
from benchbook.history.weighing import (
    ALL_LATENCIES,
    LATENCIES,
    MARGINS,
    Levels,
    Scale,
    axes_of,
    columns,
    cost_a_token,
    cost_a_trial,
    gains,
    share_of,
)
from benchbook.measure.provenance import Known
from benchbook.records import Price
from benchbook.stats.joint import Bounded, ratio
from benchbook.stats.pareto import Gain, standings
from benchbook.stats.spread import RECENT

Row = Mapping[str, Any]

NEWEST = 5
"""Runs that are taken where no side is named: the newest of the newest run's workload."""

_RUNS = """
select run_id, started_at, status, verdict, workload_hash, sweep_id, plan
from runs
order by started_at, run_id
"""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """rows: one a target and workload, best first; pairs: one a pair of them and axis; sentences: what may be said, the
    answer first; refusals: what may not; notes: what a reader must know beside it."""

    runs: tuple[str, ...]
    workload_hash: str | None
    rows: tuple[Row, ...]
    pairs: tuple[Row, ...]
    sentences: tuple[str, ...]
    refusals: tuple[Refusal, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Taken:
    """Fit runs of one workload. chosen: run -> what is taken of it; runs: their rows, oldest first; stored: all."""

    chosen: Mapping[str, Sequence[Chosen]]
    runs: Sequence[Row]
    notes: tuple[str, ...]
    refusals: tuple[Refusal, ...]
    stored: Sequence[Row]

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(run["run_id"] for run in self.runs)


def recommendation(results: str | Path, wish: Wish | None = None) -> Recommendation:
    """Compare the targets of comparable runs. Raises UserError for a side that selects nothing, and unlike workloads.

    A row has: target, workload, provider, model, runs (how many), cases, attempted, succeeded, failed; of each axis
    (`score`; LATENCY_p50 and LATENCY_p95 of e2e_ms and ttft_ms, or of a team's trials of wall_ms; `cost_usd` a trial;
    `cost_usd_per_solved`; `failure_share`) NAME, NAME_low, NAME_high, NAME_refused; price_date; standing (`front`,
    `may be dominated`, `dominated`, `not comparable`), dominated_by (targets), meets (whether the limits are met:
    `yes`, `no`, `cannot tell`; None without limits), monthly_usd with its three; tokens_in, tokens_out and
    output_per_input, cached_share, verbosity (characters of answers over those of references) and
    verbosity_to_cheapest, each with its three.

    A pair has: workload, a, b (targets), axis, kind (`ratio`, `difference`: b against a), cases, value, low, high,
    refused, and better (`a`, `b`, or None).
    """
    wish = wish or Wish()
    if wish.latency not in LATENCIES:
        raise UserError(wish.latency, "is no latency to recommend by", f"one of {', '.join(LATENCIES)}")
    taken = _taken(Path(results), wish)
    if not taken.runs:
        return Recommendation((), None, (), (), (), taken.refusals, taken.notes)
    plans = {run["run_id"]: plan_prices(run["plan"]) for run in taken.runs}
    costs, price_notes = _costs(Path(results), wish, taken, plans)
    trials = [row for row in select(Path(results), TRIALS, runs=taken.ids) if not row["target"].endswith(AGAIN)]
    found = contenders(trials, taken.chosen, costs)
    if not found:
        none = Refusal("every selected run", "it holds no measured trial", _commands(taken.runs[-1]))
        return Recommendation(taken.ids, taken.runs[-1]["workload_hash"], (), (), (), (none,), taken.notes)
    if wish.reference is not None and wish.reference not in {one.target for one in found}:
        names = ", ".join(sorted({one.target for one in found}))
        raise UserError(f"--reference {wish.reference}", "is no target of these runs", f"one of {names}")
    scale = Scale(
        wish.latency,
        wish.confidence,
        {**MARGINS, "score": wish.score_margin},
        _levels(Path(results), taken),
        {run["run_id"]: _session(run) for run in taken.runs},
    )
    rows, weighed, against = _weighed(found, scale, wish)
    said = advice(rows, against, wish, _commands(taken.runs[-1]))
    notes = (*taken.notes, *price_notes, *_reservations(taken, found, scale))
    refusals = (*taken.refusals, *said.refusals)
    workload_hash = taken.runs[-1]["workload_hash"]
    return Recommendation(taken.ids, workload_hash, tuple(rows), tuple(weighed), said.sentences, refusals, notes)


def _taken(results: Path, wish: Wish) -> _Taken:
    """The fit runs that the wish selects, all of one workload hash."""
    stored = {row["run_id"]: row for row in select(results, _RUNS)}
    chosen: dict[str, list[Chosen]] = defaultdict(list)
    for words in wish.sides:
        side = select_side(results, words)
        for run_id in side.runs:
            chosen[run_id].append(Chosen(side.target, side.workload))
    if not stored:
        raise UserError(str(results), "there is no stored run to recommend from", "measure one with `benchbook run`")
    listed = [row for run_id, row in stored.items() if run_id in chosen or not wish.sides]
    notes: list[str] = []
    refusals: list[Refusal] = []
    fit: list[Row] = [row for row in listed if _unfit(row) is None]
    left_out = [(row, why) for row in listed if (why := _unfit(row)) is not None]
    if not wish.sides:
        fit = _newest_alike(fit)
        first = fit[0]["started_at"] if fit else None
        left_out = [(row, why) for row, why in left_out if first is None or (row["started_at"] or first) >= first]
    for row, why in left_out:
        notes.append(f"run {row['run_id']} is left out: it {why}")
    if not fit:
        why = "; ".join(dict.fromkeys(f"run {row['run_id']} {why}" for row, why in left_out[-3:]))
        last = left_out[-1][0]["run_id"] if left_out else "latest"
        refusals.append(Refusal("every selected run", f"none can be used: {why}", f"benchbook show {last}"))
    hashes = {row["workload_hash"] for row in fit}
    if len(hashes) > 1:
        first, other = fit[0], next(row for row in fit if row["workload_hash"] != fit[0]["workload_hash"])
        raise UserError(
            f"{first['run_id']} and {other['run_id']}",
            "unlike workloads: what was asked of the targets differs",
            f"take one of them, e.g. workload_hash={str(other['workload_hash'])[:12]}",
        )
    all_of = [Chosen(None, None)]
    wanted = {row["run_id"]: chosen.get(row["run_id"], all_of) for row in fit}
    return _Taken(wanted, fit, tuple(notes), tuple(refusals), tuple(stored.values()))


def _unfit(run: Row) -> str | None:
    """Why a run is no ground for a recommendation."""
    if run["status"] != "finished":
        return f"did not finish ({run['status'] or 'unknown'})"
    if run["verdict"] == "INVALID":
        return "is INVALID"
    return None if run["workload_hash"] else "has an unknown workload"


def _newest_alike(fit: Sequence[Row]) -> list[Row]:
    newest = fit[-1]["workload_hash"] if fit else None
    return [row for row in fit if row["workload_hash"] == newest][-NEWEST:]


def _costs(
    results: Path, wish: Wish, taken: _Taken, plans: Mapping[str, PlanPrices]
) -> tuple[dict[tuple[str, str], Known] | None, list[str]]:
    """The costs to take in the place of the stored ones, None for the stored ones; and what is to be said of prices."""
    if wish.prices is not None:
        table = table_of(wish.prices, plans)
        said = f"costs are recomputed from token counts at the prices of {wish.prices}; stored rows stay as they are"
        return repriced(results, taken.ids, table), [said]
    notes: list[str] = []
    newest: dict[str, tuple[str, Price]] = {}
    for run in taken.runs:
        for target, price in plans[run["run_id"]].vectors.items():
            if target in newest and newest[target][1] != price:
                notes.append(
                    f"the price of {target} changed between run {newest[target][0]} ({newest[target][1].date}) and run "
                    f"{run['run_id']} ({price.date}): all costs here are at the newer one"
                )
            newest[target] = (run["run_id"], price)
            age = age_days(price.date, run["started_at"].date()) if isinstance(run["started_at"], datetime) else None
            if age is not None and age > OLD_DAYS:
                notes.append(
                    f"the price of {target} was {age} days old when run {run['run_id']} started ({price.date})"
                )
    if not any("changed between" in note for note in notes):
        return None, notes
    priced = {target: price for target, (_, price) in newest.items()}
    return repriced(results, taken.ids, lambda _run, target: priced.get(target)), notes


def _levels(results: Path, taken: _Taken) -> Levels:
    """The levels of fit runs of this workload, the newest of them, those of one sweep or experiment as one."""
    alike = [row for row in taken.stored if row["workload_hash"] == taken.runs[-1]["workload_hash"]]
    newest = [row for row in alike if _unfit(row) is None][-RECENT:]
    sessions = {row["run_id"]: _session(row) for row in newest}
    found: dict[tuple[str, str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in ask("levels", results, runs=tuple(sessions)):
        if row["metric"] in ALL_LATENCIES and row["level"] is not None:
            found[row["target"], row["workload"], row["metric"]][sessions[row["run_id"]]].append(row["level"])
    order = list(dict.fromkeys(sessions.values()))
    return {
        key: {session: math.fsum(of[session]) / len(of[session]) for session in order if session in of}
        for key, of in found.items()
    }


def _session(run: Row) -> str:
    """Runs of one sweep or experiment share their hour, and are one observation of how runs differ."""
    return str(run["sweep_id"] or run["run_id"])


def _weighed(
    found: Sequence[Contender], scale: Scale, wish: Wish
) -> tuple[list[dict[str, Any]], list[Row], dict[tuple[str, str, str], Mapping[str, Bounded]]]:
    """The rows, the pairs as rows, and (workload, a, b) -> axis -> b against a."""
    usable = [one for one in found if one.good]
    cheapest = {one.workload: _cheapest(one, usable, scale) for one in usable}
    rows = {_key(one): _row(one, scale, wish, cheapest.get(one.workload)) for one in found}
    told = {axis for one in found for axis in scale.axes(one) if rows[_key(one)][axis] is not None}
    known: dict[tuple[tuple[str, str], tuple[str, str]], Mapping[str, Gain]] = {}
    against: dict[tuple[str, str, str], Mapping[str, Bounded]] = {}
    pairs: list[Row] = []
    for a, b in rivals(usable):
        weighed = gains(a, b, scale)
        against[a.workload, a.target, b.target] = {axis: bounded for axis, (bounded, _) in weighed.items()}
        pairs += [pair_row(a, b, axis, *of_axis) for axis, of_axis in weighed.items()]
        known[_key(a), _key(b)] = {axis: gain for axis, (_, gain) in weighed.items() if axis in told}
    standing = standings([_key(one) for one in usable], known)
    for key, stands in standing.items():
        rows[key] |= {"standing": stands.word, "dominated_by": [name for _, name in stands.by]}
    return sorted(rows.values(), key=_place), pairs, against


def _place(row: Row) -> tuple[Any, ...]:
    """Where a row stands among the others: the best first, then the cheaper."""
    order = ("front", "may be dominated", "dominated", "not comparable").index(row["standing"])
    cost = row["cost_usd"]
    return row["workload"], order, cost is None, cost or 0.0, row["target"]


def _key(one: Contender) -> tuple[str, str]:
    return one.workload, one.target


def _cheapest(one: Contender, found: Sequence[Contender], scale: Scale) -> Contender | None:
    """Of the same workload, the one that costs least a trial."""
    costs = [(cost_a_trial(rival, scale.confidence).value, rival) for rival in found if rival.workload == one.workload]
    known = [(cost, rival.target, rival) for cost, rival in costs if cost is not None]
    return min(known, key=lambda part: part[:2])[2] if known else None


def _row(one: Contender, scale: Scale, wish: Wish, cheapest: Contender | None) -> dict[str, Any]:
    dates = {row["price_date"] for row in one.rows if row["price_date"]}
    row: dict[str, Any] = {
        "target": one.target,
        "workload": one.workload,
        "provider": ", ".join(one.names("provider")),
        "model": ", ".join(one.names("model")),
        "runs": len(one.runs),
        "cases": len(one.cases),
        "attempted": len(one.rows),
        "succeeded": len(one.good),
        "failed": one.failed,
        **axes_of(one, scale),
        "price_date": max(dates, default=None) if wish.prices is None else None,
        "standing": "not comparable",
        "dominated_by": [],
        "tokens_in": _mean(one, "tokens_in"),
        "tokens_out": _mean(one, "tokens_out"),
    }
    row |= columns("monthly_usd", _monthly(one, wish))
    for name, above, below in _USE:
        row |= columns(name, share_of(one, above, below, wish.confidence))
    row |= columns("verbosity_to_cheapest", _beside(one, cheapest, wish.confidence))
    row["meets"] = _meets(row, wish.limits) if wish.limits else None
    return row


_USE = (
    ("output_per_input", "tokens_out", "tokens_in"),
    ("cached_share", "tokens_cached", "tokens_in"),
    ("verbosity", "answer_chars", "reference_chars"),
)


def _mean(one: Contender, column: str) -> float | None:
    known = [row[column] for row in one.good if row[column] is not None]
    return math.fsum(known) / len(known) if known else None


def _monthly(one: Contender, wish: Wish) -> Bounded:
    """What the volume costs, if the traffic is like these cases."""
    if wish.volume is None:
        return Bounded(0)
    unit = cost_a_token(one, wish.confidence) if wish.unit == "tokens" else cost_a_trial(one, wish.confidence)
    value, low, high = (None if x is None else x * wish.volume for x in (unit.value, unit.low, unit.high))
    return Bounded(unit.cases, value, low, high, unit.refused)


def _beside(one: Contender, cheapest: Contender | None, confidence: float) -> Bounded:
    """Tokens of its answers over those of the cheapest target's, each shared case weighing the same on both sides."""
    if cheapest is None:
        return Bounded(0, refused="no cost is known, so none is the cheapest")
    sides = [
        {case: math.fsum(values) / len(values) for case, values in side.values("tokens_out").items()}
        for side in (one, cheapest)
    ]
    shared = [case for case in sides[0] if case in sides[1]]
    if not shared:
        return Bounded(0, refused="tokens are not reported")
    return ratio([sides[0][case] for case in shared], [sides[1][case] for case in shared], confidence)


def _meets(row: Row, limits: Mapping[str, float]) -> str:
    """Whether every limit is met for sure, one is missed for sure, or it can't be told."""
    words = set()
    for axis, limit in limits.items():
        low, high = row[f"{axis}_low"], row[f"{axis}_high"]
        if low is None or high is None:
            words.add("cannot tell")
        elif axis == "score":
            words.add("yes" if low >= limit else "no" if high < limit else "cannot tell")
        else:
            words.add("yes" if high <= limit else "no" if low > limit else "cannot tell")
    return next(word for word in ("no", "cannot tell", "yes") if word in words)


def _commands(run: Row) -> str:
    """The command that measures the plan of a stored run again."""
    source = frozen(run["plan"]).get("source", "")
    usual = source in ("", "params.yaml", "command line")
    return "benchbook run" if usual else f"benchbook run --plan {source}"


def _reservations(taken: _Taken, found: Collection[Contender], scale: Scale) -> list[str]:
    """What a reader must know beside the rows."""
    notes = []
    for verdict in dict.fromkeys(run["verdict"] for run in taken.runs if run["verdict"] != "VALID"):
        of_it = [run["run_id"] for run in taken.runs if run["verdict"] == verdict]
        named = of_it[0] if len(of_it) == 1 else f"{len(of_it)} runs ({of_it[0]} to {of_it[-1]})"
        notes.append(f"{named} {'is' if len(of_it) == 1 else 'are'} {verdict}: see `benchbook show {of_it[-1]}`")
    if len({_session(run) for run in taken.runs}) == 1:
        whole = "one run" if len(taken.runs) == 1 else "runs of one experiment"
        said = f"{whole}: latencies and failures are of that time; another run says whether they stay"
        known = any(len(levels) > 1 for levels in scale.levels.values())
        notes.append(said + ("" if known else ", and how far runs lie apart is unknown"))
    apart = {one.runs for one in found}
    if len(apart) > 1:
        notes.append(
            "the targets were not all measured in the same runs: what the time did to each is in their differences"
        )
    notes += [
        f"target {one.target} is of several models in these runs: {', '.join(one.names('model'))}"
        for one in found
        if len(one.names("model")) > 1
    ]
    failed = [f"{one.target} {one.failed} of {len(one.rows)}" for one in found if one.failed and one.good]
    if failed:
        notes.append(f"failed trials, which scores and latencies leave out: {', '.join(failed)}")
    return notes
