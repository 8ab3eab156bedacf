"""The flow by the clock: a deployment that this process serves, with a Prefect server of its own where none is set.

One run at a time: what comes due meanwhile is skipped, by the deployment's own limit. What an earlier process left
is put right first (`leftovers`). Ctrl-C lets the run in flight end, a second one does not.
"""

from __future__ import annotations

import asyncio
import fcntl
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from benchbook.errors import BenchbookError, BusyError, UserError
from benchbook.stages import Job
from flows.server import Say, quiet_environment, some_server, talking_to

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.deployments.runner import RunnerDeployment
    from prefect.runner import Runner
    from prefect.schedules import Schedule

_TICK_S = 2.0
_LATE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Due:
    """When: a cron expression (UTC) or a number of seconds; exactly one of them."""

    cron: str | None = None
    interval_s: float | None = None

    def schedule(self) -> Schedule:
        """As Prefect takes it. Raises UserError for what is no cron expression."""
        from prefect.schedules import Cron, Interval

        if self.interval_s is not None:
            return Interval(timedelta(seconds=self.interval_s), timezone="UTC")
        from prefect.client.schemas.schedules import CronSchedule

        try:
            CronSchedule(cron=self.cron or "")
        except ValueError:
            raise UserError(f"--cron {self.cron!r}", "is no cron expression", 'five fields, e.g. "0 * * * *"') from None
        return Cron(self.cron or "", timezone="UTC")

    @property
    def poll_s(self) -> float:
        """How often to ask for due runs: often enough for short intervals."""
        return 5.0 if self.interval_s is None else min(5.0, max(1.0, self.interval_s / 10))

    def __str__(self) -> str:
        return f"cron {self.cron} (UTC)" if self.interval_s is None else f"every {self.interval_s:g} s"


def to_stderr(line: str) -> None:
    """Say a line."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def serve(
    job: Job, *, cron: str | None = None, interval_s: float | None = None, name: str = "scheduled", say: Say = to_stderr
) -> None:
    """Serve the job until Ctrl-C. Each time it measures anew, and an outage is a result. Raises UserError."""
    quiet_environment()
    due = Due(cron, interval_s)
    job = replace(job, preflight=False, again=True)
    schedule = due.schedule()
    with only_here(Path(job.results), name), some_server(say, pages=True) as address:
        with talking_to(address()):
            say(f"schedule {name}: {due}, plan {job.plan}, results in {job.results}; Ctrl-C ends it")
            asyncio.run(_serve(job, schedule, Serving(deployment_name(job, name), due.poll_s, say)))
        say(f"schedule {name}: ended")


@contextmanager
def only_here(results: Path, name: str) -> Iterator[None]:
    """Hold this name's place in the results folder: two servers of one schedule would take each other for dead."""
    from benchbook.results.paths import writable

    with writable(results):
        results.mkdir(parents=True, exist_ok=True)
        place = (results / f".schedule-{name}.lock").open("w")
    with place:
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(str(results), f"the schedule {name} is served already", "choose another --name") from None
        yield


def deployment_name(job: Job, name: str) -> str:
    """The schedule's name in Prefect: unique to this host and results folder, which a shared server can't tell."""
    place = f"{socket.gethostname()}:{Path(job.results).resolve()}"
    return f"{name}-{sha256(place.encode()).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class Serving:
    """What a serving process needs to know besides job and schedule."""

    deployment: str
    poll_s: float
    say: Say


