"""Experiments against the simulator: what they say, what they keep, and how they go on after whatever ends them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchbook.cli.rounds import present
from benchbook.history import ask, run_row
from benchbook.history.experiments import rounds
from benchbook.history.null_runs import realised
from benchbook.results import journal
from benchbook.results.store import read_table
from benchbook.stages import Job
from benchbook.stages.execute import execute
from benchbook.stages.experiment import Experiment, Wish, begin, conduct, done, resumed, with_means
from tests.end_to_end.conftest import PRICES
from tests.end_to_end.terminal import Cli, refused

LAWS = {
    "sim-quick": {"ttft_ms": 5, "tokens_out": 4},
    "sim-tardy": {"ttft_ms": 60, "tokens_out": 40},
    "sim-broken": {"tokens_out": 4},
}
FAULTS = [{"kind": "server_error", "rate": 1.0, "match": "sim-broken"}]


def prepare(bench: Any, **execute_fields: Any) -> Job:
    """A bench with a quick, a tardy and a broken target, all of one price; the job of its plan."""
    bench.cases = 10
    bench.folder.mkdir(parents=True, exist_ok=True)
    prices = bench.folder / "prices.yaml"
    prices.write_text(PRICES)
    targets = [
        {"name": name, "provider": "openai", "model": f"sim-{name}", "base_url": "simulator", "price": f"{prices}#sim"}
        for name in ("quick", "tardy", "broken")
    ]
    bench.execute = {"targets": targets, "repetitions": 2, "warmup": 0, "retries": {"attempts": 1}, **execute_fields}
    job: Job = bench.job()
    profile = {"seed": 7, "default": {"tokens_out": 4}, "models": LAWS, "faults": FAULTS}
    (bench.folder / "profile.yaml").write_text(yaml.safe_dump(profile))
    return job


def begun(job: Job, a: str, b: str, **wish: Any) -> Experiment:
    return replace(begin("aa" if a == b else "ab", job, Wish(a, b, **wish)), measure=execute)


@pytest.fixture(scope="module")
def told(shared: Callable[..., Any], make_bench: Any) -> Any:
    """Two rounds of quick against tardy."""

    def measure(bench: Any) -> None:
        conduct(begun(prepare(bench), "quick", "tardy", rounds=2), lambda *_: None)

    return shared(make_bench(Path()), "experiment", measure)


def test_a_known_difference_is_found_and_each_round_is_a_run_of_its_own(told: Any, cli: Cli) -> None:
    ended = cli("ab", "--resume", "latest", "--results", told.results)
    assert ended.code == 3
    assert "round 2 of 2: has a finished run" in ended.err
    said = " ".join(ended.out.split())
    found = resumed("ab", str(told.results), "latest")
    for words in (
        f"ab {found.experiment_id} A quick B tardy",
        f"more benchbook ab --resume {found.experiment_id} --rounds 4",
        f"next benchbook compare 'sweep={found.experiment_id} target=quick' 'sweep={found.experiment_id} target=tardy'",
    ):
        assert words in said
    (cost,) = [line for line in ended.out.splitlines() if line.startswith("cost_usd ")]
    assert "CHANGED worse" in cost
    runs = [run_row(told.results, run_id) for run_id in done(found).values()]
    assert [(run["sweep_id"], run["sweep_axis"], run["sweep_value"]) for run in runs] == [
        (found.experiment_id, "ab", float(number)) for number in (1, 2)
    ]
    assert (len({run["workload_hash"] for run in runs}), len({run["plan_hash"] for run in runs})) == (1, 2)
    trials, _ = read_table(told.results, "trials")
    for run in runs:
        rows = [row for row in trials.to_pylist() if row["run_id"] == run["run_id"]]
        order = [row["target"] for row in rows][::10]
        assert order in (["quick", "tardy", "tardy", "quick"], ["tardy", "quick", "quick", "tardy"])
        assert [row["block_place"] for row in rows] == [place for place in range(4) for _ in range(10)]
    assert ask("sweep", told.results) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("ab", "quick", "nobody"), ("has no target 'nobody'", "it has quick, tardy, broken")),
        (("ab", "quick"), ("quick and quick are one and the same", "benchbook aa quick")),
        (("ab",), ("needs a target",)),
        (("aa",), ("needs a target",)),
        (("aa", "nobody"), ("has no target 'nobody'",)),
        (("ab", "quick", "--b-set", "execute.retries.attempts=2"), ("is no setting of a target", "params")),
        (("ab", "quick", "--b-set", "params.temperature=9"), ("params.temperature",)),
        (("ab", "quick", "tardy", "-S", "execute.load={kind: soak, duration_s: 5, rate: 2}"), ("without a soak load",)),
        (("ab", "quick", "tardy", "--resume", "latest"), ("--resume", "goes without quick")),
        (("ab", "--resume", "latest"), ("no such experiment",)),
        (("ab", "quick", "tardy", "-S", "execute.targets.1.price=null", "--budget-usd", 1), ("tardy has no price",)),
    ],
)
def test_a_wrong_experiment_is_one_line_and_measures_nothing(
    bench: Any, cli: Cli, words: tuple[str, ...], says: tuple[str, ...]
) -> None:
    prepare(bench)
    plan = () if "--resume" in words else ("--plan", bench.plan)
    refused(cli(*words, *plan, "--results", bench.results), *says)
    assert not bench.run_ids()


def test_settings_of_one_target_are_two_sides(bench: Any) -> None:
    job = prepare(bench)
    wish = Wish("quick", "quick", b_set=("params.max_tokens=7", "execute.stream=false"))
    made = begin("ab", job, wish)
    one, other = made.spec().execute.targets
    assert (one.name, one.params.max_tokens, one.stream) == ("quick~a", None, None)
    assert (other.name, other.params.max_tokens, other.stream) == ("quick~b", 7, False)
    assert made.spec().execute.order == "abba"


def test_a_side_without_a_success_ends_it_after_one_round(bench: Any, capsys: pytest.CaptureFixture[str]) -> None:
    made = begun(prepare(bench), "quick", "broken", rounds=3)
    ended = conduct(made, lambda *_: None)
    assert (ended.status, list(ended.runs)) == ("failed", [1])
    assert present(made, ended, as_json=False) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "stopped after 1 of 3 rounds: broken: none of 20 trials of round 1 succeeded; what was done is kept" in said


def test_money_is_a_cap_on_all_rounds_and_an_interrupt_between_rounds_keeps_them(
    bench: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    made = begun(prepare(bench), "quick", "tardy", rounds=4, budget_usd=1e-12)
    ended = conduct(made, lambda *_: None)
    assert (ended.status, list(ended.runs)) == ("budget", [1])
    assert present(made, ended, as_json=False) == 4
    said = " ".join(capsys.readouterr().out.split())
    assert "stopped by --budget-usd after 0 of 4 rounds: the money is spent; what was done is kept" in said
    assert "no round is whole, so nothing can be compared" in said
    assert f"finish benchbook ab --resume {made.experiment_id} --budget-usd MORE" in said

    def interrupt(number: int, what: str) -> None:
        if (number, what) == (2, "measuring"):
            raise KeyboardInterrupt

    again = resumed("ab", str(bench.results), made.experiment_id)
    assert (again.wish, again.spec().measured(), again.pair) == (made.wish, made.spec().measured(), made.pair)
    again = replace(with_means(again, budget_usd=1.0, rounds=None, stop_early=False), measure=execute)
    after = conduct(again, interrupt)
    assert (after.status, after.runs) == ("interrupted", ended.runs)
    (row,) = rounds(bench.results, list(after.runs.values()), made.pair)
    assert (row["status"], row["a"]["succeeded"], row["b"]["succeeded"]) == ("finished", 20, 20)
    capped = with_means(again, budget_usd=1.5 * row["spent_usd"], stop_early=True)
    assert (capped.wish.rounds, capped.wish.stop_early, again.wish.stop_early) == (4, True, False)
    last = conduct(capped, lambda *_: None)
    assert (last.status, last.runs) == ("budget", ended.runs)
    assert last.why.startswith("a round costs up to $")


def test_killed_in_the_middle_of_a_round_it_goes_on_in_its_order(
    bench: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(bench, load={"kind": "closed", "concurrency": 2})
    words = ["aa", "tardy", "--plan", str(bench.plan), "--results", str(bench.results), "--rounds", "1", "-q"]
    verb = subprocess.Popen([sys.executable, "-m", "benchbook", *words], stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until and not (bench.run_ids() and len(bench.trials()) >= 3):
            time.sleep(0.1)
    finally:
        verb.kill()
        verb.wait()
    (killed,) = bench.run_ids()
    before: list[str] = []
    while len(now := [trial.planned.trial_id for trial in bench.trials(killed)]) > len(before):
        before = now
        time.sleep(0.3)
    made = replace(resumed("aa", str(bench.results), "latest"), measure=execute)
    assert (done(made), made.pair.a, made.pair.b) == ({1: killed}, "tardy", "tardy~again")
    ended = conduct(made, lambda *_: None)
    run = journal.read_run(bench.results, killed)
    assert (ended.status, ended.runs, run.status, len(run.sessions)) == ("finished", {1: killed}, "finished", 2)
    whole = [trial.planned for trial in run.trials()]
    assert [trial.trial_id for trial in whole[: len(before)]] == before
    assert 3 <= len(before) < len({trial.trial_id for trial in whole}) == len(whole) == 40
    legs = [(trial.block, trial.block_place) for trial in whole]
    assert legs == sorted(legs)
    assert present(made, ended, as_json=True) in (0, 4)
    found = json.loads(capsys.readouterr().out)
    known = realised(bench.results, "tardy", found["rounds"][0]["workload_hash"])
    assert found["null"] == json.loads(json.dumps(known))
    assert (found["null"]["rounds"], found["null"]["comparisons"], found["null"]["share"]) == (1, 0, None)
