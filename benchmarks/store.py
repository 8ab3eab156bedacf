"""How long `benchbook stage store` takes over a long run, in how much memory, and how soon its questions are answered.

    python benchmarks/store.py                             100,000 trials, no bodies kept
    python benchmarks/store.py --trials 20000 --bodies all
    python benchmarks/store.py --trials 1000000 --keep /tmp/long

The journal is made, not measured: streams of 64 chunks of two targets, some of them failed, throttled and tried again,
through the journal's own writer, from a seed. Each command then runs as a process of its own: wall time, processor
time, and the most memory that it held.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchbook.config import PlanSpec, load_plan
from benchbook.datasets import files, read, to_dict
from benchbook.records import Answer, Call, Chunks, PlannedTrial, Trial, Usage
from benchbook.results import journal
from benchbook.runner.plan import Plan, freeze

ROOT = Path(__file__).resolve().parent.parent
RUN_ID = "20261121T080000Z-000000"
DATASETS = ("coding-tasks.json", "reasoning-tasks.yaml", "summarization-tasks.json")
CHUNKS = 64
QUESTIONS = ("summary", "latency", "chunk_gaps", "stalls", "throughput", "goodput", "stream_rate", "backpressure")
STARTED_NS, WALL_NS = 50_000_000_000, 1_795_248_000_000_000_000
_MS = 1_000_000
_WORDS = [f" w{n:02d}x" for n in range(CHUNKS)]


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds on the wall and of the processor, and the most memory held."""

    wall_s: float
    cpu_s: float
    mib: float


