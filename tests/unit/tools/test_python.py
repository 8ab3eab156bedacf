"""The Python tool: what code can do, and each thing that it tries and can't. Real processes, real kernel layers."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchbook import tools
from benchbook.tools import Outcome, Place


async def python(
    code: str, folder: Path, settings: Mapping[str, Any] | None = None, timeout_s: float = 20.0
) -> Outcome:
    return await tools.use("python", {"code": code}, settings or {}, Place(folder, timeout_s))


def files(folder: Path) -> dict[str, int]:
    return {path.name: path.lstat().st_size for path in folder.rglob("*")}


async def test_prints_and_shows_the_last_value(tmp_path: Path) -> None:
    outcome = await python("print('one')\n6 * 7", tmp_path)
    assert (outcome.text, outcome.failed) == ("one\n42\n", False)


async def test_layers_in_force_are_named(tmp_path: Path) -> None:
    outcome = await python("1", tmp_path)
    named = [layer.split()[0] for layer in outcome.detail["layers"]]
    assert named == ["process", "limits", "capabilities", "landlock", "seccomp", "clean", "audit"]
    assert outcome.detail["missing"] == []
    assert outcome.detail["cpu_ms"] > 0


async def test_files_are_listed(tmp_path: Path) -> None:
    (tmp_path / "given.csv").write_text("a,b\n1,2\n")
    (tmp_path / "old.txt").write_text("old")
    copied = "import os; os.mkdir('sub'); open('sub/new.txt', 'w').write(open('given.csv').read())"
    code = f"{copied}; open('old.txt', 'a').write('!')"
    outcome = await python(code, tmp_path)
    assert outcome.files == ("old.txt", "sub/new.txt")
    assert (tmp_path / "sub" / "new.txt").read_text() == "a,b\n1,2\n"


REFUSED = {
    "a file outside": ("open('/etc/passwd').read()", "Permission denied: '/etc/passwd'"),
    "the folder above": ("import os; os.listdir('..')", "Permission denied: '..'"),
    "our environment": ("open('/proc/self/environ').read()", "Permission denied"),
    "our parent's environment": ("import os; open(f'/proc/{os.getppid()}/environ').read()", "Permission denied"),
    "writing outside": ("open('../outside.txt', 'w')", "Permission denied: '../outside.txt'"),
    "moving outside": ("import os; open('a', 'w').close(); os.rename('a', '../outside.txt')", "Error"),
    "a socket": ("import socket; socket.socket()", "the sandbox has no network"),
    "a web page": ("import urllib.request as r; r.urlopen('http://127.0.0.1:9')", "the sandbox has no network"),
    "another program": ("import subprocess; subprocess.run(['/bin/true'])", "the sandbox starts no other process"),
    "a link out": ("import os; os.symlink('/etc/passwd', 'way-out')", "the sandbox makes no links"),
    "a fork": ("import os; os.fork()", "the sandbox starts no other process"),
    "a signal to its keeper": ("import os; os.kill(os.getppid(), 9)", "PermissionError"),
    "rights of files": ("import os; open('a', 'w').close(); os.chmod('a', 0o777)", "PermissionError"),
    "higher limits": ("import resource as r; r.setrlimit(r.RLIMIT_AS, (-1, -1))", "Error"),
    "our own modules": ("import benchbook", "No module named 'benchbook'"),
}


@pytest.mark.parametrize("attempt", REFUSED)
async def test_attempt_is_refused(attempt: str, tmp_path: Path) -> None:
    code, told = REFUSED[attempt]
    folder = tmp_path / "scratch"
    outcome = await python(code, folder)
    assert outcome.failed
    assert told in outcome.text
    assert not (tmp_path / "outside.txt").exists()
    assert not (folder / "way-out").is_symlink()


RAW = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def tried(*call):
    answer = libc.syscall(*call)
    return ctypes.get_errno() if answer < 0 else "done"
"""
"""System calls by number, past Python and its audit hook: only the kernel's layers stand there. 1 is EPERM, 13 EACCES,
38 ENOSYS."""

BY_NUMBER = {
    "a file outside": ("tried(257, -100, b'/etc/passwd', 0)", "13"),
    "emptying a file outside": ("tried(257, -100, b'/etc/passwd', 0o1000), tried(76, b'/etc/passwd', 0)", "(1, 1)"),
    "sockets": ("[tried(41, family, 1, 0) for family in (1, 2, 10, 16, 17)]", "[1, 1, 1, 1, 1]"),
    "a pair of sockets that could send to others": ("tried(53, 1, 2, 0, (ctypes.c_int * 2)())", "1"),
    "io_uring": ("tried(425, 4, None)", "38"),
    "new processes": ("[tried(57), tried(58), tried(56, 17, 0, 0, 0, 0), tried(435, None, 0)]", "[1, 1, 1, 38]"),
    "another program": ("tried(59, b'/bin/true', None, None)", "1"),
    "links out": ("[tried(88, b'/etc/passwd', b'way-out'), tried(86, b'/etc/passwd', b'way-out')]", "[1, 1]"),
    "outliving its keeper": ("tried(157, 1, 0, 0, 0, 0)", "1"),
    "signals to all": ("tried(62, -1, 9), tried(234, os.getppid(), os.getppid(), 9)", "(1, 1)"),
    "reading another process": (
        "tried(101, 16, os.getppid(), 0, 0), tried(310, os.getppid(), 0, 0, 0, 0, 0)",
        "(1, 1)",
    ),
    "files in memory": ("tried(319, b'm', 0)", "1"),
    "other namespaces, other roots": (
        "tried(272, 0x10000000), tried(161, b'.'), tried(165, 0, 0, 0, 0, 0)",
        "(1, 1, 1)",
    ),
}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers are those of x86_64")
@pytest.mark.parametrize("attempt", BY_NUMBER)
async def test_attempt_is_refused_by_the_kernel(attempt: str, tmp_path: Path) -> None:
    calls, told = BY_NUMBER[attempt]
    outcome = await python(f"{RAW}\n{calls}", tmp_path)
    assert outcome.text == f"{told}\n"
    assert files(tmp_path) == {}


