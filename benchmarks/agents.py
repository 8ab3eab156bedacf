"""How true is the breakdown of agents' time, and what does measuring them cost? The real stages, simulated models.

    python benchmarks/agents.py                          all parts
    python benchmarks/agents.py --only recovery --repeats 10 --unit 50

    recovery   agents, teams and workflows whose every delay is known (`agent_cases.py`): each stored span, and the
               parts of the wall time, beside the known ones. Errors of model calls hold the simulator's lateness;
               beside its own record of the same call they do not. Where branches run side by side, what the SDK does
               between calls moves them against each other: then the parts differ from the known ones and are right.
    overhead   an agent at a simulator that answers at once: the bare Strands agent with the official client as a user
               writes it, and the same agent under `benchbook`, in turn, on one core and one kind of event loop. Wall
               time is the median; processor time is of the process, less that of a run of one. The difference is ours.
    crowd      100 agents and teams at a time; the law is checked anew on every stored row.
    sums       how long all of a trial's numbers take to compute from its spans, by how many there are

Exit code 1 if the median error of any kind of delay is more than 5 ms, or if the law is broken on any row.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from benchbook.measure.agents import work
from benchbook.measure.breakdown import breakdown_ns
from benchbook.records import SPAN_KINDS, PlannedTrial, Span, Trial
from benchbook.results import journal
from benchbook.results.store import read_table
from benchbook.runner.loops import loop_factory
from benchbook.stages import Job
from benchbook.stages.execute import execute
from benchbook.stages.store import store
from benchmarks.agent_cases import APPROVAL, BACK_OFF, CASES, KNOWN, SCRIPTS, TEAMS, Story
from benchmarks.figures import Truth, at, print_table, shown
from benchmarks.measuring import CLIENT_CORE, host_facts, pinned, serving
from benchmarks.waiting import teaching

PARTS = ("model_ms", "tool_ms", "human_wait_ms", "rate_limit_wait_ms")
MOST_ERROR_MS = 5.0
"""No further from the known delays may a kind's median be."""
Row = Mapping[str, Any]


def main() -> int:
    """Measure, print, and say whether the limits are kept."""
    asked = _arguments()
    print(host_facts())
    codes = []
    with tempfile.TemporaryDirectory() as folder, teaching():
        for name in asked.only:
            print(f"\n{name}")
            codes.append(PARTS_OF_IT[name](asked, Path(folder) / name))
    return max(codes)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = lambda text: text.split(",")  # noqa: E731
    parser.add_argument("--only", type=names, default=list(PARTS_OF_IT), metavar="NAMES", help="parts, with commas")
    parser.add_argument("--repeats", type=int, default=20, metavar="N", help="recovery: trials of each case (20)")
    parser.add_argument("--unit", type=float, default=20.0, metavar="MS", help="recovery: the unit of all delays (20)")
    parser.add_argument("--calls", type=int, default=100, metavar="N", help="overhead: agents of a round (100)")
    parser.add_argument("--rounds", type=int, default=4, metavar="N", help="overhead: rounds (4)")
    parser.add_argument("--agents", type=int, default=100, metavar="N", help="crowd: agents at a time (100)")
    return parser.parse_args()


# ---------------------------------------------------------------- recovery


def recovery(asked: argparse.Namespace, folder: Path) -> int:
    """Stored spans, and stored parts of the wall time, beside the known ones."""
    story = Story(folder, asked.unit, repetitions=asked.repeats)
    with serving(_written(story)) as server:
        trials, spans, calls = _stored(replace(story, base_url=f"{server.address}/v1"))
        truth = server.truth()
    print(f"unit {asked.unit:g} ms; {asked.repeats} trials of each team and case; error = stored - known\n")
    errors = {**_span_errors(spans, asked.unit), **_model_errors(calls, truth, trials, asked.unit)}
    print_table(
        ("each delay by itself", "n", "error p50 ms", "p95", "least", "most"),
        [
            [
                name,
                str(len(off)),
                f"{statistics.median(off):.2f}",
                shown(at(off, 0.95)),
                f"{min(off):.2f}",
                f"{max(off):.2f}",
            ]
            for name, off in errors.items()
        ],
    )
    print()
    lines = []
    for (team, case), known in KNOWN.items():
        mine = [row for row in trials if (row["team"], row["test_id"]) == (team, case)]
        for column in PARTS:
            wanted = known.get(column, 0) * asked.unit
            off = [row[column] - wanted for row in mine]
            if wanted or any(off):
                lines.append([team, case, column, f"{wanted:g}", *_spread(off, None)])
        lines.append([team, case, "orchestration_ms", "-", *_spread([row["orchestration_ms"] for row in mine], None)])
    print_table(("team", "case", "part of the wall time", "known ms", "error p50 ms", "least", "most"), lines)
    worst = max(abs(statistics.median(off)) for off in errors.values())
    kept = worst <= MOST_ERROR_MS
    print(
        f"\nlargest median error of a delay: {worst:.2f} ms, limit {MOST_ERROR_MS:g} ms: {'kept' if kept else 'MISSED'}"
    )
    return int(not kept)


