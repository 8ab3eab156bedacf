"""The verdict is a table: facts in, word, codes and numbers out. Here the counts, the checks, and the whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchbook.config import StoreSection, VerdictSpec
from benchbook.history.questions import questions
from benchbook.records import Check
from benchbook.results.schemas import RUNS
from benchbook.stages.verdicts import CODES, Asked, Counts, Evidence, Loads, verdict
from tests.unit.stages.verdicts.evidence import EMPTY, GOOD, at_ns, calls, codes, judged, trials


def check(*, success: bool = False, severity: str = "critical", name: str = "latencies_ordered") -> Check:
    return Check("result", "calls", name, success, severity, 10, 0 if success else 3)


@pytest.mark.parametrize(
    ("counts", "checks", "share", "expected", "code", "said"),
    [
        (GOOD, [], 0.05, "VALID", None, ""),
        (GOOD, [check(success=True)], 0.05, "VALID", None, ""),
        (GOOD, [check()], 0.05, "INVALID", "check_failed", "latencies_ordered on calls failed (3 of 10)"),
        (GOOD, [check(name="counts_conserved")], 0.05, "INVALID", "counts_not_conserved", "3 of 10"),
        (GOOD, [check(severity="warning")], 0.05, "DEGRADED", "check_failed", "3 of 10"),
        (
            GOOD,
            [check(severity="warning", name="cache_contamination")],
            0.05,
            "DEGRADED",
            "cache_contamination",
            "3 of 10 calls of a cold plan were answered from the provider's cache",
        ),
        (Counts(10, 9, 1, 0, 0), [], 0.05, "DEGRADED", "too_many_failures", "1 of 10 attempted"),
        (Counts(10, 9, 1, 0, 0), [], 0.10, "VALID", None, ""),
        (Counts(10, 9, 0, 1, 0), [], 0.05, "DEGRADED", "too_many_failures", "1 of 10 attempted"),
        (Counts(10, 8, 0, 0, 2), [], 0.05, "DEGRADED", "skipped", "2 of 10 planned trials were skipped"),
        (Counts(10, 8, 0, 0, 0), [], 0.05, "DEGRADED", "not_started", "2 of 10 planned trials were not started"),
        (Counts(10, 0, 10, 0, 0), [], 1.0, "INVALID", "nothing_measured", "no trial succeeded"),
        (Counts(10, 0, 0, 0, 10), [], 0.05, "INVALID", "nothing_measured", "no trial was attempted"),
    ],
)
def test_counts_and_checks(
    counts: Counts, checks: list[Check], share: float, expected: str, code: str | None, said: str
) -> None:
    found = verdict(replace(EMPTY, counts=counts, checks=checks), StoreSection(max_failure_share=share))
    assert found.word == expected
    assert [reason.code for reason in found.reasons[:1]] == ([code] if code else [])
    assert said in "; ".join(found.sentences)
    assert len(found.sentences) == len(found.reasons)


@pytest.mark.parametrize(
    ("failed", "share", "found"),
    [
        (0, 0.05, []),
        (1, 0.1, []),
        (1, 0.05, [("too_many_failures", "DEGRADED", 0.1, 0.05)]),
        (10, 0.5, [("nothing_measured", "DEGRADED", 0.0, 1.0)]),
        (10, 1.0, [("nothing_measured", "DEGRADED", 0.0, 1.0)]),
    ],
)
def test_one_target_among_many_is_judged_by_itself(
    failed: int, share: float, found: list[tuple[str, str, float, float]]
) -> None:
    """Ten trials of 310 are 3 %: the run's share alone would say nothing of them."""
    statuses = ["success"] * 300 + ["failure"] * failed + ["success"] * (10 - failed)
    rows = trials(310, target=["a"] * 300 + ["b"] * 10, status=statuses)
    evidence = replace(EMPTY, trials=rows, counts=Counts(310, 310 - failed, failed, 0, 0))
    section = StoreSection(max_failure_share=share, verdict=VerdictSpec(quantile=None))
    reasons = verdict(evidence, section).reasons
    assert [(one.code, one.severity, one.value, one.threshold) for one in reasons] == found
    assert {one.target for one in reasons} <= {"b"}
    alone = replace(evidence, trials=rows.slice(300), counts=Counts(10, 10 - failed, failed, 0, 0))
    assert all(one.target is None for one in verdict(alone, section).reasons)


def test_the_gravest_comes_first_and_everything_is_listed() -> None:
    evidence = replace(EMPTY, counts=Counts(10, 5, 1, 1, 1), checks=[check(severity="warning"), check(name="other")])
    found = judged(evidence)
    assert [severity for _, severity, *_ in found] == ["INVALID", *["DEGRADED"] * 4]
    assert [code for code, *_ in found][1:] == ["check_failed", "too_many_failures", "not_started", "skipped"]


def test_a_reason_is_plain_data_with_a_place_to_look() -> None:
    reason = verdict(replace(EMPTY, counts=Counts(10, 9, 1, 0, 0)), StoreSection()).reasons[0]
    assert reason.fields() == {
        "code": "too_many_failures",
        "severity": "DEGRADED",
        "target": None,
        "value": 0.1,
        "threshold": 0.05,
        "look": "benchbook history errors",
    }


def test_every_code_is_given_somewhere_in_these_rooms() -> None:
    source = "".join(_source(module) for module in ("answers", "counts", "harness", "loads", "series"))
    assert {code for code in CODES if f'"{code}"' not in source} == set()


def _source(module: str) -> str:
    from importlib import import_module
    from inspect import getsource

    return getsource(import_module(f"benchbook.stages.verdicts.{module}"))


def large(size: int) -> Evidence:
    rng = np.random.default_rng(3)
    at = np.cumsum(rng.exponential(0.01, size))
    names = np.array([f"t{i}" for i in range(size)])
    target = np.array(["a", "b", "c", "d"])[np.arange(size) % 4]
    rows = trials(
        size,
        trial_id=names,
        target=target,
        test_id=np.array([f"c{i}" for i in range(50)])[np.arange(size) % 50],
        intended_ns=at_ns(at),
        started_ns=at_ns(at),
        ended_ns=at_ns(at + 0.2),
        tokens_in=np.full(size, 20),
        ttft_ms=rng.normal(200, 5, size),
        e2e_ms=rng.normal(900, 50, size),
    )
    return Evidence(GOOD, [], rows, calls(size, trial_id=names, target=target), Loads(open=True))


def test_no_row_is_visited_in_python() -> None:
    """Ten times the rows cost the plan's look-ups no call more: the work per row is Arrow's and numpy's."""
    seen: list[int] = []
    for size in (2_000, 20_000):
        asked: list[Any] = []
        watched: Callable[..., Asked] = lambda *key, of=asked: (of.append(key), Asked())[1]  # noqa: E731
        assert codes(replace(large(size), asked=watched)) == []
        seen.append(len(asked))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("code", CODES)
def test_where_a_reason_sends_its_reader_there_is_something_to_see(code: str) -> None:
    look = CODES[code].look
    if look.startswith("benchbook history "):
        assert look.removeprefix("benchbook history ") in set(questions()) - {"verdicts"}
    elif look.startswith("runs."):
        assert [name for name in RUNS.names if name.startswith(look.removeprefix("runs.").rstrip("*"))]
