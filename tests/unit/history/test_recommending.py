"""Recommendations from rows that are known: who stands where, what is said, what is refused and with which command."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from benchbook.errors import UserError
from benchbook.history import ask
from benchbook.history.advice import Wish
from benchbook.history.recommending import Recommendation, recommendation
from tests.spec.sql.stored import Stored, run_row, trial_row

PRICES = {
    "big": {"date": "2026-11-21", "input": 2.5, "output": 10.0},
    "small": {"date": "2026-11-21", "input": 1.0, "output": 4.0},
    "slow": {"date": "2026-11-21", "input": 3.0, "output": 12.0},
}
FACTS = {"big": (1.0, 0.0), "small": (0.8, -0.003), "slow": (2.0, -0.05)}
"""Target -> how long it takes against big, and what it scores more."""


def plan_of(prices: Any = PRICES, **more: Any) -> str:
    targets = [{"name": name, "provider": "openai", "model": "m", "price": f"p.yaml#sim/{name}"} for name in PRICES]
    return json.dumps({"source": "params.yaml", "prices": prices, "sections": {"execute": {"targets": targets}}} | more)


def run_of(stored: Stored, run_id: str, *, cases: int = 12, reps: int = 6, **facts: Any) -> None:
    """A run of three targets; `small` costs 40 % of `big`, `slow` is dearer, slower and worse."""
    rng = random.Random(run_id)
    stored.rows["runs"].append(run_row(run_id, **{"plan": plan_of(), **facts}))
    for number in range(cases * reps * len(FACTS)):
        case, target = number % cases, list(FACTS)[number % len(FACTS)]
        target = list(FACTS)[number // cases % len(FACTS)]
        pace, more = FACTS[target]
        of_case = random.Random(case)
        takes, good = pace * of_case.lognormvariate(6, 0.3), of_case.uniform(0.5, 0.9)
        tokens_in, tokens_out = 50 + 7 * case, int(300 * of_case.uniform(0.7, 1.3))
        cost = (tokens_in * PRICES[target]["input"] + tokens_out * PRICES[target]["output"]) / 1e6  # type: ignore[operator]
        score = min(1.0, max(0.0, good + more + rng.gauss(0, 0.01)))
        row = trial_row(run_id, number, target=target, test_id=f"c{case}", score=score, cost_usd=cost)
        row |= {"e2e_ms": takes * rng.lognormvariate(0, 0.1), "ttft_ms": takes / 4 * rng.lognormvariate(0, 0.1)}
        row |= {"tokens_in": tokens_in, "tokens_out": tokens_out, "tokens_cached": 0, "price_date": "2026-11-21"}
        stored.rows["trials"].append(row | {"answer_chars": 4 * tokens_out, "reference_chars": 500})
        call = {
            name: row[name] for name in ("run_id", "trial_id", "target", "tokens_in", "tokens_out", "tokens_cached")
        }
        stored.rows["calls"].append(call | {"call_id": row["trial_id"], "attempt": 1, "turn": 1})
        judged = {"run_id": run_id, "trial_id": row["trial_id"], "scorer": "references"}
        stored.rows["scores"].append(judged | {"value": score, "passed": score > 0.5})


@cache
def _usual() -> Stored:
    stored = Stored()
    run_of(stored, "r1", reps=11)
    return stored


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _usual().write(tmp_path_factory.mktemp("usual"))


def changed(tmp_path: Path, change: Any) -> Path:
    """The usual history with one trial after another changed: `change(row, place)` in place."""
    stored = Stored()
    run_of(stored, "r1")
    for place, row in enumerate(stored.rows["trials"]):
        change(row, place)
    return stored.write(tmp_path)


def row_of(found: Recommendation, target: str) -> Any:
    return next(row for row in found.rows if row["target"] == target)


def refused(found: Recommendation, about: str) -> Any:
    return next(one for one in found.refusals if about in one.about)


def test_the_usual_answer(usual: Path) -> None:
    found = recommendation(usual, Wish(volume=1e6))
    assert found.sentences[0] == "Take small: every other target is worse somewhere and better nowhere."
    saving = next(line for line in found.sentences if line.startswith("small is equivalent to big"))
    assert "on these 12 cases within 3 points (" in saving
    assert ", at 40 % of the cost (40 to 40)" in saving
    assert "a month in the place of $" in saving
    assert [(row["target"], row["standing"]) for row in found.rows] == [
        ("small", "front"),
        ("big", "dominated"),
        ("slow", "dominated"),
    ]
    assert row_of(found, "big")["dominated_by"] == ["small"]
    assert recommendation(usual, Wish(volume=1e6)) == found


def test_rows_agree_with_the_questions(usual: Path) -> None:
    found = recommendation(usual, Wish(volume=1e6))
    summary = {row["target"]: row for row in ask("summary", usual)}
    use = {row["target"]: row for row in ask("token_use", usual)}
    monthly = {row["target"]: row for row in ask("cost_at_volume", usual)}
    solved = {row["target"]: row for row in ask("cost_per_solved_task", usual)}
    for row in found.rows:
        name = row["target"]
        for column in ("e2e_ms_p50", "e2e_ms_p50_low", "e2e_ms_p95_high", "ttft_ms_p95"):
            assert row[column] == pytest.approx(summary[name][column]), column
        for column in ("tokens_out", "output_per_input", "cached_share", "verbosity"):
            assert row[column] == pytest.approx(use[name][column]), column
        for column in ("monthly_usd", "monthly_usd_low", "monthly_usd_high"):
            assert row[column] == pytest.approx(monthly[name][column], rel=1e-3), column
        assert row["cost_usd_per_solved"] == pytest.approx(solved[name]["cost_usd_per_solved"])
        assert row["verbosity_to_cheapest"] == pytest.approx(1)


def test_limits_are_met_by_whole_intervals(usual: Path) -> None:
    rows = {row["target"]: row for row in recommendation(usual).rows}
    middle = rows["big"]["e2e_ms_p95"]
    found = recommendation(usual, Wish(limits={"e2e_ms_p95": middle}))
    assert {row["target"]: row["meets"] for row in found.rows} == {"small": "yes", "big": "cannot tell", "slow": "no"}
    assert found.sentences[0] == f"Take small: it meets e2e_ms p95 <= {middle:g} for sure."
    found = recommendation(usual, Wish(limits={"score": 0.99}))
    assert found.sentences[0] == "No target meets score >= 0.99: each of them misses a limit for sure."


def test_another_reference_and_an_unknown_one(usual: Path) -> None:
    found = recommendation(usual, Wish(reference="slow"))
    savings = [line for line in found.sentences if " in quality on these " in line]
    assert savings
    assert all("slow" in line for line in savings)
    with pytest.raises(UserError, match="--reference huge: is no target of these runs; one of big, slow, small"):
        recommendation(usual, Wish(reference="huge"))


def test_a_side_of_one_target_has_no_choice(usual: Path) -> None:
    found = recommendation(usual, Wish(sides=("target=big",)))
    assert [row["target"] for row in found.rows] == ["big"]
    assert "one target only" in refused(found, "a choice").reason


def test_a_saving_is_refused_where_equivalence_is_not_shown(tmp_path: Path) -> None:
    """Pass or fail, twelve cases, no difference at all: that does not show equivalence within 3 points."""
    found = recommendation(changed(tmp_path, lambda row, _: row.update(score=1.0)))
    assert not any("in quality" in line for line in found.sentences)
    why = refused(found, "small in the place of big")
    assert "+0.0 points, -24.2 to +24.2, on 12 cases, which is not within 3 points" in why.reason
    assert "cases like these would tell" in why.reason
    assert why.command.startswith("benchbook run")
    assert all(row["standing"] != "dominated" for row in found.rows)


def no_score(row: Any, _: int) -> None:
    row["score"] = None


def no_price(row: Any, _: int) -> None:
    if row["target"] == "small":
        row.update(cost_usd=None, provenance={"cost_usd": "missing: no price"})


def not_streamed(row: Any, _: int) -> None:
    row["ttft_ms"] = None


def few_trials(row: Any, place: int) -> None:
    if place >= 108:
        row["status"] = "skipped"


def few_cases(row: Any, _: int) -> None:
    row["test_id"] = "c" + str(int(row["test_id"][1:]) % 4)


@pytest.mark.parametrize(
    ("change", "about", "reason", "command"),
    [
        (no_score, "score of every target", "no answer was scored; give the cases `expected`", "benchbook run"),
        (no_price, "cost of small", "no price; or name one in the plan", "benchbook recommend --prices FILE"),
        (not_streamed, "ttft_ms p50 and ttft_ms p95 of every target", "not streamed", "benchbook run --stream"),
        (few_trials, "e2e_ms p95 and ttft_ms p95 of every target", "needs 59, has 36", "benchbook run -n 5"),
        (few_cases, "of every target", "needs 6 test cases, has 4; take a dataset with more", "run --dataset FILE"),
    ],
    ids=["score", "price", "stream", "trials", "cases"],
)
def test_refusals_say_what_would_help(tmp_path: Path, change: Any, about: str, reason: str, command: str) -> None:
    found = recommendation(changed(tmp_path, change))
    one = refused(found, about)
    assert reason in one.reason
    assert command in one.command


def test_a_target_without_a_price_is_no_rival_in_money(tmp_path: Path) -> None:
    found = recommendation(changed(tmp_path, no_price), Wish(volume=1e6))
    small = row_of(found, "small")
    assert (small["cost_usd"], small["monthly_usd"], small["monthly_usd_refused"]) == (None, None, "no price")
    assert small["standing"] == "front"
    assert small["dominated_by"] == []
    assert not any("small" in row["dominated_by"] for row in found.rows)
    assert row_of(found, "big")["monthly_usd"] > 0


def three_days(results: Path, pace: Mapping[str, Sequence[float]]) -> Recommendation:
    """Three runs on three days, on which each target takes so many times as long."""
    stored = Stored()
    for day in range(3):
        run_of(stored, f"r{day}", started_at=run_row("r")["started_at"] + timedelta(days=day))
    for row in stored.rows["trials"]:
        row["e2e_ms"] *= pace[row["target"]][int(row["run_id"][1])]
    return recommendation(stored.write(results))


def width(found: Recommendation) -> float:
    pair = {(row["a"], row["b"], row["axis"]): row for row in found.pairs}["big", "small", "e2e_ms_p50"]
    return float(pair["high"] / pair["low"])


def test_several_runs_pool_and_their_spread_widens_latencies(tmp_path: Path) -> None:
    """What the days did to both targets cancels; what they did to each is in the interval."""
    days = (0.9, 1.0, 1.1)
    alike = three_days(tmp_path / "alike", dict.fromkeys(PRICES, days))
    apart = three_days(tmp_path / "apart", dict.fromkeys(PRICES, days) | {"small": days[::-1]})
    assert (row_of(alike, "big")["runs"], row_of(alike, "big")["attempted"]) == (3, 216)
    assert width(alike) < 1.25
    assert width(apart) > 1.5
    assert not any(note.startswith("one run:") for note in alike.notes)
    one = recommendation(tmp_path / "apart", Wish(sides=("r1",)))
    assert any(note.startswith("one run:") and "unknown" not in note for note in one.notes)
    assert width(one) > 1.5, "the other stored runs tell how far runs lie apart"


def test_runs_that_are_not_fit_are_left_out_and_said(tmp_path: Path) -> None:
    stored, start = Stored(), run_row("r")["started_at"]
    run_of(stored, "r1")
    for number, fact in enumerate(({"verdict": "INVALID"}, {"status": "interrupted"}, {"workload_hash": None})):
        run_of(stored, f"s{number}", cases=6, reps=1, started_at=start + timedelta(days=1), **fact)
    results = stored.write(tmp_path)
    found = recommendation(results)
    assert found.runs == ("r1",)
    assert [note for note in found.notes if "left out" in note] == [
        "run s0 is left out: it is INVALID",
        "run s1 is left out: it did not finish (interrupted)",
        "run s2 is left out: it has an unknown workload",
    ]
    nothing = recommendation(results, Wish(sides=("s0",)))
    assert (nothing.rows, nothing.runs) == ((), ())
    assert nothing.refusals[0].reason == "none can be used: run s0 is INVALID"
    assert nothing.refusals[0].command == "benchbook show s0"


def test_unlike_workloads_are_refused(tmp_path: Path) -> None:
    stored = Stored()
    run_of(stored, "r1", cases=6, reps=1)
    run_of(stored, "r2", cases=6, reps=1, workload_hash="w2")
    results = stored.write(tmp_path)
    with pytest.raises(UserError, match=r"r1 and r2: unlike workloads: .*workload_hash=w2"):
        recommendation(results, Wish(sides=("r1", "r2")))
    assert recommendation(results).runs == ("r2",)


def test_another_price_table_recomputes_and_leaves_the_rows(tmp_path: Path) -> None:
    results = _usual().write(tmp_path)
    before = recommendation(results)
    table = tmp_path / "p.yaml"
    same = "\n".join(f"  sim/{name}: {{input: {p['input']}, output: {p['output']}}}" for name, p in PRICES.items())
    table.write_text(f"date: 2026-12-01\nprices:\n{same}\n")
    again = recommendation(results, Wish(prices=str(table)))
    assert [row["cost_usd"] for row in again.rows] == [row["cost_usd"] for row in before.rows], "to the last bit"
    table.write_text(
        "date: 2026-12-01\nprices:\n  sim/big: {input: 5, output: 20, request: 0.5}\n  openai/m: {input: 1}\n"
    )
    dearer = recommendation(results, Wish(prices=str(table)))
    assert row_of(dearer, "big")["cost_usd"] == pytest.approx(2 * row_of(before, "big")["cost_usd"] + 0.5)
    assert row_of(dearer, "small")["cost_usd_refused"] == "output price unknown"
    assert recommendation(results) == before
    assert any("recomputed from token counts" in note for note in dearer.notes)


def test_a_price_that_changed_and_an_old_one_are_said(tmp_path: Path) -> None:
    stored, start = Stored(), run_row("r")["started_at"]
    run_of(stored, "r1", cases=6, reps=2)
    newer = {**PRICES, "big": {"date": "2026-12-01", "input": 5.0, "output": 20.0}}
    newer["slow"] = {**PRICES["slow"], "date": "2026-01-01"}
    run_of(stored, "r2", cases=6, reps=2, plan=plan_of(newer), started_at=start + timedelta(days=20))
    found = recommendation(stored.write(tmp_path))
    told = "\n".join(found.notes)
    assert "the price of big changed between run r1 (2026-11-21) and run r2 (2026-12-01): all costs here are at" in told
    assert "the price of slow was 344 days old when run r2 started (2026-01-01)" in told
    big, small = row_of(found, "big"), row_of(found, "small")
    assert big["cost_usd"] == pytest.approx(5 * small["cost_usd"])


@pytest.mark.parametrize("wish", [Wish(latency="ttft_ms"), Wish(volume=5e9, unit="tokens"), Wish(confidence=0.9)])
def test_other_wishes(usual: Path, wish: Wish) -> None:
    found = recommendation(usual, wish)
    assert row_of(found, "small")["standing"] == "front"
    assert {row["axis"] for row in found.pairs} >= {f"{wish.latency}_p50", "cost_usd"}
    if wish.unit == "tokens":
        row = row_of(found, "big")
        tokens = row["tokens_in"] + row["tokens_out"]
        assert row["monthly_usd"] == pytest.approx(5e9 * row["cost_usd"] / tokens)
    with pytest.raises(UserError, match="no latency to recommend by"):
        recommendation(usual, replace(wish, latency="score"))


def test_agents_are_weighed_by_the_whole_trial(tmp_path: Path) -> None:
    """A call's own latency says nothing of a team's trial: the axis is wall_ms, and nothing is refused for e2e_ms."""

    def by_agents(row: Any, _: int) -> None:
        row.update(workload="agent", wall_ms=10 * row["e2e_ms"], e2e_ms=None, ttft_ms=None)

    found = recommendation(changed(tmp_path, by_agents))
    assert {row["axis"] for row in found.pairs} == {"score", "wall_ms_p50", "wall_ms_p95", "cost_usd", "failure_share"}
    assert row_of(found, "big")["wall_ms_p50"] > row_of(found, "small")["wall_ms_p50"] > 0
    assert not any("e2e_ms" in one.about or "ttft_ms" in one.about for one in found.refusals)
    assert any("wall_ms p50" in line for line in found.sentences)
