"""How long does `benchbook export` take, from pressing Return to the last byte? A process of its own each time.

    python benchmarks/export.py                  1,000, 10,000 and 100,000 trials, best and median of five
    python benchmarks/export.py --trials 1000 --repeats 20

The rows are those of a run of one target against an instant simulator, copied under new trial ids until there are
enough. Exit code 1 if 1,000 rows of CSV take a second or more, start of the process included.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchbook.results.schemas import TABLES
from benchbook.results.store import read_table, write_partition
from benchbook.stages import Job
from benchbook.stages.execute import execute
from benchbook.stages.store import store

ROOT = Path(__file__).resolve().parent.parent
FORMATS = ("csv", "json", "parquet")
LIMIT_ROWS, LIMIT_S = 1_000, 1.0
RUN_ID = "20261121T080000Z-000000"


def main() -> int:
    """Print a line a size and format; say whether the limit is kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="+", default=[LIMIT_ROWS, 10_000, 100_000], metavar="N")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="exports of each (5)")
    asked = parser.parse_args()
    kept = True
    print(f"{'trials':>9}  {'format':<8}  {'best s':>7}  {'median s':>8}  {'MB':>7}")
    with tempfile.TemporaryDirectory() as folder:
        seed = _measured(Path(folder) / "seed")
        for trials in asked.trials:
            results = _grown(seed, Path(folder) / str(trials), trials)
            for form in FORMATS:
                taken, size = _timed(results, form, asked.repeats)
                print(
                    f"{trials:>9,}  {form:<8}  {min(taken):>7.3f}  {statistics.median(taken):>8.3f}  {size / 1e6:>7.1f}"
                )
                if form == "csv" and trials == LIMIT_ROWS:
                    kept = statistics.median(taken) < LIMIT_S
    print(f"{LIMIT_ROWS:,} rows of CSV in under {LIMIT_S:g} s: {'kept' if kept else 'MISSED'}")
    return 0 if kept else 1


def _measured(results: Path) -> pa.Table:
    """The trials of a small run, as they are stored."""
    target = {"name": "t", "provider": "openai", "model": "sim-openai", "base_url": "simulator"}
    plan: dict[str, Any] = {
        "validate": {"datasets": [str(ROOT / "datasets" / "coding-tasks.json")]},
        "execute": {"targets": [target], "repetitions": 5, "warmup": 0},
    }
    job = Job(plan="benchmark", document=plan, results=str(results))
    run_id = execute(job).run_id
    store(job, run_id)
    return read_table(results, "trials", [run_id])[0]


def _grown(seed: pa.Table, results: Path, trials: int) -> Path:
    """A results folder with one run of so many trials."""
    copies = pa.concat_tables([seed] * -(-trials // len(seed))).slice(0, trials)
    ids = {"run_id": [RUN_ID] * trials, "trial_id": [f"{number:016x}" for number in range(trials)]}
    for name, values in ids.items():
        copies = copies.set_column(copies.column_names.index(name), name, pa.array(values, pa.string()))
    write_partition(results, RUN_ID, {"trials": copies.cast(TABLES["trials"])}, {}, "zstd")
    journal = results / "journal" / RUN_ID
    journal.mkdir(parents=True)
    (journal / "run.json").write_text("{}")
    return results


def _timed(results: Path, form: str, repeats: int) -> tuple[list[float], int]:
    """Seconds of each export, and the bytes of the last one."""
    command = [sys.executable, "-m", "benchbook", "export", RUN_ID, "--results", str(results), "--format", form]
    taken, size = [], 0
    for _ in range(repeats):
        start = time.perf_counter()
        size = len(subprocess.run(command, check=True, capture_output=True).stdout)
        taken.append(time.perf_counter() - start)
    return taken, size


if __name__ == "__main__":
    sys.exit(main())
