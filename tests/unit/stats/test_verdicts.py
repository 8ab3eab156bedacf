"""Words for effects, as a table; and the exit code of a gate."""

from __future__ import annotations

from typing import Any

import pytest

from benchbook.errors import EXIT_CANNOT_TELL, EXIT_DONE, EXIT_REGRESSION
from benchbook.stats.effects import FAILURES, MEDIAN, P95, Effect
from benchbook.stats.spread import Spread
from benchbook.stats.verdicts import (
    BETTER,
    CANNOT_TELL,
    EQUIVALENT,
    ONE_RUN,
    WORSE,
    Margins,
    Question,
    adjusted,
    gate,
    judge,
)

SPREAD = Spread(0.02, 8, 10)


def found(change: float, low: float, high: float, spread: Spread | None = SPREAD, **more: Any) -> Effect:
    facts = {"prompts_low": low, "prompts_high": high, **more}
    return Effect(20, 0, 0, change=change, low=low, high=high, spread=spread, **facts)


def asked(*, higher: bool = False, runs: int = 3, barred: str = "", alike: bool = False) -> Question:
    return Question(0.05, higher, runs, alike=alike, barred=barred)


@pytest.mark.parametrize(
    ("effect", "p", "question", "verdict"),
    [
        (found(0.2, 0.1, 0.3), 0.01, asked(), WORSE),
        (found(0.2, 0.1, 0.3), 0.01, asked(higher=True), BETTER),
        (found(-0.2, -0.3, -0.1), 0.01, asked(), BETTER),
        (found(0.2, 0.1, 0.3), 0.05, asked(), WORSE),
        (found(0.2, 0.1, 0.3), 0.051, asked(), CANNOT_TELL),
        (found(0.2, 0.1, 0.3), None, asked(), CANNOT_TELL),
        (found(0.2, -0.01, 0.4), 0.01, asked(), CANNOT_TELL),
        (found(0.049, 0.01, 0.09), 0.01, asked(), CANNOT_TELL),
        (found(0.01, -0.04, 0.049), 0.7, asked(), EQUIVALENT),
        (found(0.02, 0.01, 0.03), 0.001, asked(), EQUIVALENT),
        (found(0.01, -0.04, 0.05), 0.7, asked(), CANNOT_TELL),
        (found(0.01, -0.04, 0.04, None), None, asked(runs=1), EQUIVALENT),
        (found(0.9, 0.8, 1.0, None), None, asked(runs=1), CANNOT_TELL),
        (found(0.2, 0.1, 0.3), 0.01, asked(barred="run x is INVALID"), CANNOT_TELL),
        (found(0.0, 0.0, 0.0), 1.0, asked(barred="run x is INVALID"), CANNOT_TELL),
        (Effect(3, 0, 0, refused="needs 6 paired cases, has 3"), None, asked(), CANNOT_TELL),
    ],
)
def test_verdicts(effect: Effect, p: float | None, question: Question, verdict: str) -> None:
    assert judge(effect, p, question).verdict == verdict


def test_without_run_level_evidence_the_word_is_never_changed() -> None:
    judged = judge(found(0.9, 0.8, 1.0, None), None, asked(runs=1))
    assert judged.why == f"needs at least 1 more run a side: {ONE_RUN}"
    assert judged.more_runs == 1


def test_an_open_verdict_says_how_many_more_runs() -> None:
    wide = found(0.08, -0.02, 0.18, Spread(0.05, 4, 6))
    judged = judge(wide, 0.1, asked())
    assert judged.more_runs is not None
    assert 3 < judged.more_runs < 40
    assert judged.why == f"needs about {judged.more_runs} more runs a side"
    worse = judge(found(0.08, -0.1, 0.3, Spread(0.1, 4, 6)), 0.4, asked())
    assert worse.more_runs is not None
    assert worse.more_runs > judged.more_runs
    paired = judge(wide, 0.1, asked(alike=True))
    assert paired.more_runs is not None
    assert paired.more_runs < judged.more_runs


def test_what_runs_cannot_settle_is_said() -> None:
    assert "too close to the margin" in judge(found(0.05, 0.02, 0.08, SPREAD), 0.001, asked()).why
    prompts = found(0.0, -0.2, 0.2, Spread(0.0, 4, 5))
    assert "more test cases" in judge(prompts, 1.0, asked()).why
    many = found(0.2, 0.1, 0.3, Spread(0.0, 4, 5))
    assert "not among so many metrics" in judge(many, 0.2, asked()).why
    assert judge(Effect(3, 0, 0, refused="because"), None, asked()).why == "because"


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([EQUIVALENT, BETTER], EXIT_DONE),
        ([EQUIVALENT, CANNOT_TELL], EXIT_CANNOT_TELL),
        ([CANNOT_TELL, WORSE], EXIT_REGRESSION),
        ([], EXIT_CANNOT_TELL),
    ],
)
def test_the_gate(verdicts: list[str], code: int) -> None:
    rows = [{"gated": True, "verdict": verdict} for verdict in verdicts]
    assert gate([*rows, {"gated": False, "verdict": WORSE}, {"gated": False, "verdict": CANNOT_TELL}]) == code


def test_margins_are_symmetric_for_ratios_and_plain_for_shares() -> None:
    margins = Margins(0.05, 0.1, 0.03)
    assert [round(margins.of(what), 4) for what in (MEDIAN, P95, FAILURES)] == [0.0488, 0.0953, 0.03]


def test_unknown_p_values_stay_unknown() -> None:
    assert adjusted([None, 0.01, None, 0.04]) == [None, 0.02, None, pytest.approx(0.04)]
    assert adjusted([None, None]) == [None, None]
