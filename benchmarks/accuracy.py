"""How far are stored latencies from the truth? The real stages against a simulator whose every stamp is known.

    python benchmarks/accuracy.py                       concurrency 1, 10 and 100, three runs of each
    python benchmarks/accuracy.py -c 100 --repeats 5

The simulator's law is fixed: 200 ms to the first token, 10 ms for each further one, 64 tokens. Both processes read the
host's one monotonic clock. Per request, joined by its id:

    true TTFT        simulator: the moment before the write of the first content chunk, minus our stamp `sent_ns`
    TTFT error       stored ttft_ms minus the true TTFT: from the simulator's write to our stamp
    true ms/token    simulator: last content chunk minus first, over the tokens after the first
    simulator late   the simulator's own lateness against its law, which is in the stored numbers and not our doing

Every figure is computed for each run; printed is the median over the runs. A quantile that a run's n can't support is
refused. Exit code 1 if the largest concurrency misses the limits below.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil

from benchbook.history import ask
from benchbook.results.store import read_table
from benchbook.simulator import start_process
from benchbook.stages import Executed, Job
from benchbook.stages.execute import execute_apart
from benchbook.stages.store import store
from benchbook.stages.validate import validate
from benchbook.stats.quantiles import quantile

ROOT = Path(__file__).resolve().parent.parent
PROFILE = ROOT / "datasets" / "simulator" / "exact-200-10.yaml"
DATASET = ROOT / "datasets" / "hello" / "hello.json"
LAW_TTFT_MS, LAW_TOKEN_MS = 200.0, 10.0
MOST_MEDIAN_MS, MOST_P99_MS = 1.0, 10.0
"""At the largest concurrency the stored TTFT's median lies this near to the true one, and its 99th percentile."""

Figures = Mapping[str, "float | str"]


@dataclass(frozen=True, slots=True)
class Joined:
    """One measured call beside the simulator's record of it, in ms."""

    ttft: float
    true_ttft: float
    token: float
    true_token: float
    lateness: float


def main() -> int:
    """Measure every concurrency, print the table, and say whether the limits are kept."""
    asked = _arguments()
    print(
        f"law: {LAW_TTFT_MS:g} ms to the first token, {LAW_TOKEN_MS:g} ms a token, 64 tokens; provider "
        f"{asked.provider}; {os.cpu_count()} cores, shared with the simulator; median of {asked.repeats} runs\n"
    )
    rows = []
    with start_process(PROFILE) as address, tempfile.TemporaryDirectory() as folder:
        for concurrency in asked.concurrency:
            plan = _plan(asked, address, concurrency)
            runs = [_run(plan, address, Path(folder) / f"{concurrency}-{n}") for n in range(asked.repeats)]
            rows.append((concurrency, _medians(runs)))
            print(f"  measured: concurrency {concurrency}", file=sys.stderr, flush=True)
    _print(rows)
    return _judge(*rows[-1])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--concurrency", type=int, nargs="+", default=[1, 10, 100], metavar="N")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="runs of each (3)")
    parser.add_argument("--trials", type=int, metavar="N", help="measured trials of a run (20 at 1, else at least 300)")
    parser.add_argument("--provider", choices=sorted(MODELS), default="openai")
    return parser.parse_args()


MODELS = {
    "openai": "sim-openai",
    "anthropic": "sim-anthropic",
    "bedrock": "anthropic.sim-claude-v1:0",
    "ollama": "sim-llama",
}


def _plan(asked: argparse.Namespace, address: str, concurrency: int) -> dict[str, Any]:
    """A plan as data. Warm-up opens all connections, so that measured calls reuse them."""
    trials = asked.trials or (20 if concurrency == 1 else max(300, 5 * concurrency))
    target = {
        "name": "exact",
        "provider": asked.provider,
        "model": MODELS[asked.provider],
        "base_url": address + ("/v1" if asked.provider == "openai" else ""),
        "region": "us-east-1",
    }
    execute = {
        "targets": [target],
        "load": {"kind": "closed", "concurrency": concurrency},
        "repetitions": trials,
        "warmup": concurrency,
    }
    return {"validate": {"datasets": [str(DATASET)]}, "execute": execute}


# ---------------------------------------------------------------- one run


def _run(plan: Mapping[str, Any], address: str, results: Path) -> Figures:
    """Validate, execute and store the plan; the run's figures."""
    _ask_simulator(address, "DELETE")
    job = Job(plan="accuracy", document=plan, results=str(results))
    validate(job)
    meter = CpuMeter()
    executed = execute_apart(job, meter)
    store(job, executed.run_id)
    calls = _calls(results, executed)
    truth = {record["request_id"]: record for record in orjson.loads(_ask_simulator(address, "GET"))}
    joined = [_join(call, truth[call["request_id"]]) for call in calls]
    in_flight = ask("throughput", results, runs=(executed.run_id,))[0]["mean_in_flight"]
    return {**_figures(joined), "in_flight": in_flight, "cpu_ms": meter.ms_per_trial}


def _calls(results: Path, executed: Executed) -> list[dict[str, Any]]:
    """The stored measured calls. Ends the benchmark if one of them failed: then there is nothing to compare."""
    table, damaged = read_table(results, "calls", [executed.run_id])
    calls = [call for call in table.to_pylist() if call["phase"] == "measured"]
    failed = [call["error_message"] for call in calls if call["error_kind"]]
    if failed or damaged or not calls:
        sys.exit(f"{len(failed)} of {len(calls)} calls failed: {failed[:1]} {damaged[:1]}")
    return calls


