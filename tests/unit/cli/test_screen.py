"""The screen of a run that is going on: what it says, and that it says it at every width."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from benchbook.cli.lately import SECONDS, Trends, error_shares, rates, sparkline, ttfts
from benchbook.cli.screen import Screen
from benchbook.records import Call, PlannedTrial, Trial, Usage
from benchbook.runner.progress import Progress

MS = 1_000_000


def trial(target: str, status: str = "success", e2e_ms: int = 300) -> Trial:
    planned = PlannedTrial("t", 0, "d", "1", "c", "k", target, "api", 0, "measured", "x", 1)
    error = None if status == "success" else "server_error"
    end = e2e_ms * MS
    call = Call("t.1", 1, "m", False, 0, 0, 0, end, last_byte_ns=end, error_kind=error, usage=Usage(10, None, None, 64))
    return Trial(planned, status, 0, 0, end, (call,), error_kind=error)


def progress(targets: tuple[str, ...] = ("one", "two")) -> Progress:
    begun = Progress("20261121T081502Z-3f9a07", planned=40 * len(targets), current="case-[bold] @ one")
    for name in targets:
        begun.tally(name).planned = 40
    return begun


def reports(targets: tuple[str, ...] = ("one", "two")) -> list[dict[str, Any]]:
    """Five seconds of a run, four trials a second and target; of the last target every fourth fails."""
    begun = progress(targets)
    told = [begun.report()]
    for second in range(1, 6):
        for name in targets:
            for n in range(4):
                begun.count(trial(name, "failure" if name == targets[-1] and n == 0 else "success"), [0.001])
                begun.tally(name).recent_ttft_ms.append(100.0 * second)
                begun.tally(name).histograms["ttft"].add(0.1 * second)
            begun.tally(name).in_flight = 5
        begun.in_flight, begun.elapsed_s = 10, float(second)
        told.append(begun.report())
    return told


def drawn(told: list[dict[str, Any]], width: int, stopped: tuple[int, ...] = (), **console: Any) -> str:
    screen = Screen(stopped)
    for report in told:
        screen.take(report)
    to = Console(width=width, height=30, force_terminal=True, record=True, **console)
    with to.capture() as captured:
        to.print(screen)
    return captured.get()


def test_storing_has_a_bar_with_and_without_a_measurement_before_it() -> None:
    for told in ([], [*reports(), {**reports()[-1], "ended": True}]):
        screen = Screen()
        for report in told:
            screen.take(report)
        screen.stored("20261121T081502Z-3f9a07", 12_000, 100_000)
        to = Console(width=80, force_terminal=True)
        with to.capture() as captured:
            to.print(screen)
        assert "storing" in captured.get()
        assert "12,000/100,000 trials" in captured.get()


@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_every_line_fits_and_every_target_has_one(width: int) -> None:
    lines = drawn(reports(), width, color_system=None).splitlines()
    assert max(len(line) for line in lines) <= width
    assert sum(line.startswith(("one ", "two ")) for line in lines) == 2
    assert "40/80" in lines[0]


def test_the_figures_are_those_of_the_reports() -> None:
    lines = drawn(reports(), 200, color_system=None).splitlines()
    assert lines[0].startswith("measuring")
    assert lines[0].rstrip().endswith("40/80 trials 0:05 left")
    assert lines[1].startswith("so far 8 trials/s, 512 tokens/s, 10 in flight, 5 errors (12 %), $0.0400")
    assert lines[1].endswith("20261121T081502Z-3f9a07")
    assert " ".join(lines[2].split()) == "target done trials/s tokens/s in flight TTFT ms p50 failed"
    one, two = lines[3].split(), lines[4].split()
    assert one[:3] + one[4:7] + one[8:9] == ["one", "20/40", "4", "256", "5", "300", "0"]
    assert (one[3], one[7]) == ("▁████", sparkline([100, 150, 200, 250], 4))  # the present second is left out
    assert two[8:11] == ["5", "(25", "%)"]
    assert "case-[bold] @ one" in lines[5]
    assert "newest 20" in lines[5]


def test_words_of_the_ways_a_run_goes() -> None:
    told = reports()
    assert "preparing" in drawn([], 80)
    assert "stopping (Ctrl-C again" in drawn(told, 100, (2,), color_system=None)
    assert drawn([{**told[-1], "ended": True}], 100, (2,), color_system=None).startswith("storing")
    assert drawn([{**told[-1], "done": 80}], 100, color_system=None).startswith("storing")
    told[-1]["targets"]["two"]["state"] = "breaker open"
    assert all("breaker open" in drawn(told, width, color_system=None) for width in (80, 120))
    assert "harness late" not in drawn(told, 120, color_system=None)
    assert "harness late by 45 ms" in drawn([{**told[-1], "loop_lag_ms": 45.4}], 80, color_system=None)
    assert "3 workers" in drawn([{**told[-1], "workers": 3}], 120, color_system=None)


def test_more_targets_than_lines_are_counted() -> None:
    screen = Screen()
    screen.take(progress(tuple(f"t{n}" for n in range(50))).report())
    to = Console(width=120, height=20, color_system=None, force_terminal=True)
    with to.capture() as captured:
        to.print(screen)
    lines = captured.get().splitlines()
    assert len(lines) <= 19
    assert "37 more targets" in lines[-1]


def test_a_terminal_without_the_characters_gets_others() -> None:
    screen = Screen()
    for report in reports():
        screen.take(report)
    to = Console(width=100, height=30, color_system=None, force_terminal=True)
    options = to.options.update(height=30)
    options.encoding = "ascii"
    text = "".join(segment.text for segment in to.render(screen, options))
    assert text.isascii()
    assert "#" in text


def test_a_trend_holds_what_each_second_brought() -> None:
    trends = Trends()
    for report in reports():
        trends.take(report)
    seconds = list(trends.targets["two"].seconds)
    assert rates(seconds) == [0, 4, 4, 4, 4, 4]
    assert error_shares(seconds) == [None, 0.25, 0.25, 0.25, 0.25, 0.25]
    assert ttfts(seconds) == [None, 100, 150, 200, 250, 300]
    assert trends.per_s("two", "finished") == 4


def test_a_resumed_run_is_watched_from_where_it_goes_on() -> None:
    told = reports()
    trends = Trends()
    trends.take({**told[3], "elapsed_s": 0.0})
    trends.take({**told[5], "elapsed_s": 2.0})
    assert trends.per_s("one", "finished") == 4
    assert rates(list(trends.targets["one"].seconds)) == [0, 0, 8]


def test_a_trend_does_not_grow_and_skipped_seconds_are_empty() -> None:
    trends, report = Trends(), reports()[0]
    for second in (0, 1, 70, 5000):
        trends.take({**report, "elapsed_s": float(second)})
    seconds = trends.targets["one"].seconds
    assert [second.number for second in seconds] == list(range(5001 - SECONDS, 5001))


@pytest.mark.parametrize(
    ("values", "width", "top", "bars"),
    [
        ([0, 1, 2, 4], 4, None, "▁▃▅█"),
        ([0, 1, 2, 4], 2, None, "▅█"),
        ([5], 3, None, "  █"),
        ([0, 0.001, 1], 3, 1.0, "▁▂█"),
        ([None, 3], 2, None, " █"),
        ([0, 0], 2, None, "▁▁"),
        ([1, 2], 0, None, ""),
    ],
)
def test_a_sparkline(values: list[float | None], width: int, top: float | None, bars: str) -> None:
    assert sparkline(values, width, top) == bars