def main() -> int:
    """Make the journal, store it, ask; print a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=100_000, metavar="N")
    parser.add_argument("--bodies", choices=("none", "failures", "all"), default="none", help="store.bodies (none)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the journal and its tables there; take up one")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = asked.keep or Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        plan = _plan(home, asked.trials, asked.bodies)
        results = home / "results"
        if not journal.runs(results):
            _journal(load_plan(plan), results)
        size = sum(path.stat().st_size for path in (results / "journal" / RUN_ID).iterdir())
        print(f"{asked.trials:,} trials of {CHUNKS} chunks, bodies: {asked.bodies}, journal {size / 1e6:,.0f} MB")
        print(f"{'command':<28}{'wall s':>8}{'CPU s':>8}{'MiB':>7}")
        shutil.rmtree(results / "tables", ignore_errors=True)
        stored = _timed("stage store", "stage", "store", "--plan", str(plan), "--results", str(results), "-q")
        print(f"{'':<28}{asked.trials / stored.wall_s:>8,.0f} trials/s")
        _timed("show RUN", "show", RUN_ID, "--results", str(results))
        for question in QUESTIONS:
            _timed(f"history {question}", "history", question, "--run", RUN_ID, "--results", str(results), "--json")
    return 0


def _timed(name: str, *words: str) -> Took:
    """Run a verb and print what it took. Raises RuntimeError where it fails."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen([sys.executable, "-m", "benchbook", *words], stdout=said, stderr=said, cwd=ROOT)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            raise RuntimeError(f"{name}: exit code {child.returncode}: {said.read().decode()[-2_000:]}")
    took = Took(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
    print(f"{name:<28}{took.wall_s:>8.2f}{took.cpu_s:>8.2f}{took.mib:>7.0f}", flush=True)
    return took


# ---------------------------------------------------------------- the journal


def _plan(home: Path, trials: int, bodies: str) -> Path:
    """The plan file of a run of so many trials."""
    prices = ROOT / "datasets" / "prices" / "2026-11.yaml"
    targets = [
        {"name": name, "provider": name, "model": f"sim-{name}", "base_url": "simulator", "price": f"{prices}#{key}"}
        for name, key in (("openai", "openai/sim-openai"), ("anthropic", "anthropic/sim-anthropic"))
    ]
    execute = {"targets": targets, "load": {"kind": "closed", "concurrency": 64}, "warmup": 1}
    document = {
        "validate": {"datasets": [str(ROOT / "datasets" / name) for name in DATASETS]},
        "execute": {**execute, "trials": max(1, trials // 2)},
        "store": {"bodies": bodies},
    }
    path = home / "plan.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def _journal(spec: PlanSpec, results: Path) -> None:
    """A finished run of the plan."""
    plan = freeze(spec, [read(path).dataset for path in files(spec.validate_.datasets)])
    manifest = {
        "run_id": RUN_ID,
        "plan_hash": plan.plan_hash,
        "workload_hash": plan.workload_hash,
        "planned": len(plan.trials),
        "plan": plan.spec.frozen(),
        "offered_per_s": None,
        "started_wall_ns": WALL_NS + STARTED_NS,
    }
    datasets = [{"path": d.path, "sha256": d.sha256, "content": to_dict(d)} for d in plan.datasets]
    journal.create_run(results, RUN_ID, manifest, datasets)
    with journal.JournalWriter(results, RUN_ID, {"wall_offset_ns": WALL_NS}) as writer:
        for trial in _finished(plan):
            writer.append(trial)
        writer.finish(journal.FINISHED, {})


def _finished(plan: Plan) -> Iterator[Trial]:
    """The plan's trials as they might have ended, nearly in order."""
    chance = random.Random(7)
    waiting: list[Trial] = []
    for planned in plan.trials:
        waiting.append(_trial(planned, plan, chance))
        if len(waiting) >= 64:
            yield waiting.pop(chance.randrange(len(waiting)))
    yield from waiting


def _trial(planned: PlannedTrial, plan: Plan, chance: random.Random) -> Trial:
    start = STARTED_NS + planned.position * 400_000
    luck = chance.random()
    calls, answers = [], []
    at = start + chance.randrange(20_000, 90_000)
    if luck < 0.02:
        calls.append(_refused(planned, plan.targets[planned.target].model, start, at))
        answers.append(Answer(calls[0].call_id))
        at = calls[0].closed_ns + 100 * _MS
    call, answer = _answered(planned, plan, (start, at, len(calls) + 1), chance, whole=luck < 0.99)
    calls.append(call)
    answers.append(answer)
    status = "success" if call.error_kind is None else "failure"
    fault = (call.error_kind, call.error_message)
    return Trial(planned, status, start, start + 9_000, call.closed_ns + 2_000, tuple(calls), tuple(answers), *fault)


def _refused(planned: PlannedTrial, model: str, start: int, at: int) -> Call:
    """A 429."""
    return Call(
        call_id=f"{planned.trial_id}-1", attempt=1, model_requested=model, streamed=True, intended_ns=start,
        taken_up_ns=start + 9_000, sent_ns=at, closed_ns=at + 5 * _MS, first_byte_ns=at + 4 * _MS,
        last_byte_ns=at + 5 * _MS, http_status=429, retry_after_s=0.1, error_kind="rate_limited",
        error_message="HTTP 429: rate_limit_error: slow down", request_id=f"req-{planned.trial_id}-1",
    )  # fmt: skip


def _answered(
    planned: PlannedTrial, plan: Plan, stamps: Sequence[int], chance: random.Random, *, whole: bool
) -> tuple[Call, Answer]:
    """A stream, broken off in the middle unless `whole`. stamps: intended, sent, and the number of the attempt."""
    start, sent, attempt = stamps
    count = CHUNKS if whole else CHUNKS // 2
    at, arrivals = sent + chance.randrange(180 * _MS, 260 * _MS), []
    for _ in range(count):
        arrivals.append(at)
        at += chance.randrange(8 * _MS, 12 * _MS)
    words, bodies, model = _WORDS[:count], plan.spec.store.bodies, plan.targets[planned.target].model
    kept = bodies == "all" or (bodies == "failures" and not whole)
    pieces = [_piece(planned.trial_id, word) for word in words] if kept else []
    call = Call(
        call_id=f"{planned.trial_id}-{attempt}", attempt=attempt, model_requested=model, streamed=True,
        intended_ns=start, taken_up_ns=start + 9_000, sent_ns=sent, closed_ns=arrivals[-1] + 90_000,
        first_byte_ns=arrivals[0] - 150_000, last_byte_ns=arrivals[-1] + 40_000,
        chunks=Chunks(tuple(arrivals), tuple(map(len, words)), ("text",) * count),
        backoff_ns=0 if attempt == 1 else 100 * _MS, http_status=200,
        error_kind=None if whole else "truncated",
        error_message=None if whole else "the stream ended without its closing event",
        model_served=f"{model}-2026", system_fingerprint="fp_1", request_id=f"req-{planned.trial_id}-{attempt}",
        finish_reason="stop" if whole else None, usage=Usage(input=24, output=count) if whole else Usage(),
    )  # fmt: skip
    answer = Answer(
        call.call_id,
        "".join(words),
        body=b"".join(pieces),
        piece_at_ns=tuple(arrivals) if kept else (),
        piece_sizes=tuple(map(len, pieces)),
    )
    return call, answer


def _piece(trial_id: str, word: str) -> bytes:
    delta = f'"choices":[{{"index":0,"delta":{{"content":"{word}"}},"logprobs":null,"finish_reason":null}}]'
    return f'data: {{"id":"chatcmpl-{trial_id}","object":"chat.completion.chunk",{delta}}}\n\n'.encode()


if __name__ == "__main__":
    sys.exit(main())
