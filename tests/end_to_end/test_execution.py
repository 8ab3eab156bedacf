"""Runs against the simulator over sockets: counts, wires, loads, interrupts, kills and resumes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

from benchbook.errors import BenchbookError, BusyError, PlanError, UserError
from benchbook.records import Trial
from benchbook.results import journal
from benchbook.stages.execute import execute, execute_apart, measuring_process

SLOW = {"ttft_ms": 60, "token_ms": 4}


def start(bench: Any, *words: str) -> subprocess.Popen[bytes]:
    """`benchbook stage execute` as a process of its own."""
    command = [
        sys.executable,
        "-m",
        "benchbook",
        "stage",
        "execute",
        "--plan",
        str(bench.write()),
        "--results",
        str(bench.results),
    ]
    return subprocess.Popen([*command, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_for_records(bench: Any, count: int, process: subprocess.Popen[bytes]) -> None:
    """Until the journal holds that many lines, or the process ends."""
    for _ in range(1500):
        lines = sum(path.read_bytes().count(b"\n") for path in bench.results.glob("journal/*/segment-*.ndjson"))
        if lines >= count or process.poll() is not None:
            return
        time.sleep(0.01)


def test_a_run_without_agents_loads_neither_strands_nor_the_official_clients(bench: Any) -> None:
    bench.targets, bench.execute = ("openai", "anthropic", "bedrock", "ollama"), {"repetitions": 1, "warmup": 0}
    code = f"""
import sys
from benchbook.stages import Job
from benchbook.stages.execute import execute
assert execute(Job(plan={str(bench.write())!r}, results={str(bench.results)!r})).progress["succeeded"] == 16
loaded = {{"strands", "openai", "anthropic", "ollama", "prefect", "pandas"}} & set(sys.modules)
assert not loaded, loaded
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("stream", [True, False])
def test_n_repetitions_give_n_measured_rows_on_every_wire(bench: Any, *, stream: bool) -> None:
    bench.targets = ("openai", "anthropic", "bedrock", "ollama")
    bench.execute = {"stream": stream, "repetitions": 3}
    done = execute(bench.job())
    trials = bench.trials()
    assert (done.status, done.progress["succeeded"]) == ("finished", 4 * 4 * 4)
    counted = Counter((t.planned.target, t.planned.test_id, t.planned.phase) for t in trials)
    assert set(counted.values()) == {3, 1}
    assert all(counted[key] == (3 if key[2] == "measured" else 1) for key in counted)
    for trial in trials:
        call = trial.calls[0]
        assert trial.answers[0].text == f"Say word {trial.planned.test_id[1:]} and nothing else."
        assert bool(call.chunks) is stream
        assert call.usage.output is not None
        _stamps_rise(trial)


def _stamps_rise(trial: Trial) -> None:
    for call in trial.calls:
        stamps = [call.intended_ns, call.taken_up_ns, call.sent_ns, call.first_byte_ns]
        stamps += [chunk.at_ns for chunk in call.chunks]
        known = [stamp for stamp in (*stamps, call.last_byte_ns, call.closed_ns) if stamp is not None]
        assert known == sorted(known)


def test_invoke_model_bodies_of_claude_and_nova(bench: Any) -> None:
    targets = [
        {
            "name": f"{family}-{stream}",
            "provider": "bedrock",
            "wire": "bedrock_invoke",
            "model": model,
            "base_url": "simulator",
            "region": "us-east-1",
            "stream": stream,
        }
        for family, model in (("claude", "anthropic.sim-claude-v1:0"), ("nova", "amazon.nova-sim-v1:0"))
        for stream in (True, False)
    ]
    bench.execute = {"targets": targets, "repetitions": 1, "warmup": 0}
    assert execute(bench.job()).progress["succeeded"] == 4 * 4
    assert {trial.calls[0].streamed for trial in bench.trials()} == {True, False}


def test_every_attempt_is_a_row_and_backoff_is_seen(bench: Any) -> None:
    bench.faults = [{"kind": "rate_limited", "every": 2, "retry_after_s": 0.05}]
    execute(bench.job())
    retried = [trial for trial in bench.trials() if len(trial.calls) > 1]
    assert retried
    for trial in retried:
        first, second = trial.calls[:2]
        assert (first.http_status, first.error_kind, first.retry_after_s) == (429, "rate_limited", 0.05)
        assert (first.attempt, second.attempt) == (1, 2)
        assert second.backoff_ns >= 50_000_000
        assert second.sent_ns is not None
        assert second.sent_ns >= first.closed_ns + second.backoff_ns


def test_a_closed_loop_keeps_to_its_slots(bench: Any) -> None:
    bench.law, bench.cases = {"ttft_ms": 20}, 6
    bench.execute = {"load": {"kind": "closed", "concurrency": 3}, "repetitions": 4}
    execute(bench.job())
    edges = sorted([(t.started_ns, 1) for t in bench.trials()] + [(t.calls[-1].closed_ns, -1) for t in bench.trials()])
    in_flight, most = 0, 0
    for _, step in edges:
        in_flight += step
        most = max(most, in_flight)
    assert most == 3


