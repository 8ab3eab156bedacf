"""The keeper: a warm process that forks a locked-in process for each job, and stands outside with a stopwatch.

Run as `python -m benchbook.tools.jail.keeper PROGRAM PREPARATION`, with one end of a socket pair as its stdin. A job is
one message there, with three descriptors: the order (JSON in a file), where output goes, and a socket for the report.
Whoever asked takes a job back by closing that socket, and all of them by closing the pair (or by dying).
The keeper is one thread, so that forking is safe, and runs nothing of a job's own.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from benchbook.clock import monotonic_ns
from benchbook.tools.jail import RefusalError, scratch
from benchbook.tools.jail.confine import Bounds, UnconfinedError, confine

PROGRAMS: Mapping[str, str] = {
    "python": "benchbook.tools.jail.python_work",
    "sql": "benchbook.tools.jail.sql_work",
    "chart": "benchbook.tools.jail.chart_work",
}
"""Kind of work -> its module: `prepare(preparation) -> work`, `readable(payload) -> paths`."""

Work = Callable[[Mapping[str, Any]], int]
"""Does a job in a process that is locked in already; gives its exit status."""

_LOOK_NS = 100_000_000
_MOST_THREADS = 100
_UNCONFINED = 97
_NICE = 5  # what measures goes first


@dataclass(slots=True)
class _Running:
    """A job as its keeper sees it. output: the inode of what it prints to; ended_by: why it was killed, if it was."""

    pid: int
    handle: int
    report: socket.socket
    status: int
    deadline_ns: int
    folder: str
    most_files: int
    most_bytes: int
    before: scratch.Seen
    old: list[str]
    began_ns: int
    looked_ns: int
    output: int
    ended_by: str = ""


class Keeper:
    """Serves one socket until its other end is closed."""

    def __init__(self, control: socket.socket, work: Work | RefusalError, readable: Callable[[Any], list[str]]) -> None:
        self._control, self._work, self._readable = control, work, readable
        self._running: dict[int, _Running] = {}
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)

    def serve(self) -> None:
        """Returns when whoever asked is gone, with every job killed."""
        while True:
            for descriptor, _ in self._poll.poll(self._patience_ms()):
                if descriptor == self._control.fileno():
                    if not self._take_up():
                        return self._kill_all()
                else:
                    self._notice(descriptor)
            self._look_after()

    # ------------------------------------------------------------ a job's life

    def _take_up(self) -> bool:
        message, descriptors, _, _ = socket.recv_fds(self._control, 1, 3)
        if not message:
            return False
        source, output, answer = descriptors
        report = socket.socket(fileno=answer)
        with os.fdopen(source, "rb") as file:
            order = json.loads(os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0))
        if isinstance(self._work, RefusalError):
            _tell(report, {"ended": "refused", "reason": str(self._work)})
        else:
            self._start(order, output, report)
        os.close(output)
        return True

    def _start(self, order: Mapping[str, Any], output: int, report: socket.socket) -> None:
        folder = order["folder"]
        before = scratch.look(folder, order["most_files"])[0] if folder else {}
        old = os.listdir(folder) if folder else []
        reader, writer = os.pipe()
        began_ns = monotonic_ns()
        pid = os.fork()
        if pid == 0:
            self._inside(order, output, writer)
        os.close(writer)
        job = _Running(
            pid=pid,
            handle=os.pidfd_open(pid),
            report=report,
            status=reader,
            deadline_ns=began_ns + int(order["time_s"] * 1e9),
            folder=folder,
            most_files=order["most_files"] + len(before),
            most_bytes=order["disk_mb"] << 20,
            before=before,
            old=old,
            began_ns=began_ns,
            looked_ns=began_ns,
            output=os.fstat(output).st_ino,
        )
        self._running[job.handle] = self._running[report.fileno()] = job
        self._poll.register(job.handle, select.POLLIN)
        self._poll.register(report, 0)

    def _inside(self, order: Mapping[str, Any], output: int, status: int) -> None:
        """The forked process, from its first moment to its last: never returns."""
        code = _UNCONFINED
        keeper = os.getppid()
        try:
            os.setsid()
            os.nice(_NICE)
            _only(output, status)
            os.chdir(order["folder"] or "/")
            os.environ.update(dict.fromkeys(("HOME", "TMPDIR"), os.getcwd()))
            bounds = Bounds(
                memory_mb=order["memory_mb"],
                cpu_s=int(order["time_s"]) + 2,
                file_mb=order["file_mb"],
                readable=self._readable(order["payload"]),
                writable=[os.getcwd(), "/dev/null"] if order["folder"] else ["/dev/null"],
                may_lack=order["may_lack"],
            )
            if _locked_in(bounds, keeper) and callable(self._work):
                code = self._work(order["payload"])
        except BaseException as error:  # noqa: BLE001 - the fork ends here, whatever happens
            sys.stdout.write(f"{type(error).__name__}: {error}\n")
        finally:
            _flush()
            os._exit(code)

    def _notice(self, descriptor: int) -> None:
        job = self._running.get(descriptor)
        if job is None:
            return
        if descriptor == job.handle:
            self._finish(job)
        else:
            self._kill(job, "cancelled")

    def _look_after(self) -> None:
        now_ns = monotonic_ns()
        for descriptor, job in list(self._running.items()):
            if descriptor != job.handle or job.ended_by:
                continue
            if now_ns >= job.deadline_ns:
                self._kill(job, "time")
            elif now_ns - job.looked_ns >= _LOOK_NS:
                job.looked_ns = now_ns
                unnamed = scratch.unnamed_bytes(job.pid, job.output)
                if scratch.threads(job.pid) > _MOST_THREADS:
                    self._kill(job, "threads")
                elif job.folder and _too_much(job, *scratch.look(job.folder, job.most_files), unnamed):
                    self._kill(job, "disk")

    def _kill(self, job: _Running, why: str) -> None:
        """The job and all of its session; its end is noticed by its handle."""
        job.ended_by = job.ended_by or why
        if job.report.fileno() in self._running:
            del self._running[job.report.fileno()]
            self._poll.unregister(job.report)
        for kill in (os.killpg, os.kill):
            try:
                kill(job.pid, signal.SIGKILL)
            except OSError:
                continue

    def _finish(self, job: _Running) -> None:
        _, status, used = os.wait4(job.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        said = _read_all(job.status)
        facts: dict[str, Any] = json.loads(said) if said else {}
        after, too_many = scratch.look(job.folder, job.most_files) if job.folder else ({}, False)
        ended = job.ended_by or ("signal" if code < 0 else "exit")
        if "layers" not in facts:
            ended = job.ended_by or "refused"
        elif ended == "disk" or _too_much(job, after, too_many):
            ended = "disk"
            after = scratch.without(job.folder, after, scratch.written(job.before, after), job.old)
        answer = {
            **facts,
            "ended": ended,
            "code": code,
            "files": scratch.written(job.before, after),
            "cpu_ms": round((used.ru_utime + used.ru_stime) * 1e3, 3),
            "wall_ms": (monotonic_ns() - job.began_ns) / 1e6,
            "peak_mb": round(used.ru_maxrss / 1024, 1),
        }
        for descriptor in (job.handle, job.report.fileno()):
            if self._running.pop(descriptor, None) is not None:
                self._poll.unregister(descriptor)
        os.close(job.handle)
        _tell(job.report, answer)

    # ------------------------------------------------------------ the keeper's own

    def _patience_ms(self) -> int | None:
        jobs = [job for descriptor, job in self._running.items() if descriptor == job.handle and not job.ended_by]
        if not jobs:
            return None
        now_ns = monotonic_ns()
        nearest = min(min(job.deadline_ns - now_ns, _LOOK_NS) for job in jobs)
        return max(0, -(-nearest // 1_000_000))

    def _kill_all(self) -> None:
        for descriptor, job in list(self._running.items()):
            if descriptor == job.handle:
                self._kill(job, "cancelled")
                os.waitpid(job.pid, 0)


def _too_much(job: _Running, seen: scratch.Seen, too_many: bool, unnamed: int = 0) -> bool:  # noqa: FBT001 - as `look` says it
    grown = unnamed + sum(size for size, _ in seen.values()) - sum(size for size, _ in job.before.values())
    return too_many or grown > job.most_bytes


def _only(output: int, status: int) -> None:
    """Nothing is read, output goes where it is asked for, 3 takes the status; every other descriptor is closed."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    kept = os.dup(status)
    for descriptor, place in ((nothing, 0), (output, 1), (output, 2), (kept, 3)):
        if descriptor != place:
            os.dup2(descriptor, place, inheritable=place < 3)
    os.closerange(4, 1 << 16)


def _locked_in(bounds: Bounds, keeper: int) -> bool:
    """Says what came of it before the work begins; the work has no way to say it."""
    try:
        layers, missing = confine(bounds, keeper)
    except (UnconfinedError, OSError) as error:
        _say({"reason": str(error)})
        return False
    _say({"layers": layers, "missing": missing})
    return True


def _say(facts: Mapping[str, Any]) -> None:
    os.write(3, json.dumps(facts).encode())
    os.close(3)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue


def _read_all(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def _tell(report: socket.socket, answer: Mapping[str, Any]) -> None:
    with report:
        try:
            report.send(json.dumps(answer).encode())
        except OSError:
            return  # whoever asked is gone


def main(program: str, preparation: str) -> None:
    """Prepare, then serve the socket that is this process's stdin."""
    module = import_module(PROGRAMS[program])
    work: Work | RefusalError
    try:
        work = module.prepare(json.loads(preparation))
    except RefusalError as refusal:
        work = refusal
    sys.dont_write_bytecode = True  # from here on whatever is written is a job's
    gc.freeze()
    Keeper(socket.socket(fileno=os.dup(0)), work, module.readable).serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
