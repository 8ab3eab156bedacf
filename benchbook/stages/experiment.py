"""An experiment: A against B, round by round, until all rounds are done, the money is, or the answer is known.

A round is a run of its own in which the two targets take turns in blocks of A B B A, with the same test cases in the
same order; its manifest names the experiment, and nothing else is kept: what has been done is what the manifests say.
So an experiment that was interrupted or killed goes on where it stopped, a half-done round with its own order. Each
round draws its order anew, from the plan's seed, the experiment and its number.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from benchbook import clock
from benchbook.config import PlanSpec, apply_overrides, build_plan
from benchbook.errors import EXIT_CANNOT_TELL, PlanError
from benchbook.history.comparing import compare_sides
from benchbook.history.experiments import Look, Pair, looks, rounds, settled
from benchbook.history.null_runs import realised
from benchbook.history.rules import Rules
from benchbook.history.selecting import Side
from benchbook.history.series import AGAIN
from benchbook.results import journal
from benchbook.runner.plan import derived_seed
from benchbook.stages import Executed, Job, OnProgress
from benchbook.stages.aggregate import aggregate
from benchbook.stages.execute import execute_apart
from benchbook.stages.points import Means, Measure, document_of, finished, kept, manifests
from benchbook.stages.store import store
from benchbook.stages.validate import validate
from benchbook.stats.verdicts import Margins

AB, AA = "ab", "aa"
OnRound = Callable[[int, str], None]
"""Takes a round's number and what becomes of it."""
_SETTINGS = ("params", "model", "base_url", "wire", "region", "price", "stream", "api_key_env", "provider")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for. a, b: targets of the plan; a_set, b_set: settings of a target that differ (`params.x=1`).

    rounds: at most; budget_usd: for all rounds together; stop_early: stop when the answer is known; margin: a median
    that moves by less is called alike; None: as the plan's `aggregate.margin_median` has it.
    """

    a: str
    b: str
    a_set: tuple[str, ...] = ()
    b_set: tuple[str, ...] = ()
    rounds: int = 8
    budget_usd: float | None = None
    stop_early: bool = False
    margin: float | None = None


@dataclass(frozen=True, slots=True)
class Experiment:
    """kind: `ab` or `aa`; document: the plan of every round as plain data, without its seed; pair: the targets' names
    in it."""

    experiment_id: str
    kind: str
    document: Mapping[str, Any]
    source: str
    pair: Pair
    wish: Wish
    results: str
    means: Means = field(default_factory=Means, compare=False)
    measure: Measure = field(default=execute_apart, compare=False)

    def job(self, number: int, **changes: Any) -> Job:
        """The job of the round with this number, from 1."""
        execute = dict(self.document["execute"])
        execute["seed"] = derived_seed(execute["seed"], self.experiment_id, number)
        origin = {
            "sweep_id": self.experiment_id,
            "sweep_axis": self.kind,
            "sweep_value": number,
            "experiment": {**asdict(self.wish), "pair": asdict(self.pair), "seed": self.document["execute"]["seed"]},
        }
        document = {**self.document, "execute": execute}
        return Job(plan=self.source, document=document, results=self.results, origin=origin, **changes)

    def spec(self) -> PlanSpec:
        """The validated plan of a round. Raises PlanError."""
        return build_plan(self.document, self.source)

    @property
    def rules(self) -> Rules:
        """How the plan, and the wish, would have it judged."""
        section = self.spec().aggregate
        median = section.margin_median if self.wish.margin is None else self.wish.margin
        return Rules(
            section.confidence, Margins(median, section.margin_p95, section.margin_share), section.gate or None
        )


@dataclass(frozen=True, slots=True)
class Conducted:
    """status: `finished`, `settled` (stopped early: why), `budget`, `failed` (a side without a success) or
    `interrupted`; runs: of the rounds so far, by number."""

    status: str
    why: str
    runs: dict[int, str]


def begin(kind: str, job: Job, wish: Wish) -> Experiment:
    """A new experiment over two targets of the job's plan, or over two settings of one. Raises PlanError."""
    spec = job.spec()
    document = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    named = {target["name"]: target for target in document["execute"]["targets"]}
    for name in (wish.a, wish.b):
        if name not in named:
            raise PlanError(spec.source, f"has no target {name!r}", f"it has {', '.join(named)}")
    pair = _names(kind, wish)
    sides = [_side(named[wish.a], pair.a, wish.a_set, "--a-set"), _side(named[wish.b], pair.b, wish.b_set, "--b-set")]
    if kind == AB and {**sides[0], "name": ""} == {**sides[1], "name": ""}:
        what = f"{wish.a} and {wish.b} are one and the same"
        raise PlanError("benchbook ab", what, f"name two targets or set something, or `benchbook aa {wish.a}`")
    execute = {**document["execute"], "targets": sides, "order": "abba"}
    experiment_id = f"{kind}-{journal.mint_run_id(clock.SystemClock(), random.SystemRandom())}"
    made = Experiment(experiment_id, kind, {**document, "execute": execute}, spec.source, pair, wish, job.results)
    _require_prices(made.spec(), wish)
    return made


