"""Faults of models that agents meet: a tool that isn't there, arguments that do not fit, a refusal, no end in sight.

Each is a row with its reason, on every wire, and what was recorded adds up as ever.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchbook.measure.breakdown import breakdown_ns
from benchbook.records import Span, Trial
from benchbook.stages.execute import execute
from tests.conftest import TARGETS, Bench

READ = {"name": "documents", "arguments": {"action": "read", "path": "company.md"}}
RECOVERED = {"say": "Then I read it: founded in {{ observation ~ 2009 }}."}
FAULTS: dict[str, list[dict[str, Any]]] = {
    "absent": [{"calls": [{"name": "teleport", "arguments": {"to": "Mars"}}]}, {"calls": [READ]}, RECOVERED],
    "misfit": [{"calls": [{"name": "documents", "arguments": {"action": "burn"}}]}, {"calls": [READ]}, RECOVERED],
    "broken": [{"calls": [{"name": "documents", "arguments": '{"action": "re'}]}, {"calls": [READ]}, RECOVERED],
    "beside": [{"calls": [{"name": "teleport"}, READ]}, RECOVERED],
    "refused": [{"calls": [READ]}, RECOVERED],
    "endless": [{"say": "Once more.", "calls": [READ]}],
}
"""What the model does in each case; the case's number is its place here."""
PLACES = {name: place for place, name in enumerate(FAULTS)}
STEPS = 4
LIMITS: dict[str, dict[str, Any]] = {
    "tokens": {"tokens": 1_500},
    "time": {"time_s": 0.4},
    "usd": {"usd": 0.002},
}


def prepared(bench: Bench, **execute_section: Any) -> Bench:
    """The bench with the script of `FAULTS`: one entry a case, found by the word that its prompt asks for."""
    bench.folder.mkdir(parents=True)
    entries = [
        {"match": f"word {place} ", "loop": name == "endless", "agents": {"tester": FAULTS[name]}}
        for name, place in PLACES.items()
    ]
    (bench.folder / "script.yaml").write_text(yaml.safe_dump({"entries": entries}))
    bench.law = {"scripts": ["script.yaml"]}
    bench.cases = len(FAULTS)
    bench.execute = {"workloads": ["agent"], "warmup": 0, "repetitions": 1, **execute_section}
    return bench


