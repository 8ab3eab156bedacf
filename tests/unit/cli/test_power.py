"""`benchbook power`: what stored runs of a workload let one plan, what it costs, and when there is no telling."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from benchbook.cli.power import command
from benchbook.errors import UserError
from benchbook.stages.forecast import forecast
from benchbook.stats.spread import spread_of
from tests.conftest import Bench
from tests.spec.sql.stored import Stored, run_row, trial_row

PRICE = 'date: "2026-11-21"\nprices:\n  sim: {input: 2.0, output: 10.0, request: 0.001}\n'
LEVELS = [5.01, 5.02, 4.97, 5.04, 4.99, 5.01, 4.96, 5.03]
TARGET: dict[str, Any] = {"name": "openai-sim", "provider": "openai", "model": "sim-openai", "base_url": "simulator"}
TARGET["params"] = {"max_tokens": 100}


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A plan with eight stored runs, one unfinished and one INVALID; every trial of a run takes exp(level) ms."""
    bench = Bench(tmp_path_factory.mktemp("power"))
    bench.execute = {"targets": [{**TARGET, "price": f"{bench.folder}/prices.yaml#sim"}]}
    bench.sections = {"aggregate": {"confidence": 0.9}}
    (bench.folder / "prices.yaml").write_text(PRICE)
    asked = forecast(bench.job())["workload_hash"]
    stored = Stored()
    facts: list[dict[str, Any]] = [{}] * len(LEVELS) + [{"status": "running"}, {"verdict": "INVALID"}]
    for number, fact in enumerate(facts):
        run = run_row(f"r{number}", workload_hash=asked, **fact)
        run["started_at"] += timedelta(hours=number)
        stored.rows["runs"].append(run)
        took = math.exp(LEVELS[number] if number < len(LEVELS) else 9.0)
        stored.rows["trials"] += [
            trial_row(f"r{number}", n, target="openai-sim", test_id=f"c{n % 4}", ttft_ms=took, wall_ms=took, score=1.0)
            for n in range(8)
        ]
    stored.write(bench.results)
    return bench


def said(bench: Bench, *words: str) -> Any:
    done = CliRunner().invoke(command, ["--plan", str(bench.plan), "--results", str(bench.results), *words])
    if done.exception is not None:
        raise done.exception
    return json.loads(done.stdout) if "--json" in words else done.stdout


def test_what_n_runs_a_side_show(planned: Bench) -> None:
    found = said(planned, "--runs", "3", "--change", "15%", "--metric", "ttft_ms", "--json")
    assert (found["confidence"], found["change"], found["power"]) == (0.9, 0.15, 0.8)
    (row,) = found["rows"]
    spread = spread_of(LEVELS)
    assert spread is not None
    assert (row["runs"], row["left_out"], row["n"]) == (8, 2, 8)
    assert row["sd"] == pytest.approx(spread.sd)
    assert row["sd_low"] < row["sd"] < row["sd_high"]
    (seen,) = row["seen"]
    assert 0 < seen["change"] <= seen["changed"]
    assert 1 <= row["runs_clear"] <= row["runs_changed"] < row["runs_equivalent"]


def test_both_sides_cost_by_the_plans_forecast(planned: Bench) -> None:
    (target,) = said(planned, "--json")["targets"]
    once = forecast(planned.job())
    assert (target["cost_usd_run"], target["duration_s_run"]) == (once["cost_usd_most"], once["duration_s"])
    (row,) = said(planned, "--runs", "5", "--metric", "ttft_ms", "--json")["rows"]
    assert row["seen"][0]["cost_usd"] == pytest.approx(10 * once["cost_usd_most"])
    assert row["duration_s"] == pytest.approx(2 * (row["runs_changed"] or row["runs_clear"]) * once["duration_s"])