def _names(kind: str, wish: Wish) -> Pair:
    """Two names; of one target with two settings, or against itself, its own with something behind it."""
    if kind == AA:
        return Pair(wish.a, f"{wish.a}{AGAIN}")
    return Pair(wish.a, wish.b) if wish.a != wish.b else Pair(f"{wish.a}~a", f"{wish.a}~b")


def _side(target: Mapping[str, Any], name: str, settings: Sequence[str], option: str) -> dict[str, Any]:
    side = {**target, "params": dict(target.get("params", {})), "name": name}
    for text in settings:
        key = text.partition("=")[0].removeprefix("execute.")
        if key.split(".")[0] not in _SETTINGS:
            right = f"one of {', '.join(_SETTINGS)}, e.g. {option} params.temperature=0.7"
            raise PlanError(f"{option} {text}", "is no setting of a target; all else is the same for both", right)
        apply_overrides(side, [text.removeprefix("execute.")])
    return side


def _require_prices(spec: PlanSpec, wish: Wish) -> None:
    """A cap on money holds only where each call's price is known. Raises PlanError."""
    unknown = [target.name for target in spec.execute.targets if target.name not in spec.prices]
    if wish.budget_usd is not None and unknown:
        what = f"can't hold: target {unknown[0]} has no price"
        raise PlanError(f"--budget-usd {wish.budget_usd:g}", what, "give it one, price: FILE#KEY, or leave the cap out")


def resumed(kind: str, results: str, text: str) -> Experiment:
    """The experiment that `text` names: an id, the start of one, or `latest`. Raises UnknownRunError."""
    manifest = kept(kind, results, text)
    document, source = document_of(manifest)
    asked = dict(manifest["experiment"])
    pair, document["execute"]["seed"] = Pair(**asked.pop("pair")), asked.pop("seed")
    wish = Wish(**{**asked, "a_set": tuple(asked["a_set"]), "b_set": tuple(asked["b_set"])})
    return Experiment(manifest["sweep_id"], kind, document, source, pair, wish, results)


def done(experiment: Experiment) -> dict[int, str]:
    """The run of each round so far, in order of rounds."""
    of_it = [m for m in manifests(Path(experiment.results)) if m["sweep_id"] == experiment.experiment_id]
    return {int(m["sweep_value"]): m["run_id"] for m in sorted(of_it, key=lambda m: int(m["sweep_value"]))}


def conduct(experiment: Experiment, on_round: OnRound, on_progress: OnProgress | None = None) -> Conducted:
    """Measure every round that has no finished run, as far as money and wish allow. An interrupt ends it, between
    rounds too; what was done is kept. Raises UserError."""
    try:
        return _Conduct(experiment, on_round, on_progress).run()
    except KeyboardInterrupt:
        return Conducted("interrupted", "", done(experiment))


class _Conduct:
    """One session of an experiment."""

    def __init__(self, experiment: Experiment, on_round: OnRound, on_progress: OnProgress | None) -> None:
        self._of, self._on_round, self._on_progress = experiment, on_round, on_progress
        self._runs = done(experiment)
        self._measured = 0

    def run(self) -> Conducted:
        ended = self._rounds()
        if self._measured and ended.status in ("finished", "settled"):
            aggregate(self._of.job(1))
        return ended

    def _rounds(self) -> Conducted:
        for number in range(1, self._of.wish.rounds + 1):
            run_id = self._runs.get(number)
            if run_id is not None and finished(Path(self._of.results), run_id):
                store(self._of.job(number), run_id)
                self._on_round(number, "has a finished run")
                continue
            if (ended := self._over() or self._too_dear(run_id)) is not None:
                return ended
            if (status := self._measure(number, run_id)) != "finished":
                return Conducted(status, "", self._runs)
            self._on_round(number, _told(self._rows()[-1]))
        return self._over() or Conducted("finished", "", self._runs)

    def _over(self) -> Conducted | None:
        """Whether more rounds would tell nothing: a side fails altogether, or the answer is known."""
        rows = [row for row in self._rows() if row["status"] == "finished"]
        if rows and (failing := _failing(self._of.pair, rows[-1])) is not None:
            return Conducted("failed", failing, self._runs)
        if self._of.wish.stop_early and (known := settled(look(self._of, rows))):
            return Conducted("settled", known, self._runs)
        return None

    def _measure(self, number: int, run_id: str | None) -> str:
        """Measure a round, or what is missing of it, and store it: how it ended."""
        self._on_round(number, "measuring" if run_id is None else "resuming")
        left_usd = self._left_usd(besides=run_id)
        if not self._measured:
            validate(self._of.job(number))
        job = self._of.job(number, resume=run_id, workers=self._of.means.workers, budget_usd=left_usd)
        executed: Executed = self._of.measure(job, self._on_progress)
        self._runs[number] = executed.run_id
        self._measured += 1
        store(job, executed.run_id)
        return executed.status

    def _rows(self) -> list[dict[str, Any]]:
        return rounds(self._of.results, list(self._runs.values()), self._of.pair)

    def _left_usd(self, besides: str | None = None) -> float | None:
        """What is left of the money; a run that is resumed counts its own earlier sessions itself."""
        if self._of.wish.budget_usd is None:
            return None
        spent = [row["spent_usd"] or 0.0 for row in self._rows() if row["run_id"] != besides]
        return self._of.wish.budget_usd - sum(spent)

    def _too_dear(self, run_id: str | None) -> Conducted | None:
        """Whether the next round would not be whole for its cost: half a round says nothing."""
        left_usd = self._left_usd(besides=run_id)
        if left_usd is None:
            return None
        whole = [row["spent_usd"] or 0.0 for row in self._rows() if row["status"] == "finished"]
        if left_usd <= 0:
            return Conducted("budget", f"${self._of.wish.budget_usd:g} are spent", self._runs)
        if whole and max(whole) > left_usd:
            why = f"a round costs up to ${max(whole):.3g}, and ${left_usd:.3g} are left"
            return Conducted("budget", why, self._runs)
        return None


