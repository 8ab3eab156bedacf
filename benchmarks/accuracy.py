"""How far are stored latencies from the truth? The real stages against a simulator whose every stamp is known.

    python benchmarks/accuracy.py                       concurrency 1, 10, 100, 500 and 1,000, three runs of each
    python benchmarks/accuracy.py -c 100 --repeats 5 --plot accuracy.svg

The simulator's law is fixed: 200 ms to the first token, 10 ms for each further one, 64 tokens. Both processes read the
host's one monotonic clock; each has a core of its own where there are two. Per request, joined by its id:

    true TTFT        simulator: the moment before the write of the first content chunk, minus our stamp `sent_ns`
    TTFT error       stored ttft_ms minus the true TTFT: from the simulator's write to our stamp
    true ms/token    simulator: last content chunk minus first, over the tokens after the first
    simulator late   the simulator's own lateness against its law, which is in the stored numbers and not our doing

In turn with ours, at each concurrency, the same by the `openai` SDK as a careful user writes it (`sdk_client.py`), with
its own stamps: sent before `create`, first content when the loop over the stream has it.

Every figure is computed for each run; printed is the median over the runs. A quantile that a run's n can't support is
refused. Exit code 1 if the largest concurrency misses the limits below.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from benchbook.results.store import read_table
from benchbook.stages import Executed, Job
from benchbook.stages.execute import execute_apart
from benchbook.stages.store import store
from benchbook.stages.validate import validate
from benchmarks.figures import Figure, Truth, at, mean_in_flight, medians, print_table, save_lines, shown
from benchmarks.measuring import CLIENT_CORE, Server, host_facts, pinned, run_sdk, serving

ROOT = Path(__file__).resolve().parent.parent
PROFILE = ROOT / "datasets" / "simulator" / "exact-200-10.yaml"
DATASET = ROOT / "datasets" / "hello" / "hello.json"
LAW_TTFT_MS, LAW_TOKEN_MS = 200.0, 10.0
MOST_MEDIAN_MS, MOST_P99_MS = 1.0, 10.0
"""At the largest concurrency the stored TTFT's median lies this near to the true one, and its 99th percentile."""

Figures = Mapping[str, Figure]


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
    print(host_facts())
    print(
        f"law: {LAW_TTFT_MS:g} ms to the first token, {LAW_TOKEN_MS:g} ms a token, 64 tokens; provider "
        f"{asked.provider}; {os.cpu_count()} cores, shared with the simulator; median of {asked.repeats} runs\n"
    )
    rows: list[tuple[int, str, Figures]] = []
    with serving(PROFILE) as server, tempfile.TemporaryDirectory() as folder:
        idle_s = run_sdk(server, 1, 1).cpu_s
        for concurrency in asked.concurrency:
            clients: dict[str, Callable[[Path], Figures]] = {
                "benchbook": partial(_run, _plan(asked, server.address, concurrency), server),
                "openai SDK": partial(_baseline, server, concurrency, idle_s),
            }
            runs: dict[str, list[Figures]] = {name: [] for name in clients if name == "benchbook" or asked.baseline}
            for number in range(asked.repeats):
                for name, measured in runs.items():
                    measured.append(clients[name](Path(folder) / f"{concurrency}-{number}"))
            rows += [(concurrency, name, medians(measured)) for name, measured in runs.items()]
            print(f"  measured: concurrency {concurrency}", file=sys.stderr, flush=True)
    _print(rows)
    if asked.plot:
        _plot(Path(asked.plot), rows)
    return _judge(*[(concurrency, figures) for concurrency, name, figures in rows if name == "benchbook"][-1])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--concurrency", type=int, nargs="+", default=[1, 10, 100, 500, 1000], metavar="N")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="runs of each (3)")
    parser.add_argument("--trials", type=int, metavar="N", help="measured trials of a run (20 at 1, else at least 300)")
    parser.add_argument("--provider", choices=sorted(MODELS), default="openai")
    parser.add_argument("--no-baseline", dest="baseline", action="store_false", help="without the openai SDK")
    parser.add_argument("--plot", metavar="FILE", help="draw the errors over the concurrency, an SVG or a PNG")
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


def _run(plan: Mapping[str, Any], server: Server, results: Path) -> Figures:
    """Validate, execute and store the plan; the run's figures."""
    server.reset()
    job = Job(plan="accuracy", document=plan, results=str(results))
    validate(job)
    meter = CpuMeter()
    with pinned(CLIENT_CORE):
        executed = execute_apart(job, meter)
    store(job, executed.run_id)
    truth = server.truth()
    joined = [_join(call, truth[call["request_id"]]) for call in _calls(results, executed)]
    return {**_figures(joined), "in_flight": mean_in_flight(truth.values()), "cpu_ms": meter.ms_per_trial}


