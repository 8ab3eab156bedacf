"""What a plan asks, worked out by hand, and what is refused for it."""

from __future__ import annotations

from typing import Any

import pytest

from benchbook.config import build_plan, load_plan
from benchbook.datasets import files, read
from benchbook.datasets.synthetic import Synthetic, generate
from benchbook.errors import PlanError
from benchbook.records import Case, Dataset, Price, Turn
from benchbook.runner.demands import Demands, demands, require_met
from benchbook.runner.plan import Plan, freeze
from tests.documented import ROOT

SCENARIOS = sorted((ROOT / "plans" / "scenarios").glob("*.yaml"))
CASES = (Case("a", prompt="x" * 40), Case("b", prompt="y" * 10, system="z" * 4, config={"max_tokens": 7}))


def plan(
    *cases: Case, target: dict[str, Any] | None = None, requires: dict[str, Any] | None = None, **execute: Any
) -> Plan:
    chosen = {"name": "t", "provider": "openai", "model": "m", "params": {"max_tokens": 20}, **(target or {})}
    document: dict[str, Any] = {"validate": {"datasets": ["d"]}, "execute": {"targets": [chosen], **execute}}
    spec = build_plan(document | ({"requires": requires} if requires else {}), "p.yaml")
    priced = spec.model_copy(update={"prices": {"t": Price("2026-11", input=1.0, output=10.0, request=0.5)}})
    return freeze(priced, [Dataset("d", cases or CASES, sha256="s")])


def test_single_calls() -> None:
    """a: 10 tokens in, 20 out; b: 3 + 1 in, 7 out; three trials each."""
    assert demands(plan(repetitions=2, warmup=1, load={"kind": "closed", "concurrency": 4})) == {
        "t": Demands(6, 30, 20, 42, 81, pytest.approx((42 + 810) / 1e6 + 3.0), None, 4, streaming=True)
    }


def test_a_conversation_carries_everything_before() -> None:
    """Prompts of 10, then 10 + 20 + 5, then 35 + 20 + 5 tokens; each answered with 20."""
    talk = Case("talk", turns=(Turn("x" * 40), Turn("y" * 20), Turn("z" * 17)))
    asked = demands(plan(talk, workloads=["session"], repetitions=1, warmup=0))["t"]
    assert (asked.calls, asked.tokens_in, asked.tokens_out) == (3, 10 + 35 + 60, 60)
    assert (asked.context_tokens, asked.output_tokens) == (80, 20)


def test_a_generated_prompt_has_its_declared_size() -> None:
    made = next(generate(Synthetic.model_validate({"cases": 1, "prompt_tokens": 1000, "calibration": 1.25})))
    assert demands(plan(made, repetitions=1, warmup=0))["t"].tokens_in == 1000


def test_the_busiest_second_of_an_open_loop() -> None:
    spike = {"kind": "spike", "base_rate": 1, "peak_rate": 30, "at_s": 3, "for_s": 2}
    asked = demands(plan(load=spike, warmup=0, max_in_flight=9))["t"]
    assert (asked.requests_per_s, asked.in_flight) == (30, 9)


def test_without_max_tokens_what_depends_on_it_is_unknown() -> None:
    asked = demands(plan(Case("a", prompt="x"), target={"params": {}}, repetitions=1, warmup=0))["t"]
    assert (asked.tokens_in, asked.tokens_out, asked.context_tokens, asked.cost_usd) == (1, None, None, None)


@pytest.mark.parametrize(
    ("requires", "target", "said"),
    [
        ({"context_tokens": 29}, {}, "would be asked context tokens 30; requires.context_tokens allows 29"),
        ({"output_tokens": 19}, {}, "would be asked output tokens 20; requires.output_tokens allows 19"),
        ({"in_flight": 4}, {}, "would be asked in flight 5; requires.in_flight allows 4"),
        (
            {"tokens": 122},
            {"params": {"max_tokens": 4_000_000}},
            "would be asked tokens 12,000,063; requires.tokens allows 122",
        ),
        ({"tokens": 122}, {}, "would be asked tokens 123; requires.tokens allows 122"),
        ({"cost_usd": 1}, {}, "would be asked cost usd 3.000852; requires.cost_usd allows 1"),
        ({"streaming": True}, {"stream": False}, "asked without streaming; this plan is about streams"),
        ({"streaming": True}, {"provider": "bedrock", "model": "ai21.j2-ultra"}, "ai21.j2-ultra does not stream"),
        (
            {"streaming": True},
            {"model": "gpt-4o-mini", "params": {"max_tokens": 20_000}},
            "gpt-4o-mini takes output tokens up to 16,384, 20,000 are asked; take another model",
        ),
        ({"context_tokens": 30, "output_tokens": 20, "streaming": True, "in_flight": 5, "tokens": 123}, {}, None),
        (None, {"stream": False}, None),
    ],
)
def test_what_is_not_met_is_one_line(requires: dict[str, Any] | None, target: dict[str, Any], said: str) -> None:
    made = plan(target=target, requires=requires, repetitions=2, warmup=1)
    if said is None:
        require_met(made)
        return
    with pytest.raises(PlanError) as caught:
        require_met(made)
    assert str(caught.value).startswith("p.yaml: target t: ")
    assert said in str(caught.value)


def test_requires_is_in_no_hash() -> None:
    one, other = plan(), plan(requires={"tokens": 10**9})
    assert (one.plan_hash, one.workload_hash) == (other.plan_hash, other.workload_hash)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_scenario_asks_what_it_says(path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is met as it stands, says all that it asks, and is not so lax that it says nothing."""
    monkeypatch.chdir(ROOT)
    spec = load_plan(path.relative_to(ROOT))
    made = freeze(spec, [read(file).dataset for file in files(spec.validate_.datasets)])
    require_met(made)
    (asked,) = demands(made).values()
    limits = spec.requires
    assert limits is not None
    assert limits.streaming
    for limit, value in (
        (limits.context_tokens, asked.context_tokens),
        (limits.output_tokens, asked.output_tokens),
        (limits.cost_usd, asked.cost_usd),
        (limits.requests_per_s, asked.requests_per_s),
        (limits.in_flight, asked.in_flight),
    ):
        assert (limit is None) == (value is None)
        assert limit is None or value is None or value <= limit <= 6 * value


def test_there_are_the_standard_scenarios() -> None:
    assert {path.stem for path in SCENARIOS} == {
        "short-chat", "long-context", "long-output", "many-turns", "burst", "ramp-to-saturation", "soak",
        "shared-prefix", "as-recorded",
    }  # fmt: skip
