"""Profiles of the harness itself, kept beside the run that they are about: `results/profiles/RUN/NNN/`.

CPU by pyinstrument, which samples the stack inside this process: it needs no rights over other processes, as an
attached sampler does, and it does not trace every call's time, as cProfile does. Memory by tracemalloc, and the
process's resident size over time. Both cost the process that is measured with; so the run's facts say `profiled`.
What is kept while it runs stays small: samples are folded into one count per stack, sizes thin out as they grow many.
Profiles are no part of the journal, and nothing is derived from them.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchbook.clock import monotonic_ns
from benchbook.results.paths import profile_folder, writable

if TYPE_CHECKING:
    from pyinstrument import Profiler
    from pyinstrument.session import Session

_INTERVAL_S = 0.002
_FOLD_NS = 5_000_000_000
_SIZES = 600
_TOP = 30
_MIB = 2**20


@contextmanager
def profiling(kind: str) -> Iterator[Profile]:
    """Profile what this thread does while it lasts, `kind` as `Job.profile`. Call its `tick` now and then."""
    profile = Profile(cpu=kind in ("all", "cpu"), memory=kind in ("all", "memory"))
    try:
        yield profile
    finally:
        profile.stop()


class Profile:
    """A profile under way; once stopped, `keep` writes it."""

    def __init__(self, *, cpu: bool, memory: bool) -> None:
        self._samples = Samples() if cpu else None
        self._memory = Memory() if memory else None
        if self._samples is not None:
            self._samples.start()

    def tick(self) -> None:
        """In the profiled thread: fold what has gathered, note the size."""
        if self._samples is not None:
            self._samples.fold()
        if self._memory is not None:
            self._memory.note()

    def stop(self) -> None:
        """Take no more; safe to call twice."""
        if self._samples is not None:
            self._samples.stop()
        if self._memory is not None:
            self._memory.stop()

    def keep(self, results: Path, run_id: str) -> Path:
        """Write the profile into a new folder of the run's, and name it. Raises StorageError."""
        with writable(results):
            folder = _new_folder(profile_folder(results) / run_id)
            if self._samples is not None:
                self._samples.keep(folder)
            if self._memory is not None:
                self._memory.keep(folder)
        return folder


def _new_folder(parent: Path) -> Path:
    """`parent/000` or the first number that nobody has, whoever else is looking for one."""
    parent.mkdir(parents=True, exist_ok=True)
    number = len(list(parent.iterdir()))
    while True:
        folder = parent / f"{number:03d}"
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            return folder


class Samples:
    """Stacks of the thread that started it, as seconds per distinct stack."""

    def __init__(self) -> None:
        self._stacks: dict[tuple[str, ...], float] = {}
        self._first: Session | None = None
        self._count = 0
        self._duration_s = self._cpu_s = 0.0
        self._profiler: Profiler | None = None
        self._folded_ns = 0

    def start(self) -> None:
        from pyinstrument import Profiler

        self._profiler = Profiler(interval=_INTERVAL_S, async_mode="disabled")
        self._folded_ns = monotonic_ns()
        self._profiler.start()

    def fold(self) -> None:
        """Every few seconds: samples become sums."""
        if self._profiler is not None and monotonic_ns() - self._folded_ns >= _FOLD_NS:
            self.stop()
            self.start()

    def stop(self) -> None:
        if self._profiler is None:
            return
        session = self._profiler.stop()
        self._profiler = None
        self._first = self._first or session
        self._count += session.sample_count
        self._duration_s += session.duration
        self._cpu_s += session.cpu_time
        for stack, seconds in session.frame_records:
            key = tuple(stack)
            self._stacks[key] = self._stacks.get(key, 0.0) + seconds
        session.frame_records = []

    def keep(self, folder: Path) -> None:
        """`cpu.html` and `cpu.txt` to read, `cpu.speedscope.json` for a flame graph."""
        from pyinstrument.renderers import ConsoleRenderer, HTMLRenderer, SpeedscopeRenderer
        from pyinstrument.session import Session

        assert self._first is not None  # noqa: S101 - it was started when it was made
        first = self._first
        session = Session(
            frame_records=[(list(stack), seconds) for stack, seconds in self._stacks.items()],
            start_time=first.start_time,
            duration=self._duration_s,
            min_interval=first.min_interval,
            max_interval=first.max_interval,
            sample_count=self._count,
            start_call_stack=first.start_call_stack,
            target_description="benchbook, the measuring process",
            cpu_time=self._cpu_s,
            sys_path=first.sys_path,
            sys_prefixes=first.sys_prefixes,
        )
        (folder / "cpu.html").write_text(HTMLRenderer().render(session), encoding="utf-8")
        (folder / "cpu.txt").write_text(ConsoleRenderer(unicode=True, color=False).render(session), encoding="utf-8")
        (folder / "cpu.speedscope.json").write_text(SpeedscopeRenderer().render(session), encoding="utf-8")


