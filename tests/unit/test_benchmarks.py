"""The benchmarks' arithmetic, on numbers that are known; their timings are nobody's test."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.accuracy import Joined, _figures, _join, _judge, _medians
from tests.documented import ROOT


def test_a_call_is_held_against_the_simulators_stamps() -> None:
    call = {"ttft_ms": 200.5, "sent_ns": 1_000_000_000, "decode_ms_per_token": 10.2}
    record = {
        "sent_ns": [1_200_000_000, 1_215_000_000, 1_230_000_000],
        "tokens_out": 4,
        "lateness_ns": [400_000, 0, 0],
    }
    assert _join(call, record) == Joined(ttft=200.5, true_ttft=200.0, token=10.2, true_token=10.0, lateness=0.4)


def test_quantiles_are_refused_below_their_need() -> None:
    few = _figures([Joined(200.0 + n, 200.0, 10.0, 10.0, 0.0) for n in range(20)])
    assert few["ttft_p50"] == 209.5
    assert few["error_p99"] == "needs 299, has 20"
    assert _medians([few, few])["error_p99"] == "needs 299, has 20"


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
