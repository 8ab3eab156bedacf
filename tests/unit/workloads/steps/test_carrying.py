"""Checkpoints and what a resume makes of them: nothing lost, nothing twice, the dead time in no wall."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbook.measure.breakdown import breakdown_ns
from benchbook.records import Answer, Call, Chunk, PlannedTrial, Span
from benchbook.results.checkpoints import Checkpoint, Part, Session, checkpoints_folder, sessions
from benchbook.workloads.steps.carrying import Carried, carried, shifted

MS = 1_000_000


def planned(trial_id: str = "t1") -> PlannedTrial:
    return PlannedTrial(trial_id, 0, "d", "1", "c", "k", "sim", "workflow", 1, "measured", "0" * 64, 7)


def part(key: str, begins: int, ends: int) -> Part:
    call = Call(
        f"{key}-1",
        1,
        "m",
        streamed=True,
        intended_ns=begins,
        taken_up_ns=begins,
        sent_ns=begins + 1,
        closed_ns=ends - 1,
        first_byte_ns=begins + 2,
        last_byte_ns=ends - 2,
        chunks=(Chunk(begins + 2, 3, "text"), Chunk(ends - 2, 4, "text")),
    )
    spans = (
        Span(f"{key}-step", None, "step", key, begins, ends),
        Span(f"{key}-model", f"{key}-step", "model", "m", begins + 1, ends - 1, call_id=call.call_id),
    )
    answers = (Answer(call.call_id, "text", piece_at_ns=(begins + 2, ends - 2), piece_sizes=(3, 4)),)
    return Part(key, {"output": f"of {key}"}, (call,), answers, spans, {"sdk_cycles": 1.0})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return checkpoints_folder(tmp_path, "r1")


async def write(folder: Path, stamps: tuple[int, int], begun: str, *parts: tuple[str, int, int]) -> None:
    written = Checkpoint(folder, planned(), stamps)
    for key in begun:
        written.begun(key, stamps[1])
    for key, begins, ends in parts:
        written.done(part(key, begins, ends), ends)
    await written.close()


async def test_what_is_written_is_read_back_in_its_own_stamps(folder: Path) -> None:
    await write(folder, (90, 100), "ab", ("a", 100, 200))
    await write(folder, (5_000, 5_001), "b")
    first, second = sessions(folder, planned())
    assert first == Session(90, 100, (part("a", 100, 200),), (200,), ("a", "b"))
    assert second == Session(5_000, 5_001, (), (), ("b",))
    assert sorted(os.listdir(folder)) == ["t1-000.ndjson", "t1-001.ndjson"]
    assert sessions(folder, planned("t2")) == ()


def torn(data: bytes) -> bytes:
    return data[:-30]


def harmed(data: bytes) -> bytes:
    return data.replace(b"of b", b"of c")


@pytest.mark.parametrize("damage", [torn, harmed])
async def test_a_line_that_cant_be_read_is_a_part_to_be_done_again(
    folder: Path, damage: Callable[[bytes], bytes]
) -> None:
    await write(folder, (90, 100), "ab", ("a", 100, 200), ("b", 200, 300))
    path = folder / "t1-000.ndjson"
    path.write_bytes(damage(path.read_bytes()))
    (found,) = sessions(folder, planned())
    assert [one.key for one in found.parts] == ["a"]
    assert carried([found], 1_000, 1_000).redone == ("b",)


def test_a_trial_that_was_never_begun_begins_now() -> None:
    assert carried([], 7, 9) == Carried(7, 9)


def test_the_dead_time_and_what_is_done_again_are_in_no_wall() -> None:
    """Killed 50 ns after its only checkpoint, taken up again after a long time."""
    first = Session(90, 100, (part("a", 100, 200),), (200,), ("a", "b"))
    found = carried([first], 9_000, 9_005)
    assert (found.started_ns, found.intended_ns) == (8_905, 8_895)
    assert found.parts == (part("a", 8_905, 9_005),)
    assert (found.redone, found.shifts_ns, found.resumed) == (("b",), (8_805,), 1)
    assert found.values == {"a": {"output": "of a"}}


def test_two_kills_add_up() -> None:
    first = Session(90, 100, (part("a", 100, 200),), (200,), ("a", "b"))
    second = Session(1_000, 1_010, (part("b", 1_010, 1_050),), (1_050,), ("b", "c"))
    third = Session(2_000, 2_020, (), (), ("c",))
    found = carried([first, second, third], 5_000, 5_000)
    assert (found.started_ns, found.redone) == (5_000 - 140, ("b", "c"))
    assert found.parts == (part("a", 4_860, 4_960), part("b", 4_960, 5_000))
    assert found.resumed == 3


_LENGTHS = st.lists(st.integers(10, 10**9), max_size=4)


@given(st.lists(st.tuples(st.integers(0, 10**12), _LENGTHS, st.integers(0, 10**9)), max_size=4), st.integers(0, 10**12))
def test_the_law_holds_whatever_was_killed(before: list[tuple[int, list[int], int]], now_ns: int) -> None:
    """Each session on a clock of its own, its parts one after the other, then something that is lost."""
    earlier, worked = [], 0
    for number, (opened, lengths, _lost) in enumerate(before):
        parts, ends, at = [], [], opened
        for place, length in enumerate(lengths):
            parts.append(part(f"p{number}-{place}", at, at + length))
            at += length
            ends.append(at)
        worked += at - opened
        earlier.append(Session(opened, opened, tuple(parts), tuple(ends), ()))
    found = carried(earlier, now_ns, now_ns)
    spans = [span for one in found.parts for span in one.spans]
    wall = (found.started_ns, now_ns + 5)
    total = breakdown_ns(wall, spans)
    assert now_ns - found.started_ns == worked
    assert sum(total.values()) == worked + 5
    assert len(found.parts) == sum(len(lengths) for _, lengths, _ in before)
    assert total["orchestration"] == 5 + 2 * len(found.parts)


def test_shifting_moves_every_stamp_and_nothing_else() -> None:
    moved = shifted(part("a", 100, 200), 7)
    assert moved == part("a", 107, 207)
    assert shifted(moved, -7) == part("a", 100, 200)
