"""The cases of `engine.py`: which clients run against which simulator, and what is read from their runs.

A case knows plans, the journal and the simulator's truth; of the engine's inside it knows nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.figures import (
    Figure,
    Figures,
    Pair,
    at,
    errors,
    in_flight,
    most_in_flight,
    token_errors,
)
from benchmarks.measuring import (
    CLIENT_CORE,
    ROOT,
    Client,
    Server,
    document,
    pairs,
    pinned,
    read_calls,
    run_engine,
    run_reader,
    run_sdk,
    serving,
)

EXACT = ROOT / "datasets" / "simulator" / "exact-200-10.yaml"
INSTANT = {"default": {"tokens_out": 64}}
SLOW = {"default": {"tokens_out": 64, "ttft_ms": 1000, "token_ms": 100}}
"""So slow that the simulator keeps 5,000 streams on one core."""


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for. `program`: the compiled raw reader, None without a C compiler."""

    repeats: int
    quick: bool
    requests: int
    program: str | None
    idle: Mapping[str, float]
    """CPU seconds of each client's run of one request."""

    def size(self, full: int, quick: int) -> int:
        return quick if self.quick else full


Run = Callable[[], Client]
Read = Callable[[Client, Sequence[Pair]], Figures]
Runs = dict[str, list[Figures]]
"""Row of a case's table -> its figures, once per repeat."""
Case = Callable[[Options], Runs]


# ---------------------------------------------------------------- what a run comes to


def costs(client: Client, summary: Mapping[str, Any], found: Sequence[Pair], options: Options) -> Figures:
    """Rates and processor time of a whole run. `summary`: the simulator's, taken before its truth was read, which costs
    it processor time too."""
    span_s = (max(true.ended for _, true in found) - found[0][1].received) / 1e9
    cpu_s = max(0.0, client.cpu_s - options.idle.get(client.name, 0.0))
    done_s = (client.ended_ns - found[0][1].received) / 1e9
    return {
        "n": len(found),
        "failed": client.failed,
        "streams/s": len(found) / span_s,
        "done/s": len(found) / done_s,
        "CPU ms/stream": 1000 * cpu_s / len(found),
        "client %": 100 * cpu_s / done_s,
        "server %": 100 * summary["cpu_ns"] / 1e9 / span_s,
        "server late p99 ms": summary["lateness_ns"]["p99"] / 1e6,
    }


def closed(concurrency: int, ramp_s: float | None = None) -> dict[str, Any]:
    ramp = {} if ramp_s is None else {"ramp_s": ramp_s}
    return {"kind": "closed", "concurrency": concurrency, **ramp}


def compared(options: Options, server: Server, clients: Mapping[str, Run], read: Read) -> Runs:
    """Each client's run against the simulator, and what `read` makes of it; in turn."""

    def one(run: Run) -> Figures:
        server.reset()
        client = run()
        summary = server.summary()
        found = pairs(client, server)
        return {**read(client, found), **costs(client, summary, found, options)}

    return in_turn(options, {name: partial(one, run) for name, run in clients.items()})


def in_turn(options: Options, clients: Mapping[str, Callable[[], Figures]]) -> Runs:
    """Every client, then every client again: what the machine does meanwhile falls on all of them."""
    runs: Runs = {name: [] for name in clients}
    for number in range(options.repeats):
        for name, run in clients.items():
            runs[name].append(run())
            print(f"    {name}, repeat {number + 1}", file=sys.stderr, flush=True)
    return runs


# ---------------------------------------------------------------- cases


def throughput(options: Options) -> Runs:
    runs: Runs = {}
    ours, theirs = options.size(12_000, 1_500), options.size(1_000, 200)
    for name, coalesce in (("a write a chunk", False), ("coalesced", True)):
        with serving({**INSTANT, "coalesce": coalesce}) as server:
            clients: dict[str, Run] = {
                f"benchbook, {name}": partial(run_engine, document(server, closed(64), ours)),
                f"openai SDK, {name}": partial(run_sdk, server, theirs, 64),
            }
            if options.program is not None:
                clients[f"raw C reader, {name}"] = partial(run_reader, options.program, server, 64, ours, 0.0)
            runs.update(compared(options, server, clients, lambda _, __: {}))
    return runs


