"""What an earlier server of a schedule left behind, put right before and while the next one serves.

A run whose process died stays Running for Prefect and holds the schedule's only slot: it is marked Crashed, which
frees the slot. Runs that came due while nobody served are skipped: a schedule is about now, and a pile of late
measurements would all say the same. A run's process is known by the run's id in its environment, so there is no
file that could be stale; whether it lives can only be told on the host that started it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psutil
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId, FlowRunFilter, FlowRunFilterState
from prefect.client.schemas.filters import FlowRunFilterStateType as TypeFilter
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import Cancelled, Crashed

from flows.endings import SKIPPED

UNDER_WAY = (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)
_ENVIRONMENT_NAME = "PREFECT__FLOW_RUN_ID"


async def runs_of(client: PrefectClient, deployment_id: UUID, *types: StateType) -> list[FlowRun]:
    """The deployment's runs in these states."""
    return await client.read_flow_runs(
        deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id])),
        flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=TypeFilter(any_=list(types)))),
    )


async def newest_of(client: PrefectClient, deployment_id: UUID) -> list[FlowRun]:
    """The deployment's last runs that are more than scheduled, oldest first."""
    types = [kind for kind in StateType if kind != StateType.SCHEDULED]
    runs = await client.read_flow_runs(
        deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id])),
        flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=TypeFilter(any_=types))),
        sort=FlowRunSort.EXPECTED_START_TIME_DESC,
        limit=8,
    )
    return runs[::-1]


async def crash_dead(client: PrefectClient, deployment_id: UUID, before: datetime) -> list[FlowRun]:
    """Mark as Crashed what was under way before `before` and has no process now; those runs."""
    dead = [
        run
        for run in await runs_of(client, deployment_id, *UNDER_WAY)
        if run.state is not None and run.state.timestamp < before and not processes_of(run)
    ]
    for run in dead:
        state: State[Any] = Crashed(message="Its process ended without a word; finished trials are in the journal.")
        await client.set_flow_run_state(run.id, state, force=True)
    return dead


async def skip_missed(client: PrefectClient, deployment_id: UUID, before: datetime) -> list[FlowRun]:
    """Mark as Skipped what came due before `before` and was never started; those runs."""
    missed = [
        run
        for run in await runs_of(client, deployment_id, StateType.SCHEDULED)
        if run.expected_start_time is not None and run.expected_start_time < before
    ]
    for run in missed:
        await client.set_flow_run_state(run.id, skipped("It came due while nothing served the schedule."), force=True)
    return missed


def skipped(why: str) -> State[Any]:
    """The state of a run that was left out."""
    return Cancelled(name=SKIPPED, message=why)


def processes_of(run: FlowRun) -> list[psutil.Process]:
    """This host's processes of a flow run: its own and those that it started."""
    return [process for process in psutil.process_iter() if _run_id(process) == str(run.id)]


def _run_id(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(_ENVIRONMENT_NAME)
    except (psutil.Error, OSError):
        return None


def now() -> datetime:
    """The present, as Prefect writes it."""
    return datetime.now(UTC)
