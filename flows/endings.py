"""Signals and endings of a flow run, which differ when a schedule runs it.

Called by a person, the flow treats a termination as it treats Ctrl-C, and that is the caller's to handle. Started
by a serving process in a process of its own, it does otherwise. An interrupt is handed on to the measuring engine;
the serving process decides about the rest. A results folder that is busy is no failure: the run is skipped. When
the serving process is gone, so is this one: a run that nobody watches would hold its schedule's only slot.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Any

from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.states import Cancelled

from benchbook.errors import BusyError

SKIPPED = "Skipped"
_LOOK_S = 0.5


def is_deployed() -> bool:
    """Whether the flow run around us belongs to a deployment."""
    context = FlowRunContext.get()
    return context is not None and context.flow_run is not None and context.flow_run.deployment_id is not None


@contextmanager
def signals() -> Iterator[None]:
    """While this lasts, signals do what this file says; outside the main thread they are left alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if is_deployed():
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
        number, before = signal.SIGINT, signal.signal(signal.SIGINT, _hand_on)
    else:
        number, before = signal.SIGTERM, signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(number, before)


def _hand_on(_number: int, _frame: object) -> None:
    from benchbook.stages.execute import interrupt_children

    interrupt_children()


async def skipped_where_busy(work: Awaitable[dict[str, Any]]) -> dict[str, Any] | State[Any]:
    """The work's answer; for a deployed run the state Skipped where another run holds the folder."""
    try:
        return await work
    except BusyError as busy:
        if not is_deployed():
            raise
        return Cancelled(name=SKIPPED, message=str(busy))


def _end_with(parent: int) -> None:
    pause = threading.Event()
    while os.getppid() == parent:
        pause.wait(_LOOK_S)
    os.kill(os.getpid(), signal.SIGKILL)
