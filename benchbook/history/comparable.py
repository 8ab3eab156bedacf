"""Whether two sides asked the same, and which of their runs and cases may be held against each other.

Runs of one workload hash are comparable as they are, case by case. Where no hash is on both sides, but the runs differ
in nothing but which cases they ask, the prompts that both ask in the same manner (text and parameters) are paired, and
that is said. Anything else is refused: no ratio of unlike things.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchbook.errors import BenchbookError, UserError
from benchbook.results.runs import runs as journal_runs

Row = Mapping[str, Any]
FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Paired:
    """The runs of either side that take part, oldest first, and what the reader must know of the choice.

    barred: why nothing may be concluded from them, "" where something may; common: per pair of targets the prompts'
    hashes that both sides ask alike, None where the workloads are one and cases are paired by their names.
    """

    a: tuple[str, ...]
    b: tuple[str, ...]
    hashes: tuple[str, ...]
    barred: str = ""
    notes: tuple[str, ...] = ()
    common: Mapping[tuple[str, str], frozenset[str]] | None = field(default=None)


def paired(results: Path, a: Sequence[Row], b: Sequence[Row], targets: Sequence[tuple[str, str]]) -> Paired:
    """Pair two sides, given as rows of `runs`, for these pairs of targets. Raises UserError where they are unlike."""
    for row in (*a, *b):
        if not row["workload_hash"]:
            raise UserError(row["run_id"], "its workload is unknown", "compare runs that were measured by a plan")
    sides, barred, notes = _fit(a, b)
    found = _one_hash(*sides)
    if found is None:
        return _by_prompts(results, [side[-1] for side in sides], targets, (barred, notes))
    digest, kept = found
    for name, before, after in zip("AB", sides, kept, strict=True):
        if len(after) < len(before):
            gone = len(before) - len(after)
            notes.append(f"{gone} run{'s' if gone > 1 else ''} of {name} asked something else and {_is(gone)} left out")
    return Paired(_ids(kept[0]), _ids(kept[1]), (digest,), barred, tuple(notes))


def _fit(a: Sequence[Row], b: Sequence[Row]) -> tuple[list[Sequence[Row]], str, list[str]]:
    """Both sides without the runs that carry no conclusion; where a side has no other, with them, and barred."""
    sides: list[Sequence[Row]] = []
    barred: list[str] = []
    notes: list[str] = []
    for name, side in zip("AB", (a, b), strict=True):
        unfit = {row["run_id"]: reason for row in side if (reason := _unfit(row))}
        fit = [row for row in side if row["run_id"] not in unfit]
        if not fit:
            barred += [f"run {run_id} is {reason}" for run_id, reason in list(unfit.items())[-1:]]
        elif unfit:
            listed = ", ".join(f"{run_id} ({reason})" for run_id, reason in unfit.items())
            notes.append(f"left out of {name}: {listed}")
        sides.append(fit or side)
    return sides, "; ".join(dict.fromkeys(sorted(barred))), notes


def _unfit(row: Row) -> str:
    if row["verdict"] == "INVALID":
        return "INVALID"
    return "" if row["status"] in (FINISHED, None) else f"not finished ({row['status']})"


def _one_hash(a: Sequence[Row], b: Sequence[Row]) -> tuple[str, tuple[Sequence[Row], Sequence[Row]]] | None:
    """The workload hash that both sides have, of several the one of the newest run; and the runs that have it."""
    both = {row["workload_hash"] for row in a} & {row["workload_hash"] for row in b}
    if not both:
        return None
    digest = max((row["run_id"], row["workload_hash"]) for row in (*a, *b) if row["workload_hash"] in both)[1]
    of_a, of_b = ([row for row in side if row["workload_hash"] == digest] for side in (a, b))
    return str(digest), (of_a, of_b)


def _by_prompts(
    results: Path,
    newest: Sequence[Row],
    targets: Sequence[tuple[str, str]],
    known: tuple[str, list[str]],
) -> Paired:
    """The newest run of either side, paired by the prompts that both ask alike. Raises UserError where there are none,
    or more differs than the cases."""
    ids = [str(row["run_id"]) for row in newest]
    where = f"{ids[0]} and {ids[1]}"
    right = "compare runs of one plan, see `benchbook runs`"
    plans = [_plan(results, run_id, where) for run_id in ids]
    differ = _differing(*plans)
    if differ:
        raise UserError(where, f"unlike workloads: they differ in {', '.join(differ)}", right)
    common = {pair: _alike(plans, pair) for pair in targets}
    most = max(map(len, common.values()), default=0)
    if most == 0:
        raise UserError(where, "unlike workloads: no prompt is asked by both with the same parameters", right)
    asked = [len(plan.prompts) for plan in plans]
    said = (
        f"the workloads differ in their cases: of {asked[0]} cases of A and {asked[1]} of B the {most} prompts that "
        "both ask alike are paired, newest run against newest run"
    )
    hashes = tuple(dict.fromkeys(str(row["workload_hash"]) for row in newest))
    return Paired((ids[0],), (ids[1],), hashes, known[0], (*known[1], said), common)


def _plan(results: Path, run_id: str, where: str) -> Any:
    from benchbook.results.journal import read_run
    from benchbook.runner.stored import stored_plan

    unlike = "unlike workloads: what was asked of the targets differs"
    if run_id not in journal_runs(results):
        raise UserError(where, unlike, f"what {run_id} asked is not in the journal, so nothing can be paired")
    try:
        return stored_plan(read_run(results, run_id))
    except BenchbookError as error:
        raise UserError(where, unlike, f"the plan of {run_id} can't be read ({error})") from None


def _differing(a: Any, b: Any) -> list[str]:
    """What else than the cases makes two plans' workloads unlike."""
    from benchbook.runner.plan import circumstances

    sides = [circumstances(plan.spec) for plan in (a, b)]
    return [name for name in dict.fromkeys((*sides[0], *sides[1])) if sides[0].get(name) != sides[1].get(name)]


def _alike(plans: Sequence[Any], pair: tuple[str, str]) -> frozenset[str]:
    from benchbook.runner.plan import asked_of

    sides = [asked_of(plan, target) if target in plan.targets else {} for plan, target in zip(plans, pair, strict=True)]
    return frozenset(prompt for prompt, manner in sides[0].items() if sides[1].get(prompt) == manner)


def _ids(rows: Sequence[Row]) -> tuple[str, ...]:
    return tuple(str(row["run_id"]) for row in rows)


def _is(count: int) -> str:
    return "are" if count > 1 else "is"