def test_an_open_loop_starts_on_its_schedule_whatever_is_in_flight(bench: Any) -> None:
    bench.law = {"ttft_ms": 300}
    bench.execute = {"load": {"kind": "constant", "rate": 100}, "repetitions": 2, "warmup": 1}
    execute(bench.job())
    trials = sorted(bench.trials(), key=lambda trial: trial.intended_ns)
    gaps = {later.intended_ns - earlier.intended_ns for earlier, later in pairwise(trials)}
    assert gaps == {10_000_000}
    assert all(trial.started_ns >= trial.intended_ns for trial in trials)
    assert trials[-1].started_ns < trials[0].ended_ns  # none waited for the first answer


def test_a_slot_pauses_between_its_trials(bench: Any) -> None:
    bench.execute = {"delay_s": 0.03, "load": {"kind": "closed", "concurrency": 1}, "repetitions": 1, "warmup": 0}
    execute(bench.job())
    trials = sorted(bench.trials(), key=lambda trial: trial.started_ns)
    for earlier, later in pairwise(trials):
        assert later.started_ns - earlier.calls[-1].closed_ns >= 30_000_000


def test_a_trial_that_takes_too_long_times_out_and_the_run_goes_on(bench: Any) -> None:
    bench.faults = [{"kind": "stall", "script": [2], "for_s": 30}]
    bench.execute = {"timeout_s": 0.5, "load": {"kind": "closed", "concurrency": 1}}
    done = execute(bench.job())
    assert done.status == "finished"
    assert bench.statuses() == {"timeout": 1, "success": 11}
    late = next(trial for trial in bench.trials() if trial.status == "timeout")
    assert (late.error_kind, len(late.calls)) == ("timeout", 1)


def test_a_model_that_is_not_offered_is_skipped_with_the_reason(bench: Any) -> None:
    bench.write()
    document = {"execute.targets.0.model": "no-such-model"}
    overrides = tuple(f"{key}={value}" for key, value in document.items())
    profile = bench.folder / "profile.yaml"
    job = bench.job(overrides=overrides)
    profile.write_text(profile.read_text() + "models: {sim-openai: {}}\n")
    done = execute(job)
    assert done.progress["skipped"] == 12
    assert "does not offer no-such-model" in done.notes[0]
    assert {(t.status, t.calls) for t in bench.trials()} == {("skipped", ())}


def test_a_budget_stops_a_run_cleanly(bench: Any) -> None:
    (bench.folder).mkdir(parents=True)
    prices = bench.folder / "prices.yaml"
    prices.write_text('date: "2026-11-21"\nprices:\n  sim: {input: 1000000, output: 1000000}\n')
    bench.law, bench.execute = {"ttft_ms": 20}, {"load": {"kind": "closed", "concurrency": 1}}
    done = execute(bench.job(overrides=(f"execute.targets.0.price={prices}#sim",), budget_usd=20.0))
    assert done.status == "budget"
    assert 0 < done.progress["done"] < 12
    assert done.progress["spent_usd"] >= 20
    assert journal.read_run(bench.results, done.run_id).status == "budget"


def test_kill_9_loses_only_what_is_in_flight_and_resume_finishes_the_rest(bench: Any) -> None:
    bench.law, bench.execute = SLOW, {"repetitions": 10, "load": {"kind": "closed", "concurrency": 2}}
    process = start(bench)
    wait_for_records(bench, 5, process)
    process.kill()
    process.communicate()
    before = bench.trials()
    assert 5 <= len(before) < 44
    assert journal.read_run(bench.results, bench.run_ids()[0]).status == "crashed"
    done = execute(bench.job(resume="latest"))
    after = bench.trials()
    assert (done.status, len(after)) == ("finished", 44)
    assert [t.planned.trial_id for t in after[: len(before)]] == [t.planned.trial_id for t in before]
    assert len({t.planned.trial_id for t in after}) == 44
    assert after[: len(before)] == before


def test_a_torn_last_line_is_forgiven_and_measured_again(bench: Any) -> None:
    execute(bench.job())
    run = bench.results / "journal" / bench.run_ids()[0]
    segment = run / "segment-000.ndjson"
    lines = segment.read_bytes().splitlines(keepends=True)
    trials = [line for line in lines if b'"trial":' in line]
    segment.write_bytes(b"".join(trials)[:-40])
    (run / "segment-000.end.json").unlink()
    assert len(bench.trials()) == 11
    done = execute(bench.job(resume="latest"))
    assert (done.status, len(bench.trials())) == ("finished", 12)


