"""What a plan would take and cost, by arithmetic on paper."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from benchbook.stages.forecast import ASSUMED_TRIAL_S, forecast
from tests.spec.sql.stored import Stored, run_row, trial_row

PRICE = 'date: "2026-11-21"\nprices:\n  sim: {input: 2.0, output: 10.0, request: 0.001}\n'


@pytest.mark.parametrize(
    ("load", "seconds"),
    [
        ({"kind": "closed", "concurrency": 5}, math.ceil(12 / 5) * ASSUMED_TRIAL_S),
        ({"kind": "closed", "concurrency": 1}, 12 * ASSUMED_TRIAL_S),
        ({"kind": "constant", "rate": 3}, 11 / 3 + ASSUMED_TRIAL_S),  # the last start, and one trial
        ({"kind": "steps", "steps": [{"rate": 1, "for_s": 4}, {"rate": 4, "for_s": 1}]}, 8.75 + ASSUMED_TRIAL_S),
        ({"kind": "soak", "concurrency": 1, "duration_s": 5}, 5 + ASSUMED_TRIAL_S),
    ],
)
def test_duration_by_load_where_nothing_was_measured(bench: Any, load: dict[str, Any], seconds: float) -> None:
    bench.execute = {"load": load}
    found = forecast(bench.job())
    assert (found["trials"], found["warmup"], found["measured"]) == (12, 4, 8)
    assert found["duration_s"] == pytest.approx(seconds)
    assert found["targets"][0]["basis"] == "assumes 2 s a trial"


@pytest.mark.parametrize(
    ("execute", "words"),
    [
        ({}, "repetitions"),
        ({"trials": 9}, "trials: 9 a target, cases in turn"),
        (
            {"load": {"kind": "ramp", "from_rate": 1, "to_rate": 3, "duration_s": 4}},
            "the load: 8 trials a target fill its 4 s",
        ),
        (
            {"load": {"kind": "soak", "concurrency": 1, "duration_s": 5}},
            "repetitions; at most, for what 5 s leave over",
        ),
    ],
)
def test_what_decides_the_number_of_trials_is_said(bench: Any, execute: dict[str, Any], words: str) -> None:
    bench.execute = execute
    assert words in forecast(bench.job())["measured_by"]


def test_a_pause_between_trials_counts(bench: Any) -> None:
    bench.execute = {"load": {"kind": "closed", "concurrency": 3}, "delay_s": 0.5}
    assert forecast(bench.job())["duration_s"] == pytest.approx(4 * (ASSUMED_TRIAL_S + 0.5))


def test_users_who_think_take_as_long_as_they_think(bench: Any) -> None:
    bench.execute = {"load": {"kind": "closed", "concurrency": 3}, "think_s": {"kind": "constant", "s": 1.5}}
    assert forecast(bench.job())["duration_s"] == pytest.approx(4 * (ASSUMED_TRIAL_S + 1.5))


def test_a_conversation_takes_as_long_as_its_turns_and_pauses(bench: Any) -> None:
    bench.write()
    turns = ["Hello.", {"content": "And then?", "think_s": 0.5}, {"content": "Why?", "think_s": 1}]
    case = {"id": "one", "turns": turns, "config": {"max_tokens": 9}}
    (bench.folder / "talks.json").write_text(json.dumps({"name": "talks", "test_cases": [case]}))
    changes = (f"validate.datasets=[{bench.folder / 'talks.json'}]", "execute.workloads=[session]")
    found = forecast(bench.job(overrides=(*changes, "execute.load={kind: closed, concurrency: 1}")))
    assert found["duration_s"] == pytest.approx(found["trials"] * (3 * ASSUMED_TRIAL_S + 1.5))
    assert found["targets"][0]["basis"] == "assumes 2 s a turn"


def test_duration_rests_on_what_the_target_took_before(bench: Any) -> None:
    stored = Stored()
    stored.rows["runs"].append(run_row("r1"))
    stored.rows["trials"] += [trial_row("r1", n, target="openai-sim", wall_ms=250.0) for n in range(6)]
    stored.write(bench.results)
    bench.execute = {"load": {"kind": "closed", "concurrency": 4}}
    found = forecast(bench.job())
    assert found["duration_s"] == pytest.approx(3 * 0.25)
    assert found["targets"][0]["basis"] == "history"


def test_cost_is_an_upper_bound_of_known_prices(bench: Any) -> None:
    bench.write()
    (bench.folder / "prices.yaml").write_text(PRICE)
    price = f"execute.targets.0.price={bench.folder / 'prices.yaml'}#sim"
    found = forecast(bench.job(overrides=(price, "execute.targets.0.params.max_tokens=100")))
    tokens_in = math.ceil(len("Say word 0 and nothing else.") / 4)
    each = (tokens_in * 2.0 + 100 * 10.0) / 1e6 + 0.001
    assert found["cost_usd_most"] == pytest.approx(12 * each)


@pytest.mark.parametrize("known", ["price", "length", "neither"])
def test_cost_is_unknown_without_a_price_or_a_longest_answer(bench: Any, known: str) -> None:
    bench.write()
    (bench.folder / "prices.yaml").write_text(PRICE)
    changes = {
        "price": (f"execute.targets.0.price={bench.folder / 'prices.yaml'}#sim",),
        "length": ("execute.targets.0.params.max_tokens=100",),
    }
    assert forecast(bench.job(overrides=changes.get(known, ())))["cost_usd_most"] is None