class Memory:
    """Resident size over time, and which lines hold what was allocated between start and stop."""

    def __init__(self) -> None:
        import psutil

        self._process = psutil.Process()
        self._begun_ns = self._noted_ns = monotonic_ns()
        self._every_ns = 0
        self.sizes: list[tuple[float, int]] = []
        self._ours = not tracemalloc.is_tracing()
        if self._ours:
            tracemalloc.start()
        self._before: tracemalloc.Snapshot | None = tracemalloc.take_snapshot()
        self._after: tracemalloc.Snapshot | None = None
        self._peak = 0
        self.note()

    def note(self) -> None:
        """The size now; once there are many, every second one goes and the next ones come half as often."""
        now_ns = monotonic_ns()
        if self.sizes and now_ns - self._noted_ns < self._every_ns:
            return
        self._noted_ns = now_ns
        self.sizes.append(((now_ns - self._begun_ns) / 1e9, self._process.memory_info().rss))
        if len(self.sizes) >= _SIZES:
            self.sizes = self.sizes[::2]
            self._every_ns = 2 * max(self._every_ns, (now_ns - self._begun_ns) // _SIZES)

    def stop(self) -> None:
        if self._after is None:
            self._every_ns = 0
            self.note()
            self._peak = tracemalloc.get_traced_memory()[1]
            self._after = tracemalloc.take_snapshot()
            if self._ours:
                tracemalloc.stop()

    def keep(self, folder: Path) -> None:
        """`memory.txt` to read, `rss.csv` to plot."""
        rows = "".join(f"{at_s:.3f},{size}\n" for at_s, size in self.sizes)
        (folder / "rss.csv").write_text("elapsed_s,rss_bytes\n" + rows, encoding="utf-8")
        (folder / "memory.txt").write_text("\n".join(self._lines()) + "\n", encoding="utf-8")

    def _lines(self) -> Iterator[str]:
        assert self._before is not None  # noqa: S101 - both are taken by now
        assert self._after is not None  # noqa: S101
        sizes = [size for _, size in self.sizes]
        yield f"resident size: {sizes[0] / _MIB:.1f} MiB at the start, {sizes[-1] / _MIB:.1f} at the end,"
        yield f"  {max(sizes) / _MIB:.1f} at most, of {len(sizes)} readings. This profile's own bookkeeping is in it,"
        yield "  so a plain run is smaller; below it is left out"
        yield f"traced by Python's allocator: {self._peak / _MIB:.1f} MiB at most"
        patterns = (tracemalloc.__file__, __file__, "*/pyinstrument/*")
        ours = [tracemalloc.Filter(inclusive=False, filename_pattern=pattern) for pattern in patterns]
        before, after = (snapshot.filter_traces(ours) for snapshot in (self._before, self._after))
        yield f"\ngrown most between start and end, by line (of the {_TOP} first):"
        for change in after.compare_to(before, "lineno")[:_TOP]:
            frame = change.traceback[0]
            grown = f"{change.size_diff / 1024:+10.1f} KiB {change.count_diff:+8d} blocks"
            yield f"{grown}  {_short(frame.filename)}:{frame.lineno}"
        yield f"\nheld at the end, by file (of the {_TOP} first):"
        for held in after.statistics("filename")[:_TOP]:
            yield f"{held.size / 1024:10.1f} KiB {held.count:8d} blocks  {_short(held.traceback[0].filename)}"


def _short(path: str) -> str:
    """The end of a path, enough to know the file by."""
    return "/".join(Path(path).parts[-3:])
