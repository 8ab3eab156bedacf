"""What the verdict makes of the answers: tokens, lengths, throttling, endpoints."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchbook.stages.verdicts import Asked, Evidence, Loads
from tests.unit.stages.verdicts.evidence import EMPTY, calls, codes, judged, trials


def answered(**columns: Any) -> Evidence:
    return replace(EMPTY, trials=trials(100), calls=calls(100, **columns), load=Loads(steady=False))


def some(count: int, odd: Any, usual: Any) -> list[Any]:
    return [odd] * count + [usual] * (100 - count)


@pytest.mark.parametrize(
    ("columns", "code", "value"),
    [
        ({"error_kind": some(1, "rate_limited", None)}, None, 0),
        ({"error_kind": some(2, "rate_limited", None)}, "throttled", 0.02),
        ({"tokens_out": some(2, 400, 4)}, "token_mismatch", 0.02),
        ({"tokens_out": some(2, 0, 4)}, "token_mismatch", 0.02),
        ({"tokens_out": some(50, None, 4)}, None, 0),
        ({"tokens_out": 400, "tokens_reasoning": 396}, None, 0),
        ({"chunk_kinds": [["reasoning", "text", "text"]] * 100, "tokens_reasoning": 2}, None, 0),
        ({"chunk_sizes": [[]] * 100, "chunk_kinds": [[]] * 100, "tokens_out": 400}, None, 0),
        ({"model_served": some(1, "m-2", "m-1")}, "endpoint_changed", 2),
        ({"system_fingerprint": some(30, "fp_b", "fp_a")}, "endpoint_changed", 2),
        ({"system_fingerprint": some(30, None, "fp_a")}, None, 0),
    ],
)
def test_what_came_back(columns: dict[str, Any], code: str | None, value: float) -> None:
    found = judged(answered(**columns))
    assert [one[0] for one in found] == ([code] if code else [])
    assert [one[2] for one in found] == ([pytest.approx(value)] if code else [])


@pytest.mark.parametrize(
    ("asked", "columns", "wrong"),
    [
        (Asked(most=4), {}, False),
        (Asked(most=3), {}, True),
        (Asked(most=9, fewest=9), {}, True),
        (Asked(most=4, fewest=4), {"finish_reason": "length"}, False),
        (Asked(most=9), {"finish_reason": "length"}, True),
        (Asked(most=9), {"finish_reason": "stop"}, False),
        (Asked(), {"finish_reason": "length"}, False),
    ],
)
def test_lengths_other_than_asked(asked: Asked, columns: dict[str, Any], wrong: bool) -> None:
    seen: list[tuple[str, str, str]] = []

    def of(*key: str) -> Asked:
        seen.append(key)  # type: ignore[arg-type]
        return asked

    assert codes(replace(answered(**columns), asked=of)) == (["wrong_output_length"] if wrong else [])
    assert seen == [("a", "d", "c0")]


def test_one_prompt_with_two_input_counts() -> None:
    rows = trials(100, tokens_in=some(1, 30, 20), prompt_sha256=some(50, "p1", "p2"))
    evidence = replace(EMPTY, trials=rows, load=Loads(steady=False))
    assert judged(evidence) == [("input_tokens_differ", "DEGRADED", pytest.approx(1 / 3), 0.05)]
    apart = replace(evidence, trials=trials(100, tokens_in=some(50, 30, 20), prompt_sha256=some(50, "p1", "p2")))
    assert judged(apart) == []
    retried = replace(evidence, trials=trials(100, tokens_in=some(50, 30, 20), calls=some(50, 2, 1)))
    assert judged(retried) == []
