"""Waits for a person, who decides through the run's folder of requests: by `benchbook approve`, by Prefect, by hand.

One look at the folder every 50 ms serves all trials that wait, and there is none while nobody waits. The trial gives
its place in the load back while it waits, so that its wait holds no other trial up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchbook.clock import SystemClock
from benchbook.errors import ApprovalError
from benchbook.records import ApprovalRequest, Decision
from benchbook.results import approvals

_LOOK_S = 0.05


class Human:
    """timeout_s: how long a request waits, None for ever."""

    kind = "human"
    frees_place = True

    def __init__(self, folder: Path, timeout_s: float | None = 600.0) -> None:
        self._folder, self._timeout_s = folder, timeout_s
        self._waiting: dict[str, asyncio.Future[Decision]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._left = False

    async def decide(self, request: ApprovalRequest) -> Decision:
        """Ask, wait, and after the time is up decide that it is. A decision made before a resume holds at once."""
        asked = replace(request, asked_wall_ns=SystemClock().wall_ns(), timeout_s=self._timeout_s)
        found = approvals.ask(self._folder, asked)
        if found is not None:
            return found
        if self._left:
            raise asyncio.CancelledError
        decided: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        self._waiting[request.request_id] = decided
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(self._timeout_s):
                return await decided
        except TimeoutError:
            return self._time_up(request.request_id)
        finally:
            self._waiting.pop(request.request_id, None)

    def leave(self) -> None:
        """The requests stay, for a resume."""
        self._left = True
        for decided in self._waiting.values():
            decided.cancel()

    def _time_up(self, request_id: str) -> Decision:
        """The engine's own decision, unless a person's came first."""
        late = Decision("timeout", "nobody", self.kind, "", SystemClock().wall_ns())
        with suppress(ApprovalError):
            approvals.decide(self._folder, request_id, late)
        return approvals.decision(self._folder, request_id) or late

    async def _look(self) -> None:
        while self._waiting:
            for request_id, decided in tuple(self._waiting.items()):
                made = approvals.decision(self._folder, request_id)
                if made is not None and not decided.done():
                    decided.set_result(made)
            await asyncio.sleep(_LOOK_S)


def opened(fields: Mapping[str, Any], folder: Path) -> Human:
    """The approver with these fields of the plan."""
    return Human(folder, **fields)
