"""The `run` verb's way through the flow: a server to talk to, the flow in this process, quiet at both ends.

A process without a standing server pays for one. The wait is used: while it comes up, this process imports what
it will need anyway.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from benchbook.errors import BenchbookError
from benchbook.stages import Executed, Job, OnProgress, OnStored
from flows.server import Say, quiet_environment, some_server, talking_to

if TYPE_CHECKING:
    from tasks.live import Watcher

_SENDING_S = 10.0


def run_flow(job: Job, on_progress: OnProgress, say: Say, on_stored: OnStored) -> Executed:
    """Run the flow `benchmark` for the job and answer with what `execute` came to. Raises UserError.

    Call it in the main thread; interrupts are the caller's (`stages.execute.interrupts_handed_on`).
    """
    quiet_environment()
    with some_server(say) as address:
        _import_ahead(job)
        from flows import benchmark  # noqa: F401 - two seconds of imports while the server comes up
        from tasks.live import Watcher

        with talking_to(address()):
            return asyncio.run(_awaited(job, Watcher(on_progress, say, on_stored=on_stored)))


async def _awaited(job: Job, watcher: Watcher) -> Executed:
    import httpx

    from flows.benchmark import benchmark
    from tasks.live import watched_by

    answers: list[Mapping[str, Any]] = []
    with watched_by(replace(watcher, on_answer=answers.append)):
        try:
            await benchmark(job.fields())
        except httpx.HTTPError as error:
            if not answers:
                raise BenchbookError(
                    f"the Prefect server stopped answering ({error}); what was measured is in the journal: "
                    "see `benchbook runs`, then --resume"
                ) from None
            watcher.say(f"prefect: its server stopped answering ({error}); the run is complete all the same")
        finally:
            await _all_told()
    return executed_from(answers[0]["executed"])


async def _all_told() -> None:
    """Wait until Prefect has sent its last log lines and events: for a server that is gone it would wait a minute."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogHandler

    with suppress(TimeoutError):
        async with asyncio.timeout(_SENDING_S):
            await APILogHandler.aflush()
            sending = EventsWorker.drain_all()
            if not isinstance(sending, tuple):
                await sending


def executed_from(fields: Mapping[str, Any]) -> Executed:
    """The record that `dataclasses.asdict` gave."""
    return Executed(**{**fields, "notes": tuple(fields["notes"])})


def _import_ahead(job: Job) -> None:
    """Import what validation needs on a thread of its own, if there will be a validation."""
    if job.resume:
        return
    from benchbook.checks import warm_up

    threading.Thread(target=warm_up, name="import-ahead", daemon=True).start()
