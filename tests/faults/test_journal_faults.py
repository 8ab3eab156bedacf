"""The journal under a killed process, a full disk, flipped bits and folders that can't be written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchbook.errors import StorageError
from benchbook.records import Answer, Call, PlannedTrial, Trial
from benchbook.results.journal import JournalWriter, create_run, read_run
from benchbook.results.lock import lock

RUN = "20261121T081502Z-3f9a07"

APPENDER = """
import itertools, resource, sys
from pathlib import Path
from benchbook.errors import StorageError
from benchbook.records import Answer, Call, PlannedTrial, Trial
from benchbook.results.journal import JournalWriter, lock

results, first, limit = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
with lock(results):
    try:
        with JournalWriter(results, sys.argv[4], {"wall_offset_ns": 0}) as writer:
            for number in itertools.count(first):
                name = f"t{number}"
                call = Call(name, 1, "m", False, 0, 0, 0, 9)
                plan = PlannedTrial(name, number, "d", "1", "c", "", "t", "api", 0, "measured", "", 1)
                writer.append(Trial(plan, "success", 0, 0, 9, (call,), (Answer(name, body=b"x" * 9000),)))
                print(number, flush=True)
    except StorageError as error:
        print(error, flush=True)
"""


def appender(results: Path, first: int = 0, limit: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", APPENDER, str(results), str(first), str(limit), RUN]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def trial(number: int) -> Trial:
    name = f"t{number}"
    planned = PlannedTrial(name, number, "d", "1", "c", "", "t", "api", 0, "measured", "", 1)
    return Trial(planned, "success", 0, 0, 9, (Call(name, 1, "m", False, 0, 0, 0, 9),), (Answer(name, body=b"xy"),))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    create_run(tmp_path, RUN, {"run_id": RUN}, [])
    return tmp_path


def positions(results: Path) -> list[int]:
    run = read_run(results, RUN)
    found = [trial.planned.position for trial in run.trials()]
    assert run.damaged == []
    return found


def test_kill_9_costs_nothing_that_was_reported(results: Path) -> None:
    told: list[int] = []
    for session in range(3):
        with appender(results, first=1_000 * session) as child:
            assert child.stdout is not None
            told += [int(child.stdout.readline()) for _ in range(40)]
            child.send_signal(signal.SIGKILL)
            told += [int(line) for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        found = positions(results)
        assert set(told) <= set(found)
        assert len(found) - len(told) <= session + 1
        assert len(read_run(results, RUN).segments) == session + 1
        assert read_run(results, RUN).status == "crashed"


def test_a_full_disk_says_what_is_safe_and_a_resume_goes_on(results: Path) -> None:
    with JournalWriter(results, RUN, {}) as writer:
        for number in range(900, 905):
            writer.append(trial(number))
    with appender(results, limit=100_000) as child:
        assert child.stdout is not None
        *told, message = child.stdout.read().splitlines()
    assert len(told) == 10
    assert message.startswith(f"{results / 'journal' / RUN}: can't be written (File too large); 15 finished trials")
    assert f"benchbook run --resume {RUN}" in message
    assert (results / "journal" / RUN / "segment-001.ndjson").stat().st_size == 100_000
    assert positions(results) == [*range(900, 905), *range(10)]
    with JournalWriter(results, RUN, {}) as writer:
        writer.append(trial(10))
        writer.finish("finished", {})
    assert positions(results) == [*range(900, 905), *range(11)]
    assert read_run(results, RUN).status == "finished"


def test_of_trials_written_together_those_that_are_whole_are_safe(results: Path) -> None:
    script = APPENDER.replace(
        "writer.append(Trial(plan", "(held := globals().setdefault('held', [])).append(Trial(plan"
    ).replace("print(number, flush=True)", "len(held) == 7 and writer.append(*held)")
    child = subprocess.run(
        [sys.executable, "-c", script, str(results), "0", "40000", RUN], capture_output=True, text=True, check=True
    )
    assert "(File too large); 4 finished trials are safe there" in child.stdout
    assert positions(results) == [0, 1, 2, 3]


def test_a_writer_that_failed_takes_no_more(results: Path) -> None:
    script = (
        APPENDER
        + """
    for again in (lambda: writer.append(None), lambda: writer.finish("finished", {})):
        try:
            again()
        except StorageError as error:
            print("still:", error)
"""
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(results), "0", "30000", RUN], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        message, *again = child.stdout.read().splitlines()[-3:]
    assert again == [f"still: {message}"] * 2
    assert not list((results / "journal" / RUN).glob("*.end.json"))


def test_a_full_disk_before_the_first_trial(results: Path) -> None:
    with appender(results, limit=20) as child:
        assert child.stdout is not None
        (message,) = child.stdout.read().splitlines()
    assert "can't be written (File too large); 0 finished trials are safe there" in message
    assert sorted(os.listdir(results / "journal" / RUN)) == ["datasets.json", "run.json"]


def test_a_flipped_bit_costs_one_record_at_most_and_is_named(results: Path) -> None:
    with JournalWriter(results, RUN, {}) as writer:
        for number in range(3):
            writer.append(trial(number))
        writer.finish("finished", {})
    path = results / "journal" / RUN / "segment-000.ndjson"
    whole = path.read_bytes()
    for place in range(len(whole)):
        harmed = bytearray(whole)
        harmed[place] ^= 1 << place % 8
        path.write_bytes(harmed)
        run = read_run(results, RUN)
        found = list(run.trials())
        newline_lost = whole[place : place + 1] == b"\n"
        assert len(found) == (3 if newline_lost else 2), place
        assert all(kept == trial(kept.planned.position) for kept in found)
        assert bool(run.damaged) is not newline_lost


def test_a_torn_line_anywhere(results: Path) -> None:
    with JournalWriter(results, RUN, {}) as writer:
        for number in range(3):
            writer.append(trial(number))
    path = results / "journal" / RUN / "segment-000.ndjson"
    whole = path.read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == ord("\n")]
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        assert positions(results) == list(range(sum(end <= size + 1 for end in ends)))


@pytest.mark.parametrize("inside", ["file", "/dev/null"])
def test_a_folder_that_cannot_be_written(tmp_path: Path, inside: str) -> None:
    (tmp_path / "file").touch()
    results = tmp_path / inside / "results"
    for attempt in (
        lambda: create_run(results, RUN, {}, []),
        lambda: JournalWriter(results, RUN, {}),
        lambda: lock(results).__enter__(),
    ):
        with pytest.raises(StorageError, match=r"can't be written \("):
            attempt()
