"""Does a loaded client turn the verdict? The same short run twice: alone, and beside processes that burn its cores.

    python benchmarks/burners.py                  four times as many burners as there are cores
    python benchmarks/burners.py --burners 8 -c 20 --trials 300

Each run is stored by the real stages; printed is its verdict, what the harness saw of itself, and the latency that it
would have reported. The burners are started here and ended here, by their process ids. A client that needs little of
a core gets it even then (`-c 20`), and stays VALID.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchbook.history import ask
from benchbook.results.store import read_table
from benchbook.stages import Job
from benchbook.stages.execute import execute_apart
from benchbook.stages.store import store
from benchbook.stages.validate import validate

ROOT = Path(__file__).resolve().parent.parent
BURN = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    sum(range(100_000))"
FIGURES = ("loop_lag_p99_ms", "loop_lag_max_ms", "cpu_share", "run_delay_share", "steal_share")


def main() -> int:
    """Exit code 1 unless the run is VALID alone and something else beside the burners."""
    asked = _arguments()
    words = []
    with tempfile.TemporaryDirectory() as folder:
        for burners in (0, asked.burners):
            with burning(burners):
                words.append(_run(asked, Path(folder) / str(burners), burners))
    return 0 if words[0] == "VALID" != words[1] else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--burners", type=int, default=4 * (os.cpu_count() or 1), metavar="N")
    parser.add_argument("--trials", type=int, default=1500, metavar="N", help="measured, of a run (1500)")
    parser.add_argument("-c", "--concurrency", type=int, default=150, metavar="N")
    return parser.parse_args()


@contextmanager
def burning(count: int) -> Iterator[None]:
    """So many busy processes while this lasts; they end by themselves if this process does."""
    burners = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(count)]
    try:
        yield
    finally:
        for burner in burners:
            burner.terminate()
        for burner in burners:
            burner.wait()


def _run(asked: argparse.Namespace, results: Path, burners: int) -> str:
    job = Job(plan="burners", document=_plan(asked), results=str(results))
    validate(job)
    run_id = execute_apart(job).run_id
    store(job, run_id)
    run = read_table(results, "runs", [run_id])[0].to_pylist()[0]
    latency = next(row for row in ask("latency", results, runs=(run_id,)) if row["metric"] == "ttft_ms")
    seen = ", ".join(f"{name} {run[f'harness_{name}']:.3g}" for name in FIGURES if run[f"harness_{name}"] is not None)
    print(f"{burners} burners: {run['verdict']}; TTFT p50 {latency['p50']:.1f} ms, p95 {latency['p95']:.1f} ms")
    print(f"  harness: {seen}")
    for reason in run["reasons"]:
        print(f"  {reason}")
    return str(run["verdict"])


def _plan(asked: argparse.Namespace) -> dict[str, Any]:
    """A plan as data: streams of a fixed law, 200 ms to the first token."""
    target = {"name": "exact", "provider": "openai", "model": "sim-openai", "base_url": "simulator"}
    execute = {
        "targets": [target],
        "load": {"kind": "closed", "concurrency": asked.concurrency},
        "repetitions": asked.trials,
        "warmup": asked.concurrency,
        "simulator": str(ROOT / "datasets" / "simulator" / "exact-200-10.yaml"),
    }
    return {"validate": {"datasets": [str(ROOT / "datasets" / "hello" / "hello.json")]}, "execute": execute}


if __name__ == "__main__":
    sys.exit(main())
