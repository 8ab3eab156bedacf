"""What a person sees of a run that is going on."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from typing import Any

import pytest

from benchbook.cli.live import _Lines, describe, live_view
from benchbook.runner.tally import Tally

FIELDS: dict[str, Any] = {
    "run_id": "r",
    "planned": 40,
    "done": 10,
    "succeeded": 8,
    "failed": 1,
    "timed_out": 1,
    "skipped": 0,
    "in_flight": 5,
    "current": "case-[bold] @ target",
    "elapsed_s": 2.0,
    "spent_usd": 0.0123,
    "rate_per_s": 5.0,
    "eta_s": 6.2,
    "loop_lag_ms": 0.0,
    "workers": 1,
    "ended": False,
    "targets": {"a-target": Tally(planned=40).fields()},
}


def test_a_line_tells_progress_errors_time_left_money_and_case() -> None:
    assert describe(FIELDS) == "10/40 trials  5.0/s  2 errors  6 s left  $0.0123  case-[bold] @ target"


def test_a_line_leaves_out_what_is_not_known_yet_or_no_more() -> None:
    nothing = {"done": 0, "succeeded": 0, "failed": 0, "timed_out": 0, "rate_per_s": None, "eta_s": None}
    assert describe({**FIELDS, **nothing, "spent_usd": 0.0, "in_flight": 0}) == "0/40 trials  0 errors"
    assert describe({**FIELDS, "done": 40, "in_flight": 0}) == "40/40 trials  5.0/s  2 errors  $0.0123"


def test_in_a_log_the_end_is_told_and_quiet_tells_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with live_view(quiet=False) as sink:
        sink(FIELDS)
        sink({**FIELDS, "done": 40, "in_flight": 0})
        sink({**FIELDS, "done": 40, "in_flight": 0, "ended": True})
    assert capsys.readouterr().err == "40/40 trials  5.0/s  2 errors  $0.0123\n"
    with live_view(quiet=True) as sink:
        sink({**FIELDS, "done": 40})
    assert capsys.readouterr().err == ""


def test_storing_is_told_every_five_seconds_and_quiet_tells_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    lines = _Lines(every_ns=0)
    lines.stored("r", 512, 2_000)
    lines.stored("r", 1_024, 2_000)
    assert capsys.readouterr().err == "storing r: 512/2000 trials\nstoring r: 1024/2000 trials\n"
    for quiet in (False, True):
        with live_view(quiet=quiet) as view:
            view.on_stored("r", 512, 2_000)
    assert capsys.readouterr().err == ""


def test_a_late_harness_says_so_until_it_measures_no_more() -> None:
    late = {**FIELDS, "loop_lag_ms": 45.4}
    assert describe(late).endswith("harness late by 45 ms: latencies read high (fewer in flight, or --workers)")
    assert "late" not in describe({**late, "ended": True})
    assert "late" not in describe({**late, "loop_lag_ms": 19.0})


CODE = f"""
from benchbook.cli.live import live_view
from benchbook.cli.output import note, tell
with live_view(quiet=False) as sink:
    sink({FIELDS!r})
    tell("a plain line")
    note("a remark")
"""


def test_a_remark_stands_above_the_live_line_and_does_not_tear_it() -> None:
    main, terminal = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "CI")}
    with subprocess.Popen(
        [sys.executable, "-c", CODE], stderr=terminal, env={**environment, "TERM": "xterm-256color", "COLUMNS": "100"}
    ) as process:
        os.close(terminal)
        process.wait()
    seen = os.read(main, 65536).decode()
    os.close(main)
    assert "10/40" in seen
    assert "a-target" in seen
    assert seen.count("\x1b[?25l") == seen.count("\x1b[?25h") == 1  # the cursor is hidden, and shown again
    assert "\x1b[2Ka plain line\r\n" in seen  # on a line that was erased
    assert "\x1b[2K\x1b[33mnote:\x1b[0m a remark\r\n" in seen


def test_a_terminal_that_can_not_draw_gets_plain_lines() -> None:
    main, terminal = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", CODE], stderr=terminal, env={**os.environ, "TERM": "dumb"}) as process:
        os.close(terminal)
        process.wait()
    seen = os.read(main, 65536).decode()
    os.close(main)
    assert "a plain line" in seen
    assert "\x1b[2K" not in seen
    assert "\x1b[?25l" not in seen


def test_a_terminated_process_gives_the_cursor_back() -> None:
    code = CODE + "    import os, signal\n    os.kill(os.getpid(), signal.SIGTERM)\n    signal.pause()\n"
    main, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color"}
    with subprocess.Popen([sys.executable, "-c", code], stderr=terminal, env=environment) as process:
        os.close(terminal)
        process.wait()
    seen = os.read(main, 65536).decode()
    os.close(main)
    assert process.returncode == -signal.SIGTERM
    assert seen.rfind("\x1b[?25h") > seen.rfind("\x1b[?25l") >= 0
