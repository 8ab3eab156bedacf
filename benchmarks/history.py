"""How fast a long history answers: every question and the verbs that read it, over 10 million calls in 1,000 runs.

    python benchmarks/history.py                           builds /tmp/benchbook-history once (some 4 GB), then asks
    python benchmarks/history.py --runs 100 --calls 1000   a small one
    python benchmarks/history.py --only latency,sql --repeats 1

The history is made, not measured: tables out of a seed, through the product's own schemas and its writer of
partitions, so that files and order are as `benchbook stage store` leaves them. Answers are then kept by `benchbook
stage aggregate`, from nothing and again with one run more. Each question is asked three times: by `benchbook history
QUESTION` and by `--json` (each a process of its own, what it prints included), and inside a connection that is open.
Wall time is the median; memory is the most that the process ever held.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchbook.history import questions
from benchbook.results.partition import partition_file, write_partition
from benchbook.results.paths import aggregate_folder
from benchbook.results.schemas import TABLES
from benchmarks.history_made import Made, made
from benchmarks.history_rows import tables
from benchmarks.measuring import host_facts

ROOT = Path(__file__).resolve().parent.parent
SEED = 20261121
LIMIT_S, LIMIT_MIB = 2.0, 1024
CONCLUDING = ("compare", "trend", "alerts", "recommend")
"""They work on what they read, for longer than reading takes: timed, and held to no limit."""
REPORT_S, REPORT_MB = 10.0, 5.0
LONG = 103_000
"""Calls of a run of 100,000 trials."""
ANSWERED = (0, 3, 4)
"""Exit codes of verbs that judge: none is a failure."""


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds on the wall, the most memory held, and how much was said."""

    wall_s: float
    mib: float
    said: int