def _crowd(options: Options, ramp_s: float | None) -> Runs:
    """Many streams at once under the exact law; first wave and steady part apart."""
    concurrency = options.size(1000, 300)
    ours, theirs = options.size(5, 3) * concurrency, options.size(3, 2) * concurrency

    def read(_: Client, found: Sequence[Pair]) -> Figures:
        wave, rest = found[:concurrency], found[concurrency:]
        first = errors(wave, "wave: ")
        return {
            **errors(rest, ""),
            **token_errors(rest),
            "in flight %": in_flight(found, concurrency),
            **{name: first[name] for name in ("wave: TTFT error p50", "wave: p99")},
        }

    with serving(EXACT) as server:
        clients: dict[str, Run] = {
            "benchbook": partial(run_engine, document(server, closed(concurrency, ramp_s), ours)),
            "openai SDK": partial(run_sdk, server, theirs, concurrency),
        }
        if options.program is not None:
            spread_s = 0.1 * concurrency / 1000 if ramp_s is None else ramp_s
            clients["raw C reader"] = partial(run_reader, options.program, server, concurrency, ours, spread_s)
        return compared(options, server, clients, read)


def steady(options: Options) -> Runs:
    return _crowd(options, None)


def burst(options: Options) -> Runs:
    return _crowd(options, 0.0)


def many(options: Options) -> Runs:
    asked = options.size(5_000, 500)

    def read(_: Client, found: Sequence[Pair]) -> Figures:
        return {"asked": asked, "most at once": most_in_flight(found), **errors(found, "")}

    with serving(SLOW) as server:
        clients: dict[str, Run] = {
            "benchbook": partial(run_engine, document(server, closed(asked), 2 * asked)),
            "openai SDK": partial(run_sdk, server, asked, asked),
        }
        if options.program is not None:
            clients["raw C reader"] = partial(run_reader, options.program, server, asked, 2 * asked, 0.1 * asked / 1000)
        return compared(options, server, clients, read)


_SDK_MOST = 1_000
"""Requests of the SDK in an open loop: its backlog grows with each, and shows long before."""


def rate(options: Options) -> Runs:
    runs: Runs = {}
    with serving(EXACT) as server:
        for per_s in (200, 1000):
            total = per_s * options.size(10, 2)
            clients: dict[str, Run] = {
                f"benchbook, {per_s}/s": partial(
                    run_engine, document(server, {"kind": "constant", "rate": per_s}, total)
                ),
                f"openai SDK, {per_s}/s": partial(run_sdk, server, min(total, _SDK_MOST), rate=per_s),
            }
            runs.update(compared(options, server, clients, _lags))
    return runs


def _lags(_: Client, found: Sequence[Pair]) -> Figures:
    taken = [(seen.taken_up - seen.intended) / 1e6 for seen, _ in found]
    sent = [(seen.sent - seen.intended) / 1e6 for seen, _ in found]
    first, last = found[0][1].received, found[-1][1].received
    return {
        "achieved/s": (len(found) - 1) * 1e9 / max(1, last - first),
        "lag p50": at(taken, 0.5),
        "lag p99": at(taken, 0.99),
        "to the send p50": at(sent, 0.5),
        "to the send p99": at(sent, 0.99),
        **errors(found, ""),
    }