def _span_errors(spans: Sequence[Row], unit_ms: float) -> dict[str, list[float]]:
    """By kind, how far the spans that wait are from what they were told to wait."""
    found: dict[str, list[float]] = {"tool": [], "rate_limit_wait": [], "human_wait": []}
    for span in spans:
        if span["kind"] == "tool" and json.loads(span["input"])["together"] == 1:
            found["tool"].append(span["duration_ms"] - json.loads(span["input"])["ms"])
        elif span["kind"] in ("rate_limit_wait", "human_wait"):
            units = BACK_OFF if span["kind"] == "rate_limit_wait" else APPROVAL
            found[span["kind"]].append(span["duration_ms"] - units * unit_ms)
    return {kind: off for kind, off in found.items() if off}


def _model_errors(
    calls: Sequence[Row], truth: Mapping[str, Truth], trials: Sequence[Row], unit_ms: float
) -> dict[str, list[float]]:
    """How far model calls are from their law, and from the simulator's own record of how long it took."""
    cases = {row["trial_id"]: row["test_id"] for row in trials}
    law, record = [], []
    for call in calls:
        true = truth.get(call["request_id"])
        if true is None:
            continue  # refused
        step = SCRIPTS[cases[call["trial_id"]]][call["agent"]]
        took_ms = (call["closed_ns"] - call["sent_ns"]) / 1e6
        record.append(took_ms - (true.ended - true.received) / 1e6)
        wanted = {said["say"]: said["model"] * unit_ms for said in step}
        law += [took_ms - wanted[call["text"]]]
    return {"model": law, "model, beside the simulator's record": record}


def _spread(values: Sequence[float], tail: float | None = 0.95) -> list[str]:
    """Median, a quantile of the tail, the least and the most."""
    tails = [] if tail is None else [shown(at(values, tail))]
    return [f"{statistics.median(values):.2f}", *tails, f"{min(values):.2f}", f"{max(values):.2f}"]


# ---------------------------------------------------------------- overhead


def overhead(asked: argparse.Namespace, folder: Path) -> int:
    """An agent's time and processor time with us and without."""
    lines = []
    for case, models, tools in (("answer", 1, 0), ("in-turn", 3, 2)):
        story = Story(folder / case, 0.0, teams=("alone",), cases=(case,))
        with serving(_written(story)) as server:
            served = replace(story, base_url=f"{server.address}/v1")
            clients: dict[str, Callable[[int], list[float]]] = {
                "Strands, bare": lambda n, at=served, of=case: _bare(at.base_url, CASES[of], n),
                "Strands, under benchbook": lambda n, at=served: _ours(at, n),
            }
            walls: dict[str, list[float]] = {name: [] for name in clients}
            costs: dict[str, list[float]] = {name: [] for name in clients}
            for number in range(asked.rounds + 1):
                for name, client in clients.items():
                    wall, cost = _round(client, asked.calls)
                    if number:  # the first round warms
                        walls[name].append(wall)
                        costs[name].append(cost)
        found = {name: (statistics.median(walls[name]), statistics.median(costs[name])) for name in clients}
        bare, ours = found.values()
        found["our share"] = ours[0] - bare[0], ours[1] - bare[1]
        lines += [
            [case, f"{models} + {tools}", name, *(f"{one:.2f}" for one in (*pair, pair[0] / models, pair[1] / models))]
            for name, pair in found.items()
        ]
    print(f"{asked.calls} agents one after the other, {asked.rounds} rounds of each in turn; medians\n")
    header = ("case", "models + tools", "client", "wall ms", "cpu ms", "wall ms/model call", "cpu ms/model call")
    print_table(header, lines)
    return 0


