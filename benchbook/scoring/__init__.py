"""How good an answer is, judged from its text alone: pure, so that stored answers can be scored again.

A scorer is one file and one line in `SCORERS`; it offers `OPTIONS` (its settings and their types),
`needs(answers, options)` (what a case lacks for it) and `score(answers, options, text)`. A case's `config` chooses
one, else the dataset's `defaults`, else `references` where there are some, else `contains` with the expected text.
Cases come here with their templates filled in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Protocol, cast

from benchbook.records import Case

SCORERS: Mapping[str, str] = {
    "exact": "benchbook.scoring.exact",
    "contains": "benchbook.scoring.contains",
    "references": "benchbook.scoring.references",
    "numeric": "benchbook.scoring.numeric",
    "json_schema": "benchbook.scoring.json_schema",
}
"""Kind -> module."""

_DETAIL_LIMIT = 300
_ANY_CASE = Case("", prompt="?", expected="0")


@dataclass(frozen=True, slots=True)
class Judgement:
    """One scorer's view of one answer: `value` in 0..1, whether that passes, and why (one line)."""

    scorer: str
    value: float
    passed: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The scorer that holds for a case. `required`: named by the case itself, not by a default."""

    kind: str
    options: Mapping[str, Any]
    required: bool


@dataclass(frozen=True, slots=True)
class Review:
    """What can be said of a case's scorer before any answer. own: named by the case itself; fault: why it can't
    judge, None if it can; right: what would be right then."""

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

    def score(self, answers: tuple[str, ...], options: Mapping[str, Any], text: str) -> tuple[float, bool, str]:
        """Value, passed, detail."""
        ...


def judge(case: Case, defaults: Mapping[str, Any], text: str) -> Judgement | None:
    """The judgement of an answer, or None where the case gives nothing to judge by. Never raises: a scorer that
    can't judge gives 0 and says why."""
    found = judging(case, defaults)
    return None if found is None else found(text)


def judging(case: Case, defaults: Mapping[str, Any]) -> Callable[[str], Judgement] | None:
    """`judge` of one case, made ready for many answers."""
    chosen = choose(case, defaults)
    if chosen is None:
        return None
    if fault := faults(case, chosen):
        unfit = Judgement(chosen.kind, 0.0, passed=False, detail=_line(f"not judged: {fault}"))
        return lambda _text: unfit
    module, answers = scorer(chosen.kind), right_answers(case)

    def judged(text: str) -> Judgement:
        value, passed, detail = module.score(answers, chosen.options, text)
        return Judgement(chosen.kind, value, passed, _line(detail))

    return judged


def review(case: Case | None, defaults: Mapping[str, Any]) -> Review | None:
    """The scorer of a case and whether it can judge it; None where there is nothing to judge by.

    case None: the defaults alone, held against a case with the number 0 as its expected text.
    """
    chosen = choose(case or _ANY_CASE, defaults)
    if chosen is None or (case is None and defaults.get("scorer") is None):
        return None
    fault = faults(case or _ANY_CASE, chosen)
    advice = "give the scorer what it needs, or choose another"
    right = advice if chosen.kind in SCORERS else f"choose one of {', '.join(SCORERS)}"
    return Review(chosen.kind, chosen.required, fault, right if fault else "")


def choose(case: Case, defaults: Mapping[str, Any]) -> Chosen | None:
    """Which scorer holds for a case. A default that finds nothing to judge by in the case does not hold."""
    for wish, required in ((case.config.get("scorer"), True), (defaults.get("scorer"), False)):
        if wish is not None:
            chosen = _chosen(wish, required=required)
            idle = not required and not right_answers(case) and chosen.kind in SCORERS and faults(case, chosen)
            return None if idle else chosen
    if case.references:
        return Chosen("references", {}, required=False)
    return Chosen("contains", {}, required=False) if right_answers(case) else None


def faults(case: Case, chosen: Chosen) -> str | None:
    """Why the chosen scorer can't judge this case, None if it can."""
    if chosen.kind not in SCORERS:
        return f"there is no scorer {chosen.kind!r}"
    module = scorer(chosen.kind)
    for name, value in chosen.options.items():
        kinds = module.OPTIONS.get(name)
        if kinds is None:
            known = ", ".join(module.OPTIONS) or "none"
            return f"{chosen.kind} has no option {name!r}; it has: {known}"
        if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool and bool not in _all(kinds)):
            return f"the option {name} of {chosen.kind} is {value!r}; write {_names(kinds)}"
    return module.needs(right_answers(case), chosen.options)


def right_answers(case: Case) -> tuple[str, ...]:
    """The texts that are right: the expected one, then the references; blank ones are left out."""
    return tuple([text for text in (case.expected, *case.references) if text is not None and text.strip()])


@cache
def scorer(kind: str) -> Scorer:
    """The scorer's module, imported on first use. Raises KeyError for an unknown kind."""
    return cast("Scorer", import_module(SCORERS[kind]))


def _chosen(wish: Any, *, required: bool) -> Chosen:
    if isinstance(wish, Mapping):
        options = {str(name): value for name, value in wish.items() if name != "kind"}
        return Chosen(str(wish.get("kind", "")), options, required)
    return Chosen(str(wish), {}, required)


def _all(kinds: type | tuple[type, ...]) -> tuple[type, ...]:
    return kinds if isinstance(kinds, tuple) else (kinds,)


def _names(kinds: type | tuple[type, ...]) -> str:
    words = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return " or ".join(dict.fromkeys(words[kind] for kind in _all(kinds)))


def _line(detail: str) -> str:
    line = " ".join(detail.split())
    return line if len(line) <= _DETAIL_LIMIT else line[: _DETAIL_LIMIT - 3] + "..."