def memory(options: Options) -> Runs:
    with serving(EXACT) as server:

        def held(client: Client, concurrency: int) -> Figures:
            """Growth: from the moment when all slots had ended a request once, to the end."""
            warm = [mib for done, mib in client.memory if done >= concurrency]
            grown = max(warm) - warm[0] if len(warm) > 1 else None
            return {"n": len(client.calls), "failed": client.failed, "peak MiB": client.peak_mib, "growth MiB": grown}

        def ours(concurrency: int, total: int) -> Figures:
            return held(run_engine(document(server, closed(concurrency), total)), concurrency)

        hundred, thousand = options.size(3_000, 500), options.size(5_000, 2_000)
        return in_turn(
            options,
            {
                "benchbook, 1 request": lambda: ours(1, 1),
                "openai SDK, 1 request": lambda: held(run_sdk(server, 1, 1), 1),
                "benchbook, 100 at once": lambda: ours(100, hundred),
                "openai SDK, 100 at once": lambda: held(run_sdk(server, hundred // 5, 100), 100),
                "benchbook, 1,000 at once": lambda: ours(1000, thousand),
                "openai SDK, 1,000 at once": lambda: held(run_sdk(server, thousand // 5 * 2, 1000), 1000),
            },
        )


def endurance(options: Options) -> Runs:
    """Once: it takes as long as it takes."""
    total = options.requests
    with serving({**INSTANT, "coalesce": True}) as server:
        client = run_engine(document(server, closed(64), total))
        marks = {f"MiB at {percent} %": _held_at(client, total * percent // 100) for percent in (10, 25, 50, 75, 100)}
        tenth = marks["MiB at 10 %"]
        grown = client.peak_mib - tenth if isinstance(tenth, float) else None
        costed = {"CPU ms/stream": 1000 * client.cpu_s / max(1, len(client.calls))}
        figures = {"n": len(client.calls), "failed": client.failed, **marks, "peak MiB": client.peak_mib}
        return {f"benchbook, {total:,} requests": [{**figures, "after 10 %: growth MiB": grown, **costed}]}


def _held_at(client: Client, done: int) -> Figure:
    return next((mib for count, mib in client.memory if count >= done), None)


def start(options: Options) -> Runs:
    """From the moment before a process is begun to its first request's stamp."""
    with serving(INSTANT) as server, tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "plan.yaml"
        plan.write_text(json.dumps(document(server, closed(1), 1)), encoding="utf-8")

        def first_ms(client: Client) -> Figures:
            return {
                "first request after ms": (min(seen.sent for seen in client.calls.values()) - client.begun_ns) / 1e6
            }

        def verb(*words: str, times: int = 1) -> Figures:
            """Of the last time in one results folder."""
            with tempfile.TemporaryDirectory() as results, pinned(CLIENT_CORE):
                for _ in range(times - 1):
                    _cli(*words, "--plan", str(plan), "--results", results)
                begun_ns = time.monotonic_ns()
                _cli(*words, "--plan", str(plan), "--results", results)
                whole_s = (time.monotonic_ns() - begun_ns) / 1e9
                calls, _ = read_calls(Path(results), "latest")
            first_ns = min(seen.sent for seen in calls.values())
            return {"first request after ms": (first_ns - begun_ns) / 1e6, "whole command s": whole_s}

        clients: dict[str, Callable[[], Figures]] = {
            "the measuring process": lambda: {
                **first_ms(run_engine(document(server, closed(1), 1))),
                "whole command s": None,
            },
            "benchbook stage execute": lambda: verb("stage", "execute", "--again"),
            "benchbook run --no-flow": lambda: verb("run", "--no-flow"),
            "benchbook run --no-flow, once more": lambda: verb("run", "--no-flow", times=2),
            "openai SDK": lambda: {**first_ms(run_sdk(server, 1, 1)), "whole command s": None},
        }
        return in_turn(options, clients)


def quick(options: Options) -> Runs:
    def once() -> Figures:
        with tempfile.TemporaryDirectory() as results:
            begun = time.monotonic()
            _cli("run", "--no-flow", "--plan", "plans/quick.yaml", "--results", results)
            return {"wall s": time.monotonic() - begun}

    return in_turn(options, {"benchbook run --no-flow --plan plans/quick.yaml": once})


def flow(options: Options) -> Runs:
    """What the Prefect flow adds to a run of few and of many trials: a constant, or something per trial?"""
    few, many = (40, 400) if options.quick else (200, 4_000)
    with serving(INSTANT) as server, tempfile.TemporaryDirectory() as folder:

        def once(trials: int, *how: str) -> Figures:
            plan = Path(folder) / f"{trials}.yaml"
            plan.write_text(json.dumps(document(server, closed(20), trials)), encoding="utf-8")
            with tempfile.TemporaryDirectory() as results:
                begun = time.monotonic()
                _cli("run", *how, "--plan", str(plan), "--results", results)
                return {"n": trials, "wall s": time.monotonic() - begun}

        clients = {
            f"{trials} trials, {name}": partial(once, trials, *how)
            for trials in (few, many)
            for name, how in (("bare", ("--no-flow",)), ("as a flow", ()))
        }
        return in_turn(options, clients)


def _cli(*words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchbook", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"benchbook {' '.join(words)} ended with {done.returncode}: {done.stderr[-500:]}")


CASES: Mapping[str, Case] = {
    one.__name__: one for one in (throughput, steady, burst, many, rate, memory, endurance, start, quick, flow)
}
