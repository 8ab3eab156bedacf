"""How good an outcome is, judged from what was recorded alone: pure, so that stored trials can be scored again.

A scorer is one file and one line in `TEXT_SCORERS` or `TRACE_SCORERS`; it offers `OPTIONS` (its settings and their
types), `needs(answers, options)` (what a case lacks for it) and, of an answer's text, `score(answers, options, text)`,
or, of the way an agent took, `score(options, done)`. A case's `config` chooses one or a list, else the dataset's
`defaults`, else `references` where there are some, else `contains` with the expected text. A case with a list is passed
by a trial that every scorer of it passes, and scores 1 then, else 0. Cases come here with their templates filled in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any, Protocol, cast

from benchbook.measure.trace import Step
from benchbook.records import TEAM_WORKLOADS, Case

TEXT_SCORERS: Mapping[str, str] = {
    "exact": "benchbook.scoring.exact",
    "contains": "benchbook.scoring.contains",
    "references": "benchbook.scoring.references",
    "numeric": "benchbook.scoring.numeric",
    "json_schema": "benchbook.scoring.json_schema",
}
TRACE_SCORERS: Mapping[str, str] = {
    "used_tool": "benchbook.scoring.used_tool",
    "steps": "benchbook.scoring.steps",
    "order": "benchbook.scoring.order",
    "asked_approval": "benchbook.scoring.asked_approval",
    "max_search_results": "benchbook.scoring.max_search_results",
    "end_state": "benchbook.scoring.end_state",
}
"""They judge what an agent did and reached, so only trials of `TEAM_WORKLOADS`."""
SCORERS: Mapping[str, str] = {**TEXT_SCORERS, **TRACE_SCORERS}
"""Kind -> module."""
COMMON = {"workloads": list}
"""Settings that every scorer has. workloads: of which alone it judges trials."""

_DETAIL_LIMIT = 300
_ANY_CASE = Case("", prompt="?", expected="0")
_WORKLOADS = ("api", "session", *TEAM_WORKLOADS)


@dataclass(frozen=True, slots=True)
class Done:
    """What is judged: the final answer, and of an agent's trial its steps in order and what was reached."""

    text: str
    workload: str = "api"
    steps: tuple[Step, ...] = ()
    end_state: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judgement:
    """One scorer's view of one trial: `value` in 0..1, whether that passes, and why (one line)."""

    scorer: str
    value: float
    passed: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """What all scorers of a case make of one trial. value: the only scorer's own, else 1 where every part passed."""

    parts: tuple[Judgement, ...]
    value: float
    passed: bool


@dataclass(frozen=True, slots=True)
class Chosen:
    """A scorer that holds for a case. `required`: named by the case itself, not by a default."""

    kind: str
    options: Mapping[str, Any]
    required: bool
    workloads: tuple[str, ...] = ()
    """Of which it judges trials; empty: of all that it can judge."""

    def judges(self, workload: str) -> bool:
        """Whether it has a say about trials of this workload."""
        return workload in (self.workloads or (TEAM_WORKLOADS if self.kind in TRACE_SCORERS else _WORKLOADS))


@dataclass(frozen=True, slots=True)
class Review:
    """What can be said of a case's scorers before any answer. own: named by the case itself; fault: why one can't
    judge, None if all can; right: what would be right then."""

    kind: str
    own: bool
    fault: str | None = None
    right: str = ""


class Scorer(Protocol):
    """What a scorer's module offers. `answers`: the texts that are right, expected first, none of them blank."""

    OPTIONS: Mapping[str, type | tuple[type, ...]]

    def needs(self, answers: tuple[str, ...], options: Mapping[str, Any]) -> str | None:
        """What is missing or wrong for this scorer to judge, in words; None if nothing is."""
        ...


class TextScorer(Scorer, Protocol):
    """One that judges an answer's text."""

    def score(self, answers: tuple[str, ...], options: Mapping[str, Any], text: str) -> tuple[float, bool, str]:
        """Value, passed, detail."""
        ...


class TraceScorer(Scorer, Protocol):
    """One that judges what was done on the way, or what was reached."""

    def score(self, options: Mapping[str, Any], done: Done) -> tuple[float, bool, str]:
        """Value, passed, detail."""
        ...


def judge(case: Case, defaults: Mapping[str, Any], done: Done | str) -> Judged | None:
    """The judgement of a trial (a text is a bare call's answer), or None where the case gives nothing to judge it by.
    Never raises: a scorer that can't judge gives 0 and says why."""
    found = judging(case, defaults)
    return None if found is None else found(Done(done) if isinstance(done, str) else done)


def judging(case: Case, defaults: Mapping[str, Any]) -> Callable[[Done], Judged | None] | None:
    """`judge` of one case, made ready for many trials; it gives None for a workload that no scorer of it judges."""
    scorers = [(chosen, _ready(case, chosen)) for chosen in choose(case, defaults)]
    if not scorers:
        return None

    def judged(done: Done) -> Judged | None:
        parts = tuple(score(done) for chosen, score in scorers if chosen.judges(done.workload))
        if not parts:
            return None
        passed = all(part.passed for part in parts)
        return Judged(parts, parts[0].value if len(scorers) == 1 else float(passed), passed)

    return judged