def test_ctrl_c_drains_stores_and_exits_130(bench: Any) -> None:
    bench.law, bench.execute = SLOW, {"repetitions": 10, "load": {"kind": "closed", "concurrency": 2}}
    process = start(bench)
    wait_for_records(bench, 3, process)
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
    run = journal.read_run(bench.results, bench.run_ids()[0])
    assert run.status == "interrupted"
    assert {trial.status for trial in run.trials()} == {"success"}


def test_the_engine_goes_down_with_its_parent(bench: Any) -> None:
    bench.law, bench.execute = SLOW, {"repetitions": 500}
    job = f"Job(plan={str(bench.write())!r}, results={str(bench.results)!r})"
    code = "from benchbook.stages import Job; from benchbook.stages.execute import execute_apart; "
    code += f"execute_apart({job})"
    parent = subprocess.Popen([sys.executable, "-c", code])
    wait_for_records(bench, 2, parent)
    engine = int((bench.results / ".lock").read_text())
    parent.kill()
    parent.wait()
    for _ in range(1000):
        if not _alive(engine) and _free(bench.results):
            return
        time.sleep(0.01)
    pytest.fail("the engine outlives its parent")


def _free(results: Path) -> bool:
    try:
        with journal.lock(results):
            return True
    except BusyError:
        return False


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_apart_is_the_same_measurement_with_progress(bench: Any) -> None:
    seen: list[dict[str, Any]] = []
    done = execute_apart(bench.job(), lambda fields: seen.append(dict(fields)))
    assert (done.status, done.measured, done.progress["succeeded"]) == ("finished", True, 12)
    assert seen[-1]["done"] == seen[-1]["planned"] == 12


def test_an_engine_that_was_begun_takes_the_job_when_it_comes(bench: Any) -> None:
    with measuring_process() as begun:
        job = bench.job()
        assert execute_apart(job, begun=begun).progress["succeeded"] == 12
    assert begun.returncode == 0


def test_an_engine_without_a_job_says_nothing_and_ends(bench: Any) -> None:
    with measuring_process() as begun:
        assert begun.stdin is not None
        assert begun.stdout is not None
        begun.stdin.close()
        assert begun.stdout.read() == b""
        assert begun.wait() == 0
    with pytest.raises(KeyboardInterrupt), measuring_process() as begun:
        raise KeyboardInterrupt
    assert begun.poll() is not None
    assert bench.run_ids() == []


def test_an_engine_that_died_before_its_job_is_told(bench: Any) -> None:
    with measuring_process() as begun:
        begun.kill()
        begun.wait()
        with pytest.raises(BenchbookError, match="ended with code -9"):
            execute_apart(bench.job(), begun=begun)


def test_errors_of_the_engine_come_back_as_themselves(bench: Any) -> None:
    with (
        journal.lock(bench.results),
        pytest.raises(BusyError, match="at work"),
    ):
        execute_apart(bench.job())


def test_a_plan_is_measured_once_unless_asked_again(bench: Any) -> None:
    first = execute(bench.job(again=False))
    second = execute(bench.job(again=False))
    assert (first.measured, second.measured, second.run_id) == (True, False, first.run_id)
    third = execute(bench.job(again=True))
    assert third.run_id != first.run_id
    changed = execute(bench.job(again=False, overrides=("execute.repetitions=1",)))
    assert changed.measured
    assert execute(bench.job(again=False)).run_id == third.run_id


def test_nothing_is_written_for_an_address_that_does_not_answer(bench: Any) -> None:
    job = bench.job(overrides=("execute.targets.0.base_url=http://127.0.0.1:9/v1",))
    with pytest.raises(PlanError, match=r"unreachable: 127\.0\.0\.1:9"):
        execute(job)
    assert bench.run_ids() == []


def test_an_outage_is_a_result_where_the_caller_says_so(bench: Any) -> None:
    done = execute(bench.job(overrides=("execute.targets.0.base_url=http://127.0.0.1:9/v1",), preflight=False))
    assert (done.progress["failed"], done.progress["succeeded"]) == (12, 0)
    assert {trial.error_kind for trial in bench.trials()} == {"refused"}


def test_a_missing_key_is_named_and_never_shown(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    job = bench.job(overrides=("execute.targets.0.base_url=null",))
    with pytest.raises(UserError, match="OPENAI_API_KEY"):
        execute(job)
    assert bench.run_ids() == []


def test_a_key_is_written_nowhere(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "sk-very-secret-0123456789"
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, secret)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    bench.targets = ("openai", "anthropic", "bedrock")
    bench.faults = [{"kind": "server_error", "every": 3}]
    execute(bench.job())
    for path in bench.results.rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes()


def test_journal_lines_are_counted_in_the_end_record(bench: Any) -> None:
    done = execute(bench.job())
    run = journal.read_run(bench.results, done.run_id)
    assert run.segments[0].end is not None
    assert run.segments[0].end["counts"]["done"] == 12
    assert orjson.loads((run.folder / "segment-000.ndjson").read_bytes().splitlines()[0])["trial"]