def test_a_target_without_a_price_costs_null_and_it_is_said(planned: Bench) -> None:
    words = ("-S", f"execute.targets={json.dumps([TARGET])}")  # prices are no part of the workload hash
    found = said(planned, *words, "--runs", "2", "--metric", "ttft_ms", "--json")
    assert [found["targets"][0]["cost_usd_run"], found["rows"][0]["cost_usd"]] == [None, None]
    assert found["rows"][0]["seen"][0]["cost_usd"] is None
    assert "cost unknown (no price, or no max_tokens)" in said(planned, *words)
    assert "at most $" in said(planned)


def test_a_change_within_the_margin_is_never_called_changed(planned: Bench) -> None:
    (row,) = said(planned, "--change", "4%", "--metric", "ttft_ms", "--json")["rows"]
    assert row["runs_changed"] is None
    assert row["runs_clear"] > 3
    told = CliRunner().invoke(
        command, ["--plan", str(planned.plan), "--results", str(planned.results), "--change", "4%"]
    )
    assert "a change within the margin of 5% is never called CHANGED" in told.stderr
    assert "score: all 8 stored runs have one value" in told.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--target", "gpt"), "no target 'gpt'; one of openai-sim"),
        (("--metric", "itl"), "no metric 'itl'; one of ttfb_ms"),
        (("--change", "0"), "'0' is no change; write 5% or 0.05"),
        (("--change", "5"), "'5' is no change; write 5% or 0.05"),
        (("--metric", "score"), "all 8 stored runs have one value; `benchbook aa openai-sim --plan"),
    ],
)
def test_what_is_refused(planned: Bench, words: tuple[str, ...], says: str) -> None:
    done = CliRunner().invoke(command, ["--plan", str(planned.plan), "--results", str(planned.results), *words])
    assert says in (str(done.exception) if isinstance(done.exception, UserError) else done.stderr)


@pytest.mark.parametrize(("runs", "says"), [(0, "holds no runs of this workload"), (1, "holds 1 run of this workload")])
def test_nothing_is_known_without_two_runs(bench: Bench, runs: int, says: str) -> None:
    stored = Stored()
    if runs:
        stored.rows["runs"].append(run_row("r", workload_hash=forecast(bench.job())["workload_hash"]))
        stored.rows["trials"].append(trial_row("r", 0, target="openai-sim", ttft_ms=5.0, wall_ms=9.0))
        stored.write(bench.results)
    bench.write()
    with pytest.raises(UserError, match=f"{says}, and it takes 2 .*; `benchbook aa openai-sim --plan"):
        said(bench)


def test_rounds_of_one_experiment_are_one_level_beside_other_runs(bench: Bench) -> None:
    """Alone they are all that is known, and it is said what for."""
    asked, stored = forecast(bench.job())["workload_hash"], Stored()
    bench.write()
    for number, level in enumerate((5.0, 5.02, 4.98)):
        stored.rows["runs"].append(run_row(f"x{number}", workload_hash=asked, sweep_id="x", sweep_axis="aa"))
        took = math.exp(level)
        stored.rows["trials"].append(trial_row(f"x{number}", 0, target="openai-sim", ttft_ms=took, wall_ms=took))
    stored.write(bench.results)
    words = ("--metric", "ttft_ms", "--json")
    (row,) = said(bench, *words)["rows"]
    assert (row["kind"], row["runs"], row["df"], row["sd"]) == ("rounds", 3, 2, pytest.approx(0.02))
    told = CliRunner().invoke(command, ["--plan", str(bench.plan), "--results", str(bench.results), *words[:2]])
    assert "it plans an experiment, and is too small for a comparison of days" in told.stderr
    later = Stored()
    later.rows["runs"].append(
        run_row("y", workload_hash=asked, started_at=run_row("")["started_at"] + timedelta(days=1))
    )
    took = math.exp(5.3)
    later.rows["trials"].append(trial_row("y", 0, target="openai-sim", ttft_ms=took, wall_ms=took))
    later.write(bench.results)
    (row,) = said(bench, *words)["rows"]
    assert (row["kind"], row["runs"], row["df"], row["sd"]) == ("stretches", 4, 1, pytest.approx(0.3 / math.sqrt(2)))