def _round(client: Callable[[int], list[float]], calls: int) -> tuple[float, float]:
    """Median wall time of an agent, ms, and processor time of one, ms."""
    with pinned(CLIENT_CORE):
        before = time.process_time()
        client(1)
        between = time.process_time()
        walls = client(calls)
        used = time.process_time() - between - (between - before)
    return statistics.median(walls), 1e3 * used / (calls - 1)


def _ours(story: Story, calls: int) -> list[float]:
    story = replace(story, repetitions=calls)
    job = Job(plan=str(story.write()), results=str(story.results))
    done = execute(job)
    trials = list(journal.read_run(story.results, done.run_id).trials())
    _require_success([trial.error_message for trial in trials if trial.status != "success"])
    return [(trial.ended_ns - trial.started_ns) / 1e6 for trial in trials]


def _bare(base_url: str, prompt: str, calls: int) -> list[float]:
    """The same agent as a user of Strands writes it: a client for all, an agent object for each. Garbage is collected
    as in our runs: else the heap of this process, ours, would be looked through again and again at its expense."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(10_000, 2, 100)
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(_bare_agents(base_url, prompt, calls))
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


async def _bare_agents(base_url: str, prompt: str, calls: int) -> list[float]:
    import openai
    import strands
    from strands.models.openai import OpenAIModel

    @strands.tool(name="wait")
    async def waiting(ms: float, together: int = 1) -> str:  # noqa: ARG001
        """Waits for so many milliseconds."""
        await asyncio.sleep(ms / 1e3)
        return f"waited {ms:g} ms"

    said = TEAMS["alone"]["members"][0]
    system = f"You are {said['name']}, {said['role']}.\nYour goal: {said['goal']}"
    walls = []
    async with openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0) as client:
        for _ in range(calls):
            begun_ns = time.monotonic_ns()
            model = OpenAIModel(client=client, model_id="sim-openai")
            agent = strands.Agent(model=model, system_prompt=system, tools=[waiting], callback_handler=None)
            result = await agent.invoke_async(prompt)
            walls.append((time.monotonic_ns() - begun_ns) / 1e6)
            _require_success([result.stop_reason] if result.stop_reason != "end_turn" else [])
    return walls


# ---------------------------------------------------------------- crowd


def crowd(asked: argparse.Namespace, folder: Path) -> int:
    """Many at a time, and the law on every stored row."""
    teams, cases = ("alone", "led"), ("in-turn", "at-once")
    story = Story(folder, 250.0, teams=teams, cases=cases, repetitions=-(-asked.agents // 2), concurrency=asked.agents)
    with serving(_written(story)) as server:
        trials, spans, _ = _stored(replace(story, base_url=f"{server.address}/v1"))
    by_trial: dict[str, list[Row]] = {row["trial_id"]: [] for row in trials}
    for span in spans:
        by_trial[span["trial_id"]].append(span)
    broken = [why for row in trials for why in _broken(row, by_trial[row["trial_id"]])]
    most = _most_at_once([(row["started_ns"], row["ended_ns"]) for row in trials])
    print(f"unit {story.unit_ms:g} ms; {len(trials)} trials, {len(spans)} spans, at most {most} trials at a time")
    print(f"rows on which the law is broken: {len(broken)} of {len(trials)} {broken[:1] or ''}\n")
    lines = []
    for column in (*PARTS[:2], "orchestration_ms"):
        off = [row[column] - KNOWN[row["team"], row["test_id"]].get(column, 0) * story.unit_ms for row in trials]
        lines.append([column, *(shown(at(off, q)) for q in (0.5, 0.95)), f"{max(off):.2f}"])
    print_table(("error ms (orchestration: its time)", "p50", "p95", "most"), lines)
    return int(bool(broken))


def _broken(row: Row, spans: Sequence[Row]) -> Iterator[str]:
    """What contradicts the law on a row: its parts against its stored spans, and against its wall time."""
    wall = row["started_ns"], row["ended_ns"]
    found = [
        Span(one["span_id"], one["parent_id"], one["kind"], one["name"], one["started_ns"], one["ended_ns"])
        for one in spans
    ]
    parts = breakdown_ns(wall, found)
    if sum(parts.values()) != wall[1] - wall[0] or min(parts.values()) < 0:
        yield f"{row['trial_id']}: {parts} of {wall[1] - wall[0]} ns"
    for kind, time_ns in parts.items():
        if row[f"{kind}_ms"] != time_ns / 1e6:
            yield f"{row['trial_id']}: {kind}_ms is {row[f'{kind}_ms']}, its spans say {time_ns} ns"


def _most_at_once(intervals: Sequence[tuple[int, int]]) -> int:
    edges = sorted([(start, 1) for start, _ in intervals] + [(end, -1) for _, end in intervals])
    here = most = 0
    for _, step in edges:
        here += step
        most = max(most, here)
    return most


# ---------------------------------------------------------------- sums


def sums(asked: argparse.Namespace, folder: Path) -> int:  # noqa: ARG001 - as the other parts
    """From spans to numbers: all side by side in one agent, and each inside the one before."""
    lines = []
    for count in (10, 100, 1_000, 10_000):
        took = [_took_ms(spans) for spans in (_abreast(count), _nested(count))]
        lines.append([f"{count:,}", *(f"{one:.2f}" for one in took)])
    print_table(("spans of a trial", "side by side ms", "inside one another ms"), lines)
    return 0


def _took_ms(spans: Sequence[Span]) -> float:
    planned = PlannedTrial("t", 0, "d", "1", "c", "", "sim", "agent", 0, "measured", "", 1, team="alone")
    trial = Trial(planned, "success", 0, 0, 10**9, spans=tuple(spans))
    times = []
    for _ in range(3):
        begun_ns = time.perf_counter_ns()
        work(trial, trial.spans)
        times.append(time.perf_counter_ns() - begun_ns)
    return min(times) / 1e6


def _abreast(count: int) -> list[Span]:
    chance = Random(count)
    spans = [Span("agent", None, "agent", "a", 0, 10**9, agent="a")]
    for number in range(count - 1):
        start, end = sorted((chance.randrange(10**9), chance.randrange(10**9)))
        spans.append(Span(f"s{number}", "agent", chance.choice(SPAN_KINDS), "n", start, end, agent="a"))
    return spans


def _nested(count: int) -> list[Span]:
    chance = Random(count)
    spans = [Span("agent", None, "agent", "a", 0, 10**9, agent="a")]
    for number in range(1, count):
        kind = chance.choice(SPAN_KINDS)
        spans.append(Span(f"s{number}", spans[-1].span_id, kind, "n", number, 10**9 - number, agent="a"))
    return spans


# ---------------------------------------------------------------- runs


def _written(story: Story) -> Path:
    """Its simulator's profile."""
    story.write()
    return story.folder / "profile.json"


def _stored(story: Story) -> tuple[list[Row], list[Row], list[Row]]:
    """Run and store it; rows of trials, of spans, and of calls with their texts."""
    job = Job(plan=str(story.write()), results=str(story.results))
    with pinned(CLIENT_CORE):
        done = execute(job)
    store(job, done.run_id)
    names = ("trials", "spans", "calls", "responses")
    trials, spans, calls, responses = (read_table(story.results, name, [done.run_id])[0].to_pylist() for name in names)
    _require_success([row["error_message"] for row in trials if row["status"] != "success"])
    texts = {row["call_id"]: row["text"] for row in responses}
    return trials, spans, [{**call, "text": texts.get(call["call_id"])} for call in calls]


def _require_success(failed: Sequence[Any]) -> None:
    """Ends the benchmark where something failed: then there is nothing to compare."""
    if failed:
        sys.exit(f"{len(failed)} failed: {failed[0]}")


PARTS_OF_IT: Mapping[str, Callable[[argparse.Namespace, Path], int]] = {
    "recovery": recovery,
    "overhead": overhead,
    "crowd": crowd,
    "sums": sums,
}

if __name__ == "__main__":
    sys.exit(main())