def _baseline(server: Server, concurrency: int, idle_s: float, _: Path) -> Figures:
    """The same load by the `openai` SDK."""
    server.reset()
    client = run_sdk(server, 20 if concurrency == 1 else max(300, 2 * concurrency), concurrency)
    truth = server.truth()
    joined = [
        Joined(
            ttft=(seen.first - seen.sent) / 1e6,
            true_ttft=(true.first - seen.sent) / 1e6,
            token=(seen.last - seen.first) / 1e6 / (true.tokens - 1),
            true_token=(true.last - true.first) / 1e6 / (true.tokens - 1),
            lateness=true.lateness / 1e6,
        )
        for seen, true in ((seen, truth[name]) for name, seen in client.calls.items())
    ]
    cpu_ms = 1000 * (client.cpu_s - idle_s) / len(joined)
    return {**_figures(joined), "in_flight": mean_in_flight(truth.values()), "cpu_ms": cpu_ms}


def _calls(results: Path, executed: Executed) -> list[dict[str, Any]]:
    """The stored measured calls. Ends the benchmark if one of them failed: then there is nothing to compare."""
    table, damaged = read_table(results, "calls", [executed.run_id])
    calls = [call for call in table.to_pylist() if call["phase"] == "measured"]
    failed = [call["error_message"] for call in calls if call["error_kind"]]
    if failed or damaged or not calls:
        sys.exit(f"{len(failed)} of {len(calls)} calls failed: {failed[:1]} {damaged[:1]}")
    return calls


def _join(call: Mapping[str, Any], true: Truth) -> Joined:
    return Joined(
        ttft=call["ttft_ms"],
        true_ttft=(true.first - call["sent_ns"]) / 1e6,
        token=call["decode_ms_per_token"],
        true_token=(true.last - true.first) / 1e6 / (true.tokens - 1),
        lateness=true.lateness / 1e6,
    )


def _figures(joined: Sequence[Joined]) -> dict[str, Figure]:
    """The run's figures by name; a quantile that is refused is its reason."""
    parts: Mapping[str, Iterable[float]] = {
        "ttft": (one.ttft for one in joined),
        "true_ttft": (one.true_ttft for one in joined),
        "error": (one.ttft - one.true_ttft for one in joined),
        "late": (one.lateness for one in joined),
        "token_error": (one.token - one.true_token for one in joined),
        "token": (one.token for one in joined),
    }
    found: dict[str, Figure] = {"n": len(joined)}
    for name, values in parts.items():
        listed = list(values)
        found |= {f"{name}_p50": at(listed, 0.5), f"{name}_p99": at(listed, 0.99)}
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


# ---------------------------------------------------------------- the table


COLUMNS: Sequence[tuple[str, str, int]] = (
    ("n", "n", 0),
    ("in flight", "in_flight", 1),
    ("TTFT p50", "ttft_p50", 2),
    ("true p50", "true_ttft_p50", 2),
    ("error p50", "error_p50", 3),
    ("error p99", "error_p99", 3),
    ("TTFT p99", "ttft_p99", 2),
    ("true p99", "true_ttft_p99", 2),
    ("sim. late p99", "late_p99", 3),
    ("ms/token p50", "token_p50", 3),
    ("its error p50", "token_error_p50", 4),
    ("CPU ms/stream", "cpu_ms", 2),
)


def _print(rows: Sequence[tuple[int, str, Figures]]) -> None:
    cells = [
        [str(concurrency), name, *(_cell(figures[key], digits) for _, key, digits in COLUMNS)]
        for concurrency, name, figures in rows
    ]
    print_table(["concurrency", "client", *(title for title, _, _ in COLUMNS)], cells)
    print("\ntimes in ms; the p99 of n < 299 calls is refused (-)")


def _cell(value: Figure, digits: int) -> str:
    return "-" if isinstance(value, str) else shown(value, digits)


def _plot(path: Path, rows: Sequence[tuple[int, str, Figures]]) -> None:
    """TTFT error at p50 and p99, and the error of the time per token, over the concurrency."""
    panels = []
    for title, key in (
        ("TTFT error p50, ms", "error_p50"),
        ("TTFT error p99, ms", "error_p99"),
        ("|error| of ms/token p50", "token_error_p50"),
    ):
        lines: dict[str, list[tuple[float, float]]] = {}
        for concurrency, name, figures in rows:
            value = figures[key]
            if isinstance(value, int | float):
                lines.setdefault(name, []).append((concurrency, abs(value)))
        panels.append((title, lines))
    save_lines(path, panels)


def _judge(concurrency: int, figures: Figures) -> int:
    """Print whether the largest concurrency keeps the limits; the exit code."""
    values = [figures[f"{name}_{label}"] for label in ("p50", "p99") for name in ("ttft", "true_ttft")]
    if any(isinstance(value, str) for value in values):
        print(f"no verdict at concurrency {concurrency}: too few calls for a p99")
        return 0
    ttft_p50, true_p50, ttft_p99, true_p99 = (float(value or 0) for value in values)
    kept = abs(ttft_p50 - true_p50) <= MOST_MEDIAN_MS and abs(ttft_p99 - true_p99) <= MOST_P99_MS
    print(
        f"concurrency {concurrency}: stored TTFT median {abs(ttft_p50 - true_p50):.3f} ms from the truth "
        f"(limit {MOST_MEDIAN_MS:g}), p99 {abs(ttft_p99 - true_p99):.3f} ms (limit {MOST_P99_MS:g}): "
        f"{'kept' if kept else 'MISSED'}"
    )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
