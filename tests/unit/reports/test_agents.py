"""Runs with agents in the terminal and on the page: wall time and its split in place of empty TTFT columns."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from benchbook.reports.agents import SPLIT, agents, bar, passes
from benchbook.reports.console import print_summary, print_view
from benchbook.reports.gather import RunView, gather
from benchbook.reports.pages.run import page
from tests.spec.sql.agents import agents_history

RUN = {"planned": 192, "succeeded": 180, "failed": 12, "timed_out": 0, "skipped": 0, "not_started": 0, "wall_s": 12.0}


@pytest.fixture(autouse=True)
def in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    stored = agents_history(4)
    stored.rows["runs"][0].update(RUN)
    return stored.write(tmp_path_factory.mktemp("agents") / "results")


@pytest.fixture(scope="module")
def view(results: Path) -> RunView:
    return gather(results, "r1")


def test_agents_have_a_table_of_their_own(results: Path, view: RunView, capsys: pytest.CaptureFixture[str]) -> None:
    print_view(str(results), view)
    plain, _, of_agents = capsys.readouterr().out.partition("medians and tails")
    assert "multi_agent" not in plain
    assert re.findall(r"^(alpha|beta) ", plain, re.MULTILINE) == ["alpha", "beta"]
    lines = [line.split() for line in of_agents.splitlines() if re.match(r"(alpha|beta)  ", line)]
    assert [line[1:3] for line in lines[:5]] == [
        ["api", "-"],
        ["agent", "assistant"],
        ["multi_agent", "supervisor"],
        ["multi_agent", "swarm"],
        ["workflow", "research"],
    ]
    assert len(lines) == len(view.agents) == 10
    assert not re.search(r"(agent|workflow)[^:]*: good", of_agents)


def test_what_a_target_cost_is_told_by_workload(view: RunView) -> None:
    costs = {key: row["cost_usd"] for key, row in view.costs.items()}
    assert set(costs) == {f"{t}/{w}" for t in ("alpha", "beta") for w in ("api", "agent", "multi_agent", "workflow")}
    assert costs["alpha/api"] != costs["alpha/agent"]
    assert view.key(view.plain[0]) == "alpha/api"


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(
    width: int, view: RunView, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    print_summary(view.targets, view.agents)
    lines = capsys.readouterr().out.splitlines()
    assert all(cell_len(line) <= width for line in lines)
    assert any("swarm" in line for line in lines)


def test_a_split_is_drawn_as_wide_as_it_is_told(view: RunView) -> None:
    for row in view.agents:
        drawn = bar(row, 20)
        assert len(drawn) == 20
        for cells, column in zip("█▒░·─", SPLIT.values(), strict=True):
            assert abs(drawn.count(cells) - 20 * row[column]) < 1
    assert bar({**view.agents[0], **dict.fromkeys(SPLIT.values())}) == ""


def test_waits_have_a_column_where_there_were_any(view: RunView) -> None:
    def headings(rows: Any) -> set[str]:
        return {column.name for column in agents(rows, stacked=False)[0]}

    assert headings(view.agents) - headings(view.agents[:1]) == {"person", "waits", "hand-offs"}


def test_pass_rates_say_their_k() -> None:
    row: dict[str, Any] = {
        "pass_k": 3,
        "pass_hat_k": 0.5,
        "pass_hat_k_low": 0.25,
        "pass_hat_k_high": 0.75,
        "pass_cases": 9,
    }
    assert passes(row) == ("^3 0.50", "0.25\N{EN DASH}0.75")
    assert passes({**row, "pass_hat_k_low": None, "pass_cases": 4}) == ("^3 0.50", "4 cases")
    assert passes({**row, "pass_hat_k": None}) == ("-", "")


def test_the_page_draws_the_split(view: RunView) -> None:
    html = page(view)
    part = {
        name: text.split("</section>")[0] for name, text in re.findall(r'(?s)<section id="(\w+)"(.*?</section>)', html)
    }
    bars = part["agents"].split('<div class="bar"')[1:]
    assert len(bars) == 10
    for bar_ in bars:
        widths = [float(width) for width in re.findall(r"width:([\d.]+)%", bar_.split("</div>")[0])]
        assert sum(widths) == pytest.approx(100, abs=0.01)
    assert "multi_agent" not in part["targets"]


def test_a_run_without_agents_has_no_table_of_them(tmp_path: Path) -> None:
    stored = agents_history(4, cases=2, repetitions=1)
    stored.rows["runs"][0].update(RUN)
    stored.rows["trials"] = [row for row in stored.rows["trials"] if row["workload"] == "api"]
    seen = gather(stored.write(tmp_path / "results"), "r1")
    assert seen.agents == ()
    assert '<section id="agents"' not in page(seen)
    assert "COLUMNS" not in os.environ
