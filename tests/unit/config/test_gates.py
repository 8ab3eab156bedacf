"""Which metrics may decide a comparison, as a plan says it."""

from __future__ import annotations

from typing import Any

import pytest

from benchbook.config import build_plan
from benchbook.errors import PlanError


def gate(names: Any) -> tuple[str, ...]:
    execute = {"targets": [{"name": "t", "provider": "openai", "model": "m"}]}
    document = {"validate": {"datasets": ["d.json"]}, "execute": execute, "aggregate": {"gate": names}}
    return build_plan(document, "plan.yaml").aggregate.gate


def test_a_gate_names_metrics_once() -> None:
    assert gate(["e2e_ms", "e2e_ms:p95", " score ", "e2e_ms"]) == ("e2e_ms", "e2e_ms:p95", "score")
    assert gate([]) == ()


@pytest.mark.parametrize("name", ["speed", "score:p95", "e2e_ms:p99"])
def test_what_is_not_compared_is_named_with_what_is(name: str) -> None:
    with pytest.raises(PlanError, match=f"aggregate.gate: '{name}' is not compared: one of ttfb_ms, .*cost_usd"):
        gate([name])
