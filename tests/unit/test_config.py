"""A plan file: what it takes, what it refuses, and that it survives its own writing."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from benchbook.config import apply_overrides, build_plan, load_plan, thaw, to_yaml
from benchbook.errors import PlanError

PLAN = """\
validate:
  datasets: [datasets/a.json]
execute:
  targets:
    - name: one
      provider: openai
      model: m
      params: {temperature: 0.0, logit_bias: {a: 1}}
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    return path


def test_defaults_are_those_of_the_documentation(tmp_path: Path) -> None:
    spec = load_plan(written(tmp_path, PLAN))
    execute = spec.execute
    assert (execute.repetitions, execute.warmup, execute.timeout_s, execute.stream) == (10, 2, 60, True)
    assert execute.load.model_dump() == {"kind": "closed", "concurrency": 5, "ramp_s": None}
    assert execute.retries.model_dump() == {"attempts": 3, "base_s": 1, "cap_s": 30}
    assert execute.breaker is None
    target = spec.targets()[0]
    assert target.params.temperature == 0.0
    assert target.params.extra == {"logit_bias": {"a": 1}}


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        ("      model: m", 5, "execute.targets.0.provider: Field required"),
        ("      provider: openai\n      model: m\n      colour: red", 8, "unknown field; known fields: name, provider"),
        ("      provider: openai\n      model: m\n      base_url: ftp://x", 8, "is no address"),
        ("      provider: openai\n      model: m\n      api_key_env: sk-123-abc", 8, "never the key itself"),
        ("      provider: openai\n      model: m\n    - {name: one, provider: ollama, model: x}", 3, "used twice"),
        ("      provider: openai\n      model: m\n  repetitions: 0", 8, "greater than or equal to 1"),
        ("      provider: openai\n      model: m\n  load: {kind: burst}", 8, "load"),
        (
            "      provider: openai\n      model: m\n  breaker:\n    pause: 3",
            9,
            "unknown field; known fields: failure_share",
        ),
        (
            "      provider: openai\n      model: m\n  breaker: {min_calls: 30}",
            8,
            "more than the window of 20 calls holds",
        ),
        ("      provider: openai\n      model: m\n  breaker: {open_s: 90}", 8, "cap_s 60 is less than open_s 90"),
        (
            "      provider: openai\n      model: m\n  breaker: {counts: [weather]}",
            8,
            "'weather' is no error kind: name",
        ),
        ("      provider: openai\n      model: m\n  breaker: {counts: []}", 8, "counts is empty"),
        ("      provider: openai\n      model: m\nexecutive: {}", 8, "sections are validate, execute"),
        ("      provider: [openai\n      model: m", 7, "not valid YAML"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, change: str, line: int, words: str) -> None:
    text = "validate:\n  datasets: [a.json]\nexecute:\n  targets:\n    - name: one\n" + change + "\n"
    with pytest.raises(PlanError) as caught:
        load_plan(written(tmp_path, text))
    said = str(caught.value)
    assert words in said
    assert "\n" not in said
    assert caught.value.where.rpartition(":")[2] == str(line)


@pytest.mark.parametrize("text", ["", "[]", "just words", "validate: {}"])
def test_what_is_no_plan_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(PlanError):
        load_plan(written(tmp_path, text))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="no such plan file"):
        load_plan(tmp_path / "none.yaml")


def test_overrides_reach_every_place() -> None:
    document = yaml.safe_load(PLAN)
    apply_overrides(document, ["execute.repetitions=3", "execute.targets.0.model=x", "aggregate.slos={ttft_ms: 200}"])
    spec = build_plan(document, "p")
    assert spec.execute.repetitions == 3
    assert spec.execute.targets[0].model == "x"
    assert spec.aggregate.slos == {"ttft_ms": 200}


@pytest.mark.parametrize(
    "text", ["execute.repetitions", "=3", "execute.targets.7.model=x", "execute.targets.x.model=y", "execute.stream={"]
)
def test_a_bad_override_is_refused(text: str) -> None:
    document = yaml.safe_load(PLAN)
    with pytest.raises(PlanError):
        apply_overrides(document, [text])


def test_prices_are_resolved_with_their_date(tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text(
        'date: "2026-11-21"\nprices:\n  openai/m: {input: 1.5, output: 6, source: page}\n'
    )
    spec = load_plan(written(tmp_path, PLAN + "      price: prices.yaml#openai/m\n"))
    price = spec.targets()[0].price
    assert price is not None
    assert (price.date, price.input, price.output, price.cached) == ("2026-11-21", 1.5, 6.0, None)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("prices.yaml", "names no entry"),
        ("none.yaml#a", "no price file"),
        ("prices.yaml#b", "has no entry"),
        ("bad.yaml#a", "not a price file"),
    ],
)
def test_a_price_that_is_not_there_is_refused(tmp_path: Path, address: str, words: str) -> None:
    (tmp_path / "prices.yaml").write_text("date: x\nprices:\n  a: {input: 1}\n")
    (tmp_path / "bad.yaml").write_text("date: x\nprices:\n  a: {input: -1}\n")
    with pytest.raises(PlanError, match=words):
        load_plan(written(tmp_path, PLAN + f"      price: {address}\n"))


names = st.text(st.characters(categories=("Ll", "Nd")), min_size=1, max_size=8)
loads = st.one_of(
    st.fixed_dictionaries({"kind": st.just("closed"), "concurrency": st.integers(1, 1000)}),
    st.fixed_dictionaries({"kind": st.just("constant"), "rate": st.floats(0.1, 1000)}),
    st.fixed_dictionaries({"kind": st.just("poisson"), "rate": st.floats(0.1, 1000), "seed": st.integers(0, 99)}),
)
plans = st.fixed_dictionaries(
    {
        "validate": st.fixed_dictionaries({"datasets": st.lists(names, min_size=1, max_size=3)}),
        "execute": st.fixed_dictionaries(
            {
                "targets": st.lists(names, min_size=1, max_size=3, unique=True).map(
                    lambda found: [
                        {"name": n, "provider": "openai", "model": n, "params": {"temperature": 0.5}} for n in found
                    ]
                ),
                "load": loads,
                "repetitions": st.integers(1, 100),
                "stream": st.booleans(),
            }
        ),
    }
)


@given(plans)
def test_plan_files_and_frozen_plans_round_trip(document: dict) -> None:
    spec = build_plan(document, "p")
    assert build_plan(yaml.safe_load(to_yaml(spec)), "p") == spec
    assert thaw(spec.frozen()) == spec
