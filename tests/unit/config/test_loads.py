"""Loads, think times, caps and traces in a plan file: what they take, and the one line that a mistake gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from benchbook.config import PlanSpec, build_plan, thaw, to_yaml
from benchbook.errors import PlanError
from benchbook.schedules import LOADS, load_of

GOOD: list[dict[str, Any]] = [
    {"kind": "closed", "concurrency": 3},
    {"kind": "constant", "rate": 2},
    {"kind": "poisson", "rate": 2, "seed": 1},
    {"kind": "gamma", "rate": 2, "burstiness": 0.5},
    {"kind": "ramp", "from_rate": 0, "to_rate": 2, "duration_s": 10, "arrivals": "poisson"},
    {"kind": "steps", "steps": [{"rate": 1, "for_s": 5}, {"rate": 0, "for_s": 5}]},
    {"kind": "steps", "steps": [{"concurrency": 1, "for_s": 5}, {"concurrency": 4, "for_s": 5}]},
    {"kind": "spike", "base_rate": 1, "peak_rate": 9, "at_s": 5, "for_s": 2},
    {"kind": "soak", "rate": 2, "duration_s": 60},
    {"kind": "soak", "concurrency": 2, "duration_s": 60},
]


def spec(load: dict[str, Any] | None = None, source: str = "p.yaml", **execute: Any) -> PlanSpec:
    targets = [{"name": "t", "provider": "openai", "model": "m"}]
    given = {"targets": targets, **({"load": load} if load else {}), **execute}
    return build_plan({"validate": {"datasets": ["d.json"]}, "execute": given}, source)


@pytest.mark.parametrize("load", GOOD, ids=str)
def test_every_load_is_taken_and_written_again(load: dict[str, Any]) -> None:
    made = spec(load)
    shape = type(load_of(made.load_fields()))
    assert f"{shape.__module__}.{shape.__name__}" == LOADS[load["kind"]]
    assert build_plan(yaml.safe_load(to_yaml(made)), "p.yaml") == made
    assert thaw(made.frozen()) == made


@pytest.mark.parametrize(
    ("load", "words"),
    [
        ({"kind": "burst"}, "execute.load: no kind burst: one of closed, constant, poisson, gamma, ramp, steps"),
        ({"kind": "gamma", "rate": 1}, "execute.load.burstiness: Field required"),
        ({"kind": "gamma", "rate": 1, "burstiness": 0}, "execute.load.burstiness: Input should be greater than 0"),
        ({"kind": "constant", "rate": float("inf")}, "execute.load.rate: Input should be"),
        ({"kind": "ramp", "from_rate": 0, "to_rate": 0, "duration_s": 5}, "a ramp from 0 to 0 holds no trial"),
        ({"kind": "ramp", "from_rate": -1, "to_rate": 0, "duration_s": 5}, "execute.load.from_rate"),
        ({"kind": "ramp", "from_rate": 1, "to_rate": 2, "duration_s": 0}, "execute.load.duration_s"),
        ({"kind": "ramp", "from_rate": 1, "to_rate": 2, "duration_s": 5, "color": 1}, "execute.load.color: unknown"),
        ({"kind": "steps", "steps": []}, "execute.load.steps"),
        ({"kind": "steps", "steps": [{"for_s": 5}]}, "execute.load.steps.0: a step has a rate or a concurrency"),
        ({"kind": "steps", "steps": [{"rate": 1, "for_s": 5}, {"concurrency": 1, "for_s": 5}]}, "every step has"),
        ({"kind": "steps", "steps": [{"rate": 0, "for_s": 5}]}, "hold no trial"),
        ({"kind": "spike", "base_rate": 1, "peak_rate": 2, "at_s": 5, "for_s": 5, "duration_s": 8}, "the spike ends"),
        ({"kind": "soak", "duration_s": 5}, "a soak has a rate or a concurrency"),
        ({"kind": "soak", "duration_s": 5, "rate": 1, "concurrency": 1}, "a soak has a rate or a concurrency"),
        ({"kind": "trace", "file": "none.csv"}, "no trace none.csv"),
    ],
    ids=str,
)
def test_a_wrong_load_is_one_clear_line(load: dict[str, Any], words: str) -> None:
    with pytest.raises(PlanError) as caught:
        spec(load)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("execute", "words"),
    [
        ({"think_s": -1}, "execute.think_s.s"),
        ({"think_s": "long"}, "execute.think_s"),
        ({"think_s": {"kind": "normal"}}, "execute.think_s: no kind normal: one of constant"),
        ({"think_s": {"kind": "uniform", "from_s": 2, "to_s": 1}}, "to_s is less than from_s"),
        ({"think_s": 1, "load": {"kind": "constant", "rate": 1}}, "think_s goes with a closed loop"),
        ({"max_in_flight": 3}, "max_in_flight goes with an open loop"),
        ({"on_full": "drop", "load": {"kind": "constant", "rate": 1}}, "on_full: drop goes with max_in_flight"),
        ({"on_full": "panic", "load": {"kind": "constant", "rate": 1}}, "execute.on_full"),
        ({"trials": 9, "load": {"kind": "soak", "rate": 1, "duration_s": 9}}, "trials goes without a soak load"),
    ],
    ids=str,
)
def test_what_does_not_fit_the_load_is_refused(execute: dict[str, Any], words: str) -> None:
    with pytest.raises(PlanError) as caught:
        spec(**execute)
    assert words in str(caught.value)


def test_think_time_is_a_number_or_a_law() -> None:
    assert spec(think_s=2).execute.think_s == spec(think_s={"kind": "constant", "s": 2}).execute.think_s
    drawn = spec(think_s={"kind": "lognormal", "median_s": 2, "sigma": 0.5}).execute.think_s
    assert drawn is not None
    assert drawn.kind == "lognormal"


CSV = "timestamp_s,input_tokens,output_tokens,user\n12.5,100,20,a\n10,50,,b\n10.25,,7,c\n"
JSONL = (
    '{"timestamp_s": 12.5, "input_tokens": 100, "output_tokens": 20}\n\n'
    '{"timestamp_s": 10, "input_tokens": 50}\n{"timestamp_s": 10.25, "output_tokens": 7}\n'
)


@pytest.mark.parametrize(("name", "text"), [("t.csv", CSV), ("t.jsonl", JSONL)])
def test_a_trace_is_read_in_order_of_time(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    made = spec({"kind": "trace", "file": name, "speed": 2}, source=str(tmp_path / "plan.yaml"))
    load = load_of(made.load_fields())
    assert list(load.offsets_ns(3, 1) or ()) == [0, 125_000_000, 1_250_000_000]
    assert load.lengths() == [(50, None), (None, 7), (100, 20)]  # type: ignore[attr-defined]
    assert thaw(made.frozen()) == made
    (tmp_path / name).write_text(text.replace("100", "101"))
    again = spec({"kind": "trace", "file": name, "speed": 2}, source=str(tmp_path / "plan.yaml"))
    assert again.measured() != made.measured()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("t.csv", "", "t.csv:1: has no column timestamp_s"),
        ("t.csv", "time,tokens\n1,2\n", "t.csv:1: has no column timestamp_s"),
        ("t.csv", "timestamp_s\n", "holds no request"),
        ("t.csv", "timestamp_s\n1\nnoon\n", "t.csv:3: timestamp_s is 'noon'"),
        ("t.csv", "timestamp_s\nnan\n", "t.csv:2: timestamp_s is 'nan'"),
        ("t.csv", "timestamp_s,input_tokens\n1,-4\n", "t.csv:2: input_tokens is '-4'"),
        ("t.csv", "timestamp_s,output_tokens\n1,1.5\n", "t.csv:2: output_tokens is '1.5'"),
        ("t.jsonl", "{}\n", "t.jsonl:1: timestamp_s is None"),
        ("t.jsonl", '{"timestamp_s": 1}\n[1]\n', "t.jsonl:2: is no JSON object"),
    ],
)
def test_a_wrong_trace_is_one_clear_line(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(PlanError) as caught:
        spec({"kind": "trace", "file": str(tmp_path / name)})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_trace_of_the_repository_is_read() -> None:
    root = Path(__file__).resolve().parents[3]
    load = load_of(spec({"kind": "trace", "file": str(root / "datasets/traces/bursty-minute.csv")}).load_fields())
    assert load.count == 144
    assert load.lasts_s == pytest.approx(59.746)
