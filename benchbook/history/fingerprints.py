"""Whose change it is: what differs between the facts of two runs, in words.

Ours comes before the machine's and the provider's; what is left where nothing else changed is the provider's. Pure:
from rows of the question `fingerprints`. A difference says what was before and what is now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchbook.history.facts import (
    BIAS,
    MACHINE,
    OURS,
    PROVIDER,
    Fact,
    as_uncertain,
    gathered,
    of_answer,
    of_plan,
    of_run,
    of_target,
    said,
)

Row = Mapping[str, Any]

NOTHING_KNOWN = "unknown"

_WORDS = {OURS: "what we changed", MACHINE: "this machine", PROVIDER: "the provider"}
_MOST = 4


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs. whose: `ours`, `machine` or `provider`; what: its name; before, after: as words."""

    whose: str
    what: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.what} {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True)
class Attribution:
    """To whom a change is put down, in words that stand alone, with the differences that say so.

    whose: `ours`, `machine`, `provider`, or `unknown` where a run's facts are not stored. What changed at the same
    time need not be the cause; the words say only that it did.
    """

    whose: str
    words: str
    differences: tuple[Difference, ...] = ()

    def fields(self) -> dict[str, Any]:
        """As plain data."""
        listed = [
            {"whose": one.whose, "what": one.what, "before": one.before, "after": one.after} for one in self.differences
        ]
        return {"whose": self.whose, "words": self.words, "differences": listed}


def differences(before: Row, after: Row) -> tuple[Difference, ...]:
    """All that differs between the fingerprints of one target in two runs."""
    plans = before["plan_hash"] != after["plan_hash"]
    old, new = (_facts(row, plans=plans) for row in (before, after))
    if as_uncertain((before, after)):
        old.pop(BIAS, None)
        new.pop(BIAS, None)
    changed = [fact for fact in dict.fromkeys((*old, *new)) if old.get(fact) != new.get(fact)]
    words = [[said(side.get(fact, ())) or "none" for side in (old, new)] for fact in changed]
    return tuple(Difference(*fact, *told) for fact, told in zip(changed, words, strict=True))


def _facts(row: Row, *, plans: bool) -> dict[Fact, set[str]]:
    found = [*of_run(row), *of_answer(row)]
    if plans:
        found += [*of_target(row, row["target"]), *of_plan(row)]
    return gathered(found)


def attributed(before: Row | None, after: Row | None, metric: str) -> Attribution:
    """The change of a metric between two neighbouring runs, by what else changed between them."""
    if before is None or after is None:
        return Attribution(NOTHING_KNOWN, "unknown: what a run stood on is not stored")
    found = tuple(one for one in differences(before, after) if metric == "cost_usd" or not one.what.startswith("price"))
    for whose in (OURS, MACHINE, PROVIDER):
        mine = [one for one in found if one.whose == whose]
        if mine:
            return Attribution(whose, f"{_WORDS[whose]}: {_some(mine)}", found)
    return Attribution(PROVIDER, f"the provider: nothing of ours or of this machine changed{_said(after)}")


def _some(found: Sequence[Difference]) -> str:
    told = "; ".join(str(one) for one in found[:_MOST])
    return told + (f"; and {len(found) - _MOST} more" if len(found) > _MOST else "")


def _said(row: Row) -> str:
    """What the answers said of themselves, before and after the same."""
    models, prints = list(row["models_served"] or []), list(row["system_fingerprints"] or [])
    told = [f"model served still {', '.join(models)}"] if models else []
    told += [f"system fingerprint still {', '.join(prints[:2])}"] if prints else []
    return f" ({'; '.join(told)})" if told else ""
