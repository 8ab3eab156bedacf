"""Run ids: sortable, and found by what a person types. And one run at a time."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbook.errors import BusyError, StorageError, UnknownRunError
from benchbook.results.journal import create_run
from benchbook.results.lock import lock
from benchbook.results.runs import find_run, mint_run_id, stored_runs

IDS = ("20261120T081502Z-3f9a00", "20261121T081502Z-3f9a07", "20261121T081503Z-000001")


class WallClock:
    def __init__(self, wall_ns: int) -> None:
        self._wall_ns = wall_ns

    def monotonic_ns(self) -> int:
        return 0

    def wall_ns(self) -> int:
        return self._wall_ns


def test_an_id_by_hand() -> None:
    clock = WallClock(1_795_249_302_250_000_000)
    assert mint_run_id(clock, random.Random(1))[:20] == "20261121T082142Z-400"
    assert len({mint_run_id(clock, random.Random(seed)) for seed in range(20)}) > 15


times = st.integers(0, 4_000_000_000 * 10**9)


@given(times, times)
def test_ids_sort_by_time(one: int, other: int) -> None:
    first, second = sorted((one, other))
    ids = [mint_run_id(WallClock(wall_ns), random.Random(5)) for wall_ns in (first, second)]
    assert ids == sorted(ids)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for run_id in IDS:
        create_run(tmp_path, run_id, {}, [])
    return tmp_path


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (IDS[1], 1),
        ("20261120", 0),
        ("20261121T081502", 1),
        ("latest", 2),
        ("latest~0", 2),
        ("latest~2", 0),
    ],
)
def test_found(results: Path, text: str, found: int) -> None:
    assert find_run(results, text) == IDS[found]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("20261121", "is the start of 2 run ids"),
        ("latest~3", "there are only 3 runs; the oldest is 20261120T081502Z-3f9a00"),
        ("20261121T081502Z-3f9a08", "nearest: 20261121T081502Z-3f9a07"),
        ("latest~", "no such run"),
        ("zzz", "nearest: 20261121T081503Z-000001"),
        ("", "no such run"),
    ],
)
def test_not_found(results: Path, text: str, message: str) -> None:
    with pytest.raises(UnknownRunError, match=message):
        find_run(results, text)


def test_no_runs_at_all(tmp_path: Path) -> None:
    with pytest.raises(UnknownRunError, match="there are no runs"):
        find_run(tmp_path, "latest")


def test_a_run_that_only_the_tables_hold(tmp_path: Path) -> None:
    part = tmp_path / "tables" / "runs" / f"run_id={IDS[0]}" / "part-0.parquet"
    part.parent.mkdir(parents=True)
    part.touch()
    assert stored_runs(tmp_path) == [IDS[0]]
    assert find_run(tmp_path, "latest") == IDS[0]


HOLDER = """
import sys
from pathlib import Path
from benchbook.results.lock import lock
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_at_a_time_and_free_again_after_a_kill(tmp_path: Path) -> None:
    results = tmp_path / "a" / "results"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(results)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(BusyError, match=f"process {holder.pid} is at work in it"), lock(results):
            pass
        holder.kill()
        holder.wait()
    with lock(results), pytest.raises(BusyError), lock(results):
        pass
    with lock(results):
        pass


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="can't be written"), lock(tmp_path / "file" / "results"):
        pass
