"""What the benchmarks share: a pinned simulator and its truth, clients as child processes, tables, medians, plots.

Every client ends as the same thing: its calls by request id with its own stamps, its processor time, its memory. The
simulator's record of a call has the same id. All stamps are of the host's one monotonic clock.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from benchbook.results import journal
from benchbook.simulator import start_process
from benchmarks.figures import Pair, Seen, Truth

ROOT = Path(__file__).resolve().parent.parent
DATASET = ROOT / "datasets" / "hello" / "hello.json"
MODEL = "sim-openai"
PROMPT = "Hello, how are you?"
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
SERVER_CORE, CLIENT_CORE = (CORES[0], CORES[-1]) if len(CORES) > 1 else (None, None)
_PAGE = 5_000


def host_facts() -> str:
    """One line on the machine."""
    pins = "" if CLIENT_CORE is None else f"; client on core {CLIENT_CORE}, simulator on core {SERVER_CORE}"
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}{pins}; load average before: {load}"
    )


@contextlib.contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Child processes begun in this block stay on one core."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


# ---------------------------------------------------------------- the simulator


class Server:
    """A simulator that is running."""

    def __init__(self, address: str) -> None:
        self.address = address

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def reset(self) -> None:
        """Forget what was."""
        self._ask("DELETE", "/truth")

    def summary(self) -> dict[str, Any]:
        """How late and how busy it was since `reset`."""
        return dict(orjson.loads(self._ask("GET", "/truth/summary")))

    def records(self, fields: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
        """The truth, page by page."""
        since, wanted = 0, f"&fields={','.join(('number', *fields))}" if fields else ""
        while page := orjson.loads(self._ask("GET", f"/truth?since={since}&limit={_PAGE}{wanted}")):
            yield from page
            since = page[-1]["number"]

    def truth(self) -> dict[str, Truth]:
        """Request id -> record, of the calls that were answered to their end."""
        names = ("request_id", "received_ns", "sent_ns", "last_byte_ns", "tokens_out", "outcome", "lateness_ns")
        return {
            one["request_id"]: Truth(
                one["received_ns"],
                one["sent_ns"][0],
                one["sent_ns"][-1],
                one["last_byte_ns"],
                one["tokens_out"],
                one["lateness_ns"][0],
            )
            for one in self.records(names)
            if one["outcome"] == "complete" and one["sent_ns"]
        }

    def _ask(self, method: str, path: str) -> bytes:
        request = urllib.request.Request(f"{self.address}{path}", method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            data: bytes = answer.read()
        return data


@contextlib.contextmanager
def serving(profile: str | Path | Mapping[str, Any]) -> Iterator[Server]:
    """A simulator in a process and on a core of its own; a profile may be given as data."""
    with contextlib.ExitStack() as stack:
        if isinstance(profile, Mapping):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            path = folder / "profile.yaml"
            path.write_text(json.dumps(profile), encoding="utf-8")
            profile = path
        with pinned(SERVER_CORE):
            address = stack.enter_context(start_process(profile))
        yield Server(address)


# ---------------------------------------------------------------- clients


@dataclass(slots=True)
class Client:
    """What a client's process did: its answered calls by request id, and what it used."""

    name: str
    calls: dict[str, Seen]
    failed: int
    begun_ns: int
    ended_ns: int
    cpu_s: float
    peak_mib: float
    memory: list[tuple[int, float]] = field(default_factory=list)
    """(calls done, MiB held) over time, where the client says how far it is."""


class Watch:
    """Reads a process's memory now and then, its children's with it."""

    def __init__(self, pid: int) -> None:
        self._pid, self._over = pid, threading.Event()
        self.peak_mib = self.now_mib = 0.0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(0.02):
            self.look()

    def look(self) -> float:
        """MiB held now."""
        try:
            self.now_mib = sum(_held_mib(pid) for pid in _family(self._pid))
        except OSError:
            return self.now_mib
        self.peak_mib = max(self.peak_mib, self.now_mib)
        return self.now_mib

    def end(self) -> float:
        self._over.set()
        self._thread.join()
        return self.peak_mib


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(one for child in children for one in _family(int(child)))]


def _held_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


class Used(NamedTuple):
    """The moment before a process was begun, that of its last word, its processor seconds, its peak MiB."""

    begun_ns: int
    ended_ns: int
    cpu_s: float
    peak_mib: float