MEMORY = "keep = []\nwhile True: keep.append(bytearray(1 << 20))"
THREADS = "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(60,)).start()"
SMALL_THREADS = """
import threading, time
threading.stack_size(1 << 15)
for n in range(400): threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
time.sleep(600)
"""
FORKS = """
import ctypes, os
for n in range(1000):
    try: os.fork()
    except OSError: pass
    if ctypes.CDLL(None).fork() >= 0: print("forked")
    raised = n
print("processes:", os.getpid() == os.getsid(0), raised)
import time; time.sleep(600)
"""
DEAF = """
import signal, time
for n in range(1, 32):
    try: signal.signal(n, signal.SIG_IGN)
    except OSError: pass
while True: time.sleep(1)
"""
DEEP = """
import os
for n in range(40):
    os.mkdir('d' * 200)
    os.chdir('d' * 200)
open('hidden', 'wb').write(bytes(1 << 10))
"""
UNNAMED = """
import os
files = []
while True:
    files.append(open('f', 'wb', buffering=0))
    os.unlink('f')
    files[-1].write(bytes(1 << 19))
    if len(files) == 9: break
while True: pass
"""
LIMITED = {
    "memory": (MEMORY, {"memory_mb": 64}, "MemoryError", "error"),
    "one large piece": ("bytearray(1 << 40)", {}, "MemoryError", "error"),
    "threads": (THREADS, {"memory_mb": 64}, "can't start new thread", "error"),
    "small threads": (SMALL_THREADS, {}, "more than 100 threads", "threads"),
    "a loop": ("while True: pass", {}, "stopped after", "timeout"),
    "sleep": ("import time\ntime.sleep(1e6)", {}, "stopped after", "timeout"),
    "deaf to signals": (DEAF, {}, "stopped after", "timeout"),
    "a large file": ("open('a', 'wb').write(bytes(2 << 20))", {"disk_mb": 1}, "File too large", "error"),
    "files": ("for n in range(9): open(str(n), 'wb').write(bytes(1 << 19))", {"disk_mb": 1}, "than 1 MB", "disk"),
    "many files": ("for n in range(99): open(str(n), 'w')", {"files": 50}, "50 files", "disk"),
    "too deep to be seen": (DEEP, {}, "a folder that can't be looked through", "disk"),
    "files without a name": (UNNAMED, {"disk_mb": 1}, "than 1 MB", "disk"),
    "output": ("while True: print('x' * 1000)", {"disk_mb": 1}, "stopped: it printed more than 1 MB", "error"),
    "a crash": ("import ctypes; ctypes.string_at(0)", {}, "ended by signal 11", "error"),
}


@pytest.mark.parametrize("attempt", LIMITED)
async def test_attempt_ends_at_its_limit(attempt: str, tmp_path: Path) -> None:
    code, settings, told, kind = LIMITED[attempt]
    outcome = await python(code, tmp_path, settings, timeout_s=0.6 if kind == "timeout" else 20.0)
    assert outcome.failed
    assert told in outcome.text
    assert outcome.detail["kind"] == kind
    assert sum(files(tmp_path).values()) <= 1 << 20


async def test_what_was_printed_before_the_limit_is_kept(tmp_path: Path) -> None:
    await python("1", tmp_path)
    bomb, pair = await asyncio.gather(
        python(FORKS, tmp_path / "bomb", timeout_s=3.0),
        python("print('begun')\nimport time; time.sleep(600)", tmp_path / "pair", timeout_s=3.0),
    )
    assert bomb.text == "processes: True 999\n[stopped after 2.75 s, its time limit]"
    assert pair.text == "begun\n[stopped after 2.75 s, its time limit]"


async def test_huge_output_is_cut_in_the_middle(tmp_path: Path) -> None:
    code = "for n in range(200_000): print(n)"
    outcome = await python(code, tmp_path, {"output_bytes": 1000})
    assert not outcome.failed
    assert outcome.text.startswith("0\n1\n")
    assert outcome.text.endswith("199999\n")
    assert "bytes left out" in outcome.text
    assert len(outcome.text) < 1100
