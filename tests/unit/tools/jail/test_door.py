"""Who outlives whom: jobs, keepers and the process that asks, each killed in turn; and systems that lack a layer."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from benchbook import tools
from benchbook.tools import Outcome, Place
from benchbook.tools.jail import door

TELL = (
    "import os, time\nwith open('new', 'w') as f: f.write(f'{os.getpid()} {os.getppid()}')\nos.rename('new', 'pids')\n"
)
SPIN = f"{TELL}while True: pass"


async def python(code: str, folder: Path, timeout_s: float = 60.0) -> Outcome:
    return await tools.use("python", {"code": code}, {}, Place(folder, timeout_s))


def eventually(true: Callable[[], bool]) -> bool:
    """Whether it becomes true within a time that no sound machine needs."""
    for _ in range(3000):
        if true():
            return True
        time.sleep(0.01)
    return False


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def told(folder: Path) -> tuple[int, int]:
    """The job's process and its keeper's, as the job tells them."""
    assert eventually((folder / "pids").exists)
    job, keeper = (folder / "pids").read_text().split()
    return int(job), int(keeper)


ENGINE = """
import asyncio, sys
from pathlib import Path
from benchbook import tools
async def main():
    place = tools.Place(Path(sys.argv[1]), 600.0)
    await tools.use("python", {"code": sys.argv[2]}, {}, place)
asyncio.run(main())
"""


def test_killed_engine_leaves_no_process(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ENGINE, str(tmp_path), SPIN]) as engine:
        job, keeper = told(tmp_path)
        assert not gone(job)
        engine.kill()
    assert eventually(lambda: gone(job) and gone(keeper))


def test_engine_that_ends_leaves_no_process(tmp_path: Path) -> None:
    engine = subprocess.run(
        [sys.executable, "-W", "error", "-c", ENGINE, str(tmp_path), TELL], capture_output=True, check=True
    )
    job, keeper = told(tmp_path)
    assert eventually(lambda: gone(job) and gone(keeper))
    assert engine.stderr == b""


async def test_killed_keeper_takes_its_jobs_along_and_is_replaced(tmp_path: Path) -> None:
    use = asyncio.create_task(python(SPIN, tmp_path))
    job, keeper = await asyncio.to_thread(told, tmp_path)
    os.kill(keeper, signal.SIGKILL)
    outcome = await use
    assert (outcome.failed, outcome.detail["kind"]) == (True, "crash")
    assert "the process that runs it ended" in outcome.text
    assert await asyncio.to_thread(eventually, lambda: gone(job))
    assert (await python("1 + 1", tmp_path)).text == "2\n"


def look_at(job: int) -> None:
    """The locks as the kernel tells them of a job that runs."""
    status = dict(line.split(":\t") for line in Path(f"/proc/{job}/status").read_text().splitlines() if ":\t" in line)
    for right in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(status[right], 16) == 0
    assert (status["NoNewPrivs"], status["Seccomp"], status["Threads"]) == ("1", "2", "1")
    assert os.getsid(job) == job
    process = psutil.Process(job)
    assert process.nice() == min(19, psutil.Process().nice() + 5)
    assert process.rlimit(psutil.RLIMIT_CPU) == (61, 61)
    assert process.rlimit(psutil.RLIMIT_FSIZE) == (64 << 20, 64 << 20)
    assert process.rlimit(psutil.RLIMIT_NOFILE) == (64, 64)
    assert 512 << 20 < process.rlimit(psutil.RLIMIT_AS)[0] == process.rlimit(psutil.RLIMIT_AS)[1] < 1 << 30
    named = [Path(file.path).name for file in process.open_files()]
    assert named == []
    assert len(list(Path(f"/proc/{job}/fd").iterdir())) == 3


async def test_cancelled_use_kills_its_job_and_no_other(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    uses = [asyncio.create_task(python(SPIN, folder)) for folder in (first, second)]
    job, keeper = await asyncio.to_thread(told, first)
    other, _ = await asyncio.to_thread(told, second)
    uses[0].cancel()
    assert await asyncio.to_thread(eventually, lambda: gone(job))
    assert not gone(other)
    assert not gone(keeper)
    await asyncio.to_thread(look_at, other)
    uses[1].cancel()
    assert await asyncio.to_thread(eventually, lambda: gone(other))


async def test_many_at_once(tmp_path: Path) -> None:
    codes = [f"open('n', 'w').write('{n}'); print({n} * {n})" for n in range(40)]
    outcomes = await asyncio.gather(*(python(code, tmp_path / str(n)) for n, code in enumerate(codes)))
    assert [outcome.text for outcome in outcomes] == [f"{n * n}\n" for n in range(40)]
    assert all(outcome.files == ("n",) for outcome in outcomes)


def keepers_of_ours() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "benchbook.tools.jail.keeper" in child.cmdline()]


async def test_warm_keepers_are_one_thread_and_know_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a process of one thread can be forked safely, and DuckDB would like to have more."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-a-key-that-nobody-should-see")
    (tmp_path / "t.csv").write_text("a\n1\n")
    before = {keeper.pid for keeper in keepers_of_ours()}
    await tools.ready([("python", {}), ("search", {}), ("sql", {"folder": str(tmp_path)})])
    started = [keeper for keeper in keepers_of_ours() if keeper.pid not in before]
    assert started
    (tmp_path / "bad.json").write_text("{")
    await tools.ready([("sql", {"folder": str(tmp_path), "rows": 1})])  # each query will tell what is wrong
    for keeper in keepers_of_ours():
        assert keeper.num_threads() == 1
        assert "sk-a-key" not in json.dumps(keeper.environ())


async def test_the_keeper_that_was_idle_longest_makes_room(tmp_path: Path) -> None:
    job = door.Job({"code": "1", "packages": False}, 60.0, tmp_path)
    door.close()
    assert keepers_of_ours() == []
    await asyncio.gather(*(door.run("python", {"n": n}, job) for n in range(8)))
    first = set(keepers_of_ours())
    await door.run("python", {"n": 8}, job)
    kept = set(keepers_of_ours())
    assert (len(first), len(kept), len(first & kept)) == (8, 8, 7)
    door.close()
    assert keepers_of_ours() == []


def test_works_in_any_loop(tmp_path: Path) -> None:
    """Keepers outlive loops, and belong to none."""
    import uvloop

    texts = [asyncio.run(python("2", tmp_path)).text, uvloop.run(python("3", tmp_path)).text]
    assert texts == ["2\n", "3\n"]


WITHOUT = """
import asyncio, ctypes, json, struct, sys
from pathlib import Path
number, argument = int(sys.argv[1]), int(sys.argv[2])
load, equal, give = 0x20, 0x15, 0x06
lines = [(load, 0, 0, 0), (equal, 0, 3, number), (load, 0, 0, 16), (equal, 0, 1, argument)]
lines += [(give, 0, 0, 0x50000 | 22), (give, 0, 0, 0x7FFF0000)]
code = b"".join(struct.pack("<HBBI", *line) for line in lines)
class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Program(len(lines), code)), 0, 0) == 0
from benchbook import tools
async def main():
    for settings in json.loads(sys.argv[4]):
        outcome = await tools.use("python", {"code": "6 * 7"}, settings, tools.Place(Path(sys.argv[3]), 60.0))
        said = {"text": outcome.text, "failed": outcome.failed, "lacking": tools.lacking("python", settings, {})}
        print(json.dumps({**said, **outcome.detail}))
