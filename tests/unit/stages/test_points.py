"""The loads of a series: read from a command line, and put into a plan."""

from __future__ import annotations

from typing import Any

import pytest

from benchbook.errors import PlanError
from benchbook.stages.points import grid_of, with_load
from benchbook.stages.search import objectives, range_of
from benchbook.stats.search import Range


@pytest.mark.parametrize(
    ("load", "axis", "value", "made"),
    [
        ({"kind": "closed", "concurrency": 5}, "concurrency", 8.0, {"kind": "closed", "concurrency": 8}),
        ({"kind": "poisson", "rate": 5, "seed": 1}, "concurrency", 8.0, {"kind": "closed", "concurrency": 8}),
        ({"kind": "closed", "concurrency": 5}, "rate", 2.5, {"kind": "poisson", "rate": 2.5}),
        ({"kind": "constant", "rate": 5}, "rate", 2.5, {"kind": "constant", "rate": 2.5}),
        (
            {"kind": "gamma", "rate": 5, "burstiness": 0.5},
            "rate",
            2.5,
            {"kind": "gamma", "rate": 2.5, "burstiness": 0.5},
        ),
        ({"kind": "soak", "rate": 5, "duration_s": 9}, "rate", 2.5, {"kind": "poisson", "rate": 2.5}),
        ({}, "concurrency", 2.0, {"kind": "closed", "concurrency": 2}),
    ],
)
def test_a_plan_at_another_load(load: dict[str, Any], axis: str, value: float, made: dict[str, Any]) -> None:
    document = {"validate": {}, "execute": {"load": load, "seed": 3}}
    assert with_load(document, axis, value) == {"validate": {}, "execute": {"load": made, "seed": 3}}
    assert document["execute"]["load"] is load


def test_a_list_of_loads() -> None:
    assert grid_of("4,1,2,2", "concurrency") == (1, 2, 4)
    assert grid_of("0.5, 2", "rate") == (0.5, 2)


@pytest.mark.parametrize(
    ("text", "axis", "words"),
    [
        ("1,two", "rate", "is no list of loads"),
        ("", "rate", "is no list of loads"),
        ("1..4", "rate", "is no list of loads"),
        ("0,1", "rate", "out of range"),
        ("nan", "rate", "out of range"),
        ("1.5", "concurrency", "no whole number"),
    ],
)
def test_a_wrong_list_is_refused(text: str, axis: str, words: str) -> None:
    with pytest.raises(PlanError, match=words):
        grid_of(text, axis)


def test_a_range_of_loads() -> None:
    assert range_of("1..64", "concurrency") == Range(1, 64, whole=True)
    assert range_of("0.5..8", "rate") == Range(0.5, 8, whole=False)
    for wrong in ("8", "8..2", "2..2", "1..", "a..b"):
        with pytest.raises(PlanError):
            range_of(wrong, "rate")


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ([], "needs an objective"),
        (["ttft_ms < 500"], "is a limit on single trials"),
        (["ttft p95 < 500"], "no metric ttft"),
    ],
)
def test_wrong_objectives_of_a_search_are_refused(texts: list[str], words: str) -> None:
    with pytest.raises(PlanError, match=words):
        objectives(texts)
