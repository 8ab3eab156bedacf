"""A loaded client and a clock that is set must turn the verdict, through the real journal and the real store.

Nothing is timed: a clock whose hands the test moves stands at the clock port, and one scripted provider answers each
call after exactly 50 ms. What differs between the runs is the client alone.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from benchbook.datasets import files, read, to_dict
from benchbook.records import Answer, Call, PlannedTrial, Trial, Usage
from benchbook.results import journal
from benchbook.results.store import read_table
from benchbook.runner.harness.host import Reading
from benchbook.runner.harness.monitor import Monitor
from benchbook.runner.plan import Plan, freeze
from benchbook.stages.store import store
from tests.conftest import Bench

MS = 1_000_000
GAP_NS, ANSWER_NS = 100 * MS, 50 * MS
BOOTED_NS = 1_795_262_400_000_000_000


@dataclass
class Hands:
    """The clock port: monotonic time moves as it is told, wall time is an offset away from it."""

    now_ns: int = 77_000_000_000
    offset_ns: int = BOOTED_NS

    def monotonic_ns(self) -> int:
        return self.now_ns

    def wall_ns(self) -> int:
        return self.now_ns + self.offset_ns


@dataclass
class Busy:
    """A host whose measuring thread is ready and waits for this share of the time."""

    clock: Hands
    waiting: float

    def read(self) -> Reading:
        return Reading(self.clock.now_ns // 10, round(self.clock.now_ns * self.waiting), 0.0, 0, self.clock.now_ns)

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Client:
    """One run: every trial is taken up `lag_ms` late, and so is every appointment; the clock is set at `step_at`."""

    bench: Bench
    lag_ms: float = 0.0
    waiting: float = 0.0
    step_ns: int = 0
    step_at: int = 100
    clock: Hands = field(default_factory=Hands)

    def run(self) -> dict[str, Any]:
        """Journal the run, store it, and give the row of `runs`."""
        self.bench.execute |= {"load": {"kind": "constant", "rate": 10}, "repetitions": 80, "warmup": 0}
        self.bench.sections = {"store": {"verdict": {}}}
        job = self.bench.job()
        spec = job.spec()
        plan = freeze(spec, [read(path).dataset for path in files(spec.validate_.datasets)])
        run_id = self._journal(plan)
        store(job, run_id)
        self.run_id = run_id
        return self.table("runs")[0]

    def table(self, name: str) -> list[dict[str, Any]]:
        rows, damaged = read_table(self.bench.results, name, [self.run_id])
        assert not damaged
        return rows.to_pylist()

    def _journal(self, plan: Plan) -> str:
        results = self.bench.results
        run_id = journal.mint_run_id(self.clock, random.Random(self.clock.offset_ns + round(self.lag_ms)))
        manifest = {
            "run_id": run_id,
            "plan_hash": plan.plan_hash,
            "workload_hash": plan.workload_hash,
            "planned": len(plan.trials),
            "plan": plan.spec.frozen(),
            "offered_per_s": plan.load.rate_per_s,
            "started_wall_ns": self.clock.wall_ns(),
        }
        datasets = [{"path": d.path, "sha256": d.sha256, "content": to_dict(d)} for d in plan.datasets]
        journal.create_run(results, run_id, manifest, datasets)
        facts = {"wall_offset_ns": self.clock.offset_ns}
        with journal.JournalWriter(results, run_id, facts, self.clock) as writer:
            monitor = Monitor(writer.note, lambda: 1, self.clock, Busy(self.clock, self.waiting))
            for trial in self._trials(plan, monitor):
                writer.append(trial)
            monitor.note()
            writer.finish("finished", {})
        return run_id

    def _trials(self, plan: Plan, monitor: Monitor) -> Iterator[Trial]:
        start_ns = self.clock.now_ns
        for number, planned in enumerate(plan.trials):
            if number == self.step_at:
                self.clock.offset_ns += self.step_ns
            intended_ns = start_ns + number * GAP_NS
            yield answered(planned, intended_ns, intended_ns + round(self.lag_ms * MS))
            while self.clock.now_ns < intended_ns + GAP_NS:
                self.clock.now_ns = monitor.due_ns + round(self.lag_ms * MS)
                monitor.beat()


def answered(planned: PlannedTrial, intended_ns: int, taken_up_ns: int) -> Trial:
    """The provider's part is the same whenever it is asked."""
    end_ns = taken_up_ns + ANSWER_NS
    call = Call(
        call_id=f"{planned.trial_id}-1",
        attempt=1,
        model_requested="sim-openai",
        streamed=False,
        intended_ns=intended_ns,
        taken_up_ns=taken_up_ns,
        sent_ns=taken_up_ns,
        closed_ns=end_ns,
        first_byte_ns=end_ns,
        last_byte_ns=end_ns,
        http_status=200,
        model_served="sim-openai",
        finish_reason="stop",
        usage=Usage(input=8, output=4),
    )
    return Trial(planned, "success", intended_ns, taken_up_ns, end_ns, (call,), (Answer(call.call_id, "word 1"),))