asyncio.run(main())
"""
"""An engine on a system that lacks a layer: its own filter makes the kernel answer EINVAL. 157 is prctl, with 22 for a
filter as its first argument; 444 is landlock_create_ruleset, with no rules (0) where its version is asked."""

LACKING = {
    "landlock": ("444", "0", "files outside the scratch folder"),
    "seccomp": ("157", "22", "sockets and new processes"),
}


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are those of x86_64")
@pytest.mark.parametrize("layer", LACKING)
def test_system_that_lacks_a_layer_refuses_unless_told_otherwise(layer: str, tmp_path: Path) -> None:
    number, argument, lost = LACKING[layer]
    settings = json.dumps([{}, {"may_lack": [layer]}])
    command = [sys.executable, "-c", WITHOUT, number, argument, str(tmp_path), settings]
    ended = subprocess.run(command, capture_output=True, check=True)
    refused, weaker = map(json.loads, ended.stdout.splitlines())
    assert (refused["failed"], refused["kind"], refused["layers"]) == (True, "refused", [])
    assert refused["lacking"] == f"this system has no {layer}, which would keep it from {lost}"
    assert refused["text"] == f"python: not run: {refused['lacking']}"
    assert (weaker["failed"], weaker["text"], weaker["missing"]) == (False, "42\n", [layer])
    assert weaker["lacking"] is None
    assert not [named for named in weaker["layers"] if named.startswith(layer)]
