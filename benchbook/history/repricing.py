"""What stored runs would have cost at other prices. Token counts are stored with every call; stored rows stay as they
are.

A price table is a dated file as under datasets/prices/. A target's entry there is the one that its plan named (what
stands behind the #), else PROVIDER/MODEL.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchbook.config.prices import read_prices
from benchbook.history.frozen import frozen
from benchbook.history.questions import select
from benchbook.measure.cost import cost_usd, summed
from benchbook.measure.provenance import Known
from benchbook.records import Price, Usage

Priced = Callable[[str, str], Price | None]
"""(run id, target) -> the price vector to take; None where there is none."""

_CALLS = """
select
    c.run_id, c.trial_id, coalesce(c.target, t.target) as target,
    c.error_kind is null or coalesce(len(c.chunk_kinds), 0) > 0 as counts,
    c.tokens_in, c.tokens_cached, c.tokens_cache_write, c.tokens_out, c.tokens_reasoning
from calls as c join trials as t on t.run_id = c.run_id and t.trial_id = c.trial_id
where t.phase = 'measured'
order by c.run_id, c.trial_id, c.turn, c.attempt, c.call_id
"""


@dataclass(frozen=True, slots=True)
class PlanPrices:
    """What a stored plan says of its targets' prices. vectors: target -> its price; keys: target -> the keys under
    which another table may have it."""

    vectors: Mapping[str, Price]
    keys: Mapping[str, tuple[str, ...]]


def plan_prices(plan: str | None) -> PlanPrices:
    """The prices in a row of `runs`; none where the plan is not there or is of another form."""
    try:
        told = frozen(plan)
        fields = Price.__slots__
        vectors = {
            name: Price(**{field: found.get(field) for field in fields if field != "source"})
            for name, found in (told.get("prices") or {}).items()
        }
        targets = told.get("sections", {}).get("execute", {}).get("targets", [])
        return PlanPrices(vectors, {spec["name"]: _keys(spec) for spec in targets})
    except (ValueError, TypeError, AttributeError, KeyError):
        return PlanPrices({}, {})


def table_of(path: str, plans: Mapping[str, PlanPrices]) -> Priced:
    """The prices of the file at `path`, for the targets of these runs' plans. Raises PlanError for a bad file."""
    table = read_prices(path)

    def priced(run_id: str, target: str) -> Price | None:
        keys = plans[run_id].keys.get(target, ()) if run_id in plans else ()
        return next((table[key] for key in keys if key in table), None)

    return priced


def repriced(results: str | Path, runs: Collection[str], priced: Priced) -> dict[tuple[str, str], Known]:
    """(run id, trial id) -> what the measured trial costs at these prices, with how that is known or why it is not.

    A trial without a stored call is not in it.
    """
    costs: dict[tuple[str, str], list[Known]] = defaultdict(list)
    for row in select(Path(results), _CALLS, runs=runs):
        found = costs[row["run_id"], row["trial_id"]]
        usage = _usage(row)
        if row["counts"] or usage != Usage():
            found.append(cost_usd(priced(row["run_id"], row["target"]), usage))
    return {key: summed(known) for key, known in costs.items()}


def _usage(row: Mapping[str, Any]) -> Usage:
    names = ("input", "cached", "cache_write", "output", "reasoning")
    columns = ("tokens_in", "tokens_cached", "tokens_cache_write", "tokens_out", "tokens_reasoning")
    return Usage(**{name: row[column] for name, column in zip(names, columns, strict=True)})


def _keys(spec: Mapping[str, Any]) -> tuple[str, ...]:
    named = str(spec.get("price") or "").partition("#")[2]
    return tuple(key for key in (named, f"{spec.get('provider')}/{spec.get('model')}") if key)
