"""The benchmarks' arithmetic, on numbers that are known; their timings are nobody's test."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import agents, cassettes, figures, measuring, statistics_tables
from benchmarks.accuracy import Joined, _figures, _join, _judge
from benchmarks.statistics_coverage import Counted
from tests.documented import ROOT


def test_a_call_is_held_against_the_simulators_stamps() -> None:
    call = {"ttft_ms": 200.5, "sent_ns": 1_000_000_000, "decode_ms_per_token": 10.2}
    true = figures.Truth(1_000_300_000, 1_200_000_000, 1_230_000_000, 1_230_100_000, tokens=4, lateness=400_000)
    assert _join(call, true) == Joined(ttft=200.5, true_ttft=200.0, token=10.2, true_token=10.0, lateness=0.4)


def test_quantiles_are_refused_below_their_need() -> None:
    few = _figures([Joined(200.0 + n, 200.0, 10.0, 10.0, 0.0) for n in range(20)])
    assert few["ttft_p50"] == 209.5
    assert few["error_p99"] == "needs 299, has 20"
    assert figures.medians([few, few])["error_p99"] == "needs 299, has 20"


@pytest.mark.parametrize(("off", "code"), [(0.9, 0), (1.1, 1), (-1.1, 1)])
def test_the_limit_decides_the_exit_code(off: float, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    figures = _figures([Joined(200.0 + off, 200.0, 10.0, 10.0, 0.0)] * 300)
    assert _judge(100, figures) == code
    assert ("kept" if code == 0 else "MISSED") in capsys.readouterr().out


def test_too_few_calls_give_no_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    assert _judge(1, _figures([Joined(200.0, 200.0, 10.0, 10.0, 0.0)] * 20)) == 0
    assert "no verdict" in capsys.readouterr().out


def test_the_command_line_says_what_it_takes() -> None:
    script = ROOT / "benchmarks" / "accuracy.py"
    done = subprocess.run([sys.executable, str(script), "--help"], capture_output=True, text=True, check=True)
    assert "--concurrency" in done.stdout
    assert "--provider" in done.stdout


MS = 1_000_000


def pair(sent_ms: float, first_ms: float, true: tuple[float, float, float, float]) -> figures.Pair:
    """Client's sent and first content; simulator's received, first, last and ended; five tokens."""
    received, first, last, ended = (round(at * MS) for at in true)
    seen = figures.Seen(0, 0, round(sent_ms * MS), round(first_ms * MS), round((first_ms + 42) * MS))
    return seen, figures.Truth(received, first, last, ended, 5, 0)


def test_errors_are_held_against_the_simulators_own_time() -> None:
    found = [pair(10, 213, (11, 212, 252, 252))] * 6
    told = figures.errors(found, "wave: ")
    assert told["wave: TTFT error p50"] == 2.0
    assert told["wave: stamp p50"] == 1.0
    assert told["wave: p99"] == "needs 299, has 6"
    assert figures.token_errors(found)["ms/token error p50"] == 0.5


def test_what_was_in_flight_is_the_simulators_view() -> None:
    found = [
        pair(0, 1, (0, 1, 2, 10)),
        pair(0, 1, (0, 1, 2, 10)),
        pair(10, 11, (12, 13, 14, 20)),
        pair(0, 1, (20, 21, 22, 30)),
    ]
    assert figures.in_flight(found, 2) == 40.0
    assert figures.most_in_flight(found) == 2


def test_a_refusal_outlives_the_median() -> None:
    runs: list[figures.Figures] = [{"a": 1.0, "b": "needs 299, has 6"}, {"a": 3.0, "b": "needs 299, has 6"}]
    assert figures.medians(runs) == {"a": 2.0, "b": "needs 299, has 6"}
    assert [figures.shown(value) for value in (None, "why", 1234.5)] == ["", "why", "1,234.50"]


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_the_raw_reader_and_the_simulator_tell_of_the_same_requests(tmp_path: Path) -> None:
    program = measuring.compiled_reader(str(tmp_path))
    assert program is not None
    with measuring.serving({"default": {"tokens_out": 5, "ttft_ms": 5}}) as server:
        client = measuring.run_reader(program, server, 3, 7, 0.01)
        found = measuring.pairs(client, server)
        assert (len(found), client.failed) == (7, 0)
        assert server.summary()["requests"] == 7
    for seen, true in found:
        assert seen.sent <= true.received < true.first <= seen.first <= seen.last
        assert true.tokens == 5


def test_the_engine_benchmark_names_its_cases_and_refuses_others() -> None:
    script = [sys.executable, str(ROOT / "benchmarks" / "engine.py")]
    done = subprocess.run([*script, "--only", "nonsense"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "there are throughput, steady, burst, many, rate, memory, endurance, start, quick" in done.stderr


def test_offsets_are_held_against_each_other_stream_by_stream(capsys: pytest.CaptureFixture[str]) -> None:
    ours, theirs = {"a": [5, 9, 12], "b": [1], "only": [7]}, {"a": [4, 9], "b": [3], "other": [7]}
    assert sorted(cassettes.apart(ours, theirs)) == [-2, 0, 1]
    assert cassettes.steps([5, 9, 12]) == [4, 3]
    cassettes.line("few", [1_000_000, 3_000_000, -4_000_000])
    assert capsys.readouterr().out.split() == ["few", "1.000", "n", "<", "299", "-4.000"]
    cassettes.line("many", range(0, 300_000_000, 1_000_000))
    assert capsys.readouterr().out.split() == ["many", "149.500", "297.000", "299.000"]


def test_a_row_that_breaks_the_law_is_named() -> None:
    span = {"span_id": "m", "parent_id": None, "kind": "model", "name": "m", "started_ns": 10, "ended_ns": 40}
    parts = dict.fromkeys(("tool_ms", "human_wait_ms", "rate_limit_wait_ms"), 0.0)
    row = {"trial_id": "t", "started_ns": 0, "ended_ns": 100, "model_ms": 30e-6, "orchestration_ms": 70e-6, **parts}
    assert list(agents._broken(row, [span])) == []
    assert list(agents._broken({**row, "model_ms": 31e-6}, [span])) == ["t: model_ms is 3.1e-05, its spans say 30 ns"]


def test_how_many_trials_there_were_at_a_time() -> None:
    assert agents._most_at_once([(0, 10), (5, 15), (10, 20), (12, 13)]) == 3


def test_a_benchmark_may_bear_the_name_of_a_module_of_the_standard_library() -> None:
    """The folder of a script comes first when it imports: `statistics` is Python's own all the same."""
    words = "import sys; sys.path.insert(0, 'benchmarks'); import statistics; print(statistics.median([1, 2, 9]))"
    done = subprocess.run([sys.executable, "-c", words], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "2\n"


def test_cells_add_up_and_limits_are_judged(capsys: pytest.CaptureFixture[str]) -> None:
    cell = Counted("what", "law", "design", 3, 60, total=6.0) + Counted("what", "law", "design", 3, 40, total=4.0)
    assert (cell.hits, cell.tries, cell.mean) == (6, 100, 0.1)
    assert cell.error == pytest.approx((0.06 * 0.94 / 100) ** 0.5)
    for most, kept in ((0.05, True), (-0.02, False)):
        assert (
            statistics_tables._print(statistics_tables.Section("t", {}, most=lambda _, most=most: most), [cell]) is kept
        )
    assert capsys.readouterr().out.count("MISSED") == 1
    drawn = [statistics_tables.part("sequential", 0, number, 20) for number in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
