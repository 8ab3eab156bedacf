"""The stage `store` over journals of many shapes: the tables are what the rows say one by one, however they come."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchbook.datasets import to_dict
from benchbook.measure.agents import work
from benchbook.measure.breakdown import api_spans
from benchbook.measure.cost import cost_usd, trial_cost_usd
from benchbook.measure.timing import call_metrics, connect_metrics, trial_metrics
from benchbook.measure.usage import trial_usage, usage_metrics
from benchbook.records import Answer, Call, Chunk, Event, PlannedTrial, Trial, Usage
from benchbook.results import journal
from benchbook.results.partition import Partition
from benchbook.results.schemas import TABLES
from benchbook.results.store import read_table
from benchbook.runner.plan import Plan, freeze
from benchbook.scoring import judge
from benchbook.stages import Job
from benchbook.stages.derive import BATCH, DERIVED, batches, offsets_ns, source
from benchbook.stages.store import store

RUN = "20261121T081502Z-3f9a07"
MS = 1_000_000


def made(planned: PlannedTrial) -> Trial:
    """A trial that depends on its position: most succeed, some are refused first, break off, or are skipped."""
    n, start = planned.position, 10**9 + planned.position * MS
    if n % 11 == 10:
        return Trial(planned, "skipped", start, start, start, error_message="can't be done")
    refused = [
        Call(f"{planned.trial_id}-1", 1, "m", True, start, start, start + 1_000, start + 2_000, http_status=429,
             error_kind="rate_limited", error_message="slow down", retry_after_s=0.001)
    ] if n % 5 == 0 else []  # fmt: skip
    sent, broken = start + 5_000, n % 7 == 3
    stamps = [sent + (k + 1) * MS + n for k in range(n % 4 + 1)]
    kinds = ["reasoning" if n % 3 == 0 and k == 0 else "text" for k in range(len(stamps))]
    call = Call(
        f"{planned.trial_id}-{len(refused) + 1}", len(refused) + 1, "m", True, start, start, sent, stamps[-1] + 9,
        first_byte_ns=stamps[0] - 5, last_byte_ns=stamps[-1] + 5,
        chunks=[Chunk(at, 3 + n % 2, kind) for at, kind in zip(stamps, kinds, strict=True)],
        backoff_ns=1_000 if refused else 0, http_status=200, finish_reason=None if broken else "stop",
        error_kind="truncated" if broken else None, error_message="cut" if broken else None,
        usage=Usage() if broken else Usage(12, None, None, 5 + n % 3), reported={"latency_ms": n / 8},
    )  # fmt: skip
    answers = [Answer(one.call_id, body=b"no") for one in refused]
    answers.append(
        Answer(call.call_id, f"word {n}", body=bytes(n % 50), piece_at_ns=(stamps[0],), piece_sizes=(n % 50,))
    )
    status, kind, why = ("failure", "truncated", "cut") if broken else ("success", None, None)
    return Trial(planned, status, start, start + 400, stamps[-1] + 99, (*refused, call), tuple(answers), kind, why)


EVENTS = [Event(10**9, "harness", "second", fields={"seconds": 1.0, "lags": {"3": 2}}), Event(10**9, "load", "late")]


@pytest.fixture
def plan(bench: Any) -> Plan:
    from benchbook.datasets import read

    bench.execute = {"repetitions": 6, "warmup": 1}
    bench.targets = ("openai", "ollama")
    spec = bench.job().spec()
    return freeze(spec, [read(bench.folder / "small.json").dataset])


def written(plan: Plan, results: Path, trials: list[Trial]) -> journal.JournalRun:
    """A finished run with these trials, in this order, and two events among them."""
    manifest = {
        "run_id": RUN,
        "plan_hash": plan.plan_hash,
        "workload_hash": plan.workload_hash,
        "planned": len(plan.trials),
        "plan": plan.spec.frozen(),
        "started_wall_ns": 10**18,
    }
    datasets = [{"path": d.path, "sha256": d.sha256, "content": to_dict(d)} for d in plan.datasets]
    journal.create_run(results, RUN, manifest, datasets)
    with journal.JournalWriter(results, RUN, {"wall_offset_ns": 10**18}) as writer:
        for place, trial in enumerate(trials):
            if place in (3, 40):
                writer.note(EVENTS[place == 40])
            writer.append(trial)
        writer.finish(journal.FINISHED, {})
    return journal.read_run(results, RUN)


def digests(results: Path) -> dict[str, str]:
    parts = sorted((results / "tables").rglob("*"))
    return {str(p.relative_to(results)): hashlib.sha256(p.read_bytes()).hexdigest() for p in parts if p.is_file()}


def shuffled(plan: Plan) -> list[Trial]:
    """All trials of the plan, out of order."""
    return sorted(map(made, plan.trials), key=lambda trial: trial.planned.trial_id[::-1])


# ---------------------------------------------------------------- rows


def slow_rows(plan: Plan, trials: list[Trial]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the tables hold, one trial at a time, out of the measures alone."""
    for trial in trials:
        planned, price = trial.planned, plan.targets[trial.planned.target].price
        spans = api_spans(trial)
        parts = [trial_metrics(trial), usage_metrics(trial_usage(trial.calls)), work(trial, spans).columns]
        cost = trial_cost_usd(price, trial.calls)
        row = {name: value for part in parts for name, value in part.values.items()}
        row |= {"trial_id": planned.trial_id, "position": planned.position, "status": trial.status, "cost_usd": cost[0]}
        yield "trials", row
        for span in spans:
            yield "spans", {"trial_id": planned.trial_id, "span_id": span.span_id, "started_ns": span.started_ns}
        if trial.status == "success":
            prompt = plan.prompts[planned.dataset, planned.test_id]
            judgement = judge(prompt.case, prompt.dataset.defaults, trial.answers[-1].text)
            assert judgement is not None
            scorer = judgement.parts[0].scorer
            yield "scores", {"trial_id": planned.trial_id, "value": judgement.value, "scorer": scorer}
        for call, answer in zip(trial.calls, trial.answers, strict=True):
            yield "calls", slow_call(call, cost_usd(price, call.usage)) | {"trial_id": planned.trial_id}
            yield "responses", {"call_id": call.call_id, "text": answer.text, "body": answer.body}


