"""How long the page of a large run takes, process and all, and how large it is: 100,000 trials in 10 s and 5 MB.

    python benchmarks/report.py                    100,000 bare calls, and as many calls by agents
    python benchmarks/report.py --trials 10000 --repeats 1

The runs are made out of a seed, as in history.py. Wall time is the median; memory is the most that the process held.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchbook.results.partition import write_partition
from benchmarks.history_made import made
from benchmarks.history_rows import tables
from benchmarks.measuring import host_facts

ROOT = Path(__file__).resolve().parent.parent
SEED = 20261121
LIMIT_S, LIMIT_MB = 10.0, 5.0
RUNS = {"bare calls": 1, "agents": 3}
"""What a made run holds, by its number."""


def main() -> int:
    """Exit code 1 where a page takes more than its limits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=100_000, help="calls of each run")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    print(host_facts())
    print(f"{'run':<14}{'calls':>9}{'wall s':>9}{'cpu s':>8}{'MiB':>7}{'page MB':>9}")
    over = False
    with tempfile.TemporaryDirectory(prefix="benchbook-report-") as folder:
        for name, number in RUNS.items():
            results = Path(folder) / name.replace(" ", "-")
            with ProcessPoolExecutor(1) as apart:  # a child counts what its parent held as its own
                apart.submit(_make, results, number, asked.trials).result()
            over = _told(name, asked.trials, [_timed(results) for _ in range(asked.repeats)]) or over
    return int(over)


def _make(results: Path, number: int, calls: int) -> None:
    run = made(number, calls)
    stamp = {"journal_hash": run.run_id, "store_params": json.dumps({"max_failure_share": 0.1})}
    write_partition(results, run.run_id, tables(run, SEED), stamp)


def _told(name: str, calls: int, tries: list[tuple[float, float, float, float]]) -> bool:
    """Print a line; whether it is over a limit."""
    wall_s, cpu_s = (statistics.median(one[i] for one in tries) for i in (0, 1))
    mib, page_mb = max(one[2] for one in tries), tries[0][3]
    print(f"{name:<14}{calls:>9,}{wall_s:>9.2f}{cpu_s:>8.2f}{mib:>7.0f}{page_mb:>9.2f}", flush=True)
    return wall_s > LIMIT_S or page_mb > LIMIT_MB


def _timed(results: Path) -> tuple[float, float, float, float]:
    """Wall and CPU seconds, MiB held, MB of the page. Raises CalledProcessError where the verb fails."""
    out = results / "page.html"
    command = [sys.executable, "-m", "benchbook", "report", "--results", str(results), "--out", str(out)]
    began = time.perf_counter()
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.perf_counter() - began
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    return wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, out.stat().st_size / 1e6


if __name__ == "__main__":
    raise SystemExit(main())