def run_child(command: Sequence[str], given: bytes, on_line: Callable[[bytes, Watch], None]) -> Used:
    """Run a client on its core; what it used.

    Its standard input stays open until it ends; `on_line` gets each line of its output. Ends the benchmark if it fails.
    """
    with pinned(CLIENT_CORE), tempfile.TemporaryFile() as complaints:
        begun_ns = time.monotonic_ns()
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, cwd=ROOT)
        assert child.stdin is not None
        assert child.stdout is not None
        watch = Watch(child.pid)
        child.stdin.write(given)
        child.stdin.flush()
        if not given.endswith(b"\n"):
            child.stdin.close()
        ended_ns = begun_ns
        for line in child.stdout:
            ended_ns = time.monotonic_ns()
            on_line(line, watch)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        peak_mib = watch.end()
        for stream in (child.stdin, child.stdout):
            stream.close()
        if child.returncode:
            complaints.seek(0)
            sys.exit(
                f"{command[:4]} ended with {child.returncode}: {complaints.read().decode(errors='replace')[-500:]}"
            )
    return Used(begun_ns, ended_ns, used.ru_utime + used.ru_stime, peak_mib)


def document(server: Server, load: Mapping[str, Any], total: int) -> dict[str, Any]:
    """A plan as data: one target, one prompt, so many trials, no bodies kept."""
    target = {"name": "sim", "provider": "openai", "model": MODEL, "base_url": f"{server.address}/v1"}
    execute = {"targets": [target], "load": dict(load), "repetitions": total, "warmup": 0, "timeout_s": 120}
    return {"validate": {"datasets": [str(DATASET)]}, "execute": execute, "store": {"bodies": "none"}}


def run_engine(plan: Mapping[str, Any]) -> Client:
    """Benchbook's measuring process, as `benchbook run` starts it; its calls as the journal holds them."""
    memory: list[tuple[int, float]] = []
    said: list[dict[str, Any]] = []

    def on_line(line: bytes, watch: Watch) -> None:
        message = orjson.loads(line)
        if message["kind"] == "progress":
            memory.append((message["body"]["done"], watch.look()))
        else:
            said.append(message)

    with tempfile.TemporaryDirectory() as folder:
        job = {"plan": "engine benchmark", "document": plan, "results": folder}
        command = [sys.executable, "-m", "benchbook.stages.engine"]
        used = run_child(command, orjson.dumps(job) + b"\n", on_line)
        if not said or said[-1]["kind"] != "done":
            sys.exit(f"the engine said {said[-1:]}")
        calls, failed = read_calls(Path(folder), said[-1]["body"]["run_id"])
    return Client("benchbook", calls, failed, *used, memory)


def read_calls(results: Path, run_id: str) -> tuple[dict[str, Seen], int]:
    """Answered calls by request id and the number of failed trials, from a run's journal."""
    calls, failed = {}, 0
    for _, trial in journal.read_run(results, journal.find_run(results, run_id)).records():
        failed += trial.status != "success"
        for call in trial.calls:
            if call.error_kind is None and call.sent_ns is not None and call.chunks:
                first, last = call.chunks[0].at_ns, call.chunks[-1].at_ns
                calls[str(call.request_id)] = Seen(call.intended_ns, call.taken_up_ns, call.sent_ns, first, last)
    return calls, failed


def run_sdk(server: Server, total: int, concurrency: int = 0, rate: float = 0.0) -> Client:
    """The `openai` SDK, as a careful user writes it."""
    asked = {"total": total, "concurrency": concurrency, "rate": rate, "model": MODEL}
    said: list[Any] = []
    command = [sys.executable, str(ROOT / "benchmarks" / "sdk_client.py"), f"{server.address}/v1", json.dumps(asked)]
    used = run_child(command, b"", lambda line, _: said.append(orjson.loads(line)))
    rows = [row for row in said[0]["calls"] if row]
    calls = {name: Seen(intended, sent, sent, first, last) for name, intended, sent, first, last in rows}
    return Client("openai SDK", calls, total - len(rows), *used)


def compiled_reader(folder: str) -> str | None:
    """The C reader's program, made with this machine's `cc`; None where it has none."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    program = str(Path(folder) / "raw_reader")
    subprocess.run([compiler, "-O2", "-o", program, str(ROOT / "benchmarks" / "raw_reader.c")], check=True)
    return program


def run_reader(program: str, server: Server, concurrency: int, total: int, ramp_s: float) -> Client:
    """The raw reader in C."""
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": PROMPT}],
        "max_tokens": 100,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    lines: list[list[bytes]] = []
    command = [program, str(server.port), str(concurrency), str(total), str(ramp_s)]
    used = run_child(command, orjson.dumps(body), lambda line, _: lines.append(line.split()))
    calls = {}
    for name, *stamps in lines[:-1]:
        sent, first, last = map(int, stamps)
        calls[name.decode()] = Seen(sent, sent, sent, first, last)
    return Client("raw C reader", calls, int(lines[-1][1]), *used)


def pairs(client: Client, server: Server) -> list[Pair]:
    """Each call beside the simulator's record, in the order in which the simulator read the requests."""
    truth = server.truth()
    found = [(seen, truth[name]) for name, seen in client.calls.items() if name in truth]
    if not found:
        sys.exit(f"{client.name}: no call was answered; {client.failed} failed")
    return sorted(found, key=lambda pair: pair[1].received)