def main() -> int:
    """Build or take up the history, keep its answers, ask; exit code 1 where a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/benchbook-history"), metavar="DIR")
    parser.add_argument("--runs", type=int, default=1_000, metavar="N")
    parser.add_argument("--calls", type=int, default=10_000, metavar="N", help="of each run (10,000)")
    parser.add_argument("--repeats", type=int, default=3, metavar="N")
    parser.add_argument("--only", default="", metavar="NAMES", help="of these questions, `verbs`, `report`, by commas")
    parser.add_argument("--keep", action="store_true", help="take the kept answers as they are")
    asked = parser.parse_args()
    results = asked.folder / "results"
    print(host_facts())
    _build(results, asked.runs, asked.calls)
    if not asked.keep:
        _aggregate(results, asked.runs)
    only = {name for name in asked.only.split(",") if name}
    slow = _ask(results, asked.repeats, only)
    if not only or "report" in only:
        slow += _report(asked.folder, asked.repeats)
    print(f"\n{len(slow)} over {LIMIT_S:.0f} s or {LIMIT_MIB} MiB: {', '.join(slow) or 'none'}")
    return bool(slow)


# ---------------------------------------------------------------- the history


def _build(results: Path, runs: int, calls: int) -> None:
    """The runs that are not there yet."""
    wanted = [made(number, calls) for number in range(runs)]
    todo = [run for run in wanted if not all(partition_file(results, name, run.run_id).exists() for name in TABLES)]
    began = time.perf_counter()
    with ProcessPoolExecutor() as pool:
        for done, _ in enumerate(pool.map(_write, [results] * len(todo), todo, chunksize=4), 1):
            if done % 100 == 0:
                print(f"  {done} runs of {len(todo)} made", file=sys.stderr)
    size = sum(path.stat().st_size for path in results.glob("tables/*/*/part-0.parquet"))
    took = f"{len(todo)} of them made in {time.perf_counter() - began:,.0f} s" if todo else "found as they were"
    print(f"{runs:,} runs of {calls:,} calls, {size / 1e9:.1f} GB in {results}; {took}")


def _write(results: Path, run: Made) -> None:
    stamp = {"journal_hash": run.run_id, "store_params": json.dumps({"max_failure_share": 0.1})}
    write_partition(results, run.run_id, tables(run, SEED), stamp)


def _aggregate(results: Path, runs: int) -> None:
    """From nothing; again with nothing new; and with the newest run put aside and then put back."""
    print(f"\n{'command':<70}{'wall s':>8}{'MiB':>7}")
    shutil.rmtree(aggregate_folder(results), ignore_errors=True)
    _line("stage aggregate, nothing kept", _timed(results, "stage", "aggregate", "-q"))
    _line("stage aggregate, nothing new", _timed(results, "stage", "aggregate", "-q"))
    newest = max(path.name for path in (results / "tables" / "runs").iterdir())
    aside = results / "aside"
    for table in TABLES:
        (aside / table).mkdir(parents=True, exist_ok=True)
        (results / "tables" / table / newest).rename(aside / table / newest)
    _line("stage aggregate, one run fewer", _timed(results, "stage", "aggregate", "-q"))
    for table in TABLES:
        (aside / table / newest).rename(results / "tables" / table / newest)
    shutil.rmtree(aside)
    _line("history, a run not yet aggregated", _timed(results, "history"))
    _line("stage aggregate, one run more", _timed(results, "stage", "aggregate", "-q"))
    kept = sum(path.stat().st_size for path in aggregate_folder(results).glob("*"))
    print(f"{len(questions())} questions kept for {runs:,} runs, {kept / 1e6:.0f} MB")


# ---------------------------------------------------------------- asking


def _ask(results: Path, repeats: int, only: set[str]) -> list[str]:
    """A line each; the names of those that miss a limit."""
    slow = []
    asked = [name for name in questions() if not only or name in only]
    print(f"\n{'question':<22}{'rows':>10}", *(f"{how:>10}{'MiB':>6}" for how in ("in a table", "--json", "connected")))
    for name in asked:
        plain = _median([_timed(results, "history", name) for _ in range(repeats)])
        as_json = _median([_timed(results, "history", name, "--json") for _ in range(repeats)])
        rows, inside = _inside(results, name, repeats)
        print(
            f"{name:<22}{rows:>10,}",
            *(f"{took.wall_s:>10.2f}{took.mib:>6.0f}" for took in (plain, as_json, inside)),
            flush=True,
        )
        if any(took.wall_s > LIMIT_S or took.mib > LIMIT_MIB for took in (plain, as_json, inside)):
            slow.append(name)
    for words in _verbs(results) if not only or "verbs" in only else ():
        took = _median([_timed(results, *words) for _ in range(repeats)])
        _line(" ".join(words), took)
        if words[0] not in CONCLUDING and (took.wall_s > LIMIT_S or took.mib > LIMIT_MIB):
            slow.append(" ".join(words))
    return slow


def _verbs(results: Path) -> list[tuple[str, ...]]:
    """What reads the history besides the questions."""
    ids = sorted(path.name.removeprefix("run_id=") for path in (results / "tables" / "runs").iterdir())
    print(f"\n{'command':<70}{'wall s':>8}{'MiB':>7}")
    return [
        ("runs",),
        ("show", "latest"),
        ("show", "latest", "--failures"),
        ("sql", "select count(*) from calls"),
        ("sql", "select target, count(*), median(ttft_ms) from trials where phase = 'measured' group by target"),
        ("sql", "select max(e2e_ms_p95) from answers.summary"),
        ("sql", "select * from runs order by run_id desc limit 3"),
        ("history", "timeline", "--run", "latest"),
        ("compare", ids[-2], ids[-1]),
        ("trend",),
        ("alerts",),
        ("recommend",),
    ]


def _report(folder: Path, repeats: int) -> list[str]:
    """The page of a run of 100,000 trials, by itself and with its trials as JSON and CSV; its name where it is slow."""
    results, run = folder / "long" / "results", made(1, LONG)
    if not partition_file(results, "runs", run.run_id).exists():
        _write(results, run)
    page = folder / "long" / "page.html"
    took = _median([_timed(results, "report", run.run_id, "--out", str(page)) for _ in range(repeats)])
    megabytes = page.stat().st_size / 1e6
    _line(f"report, 100,000 trials: {megabytes:.1f} MB", took)
    _line("stage report, 100,000 trials, all formats", _timed(results, "stage", "report", "-q"))
    return ["report"] if took.wall_s > REPORT_S or megabytes > REPORT_MB else []


_INSIDE = """
import json, resource, sys, time
from benchbook.history import connect
results, question, repeats = sys.argv[1], sys.argv[2], int(sys.argv[3])
took = []
with connect(results, answers=(question,)) as con:
    for _ in range(repeats):
        began = time.perf_counter()
        batches = con.sql(f"select * from answers.{question}").to_arrow_reader(100_000)
        rows = sum(batch.num_rows for batch in batches)
        took.append(time.perf_counter() - began)
print(json.dumps([rows, took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def _inside(results: Path, question: str, repeats: int) -> tuple[int, Took]:
    """Rows, and the question as a view of a connection that is open, its rows read in Arrow's batches."""
    command = [sys.executable, "-c", _INSIDE, str(results), question, str(repeats)]
    rows, took, mib = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    return rows, Took(statistics.median(took), mib, 0)


def _timed(results: Path, *words: str) -> Took:
    """Run a verb. Raises RuntimeError where it fails."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complaints:
        command = [sys.executable, "-m", "benchbook", *words, "--results", str(results)]
        child = subprocess.Popen(command, stdout=said, stderr=complaints, cwd=ROOT)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        wall_s = time.perf_counter() - began
        if child.returncode not in ANSWERED:
            complaints.seek(0)
            raise RuntimeError(f"{words}: exit code {child.returncode}: {complaints.read().decode()[-2_000:]}")
        return Took(wall_s, used.ru_maxrss / 1024, said.tell())


def _median(tries: Sequence[Took]) -> Took:
    return Took(statistics.median(took.wall_s for took in tries), max(took.mib for took in tries), tries[0].said)


def _line(name: str, took: Took) -> None:
    print(f"{name:<70}{took.wall_s:>8.2f}{took.mib:>7.0f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
