"""The wait for a person counts towards no limit of time; any other wait does."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from benchbook.clock import monotonic_ns
from benchbook.records import Limits, Member, ModelRequest, PlannedTrial, Team
from benchbook.records import Message as Said
from benchbook.workloads.team.work import Excused, Reached, Work, perform

TEAM = Team("t", "workflow", (Member("m", "a m", "help"),), limits=Limits())
PLANNED = PlannedTrial("t1", 0, "d", "1", "c", "k", "sim", "workflow", 1, "measured", "0" * 64, 7)


def desk(timeout_s: float) -> Any:
    """As much of a desk as a trial without calls needs."""
    return SimpleNamespace(
        timeout_s=timeout_s,
        team=lambda _planned: TEAM,
        request=lambda _planned: ModelRequest("m", (Said("user", "?"),)),
        hear=lambda _target, _call: None,
        gate=lambda _target: None,
    )


def slot() -> Any:
    return SimpleNamespace(intended_ns=monotonic_ns(), release=lambda _at_ns: None)


@pytest.mark.parametrize(("excused", "status"), [(True, "success"), (False, "timeout")])
async def test_a_person_may_take_longer_than_the_trial(excused: bool, status: str) -> None:
    async def body(work: Work) -> Reached:
        if excused:
            with work.waiting_for_a_person():
                await asyncio.sleep(0.8)
        else:
            await asyncio.sleep(60)
        return Reached("done")

    trial = await perform(PLANNED, desk(0.4), slot(), body)
    assert trial.status == status


async def test_waits_side_by_side_are_excused_once() -> None:
    excused = Excused()
    excused.begin()
    excused.begin()
    await asyncio.sleep(0.01)
    excused.end()
    assert excused.before_ns == 0
    so_far_ns = excused.so_far_ns
    assert so_far_ns >= 10_000_000
    excused.end()
    assert excused.before_ns >= so_far_ns
    assert excused.before_ns == excused.so_far_ns
