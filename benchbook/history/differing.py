"""What differs between two sides beside the numbers: code, data, libraries, price, the model served, the host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchbook.history.facts import BIAS, Fact, Facts, as_uncertain, gathered, of_answer, of_run, of_target, said

Row = Mapping[str, Any]

SERVED = """
select distinct run_id, target, model_requested, model_served, system_fingerprint
from calls
where error_kind is null
order by all
"""
"""What answered: per run and target."""


def differences(
    a: Sequence[Row], b: Sequence[Row], served: Sequence[Row], targets: Sequence[tuple[str, str]]
) -> list[dict[str, str]]:
    """A row per fact that differs between the sides (rows of `runs`), for these pairs of targets: `what`, `a`, `b`.

    served: rows of SERVED, of both sides.
    A side of several runs says every value it has. A fact that one side does not know is said as `-`.
    """
    of_a, of_b = (gathered(_facts(side, served, [pair[at] for pair in targets])) for at, side in enumerate((a, b)))
    left_out = BIAS if as_uncertain((*a, *b)) else None
    facts = [fact for fact in dict.fromkeys((*of_a, *of_b)) if fact != left_out and of_a.get(fact) != of_b.get(fact)]
    return [
        {"what": fact[1], "a": said(of_a.get(fact, ())) or "-", "b": said(of_b.get(fact, ())) or "-"} for fact in facts
    ]


def _facts(runs: Sequence[Row], served: Sequence[Row], targets: Sequence[str]) -> Facts:
    """Every value that the side has of a fact. Of targets the facts go by their place in the pair, so that two targets
    of different names are held against each other."""
    for run in runs:
        yield from of_run(run)
        for place, target in enumerate(targets):
            yield from _marked(of_target(run, target), place, targets)
    ids = {run["run_id"] for run in runs}
    for row in served:
        for place, target in enumerate(targets):
            if row["run_id"] in ids and row["target"] == target:
                yield from _marked(of_answer(row), place, targets)


def _marked(found: Facts, place: int, targets: Sequence[str]) -> Iterator[tuple[Fact, str]]:
    """Facts of one of several targets name it."""
    mark = f" of {targets[place]}" if len(targets) > 1 else ""
    return (((whose, f"{what}{mark}"), value) for (whose, what), value in found)
