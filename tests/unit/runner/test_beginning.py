"""First steps at once: what a coroutine does before its first wait is done where it is begun; the rest by a task."""

from __future__ import annotations

import asyncio

import pytest

from benchbook.runner.beginning import begun


class Steps:
    """A trial that writes down how far it is."""

    def __init__(self) -> None:
        self.seen: list[object] = []
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def trial(self) -> None:
        self.seen.append("sent")
        try:
            self.seen.append(await self.answer)
            await asyncio.sleep(0)
            self.seen.append("decoded")
        except asyncio.CancelledError:
            self.seen.append("cancelled")
            raise
        finally:
            self.seen.append("released")


async def test_it_is_on_its_way_before_any_other_task_runs() -> None:
    steps = Steps()
    task = asyncio.create_task(begun(steps.trial()))
    assert steps.seen == ["sent"]
    steps.answer.set_result("answered")
    await task
    assert steps.seen == ["sent", "answered", "decoded", "released"]


async def test_a_cancellation_reaches_it_where_it_waits() -> None:
    steps = Steps()
    task = asyncio.create_task(begun(steps.trial()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps.seen == ["sent", "cancelled", "released"]


async def test_one_that_is_dropped_before_its_task_ran_gives_everything_back() -> None:
    steps = Steps()
    task = asyncio.create_task(begun(steps.trial()))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps.seen == ["sent", "cancelled", "released"]


async def test_what_the_first_steps_raise_and_one_that_never_waits() -> None:
    async def broken() -> None:
        raise ValueError("at once")

    async def short() -> None:
        """Over without a wait."""

    with pytest.raises(ValueError, match="at once"):
        await asyncio.create_task(begun(broken()))
    await asyncio.create_task(begun(short()))