def slow_call(call: Call, cost: tuple[float | None, str]) -> dict[str, Any]:
    parts = [call_metrics(call), connect_metrics(call), usage_metrics(call.usage)]
    how = {name: text for part in parts for name, text in part.provenance.items()} | {"cost_usd": cost[1]}
    return {
        **{name: value for part in parts for name, value in part.values.items()},
        "call_id": call.call_id,
        "chunk_offsets_us": [(chunk.at_ns - call.sent_ns) // 1000 for chunk in call.chunks],  # type: ignore[operator]
        "chunk_sizes": [chunk.size for chunk in call.chunks],
        "chunk_kinds": [chunk.kind for chunk in call.chunks],
        "reported": sorted(call.reported.items()),
        "provenance": sorted(how.items()),
        "cost_usd": cost[0],
    }


KEYS = {"trials": "trial_id", "calls": "call_id", "responses": "call_id", "spans": "span_id", "scores": "trial_id"}


def test_stored_rows_are_what_each_trial_says_by_itself(plan: Plan, tmp_path: Path) -> None:
    trials = shuffled(plan)
    run = written(plan, tmp_path, trials)
    filled(run, tmp_path, BATCH)
    wanted: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in KEYS}
    for name, row in slow_rows(plan, trials):
        wanted[name][row[KEYS[name]]] = row
    for name, key in KEYS.items():
        stored = read_table(tmp_path, name)[0].to_pylist()
        ordered = sorted(wanted[name].values(), key=lambda row: [row[by] for by in ORDER.get(name, (key,))])
        assert [row[key] for row in stored] == [row[key] for row in ordered]
        for row in stored:
            assert {column: row[column] for column in wanted[name][row[key]]} == wanted[name][row[key]]
    assert [row["name"] for row in read_table(tmp_path, "events")[0].to_pylist()] == ["second", "late"]


ORDER = {"trials": ("position",), "spans": ("trial_id", "started_ns", "span_id")}
"""By what a table is sorted; the others by their key, which begins with the trial's id."""


def filled(run: journal.JournalRun, results: Path, size: int, block_bytes: int = 1 << 26) -> None:
    with Partition(results, RUN, {}, block_bytes=block_bytes) as partition:
        for _, tables in batches(source(run, "all"), size):
            for name, part in tables.items():
                partition.add(name, part)
        partition.write(DERIVED)
        partition.publish()