def _told(row: Mapping[str, Any]) -> str:
    """A finished round in a line."""
    several = len({workload for workload, _ in row["ratios"]}) > 1
    ratios = [
        f"{workload + ' ' if several else ''}{metric} x {ratio:.3g}"
        for (workload, metric), ratio in sorted(row["ratios"].items())
    ]
    said = ", ".join(["B / A", *ratios]) if ratios else "no metric that both sides have"
    return f"{row['verdict']}: {said}" if row["verdict"] != "VALID" else said


def _failing(pair: Pair, row: Mapping[str, Any]) -> str | None:
    """A side without a success: more rounds would cost and tell nothing."""
    for name, side in ((pair.a, row["a"]), (pair.b, row["b"])):
        if not side["attempted"]:
            return f"{name}: no trial of round {row['round']} was sent, all were skipped"
        if not side["succeeded"]:
            return f"{name}: none of {side['attempted']} trials of round {row['round']} succeeded"
    return None


def look(experiment: Experiment, rows: Sequence[Mapping[str, Any]]) -> list[Look]:
    """What the whole and valid rounds say by now, however often one has looked."""
    runs = [row["run_id"] for row in rows if row["status"] == "finished" and row["verdict"] != "INVALID"]
    rules = experiment.rules
    settings = {"confidence": rules.confidence, "margin": rules.margins.median}
    return looks(experiment.results, runs, experiment.pair, **settings) if runs else []


def answer(experiment: Experiment, conducted: Conducted) -> dict[str, Any]:
    """What the rounds came to, as plain data: each round, and what compare says of all whole ones together.

    exit_code: of compare's gate; null: of `aa`, what `history.null_runs` knows of this target now.
    """
    rows = rounds(experiment.results, list(conducted.runs.values()), experiment.pair)
    compared = _compared(experiment, rows)
    null = None
    if experiment.kind == AA and rows:
        null = realised(experiment.results, experiment.pair.a, rows[-1]["workload_hash"])
    return {
        "experiment_id": experiment.experiment_id,
        "kind": experiment.kind,
        "a": experiment.pair.a,
        "b": experiment.pair.b,
        "status": conducted.status,
        "why": conducted.why,
        "planned_rounds": experiment.wish.rounds,
        "rounds": [{**row, "ratios": _ratios(row["ratios"])} for row in rows],
        "spent_usd": sum(row["spent_usd"] or 0.0 for row in rows),
        "stop_early": experiment.wish.stop_early,
        "looks": [each.fields() for each in look(experiment, rows)],
        **compared,
        "null": null,
        "results": experiment.results,
    }


def _compared(experiment: Experiment, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What compare says of A and B over the whole rounds."""
    whole = tuple(sorted(row["run_id"] for row in rows if row["status"] == "finished"))
    if not whole:
        return {"rows": [], "notes": ["no round is whole, so nothing can be compared"], "exit_code": EXIT_CANNOT_TELL}
    a, b = (Side(words, whole, target) for words, target in zip(sides(experiment), _pair(experiment), strict=True))
    found = compare_sides(experiment.results, a, b, experiment.rules)
    return {"rows": [dict(row) for row in found.rows], "notes": list(found.notes), "exit_code": found.exit_code}


def sides(experiment: Experiment) -> tuple[str, str]:
    """A and B in the words of `benchbook compare`."""
    a, b = (f"sweep={experiment.experiment_id} target={name}" for name in _pair(experiment))
    return a, b


def _pair(experiment: Experiment) -> tuple[str, str]:
    return experiment.pair.a, experiment.pair.b


def _ratios(found: Mapping[tuple[str, str], float]) -> list[dict[str, Any]]:
    return [{"workload": key[0], "metric": key[1], "ratio": ratio} for key, ratio in sorted(found.items())]


def with_means(experiment: Experiment, workers: int = 1, **said: Any) -> Experiment:
    """The experiment with what this session may use. said: fields of `Wish` that are said anew, for the whole of the
    experiment; what is None, or not asked for, stays as it was. Raises PlanError."""
    wish = replace(experiment.wish, **{name: value for name, value in said.items() if value})
    _require_prices(experiment.spec(), wish)
    return replace(experiment, wish=wish, means=Means(workers))