def review(case: Case | None, defaults: Mapping[str, Any]) -> Review | None:
    """The scorers of a case and whether they can judge it; None where there is nothing to judge by.

    case None: the defaults alone, held against a case with the number 0 as its expected text.
    """
    every = choose(case or _ANY_CASE, defaults)
    if not every or (case is None and defaults.get("scorer") is None):
        return None
    for chosen in every:
        if fault := faults(case or _ANY_CASE, chosen):
            advice = "give the scorer what it needs, or choose another"
            right = advice if chosen.kind in SCORERS else f"choose one of {', '.join(SCORERS)}"
            return Review(chosen.kind, chosen.required, fault, right)
    return Review(" + ".join(chosen.kind for chosen in every), every[0].required)


def choose(case: Case, defaults: Mapping[str, Any]) -> tuple[Chosen, ...]:
    """Which scorers hold for a case. A default that finds nothing to judge by in the case does not hold."""
    for wish, required in ((case.config.get("scorer"), True), (defaults.get("scorer"), False)):
        if wish is not None:
            every = [_chosen(part, required=required) for part in (wish if _listed(wish) else [wish])]
            return tuple(chosen for chosen in every if not _idle(case, chosen))
    if case.references:
        return (Chosen("references", {}, required=False),)
    return (Chosen("contains", {}, required=False),) if right_answers(case) else ()


def faults(case: Case, chosen: Chosen) -> str | None:
    """Why the chosen scorer can't judge this case, None if it can."""
    if chosen.kind not in SCORERS:
        return f"there is no scorer {chosen.kind!r}"
    module = scorer(chosen.kind)
    for name, value in chosen.options.items():
        kinds = module.OPTIONS.get(name)
        if kinds is None:
            known = ", ".join((*module.OPTIONS, *COMMON))
            return f"{chosen.kind} has no option {name!r}; it has: {known}"
        if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool and bool not in _all(kinds)):
            return f"the option {name} of {chosen.kind} is {value!r}; write {_names(kinds)}"
    return _unfit_workloads(chosen) or module.needs(right_answers(case), chosen.options)


def right_answers(case: Case) -> tuple[str, ...]:
    """The texts that are right: the expected one, then the references; blank ones are left out."""
    return tuple([text for text in (case.expected, *case.references) if text is not None and text.strip()])


@cache
def scorer(kind: str) -> Scorer:
    """The scorer's module, imported on first use. Raises KeyError for an unknown kind."""
    return cast("Scorer", import_module(SCORERS[kind]))


def _ready(case: Case, chosen: Chosen) -> Callable[[Done], Judgement]:
    """One scorer made ready for many trials of a case."""
    if fault := faults(case, chosen):
        unfit = Judgement(chosen.kind, 0.0, passed=False, detail=_line(f"not judged: {fault}"))
        return lambda _done: unfit
    answers, options = right_answers(case), chosen.options

    def of_text(done: Done) -> Judgement:
        value, passed, detail = cast("TextScorer", scorer(chosen.kind)).score(answers, options, done.text)
        return Judgement(chosen.kind, value, passed, _line(detail))

    def of_trace(done: Done) -> Judgement:
        value, passed, detail = cast("TraceScorer", scorer(chosen.kind)).score(options, done)
        return Judgement(chosen.kind, value, passed, _line(detail))

    return of_trace if chosen.kind in TRACE_SCORERS else of_text


def _listed(wish: Any) -> bool:
    return isinstance(wish, Sequence) and not isinstance(wish, str)


def _idle(case: Case, chosen: Chosen) -> bool:
    """Whether it is a default that has nothing to judge by in this case."""
    bare = not chosen.required and not right_answers(case) and chosen.kind in SCORERS
    return bool(bare and faults(case, chosen))


def _chosen(wish: Any, *, required: bool) -> Chosen:
    if isinstance(wish, Mapping):
        options = {str(name): value for name, value in wish.items() if name not in ("kind", *COMMON)}
        said: Any = wish.get("workloads") or []
        return Chosen(str(wish.get("kind", "")), options, required, tuple(said) if _listed(said) else (said,))
    return Chosen(str(wish), {}, required)


def _unfit_workloads(chosen: Chosen) -> str | None:
    able = TEAM_WORKLOADS if chosen.kind in TRACE_SCORERS else _WORKLOADS
    unable = [workload for workload in chosen.workloads if workload not in able]
    return f"workloads of {chosen.kind} hold {unable[0]!r}; it judges {', '.join(able)}" if unable else None


def _all(kinds: type | tuple[type, ...]) -> tuple[type, ...]:
    return kinds if isinstance(kinds, tuple) else (kinds,)


def _names(kinds: type | tuple[type, ...]) -> str:
    words = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return " or ".join(dict.fromkeys(words[kind] for kind in _all(kinds)))


def _line(detail: str) -> str:
    line = " ".join(detail.split())
    return line if len(line) <= _DETAIL_LIMIT else line[: _DETAIL_LIMIT - 3] + "..."