def _join(call: Mapping[str, Any], record: Mapping[str, Any]) -> Joined:
    sent = record["sent_ns"]
    return Joined(
        ttft=call["ttft_ms"],
        true_ttft=(sent[0] - call["sent_ns"]) / 1e6,
        token=call["decode_ms_per_token"],
        true_token=(sent[-1] - sent[0]) / 1e6 / (record["tokens_out"] - 1),
        lateness=record["lateness_ns"][0] / 1e6,
    )


def _figures(joined: Sequence[Joined]) -> dict[str, float | str]:
    """The run's figures by name; a quantile that is refused is its reason."""
    parts: Mapping[str, Iterable[float]] = {
        "ttft": (one.ttft for one in joined),
        "true_ttft": (one.true_ttft for one in joined),
        "error": (one.ttft - one.true_ttft for one in joined),
        "late": (one.lateness for one in joined),
        "token_error": (one.token - one.true_token for one in joined),
        "token": (one.token for one in joined),
    }
    found: dict[str, float | str] = {"n": len(joined)}
    for name, values in parts.items():
        listed = list(values)
        for label, q in (("p50", 0.5), ("p99", 0.99)):
            answer = quantile(listed, q)
            found[f"{name}_{label}"] = answer.refused if answer.value is None else answer.value  # type: ignore[assignment]
    return found


class CpuMeter:
    """Takes the engine's progress and reads its CPU time each time: what a trial costs, start-up left out."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None
        self._last: tuple[float, int] | None = None

    def __call__(self, fields: Mapping[str, Any]) -> None:
        used = _engine_cpu_s()
        if used is not None:
            self._last = (used, fields["done"])
            self._first = self._first or self._last

    @property
    def ms_per_trial(self) -> float:
        """CPU milliseconds per finished trial."""
        if self._first is None or self._last is None or self._first[1] == self._last[1]:
            return float("nan")
        return 1000 * (self._last[0] - self._first[0]) / (self._last[1] - self._first[1])


def _engine_cpu_s() -> float | None:
    for child in psutil.Process().children():
        try:
            if "benchbook.stages.engine" in child.cmdline():
                times = child.cpu_times()
                return float(times.user + times.system)
        except psutil.Error:
            continue
    return None


def _ask_simulator(address: str, method: str) -> bytes:
    request = urllib.request.Request(f"{address}/truth", method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        data: bytes = answer.read()
    return data


# ---------------------------------------------------------------- the table


def _medians(runs: Sequence[Figures]) -> Figures:
    """Each figure's median over the runs; a refusal stays one."""
    return {name: _median([run[name] for run in runs]) for name in runs[0]}


def _median(values: Sequence[float | str]) -> float | str:
    numbers = [value for value in values if not isinstance(value, str)]
    return statistics.median(numbers) if len(numbers) == len(values) else str(values[0])


COLUMNS: Sequence[tuple[str, Callable[[Figures], str]]] = (
    ("n", lambda f: f"{f['n']:.0f}"),
    ("in flight", lambda f: f"{f['in_flight']:.1f}"),
    ("TTFT p50", lambda f: _shown(f["ttft_p50"], 2)),
    ("true p50", lambda f: _shown(f["true_ttft_p50"], 2)),
    ("error p50", lambda f: _shown(f["error_p50"], 3)),
    ("error p99", lambda f: _shown(f["error_p99"], 3)),
    ("TTFT p99", lambda f: _shown(f["ttft_p99"], 2)),
    ("true p99", lambda f: _shown(f["true_ttft_p99"], 2)),
    ("sim. late p99", lambda f: _shown(f["late_p99"], 3)),
    ("ms/token p50", lambda f: _shown(f["token_p50"], 3)),
    ("its error p50", lambda f: _shown(f["token_error_p50"], 4)),
    ("CPU ms/stream", lambda f: f"{f['cpu_ms']:.2f}"),
)


def _shown(value: float | str, digits: int) -> str:
    return value if isinstance(value, str) else f"{value:.{digits}f}"


def _print(rows: Sequence[tuple[int, Figures]]) -> None:
    cells = [[str(concurrency), *(show(figures) for _, show in COLUMNS)] for concurrency, figures in rows]
    header = ["concurrency", *(name for name, _ in COLUMNS)]
    widths = [max(len(line[i]) for line in [header, *cells]) for i in range(len(header))]
    for line in [header, *cells]:
        print("  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)))
    print("\ntimes in ms; the p99 of n < 299 calls is refused")


def _judge(concurrency: int, figures: Figures) -> int:
    """Print whether the largest concurrency keeps the limits; the exit code."""
    values = [figures[f"{name}_{label}"] for label in ("p50", "p99") for name in ("ttft", "true_ttft")]
    if any(isinstance(value, str) for value in values):
        print(f"no verdict at concurrency {concurrency}: too few calls for a p99")
        return 0
    ttft_p50, true_p50, ttft_p99, true_p99 = (float(value) for value in values)
    kept = abs(ttft_p50 - true_p50) <= MOST_MEDIAN_MS and abs(ttft_p99 - true_p99) <= MOST_P99_MS
    print(
        f"concurrency {concurrency}: stored TTFT median {abs(ttft_p50 - true_p50):.3f} ms from the truth "
        f"(limit {MOST_MEDIAN_MS:g}), p99 {abs(ttft_p99 - true_p99):.3f} ms (limit {MOST_P99_MS:g}): "
        f"{'kept' if kept else 'MISSED'}"
    )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