def codes(run: dict[str, Any]) -> dict[str, str]:
    return {reason["code"]: reason["severity"] for reason in run["reason_codes"]}


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(Bench(tmp_path / "bench"))


def test_an_idle_client_is_valid(client: Client) -> None:
    run = client.run()
    assert (run["verdict"], run["reasons"], run["reason_codes"]) == ("VALID", [], [])
    assert run["schedule_lag_p99_ms"] == 0
    assert run["harness_seconds"] == pytest.approx(320 * GAP_NS / 1e9, rel=0.01)


@pytest.mark.parametrize(("lag_ms", "word"), [(30.0, "DEGRADED"), (150.0, "INVALID")])
def test_lag_of_the_client_turns_the_verdict_and_not_just_the_numbers(client: Client, lag_ms: float, word: str) -> None:
    client.lag_ms = lag_ms
    run = client.run()
    assert run["verdict"] == word
    assert codes(run) == {"loop_lag": word, "schedule_lag": word}
    assert run["schedule_lag_p99_ms"] == pytest.approx(lag_ms)
    assert run["harness_loop_lag_p99_ms"] == pytest.approx(lag_ms, rel=0.05)
    assert {trial["e2e_ms"] for trial in client.table("trials")} == {50.0}, "the provider's numbers stay what they are"
    assert {trial["response_ms"] for trial in client.table("trials")} == {50.0 + lag_ms}
    assert any(f"{lag_ms:.1f} ms late at p99" in reason for reason in run["reasons"])


def test_waiting_for_a_core_turns_the_verdict_alone(client: Client) -> None:
    client.waiting = 0.3
    run = client.run()
    assert (run["verdict"], codes(run)) == ("DEGRADED", {"run_delay": "DEGRADED"})
    assert run["reasons"] == ["the measuring thread waited for a core 30.0% of the time, at most 10% may be"]


@pytest.mark.parametrize("hours", [-1, 5])
def test_a_clock_that_is_set_is_a_reason_and_no_duration(client: Client, tmp_path: Path, hours: int) -> None:
    client.step_ns = hours * 3_600_000 * MS
    run = client.run()
    assert (run["verdict"], codes(run)) == ("DEGRADED", {"clock_stepped": "DEGRADED"})
    assert run["harness_clock_step_ms"] == pytest.approx(hours * 3_600_000)
    still = Client(Bench(tmp_path / "still"))
    unmoved = still.run()
    durations = ("wall_ms", "e2e_ms", "response_ms", "schedule_lag_ms", "ttfb_ms", "model_ms")
    assert [[trial[name] for name in durations] for trial in client.table("trials")] == [
        [trial[name] for name in durations] for trial in still.table("trials")
    ]
    assert run["wall_s"] == unmoved["wall_s"]
    assert run["achieved_per_s"] == unmoved["achieved_per_s"]


def test_a_killed_client_leaves_what_it_saw(client: Client) -> None:
    """The events are in the journal as they happen: no last word is needed for the verdict."""
    client.lag_ms = 150.0
    client.run()
    folder = client.bench.results / "journal" / client.run_id
    (folder / "segment-000.end.json").unlink()
    store(client.bench.job(), client.run_id)
    run = client.table("runs")[0]
    assert (run["status"], codes(run)["loop_lag"]) == ("crashed", "INVALID")