async def _serve(job: Job, schedule: Schedule, serving: Serving) -> None:
    from prefect import get_client
    from prefect.runner import Runner

    from flows.leftovers import crash_dead, now, skip_missed

    runner = Runner(
        name=serving.deployment,
        query_seconds=serving.poll_s,
        prefetch_seconds=serving.poll_s,
        limit=None,  # overlapping runs must be proposed, so that the deployment's limit can turn them away
        pause_on_shutdown=False,
    )
    async with get_client() as client:
        began = now()
        deployment_id = await runner.aadd_deployment(await _deployment(job, schedule, serving))
        for run in await crash_dead(client, deployment_id, began):
            serving.say(f"{run.name}: marked Crashed, its process is gone")
        missed = await skip_missed(client, deployment_id, began)
        if missed:
            serving.say(f"{len(missed)} runs came due while nothing served: skipped")
        running = asyncio.create_task(runner.start())
        telling = asyncio.create_task(_look_after(client, deployment_id, serving.say))
        await _interrupted(running)
        telling.cancel()
        if running.done():
            raise BenchbookError(f"the schedule can't go on: {running.exception()}")
        await _wind_up(client, deployment_id, serving.say, running)
        await _stop(runner, running)


async def _deployment(job: Job, schedule: Schedule, serving: Serving) -> RunnerDeployment:
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.types.entrypoint import EntrypointType

    from flows.benchmark import benchmark

    return await benchmark.ato_deployment(
        serving.deployment,
        schedule=schedule,
        parameters={"job": job.fields()},
        paused=False,
        concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW),
        description=f"{job.plan} into {job.results}",
        entrypoint_type=EntrypointType.MODULE_PATH,
    )


async def _interrupted(running: asyncio.Task[None]) -> None:
    """Wait for a first SIGINT or SIGTERM, or for the runner's end; a later signal cancels `running`."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()

    def ask() -> None:
        if asked.is_set():
            running.cancel()
        asked.set()

    await asyncio.sleep(0)  # the runner puts its own SIGTERM handler in place first
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ask)
    waiting = asyncio.create_task(asked.wait())
    await asyncio.wait({waiting, running}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


async def _look_after(client: PrefectClient, deployment_id: UUID, say: Say) -> None:
    """Tell of each run's course; put right what earlier processes and a sleeping machine leave behind."""
    import httpx

    from flows.leftovers import crash_dead, now, skip_missed

    began = now()
    told: dict[UUID, str] = {}
    while True:
        with suppress(httpx.HTTPError):
            await crash_dead(client, deployment_id, began)
            await skip_missed(client, deployment_id, now() - _LATE)
            await _tell(client, deployment_id, told, say)
        await asyncio.sleep(_TICK_S)


async def _tell(client: PrefectClient, deployment_id: UUID, told: dict[UUID, str], say: Say) -> None:
    """Say each new state of the newest runs; what had ended before the first look is old news."""
    from flows.endings import SKIPPED
    from flows.leftovers import newest_of

    first_look = not told
    for run in await newest_of(client, deployment_id):
        state = run.state
        if state is None or told.get(run.id) == state.name:
            continue
        told[run.id] = state.name or ""
        if not (first_look and state.is_final()):
            why = f": {state.message}" if state.message else ""
            say(
                f"{state.timestamp:%Y-%m-%d %H:%M:%S} {run.name} {SKIPPED if state.is_cancelled() else state.name}{why}"
            )


async def _wind_up(client: PrefectClient, deployment_id: UUID, say: Say, running: asyncio.Task[None]) -> None:
    """Take up nothing more, and let what is under way end."""
    from prefect.client.schemas.objects import StateType

    from flows.leftovers import UNDER_WAY, runs_of, skipped

    await client.pause_deployment(deployment_id)
    for run in await runs_of(client, deployment_id, StateType.PENDING):
        await client.set_flow_run_state(run.id, skipped("The schedule ended before it began."), force=True)
    if await runs_of(client, deployment_id, *UNDER_WAY):
        say("a run is in flight and may end; Ctrl-C again ends it now")
    while not running.done() and await runs_of(client, deployment_id, *UNDER_WAY):  # noqa: ASYNC110 - on a server
        await asyncio.sleep(_TICK_S / 2)


async def _stop(runner: Runner, running: asyncio.Task[None]) -> None:
    """End the runner, and with it what is still under way."""
    if not running.done():
        await runner.astop()
    await asyncio.wait({running})