def test_batches_and_blocks_leave_no_trace(plan: Plan, tmp_path: Path) -> None:
    run = written(plan, tmp_path, shuffled(plan))
    found = []
    for size, block_bytes in ((BATCH, 1 << 26), (1, 1), (2, 5_000), (57, 5_000), (58, 20_000), (59, 1)):
        filled(run, tmp_path, size, block_bytes)
        found.append(digests(tmp_path))
    assert len(found[0]) == len(TABLES)
    assert all(one == found[0] for one in found)


# ---------------------------------------------------------------- journals that are not whole


def test_damage_and_duplicates_in_the_middle_change_nothing_else(bench: Any, plan: Plan) -> None:
    trials = shuffled(plan)
    run = written(plan, bench.results, trials)
    path = run.segments[0].path
    lines = path.read_bytes().splitlines(keepends=True)
    twice = journal.framed("trial", json.loads(lines[5].decode())["trial"] | {"ended_ns": 10**10})
    path.write_bytes(b"".join([*lines[:20], b'{"crc32":"00000000","trial":{}}\n', twice, b"rubbish\n", *lines[20:]]))
    damaged = store(bench.job()).damaged
    assert len(damaged) == 3
    assert "the first record holds" in damaged[1]
    rows = {row["trial_id"]: row for row in read_table(bench.results, "trials")[0].to_pylist()}
    assert {name: row["ended_ns"] for name, row in rows.items()} == {
        trial.planned.trial_id: trial.ended_ns for trial in trials
    }
    (row,) = read_table(bench.results, "runs")[0].to_pylist()
    assert (row["planned"], row["not_started"]) == (len(trials), 0)
    assert [check["name"] for check in read_table(bench.results, "checks")[0].to_pylist() if not check["success"]] == []


def test_a_run_without_trials_is_stored(bench: Any, plan: Plan) -> None:
    written(plan, bench.results, [])
    assert store(bench.job()).stored == (RUN,)
    for name in set(TABLES) - {"runs", "checks"}:
        assert read_table(bench.results, name)[0].num_rows == 0
    (row,) = read_table(bench.results, "runs")[0].to_pylist()
    assert (row["verdict"], row["not_started"], row["wall_s"]) == ("INVALID", len(plan.trials), None)
    assert "nothing_measured" in {reason["code"] for reason in row["reason_codes"]}


def test_storing_tells_how_far_it_is(bench: Any, plan: Plan) -> None:
    written(plan, bench.results, shuffled(plan))
    told: list[tuple[str, int, int]] = []
    store(bench.job(), on_stored=lambda *one: told.append(one))
    assert told == [(RUN, len(plan.trials), len(plan.trials))]


CHILD = """
import sys, time
from benchbook.stages import Job
from benchbook.stages.store import store
def told(*_):
    print("begun", flush=True)
    time.sleep(60)
store(Job(plan=sys.argv[1], results=sys.argv[2]), on_stored=told)
"""


@pytest.mark.parametrize("before", [True, False])
def test_a_kill_leaves_the_old_partition_or_none(bench: Any, plan: Plan, *, before: bool) -> None:
    written(plan, bench.results, shuffled(plan))
    job: Job = bench.job()
    if before:
        filled(journal.read_run(bench.results, RUN), bench.results, BATCH)
    there = digests(bench.results) if before else {}
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, job.plan, job.results], stdout=subprocess.PIPE, env={**os.environ}
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"begun\n"
    child.send_signal(signal.SIGKILL)
    child.communicate()
    visible = {name: digest for name, digest in digests(bench.results).items() if not Path(name).name.startswith(".")}
    assert visible == there
    assert read_table(bench.results, "trials")[0].num_rows == (len(plan.trials) if before else 0)
    store(replace(job))
    assert read_table(bench.results, "runs")[0].num_rows == 1
    assert not [name for name in digests(bench.results) if Path(name).name.startswith(".")]


def test_two_sessions_whose_clocks_agree_to_the_nanosecond_stay_two() -> None:
    """On a host whose clock is not slewed they may: the pause between them would be measured time."""

    def session(first: int, *offsets: int | None) -> list[journal.Segment]:
        return [
            journal.Segment(
                first + n, Path(), {} if offset is None else {"wall_offset_ns": offset, "session": first}, None
            )
            for n, offset in enumerate(offsets)
        ]

    sessions = [session(0, 700, 700), session(2, 700), session(3, 701), session(4, None), session(5, 900, 903)]
    assert offsets_ns(sessions) == {0: 700, 1: 700, 2: 701, 3: 702, 4: None, 5: 900, 6: 900}
