"""A run in the terminal: readable at any width, the same numbers everywhere, nothing left out unsaid."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchbook.errors import UnknownRunError
from benchbook.history import ask
from benchbook.reports.console import print_run, print_summary, print_view
from benchbook.reports.gather import RunView, gather
from benchbook.reports.targets import targets
from tests.spec.sql.stored import Stored, generated, run_row, trial_row

Printed = Callable[[int | None], list[str]]
RUN = {"planned": 400, "succeeded": 300, "failed": 70, "timed_out": 10, "skipped": 20, "not_started": 0, "wall_s": 12.0}


@pytest.fixture(autouse=True)
def in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """No width is told, unless a test does; the runner's workers are."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    stored = generated(3)
    for row in stored.rows["runs"]:
        row.update(RUN, verdict="DEGRADED", reasons=["too many failures", "and skips"])
    return stored.write(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def view(results: Path) -> RunView:
    return gather(results, "r1")


@pytest.fixture
def printed(
    results: Path, view: RunView, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[int | None], list[str]]:
    """The lines of the run, at a width or in a pipe."""

    def lines(width: int | None) -> list[str]:
        if width is not None:
            monkeypatch.setenv("COLUMNS", str(width))
        print_view(str(results), view)
        return capsys.readouterr().out.splitlines()

    return lines


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 160])
def test_no_line_of_the_comparison_is_wider_than_the_terminal(printed: Printed, width: int) -> None:
    lines = printed(width)
    table = [
        line
        for line in lines
        if not line.startswith(("raw", "tables", "page", "finish", "next", " " * 9 + "benchbook"))
    ]
    assert max(map(len, table)) <= width
    assert any(line.startswith("alpha") for line in lines)
    assert any("TTFT" in line for line in lines)


def test_at_120_columns_every_latency_stands_with_its_interval_below(printed: Printed, view: RunView) -> None:
    lines = printed(120)
    row = next(row for row in view.targets if row["target"] == "alpha" and row["workload"] == "api")
    at = next(index for index, line in enumerate(lines) if line.startswith("alpha (api)"))
    assert f"{row['ttft_ms_p50']:.3g}" in lines[at].split()
    interval = f"{row['ttft_ms_p50_low']:.3g}\N{EN DASH}{row['ttft_ms_p50_high']:.3g}"
    assert interval in lines[at + 1].split()
    assert not any("too narrow" in line for line in lines)


def test_what_a_narrow_terminal_leaves_out_is_named(printed: Printed) -> None:
    said = " ".join(printed(60)).partition("too narrow for: ")[2]
    assert "TTFT ms p95" in said
    assert "tokens/s" in said


def test_in_a_pipe_a_target_is_one_line_and_there_is_no_colour(printed: Printed, view: RunView) -> None:
    lines = printed(None)
    assert sum(line.startswith(("alpha", "beta", "gamma")) for line in lines) == len(view.targets)
    assert not any("\x1b" in line for line in lines)
    heading = next(line for line in lines if line.startswith("target"))
    assert "TTFT ms p50" in heading
    assert "response ms p50" in heading


def test_verdict_reasons_and_outcome_are_said(printed: Printed) -> None:
    text = "\n".join(printed(None))
    assert "verdict DEGRADED: too many failures; and skips" in text
    assert "400 planned, 300 succeeded, 70 failed, 10 timed out, 20 skipped  in 12.0 s" in text
    assert "trials skipped: " in text


def test_failures_stand_beside_what_leaves_them_out(printed: Printed, view: RunView) -> None:
    worst = next(row for row in view.errors if row["target"] == "beta" and row["level"] == "trial")
    assert f"  beta: {worst['n']} of {worst['attempted']} trials {worst['error_kind']}" in printed(None)


def test_goodput_is_a_share_of_what_was_attempted(printed: Printed, view: RunView) -> None:
    good = view.goodput["gamma/api"]
    line = next(line for line in printed(None) if line.startswith("  gamma/api: good"))
    assert f"(ttft_ms <= 500): {good['good']} of {good['attempted']} attempted" in line
    assert line.endswith("/s")


def test_an_open_loop_has_the_tail_of_its_response_times(view: RunView) -> None:
    offered = [{**row, "offered_per_s": 5.0} for row in view.targets]
    for rows, there in ((view.targets, False), (offered, True)):
        columns, _ = targets(rows, stacked=False)
        assert ("response ms p95" in [column.name for column in columns]) is there


def test_an_open_loop_says_what_was_offered_and_what_came_of_it(
    view: RunView, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = {"offered_per_s": 100.0, "achieved_per_s": 77.13, "not_started": 3, "status": "budget"}
    for late, said in ((None, ""), (570.4, ", 570 ms late at p99")):
        run = {**view.run, **facts, "schedule_lag_p99_ms": late}
        print_view(str(results), RunView(**{name: getattr(view, name) for name in view.__slots__} | {"run": run}))
        lines = capsys.readouterr().out.splitlines()
        assert f"  100 trials a second offered, 77.1 attempted{said}" in lines
        assert "3 not started; its budget was spent  in" in lines[0]


def test_brief_is_the_verdict_alone(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_run(str(results), "r1", brief=True)
    assert capsys.readouterr().out == "verdict DEGRADED: too many failures; and skips\n"


def test_a_run_that_measured_nothing_has_no_table_and_a_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = Stored()
    nothing = {"planned": 4, "succeeded": 0, "failed": 0, "timed_out": 0, "skipped": 0, "not_started": 4}
    stored.rows["runs"].append(run_row("r", verdict="INVALID", reasons=["no trial was attempted"], **nothing))
    print_run(str(stored.write(tmp_path)), "r")
    lines = capsys.readouterr().out.splitlines()
    assert "4 planned, 0 succeeded, 4 not started" in lines[0]
    assert "verdict INVALID: no trial was attempted" in lines
    assert f"finish   benchbook run --resume r --results {tmp_path}" in lines


def test_an_unknown_run_is_an_error(results: Path) -> None:
    with pytest.raises(UnknownRunError, match="no stored run r9"):
        print_run(str(results), "r9")


def test_the_summary_names_the_run_of_each_row(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(ask("summary", results))
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines[2:-1]} == {"r1", "r2", "r3"}
    assert "95 %" in lines[-1]


def test_what_a_provider_said_moves_no_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored = Stored()
    stored.rows["runs"].append(run_row("r", **RUN))
    evil = "\x1b[2J\x1b]0;owned\x07"
    stored.rows["trials"] += [trial_row("r", 0, model=evil), trial_row("r", 1, status="skipped", error_message=evil)]
    print_run(str(stored.write(tmp_path)), "r")
    assert "\x1b" not in capsys.readouterr().out


def test_on_a_terminal_there_is_colour_and_the_width_is_its_own(results: Path) -> None:
    code = f"from benchbook.reports.console import print_run; print_run({str(results)!r}, 'r1')"
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR", "CI")}
    main, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=terminal, env={**environment, "TERM": "xterm-256color"}
    ) as process:
        os.close(terminal)
        shown = _read(main, process)
    os.close(main)
    assert "\x1b[1;33mDEGRADED" in shown
    assert "too narrow for" in shown  # a new terminal has 80 columns


def _read(descriptor: int, process: subprocess.Popen[bytes]) -> str:
    found = b""
    while select.select([descriptor], [], [], 30)[0]:
        try:
            part = os.read(descriptor, 65536)
        except OSError:
            break  # the other end is closed
        if not part:
            break
        found += part
    process.wait()
    return found.decode()
