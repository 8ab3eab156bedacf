"""Signals and endings where no schedule stands behind the flow, and how a flow run's process is found."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun

from benchbook.errors import BusyError
from flows.endings import signals, skipped_where_busy
from flows.leftovers import processes_of


async def _busy() -> dict[str, Any]:
    raise BusyError("results", "process 7 is at work in it")


async def test_a_busy_folder_is_the_callers_error_when_no_schedule_asked() -> None:
    with pytest.raises(BusyError):
        await skipped_where_busy(_busy())


def test_a_termination_is_handled_as_the_caller_handles_an_interrupt() -> None:
    came: list[int] = []
    before = (
        signal.signal(signal.SIGINT, lambda number, _frame: came.append(number)),
        signal.getsignal(signal.SIGTERM),
    )
    try:
        with signals():
            os.kill(os.getpid(), signal.SIGTERM)
        assert came == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGTERM) == before[1]
    finally:
        signal.signal(signal.SIGINT, before[0])


def test_a_flow_runs_processes_are_known_by_their_environment() -> None:
    run, other = FlowRun(flow_id=uuid4()), FlowRun(flow_id=uuid4())
    environment = {**os.environ, "PREFECT__FLOW_RUN_ID": str(run.id)}
    command = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert [found.pid for found in processes_of(run)] == [process.pid]
        assert processes_of(other) == []
        process.kill()
    assert processes_of(run) == []
