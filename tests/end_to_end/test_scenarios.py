"""Standard scenarios end to end, scaled down, and one that asks too much."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchbook.errors import PlanError
from benchbook.history import ask, query
from benchbook.stages import Job
from benchbook.stages.execute import execute
from benchbook.stages.store import store
from tests.documented import ROOT

INSTANT = "execute.simulator=datasets/simulator/instant.yaml"


@pytest.mark.parametrize(
    ("name", "changes", "turns"),
    [
        (
            "many-turns",
            ["execute.repetitions=1", "execute.load.concurrency=6", "requires.in_flight=6", INSTANT],
            [1, 2, 3, 4, 5, 6, 7, 8],
        ),
        ("burst", ["execute.load.at_s=0.2", "execute.load.for_s=0.5", "execute.warmup=0", INSTANT], [1]),
    ],
)
def test_a_scenario_runs(
    name: str, changes: list[str], turns: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    job = Job(plan=f"plans/scenarios/{name}.yaml", overrides=tuple(changes), results=str(tmp_path / "results"))
    done = execute(job)
    store(job, done.run_id)
    assert done.progress["succeeded"] == done.progress["planned"] > 0
    found = ask("turns", job.results)
    assert [row["turn"] for row in found] == turns
    assert all(row["failed"] == 0 and row["answered"] > 0 for row in found)


def test_a_scenario_that_asks_more_than_it_may_is_refused_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    job = Job("plans/scenarios/soak.yaml", overrides=("execute.load.duration_s=3600",), results=str(tmp_path / "r"))
    with pytest.raises(PlanError, match=r"target served: would be asked tokens [\d,.e+]+; requires.tokens allows"):
        execute(job)
    assert not (tmp_path / "r").exists()


def test_recorded_requests_go_to_prompts_of_their_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (tmp_path / "t.csv").write_text(
        "timestamp_s,input_tokens,output_tokens\n0,300,20\n0.01,60,4\n0.02,900,8\n0.03,90,12\n"
    )
    (tmp_path / "d.yaml").write_text(f"name: d\nversion: '1'\nsynthetic: {{trace: {tmp_path / 't.csv'}}}\n")
    changes = (f"execute.load.file={tmp_path / 't.csv'}", f"validate.datasets=[{tmp_path / 'd.yaml'}]", INSTANT)
    job = Job("plans/scenarios/as-recorded.yaml", overrides=changes, results=str(tmp_path / "results"))
    done = execute(job)
    store(job, done.run_id)
    _, rows = query(job.results, "SELECT prompt_tokens_asked, tokens_out FROM trials ORDER BY intended_ns")
    assert rows == [(300, 20), (60, 4), (900, 8), (90, 12)]
