"""Finished trials on their way into the journal: in order, a few at once, none left behind, and what fails is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from benchbook.records import Call, Chunks, PlannedTrial, Trial
from benchbook.runner.finishing import MOST_CHUNKS, MOST_TRIALS, Pile


def trial(number: int, chunks: int = 3) -> Trial:
    """A finished trial with so many chunks."""
    planned = PlannedTrial(f"t{number}", number, "d", "1", "c", "", "t", "api", 0, "measured", "", 1)
    found = Chunks(tuple(range(chunks)), (1,) * chunks, ("text",) * chunks)
    return Trial(planned, "success", 0, 0, 9, (Call(f"c{number}", 1, "m", True, 0, 0, 0, 9, chunks=found),))


class Journal:
    """Writes down what it is given, and fails when it is told to."""

    def __init__(self) -> None:
        self.given: list[list[int]] = []
        self.told: list[Exception] = []
        self.full = False

    def put(self, trials: Sequence[Trial]) -> None:
        self.given.append([trial.planned.position for trial in trials])
        if self.full:
            raise OSError("no room")


async def test_a_few_go_together_and_in_order() -> None:
    journal = Journal()
    pile = Pile(journal.put, journal.told.append)
    for number in range(MOST_TRIALS + 2):
        pile.add(trial(number))
    assert journal.given == [list(range(MOST_TRIALS))]
    pile.put_down()
    pile.put_down()
    assert journal.given == [list(range(MOST_TRIALS)), [MOST_TRIALS, MOST_TRIALS + 1]]


async def test_long_answers_go_at_once() -> None:
    journal = Journal()
    pile = Pile(journal.put, journal.told.append)
    pile.add(trial(0))
    pile.add(trial(1, chunks=MOST_CHUNKS))
    assert journal.given == [[0, 1]]


async def test_where_each_one_decides_about_the_next_none_waits() -> None:
    journal = Journal()
    pile = Pile(journal.put, journal.told.append, most=1)
    pile.add(trial(0))
    pile.add(trial(1))
    assert journal.given == [[0], [1]]


async def test_nothing_waits_for_company_that_does_not_come() -> None:
    journal = Journal()
    pile = Pile(journal.put, journal.told.append)
    pile.add(trial(0))
    assert journal.given == []
    while not journal.given:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    assert journal.given == [[0]]


async def test_a_failure_is_raised_where_somebody_adds_and_told_where_nobody_does() -> None:
    journal = Journal()
    journal.full = True
    pile = Pile(journal.put, journal.told.append)
    pile.add(trial(0, chunks=1))
    while not journal.told:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    assert [str(error) for error in journal.told] == ["no room"]
    with pytest.raises(OSError, match="no room"):
        pile.add(trial(1, chunks=MOST_CHUNKS))
    journal.full = False
    pile.put_down()
    assert journal.given == [[0], [1]]