def team(folder: Path, name: str, limits: dict[str, Any]) -> str:
    member = {"name": "tester", "role": "a tester", "goal": "Test.", "tools": ["documents"]}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"name": name, "kind": "agent", "members": [member], "limits": limits}))
    return str(path)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Every case once at every provider."""
    bench = prepared(Bench(tmp_path_factory.mktemp("faults") / "bench", targets=tuple(TARGETS)))
    bench.execute["teams"] = {"agent": team(bench.folder, "steps", {"steps": STEPS})}
    refused = {"kind": "rate_limited", "retry_after_s": 0, "holds": f"word {PLACES['refused']} "}
    bench.faults = [{**refused, "script": [1], "match": model} for model in TARGETS.values()]
    assert execute(bench.job()).status == "finished"
    return bench


def of(bench: Bench, case: str) -> list[Trial]:
    """The trials of a case, one for each target."""
    found = [trial for trial in bench.trials() if trial.planned.test_id == f"c{PLACES[case]}"]
    assert len(found) == len(bench.targets)
    return found


def tools(trial: Trial) -> list[Span]:
    return sorted((span for span in trial.spans if span.kind == "tool"), key=lambda span: span.started_ns)


@pytest.mark.parametrize("case", ["absent", "misfit", "broken"])
def test_a_model_that_calls_wrongly_is_told_and_goes_on(run: Bench, case: str) -> None:
    for trial in of(run, case):
        assert (trial.status, trial.output) == ("success", "Then I read it: founded in 2009."), trial.error_message
        wrong, right = tools(trial)
        assert (wrong.name, wrong.status) == ("teleport" if case == "absent" else "documents", "error")
        assert wrong.error
        assert "\n" not in wrong.error
        assert (right.status, "2009" in right.output) == ("ok", True)
        assert len(trial.calls) == 3


def test_what_is_wrong_is_said_to_the_model(run: Bench) -> None:
    told = {case: [tools(trial)[0].output for trial in of(run, case)] for case in ("absent", "misfit", "broken")}
    assert all("teleport" in text for text in told["absent"])
    assert all("action" in text for text in told["misfit"])
    assert all(text for text in told["broken"])


def test_a_call_that_fails_leaves_the_one_beside_it_alone(run: Bench) -> None:
    for trial in of(run, "beside"):
        assert trial.status == "success", trial.error_message
        assert Counter((span.name, span.status) for span in tools(trial)) == {
            ("teleport", "error"): 1,
            ("documents", "ok"): 1,
        }
        assert len({span.parent_id for span in tools(trial)}) == 1


def test_a_refused_call_is_made_again_and_both_are_rows(run: Bench) -> None:
    for trial in of(run, "refused"):
        assert (trial.status, trial.output) == ("success", "Then I read it: founded in 2009."), trial.error_message
        assert [(call.attempt, call.error_kind) for call in trial.calls] == [(1, "rate_limited"), (2, None), (1, None)]
        assert len(tools(trial)) == 1


def test_an_agent_that_never_stops_is_stopped_by_its_steps(run: Bench) -> None:
    for trial in of(run, "endless"):
        assert (trial.status, trial.error_kind) == ("failure", "limit")
        assert f"{STEPS} steps" in (trial.error_message or "")
        assert trial.end_state["stopped_by"] == "steps"
        assert len(trial.calls) == trial.end_state["steps"] == STEPS


def test_every_row_adds_up_and_nothing_is_lost(run: Bench) -> None:
    trials = run.trials()
    assert len(trials) == len(FAULTS) * len(TARGETS)
    for trial in trials:
        shares = breakdown_ns((trial.started_ns, trial.ended_ns), trial.spans)
        assert sum(shares.values()) == trial.ended_ns - trial.started_ns
        models = [span for span in trial.spans if span.kind == "model"]
        assert sorted(span.call_id or "" for span in models) == sorted(call.call_id for call in trial.calls)


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The endless case under each other limit."""
    bench = prepared(Bench(tmp_path_factory.mktemp("limits") / "bench"))
    bench.execute["teams"] = {"agent": [team(bench.folder, name, limits) for name, limits in LIMITS.items()]}
    (bench.folder / "prices.yaml").write_text('date: "2026-11-21"\nprices:\n  sim: {input: 1, output: 1}\n')
    bench.law |= {"ttft_ms": 5}
    overrides = (f"execute.targets.0.price={bench.folder}/prices.yaml#sim", "execute.timeout_s=30")
    assert execute(bench.job(overrides=overrides)).status == "finished"
    return bench


@pytest.mark.parametrize("limit", LIMITS)
def test_an_agent_that_never_stops_is_stopped_by_any_limit(limited: Bench, limit: str) -> None:
    found = [
        trial
        for trial in limited.trials()
        if trial.planned.team == limit and trial.planned.test_id == f"c{PLACES['endless']}"
    ]
    (trial,) = found
    assert (trial.status, trial.error_kind) == ("failure", "limit")
    assert trial.end_state["stopped_by"] == limit
    assert str(LIMITS[limit].get("tokens", "limit")) in (trial.error_message or "")
    spent = [(call.usage.input or 0) + (call.usage.output or 0) for call in trial.calls]
    if limit == "tokens":
        assert sum(spent[:-1]) < LIMITS[limit]["tokens"] <= sum(spent)
    if limit == "usd":
        assert sum(spent[:-1]) / 1e6 < LIMITS[limit]["usd"] <= sum(spent) / 1e6
    if limit == "time":
        assert trial.ended_ns - trial.started_ns >= LIMITS[limit]["time_s"] * 1e9
    shares = breakdown_ns((trial.started_ns, trial.ended_ns), trial.spans)
    assert sum(shares.values()) == trial.ended_ns - trial.started_ns
