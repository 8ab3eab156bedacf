"""Cassettes end to end: what is recorded is what is played back, through real sockets, processes, SDKs and plans."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import anthropic
import boto3
import ollama
import openai
import pytest
import yaml
from botocore.config import Config

from benchbook.cli import main
from benchbook.errors import PlanError
from benchbook.proxy.cassette import read_cassette
from benchbook.proxy.process import start_recording, start_replay
from benchbook.proxy.recorder import Order
from benchbook.proxy.replayer import MAX, How
from benchbook.records import Trial
from benchbook.results import journal
from benchbook.runner.taping import from_run
from benchbook.simulator import start_process
from benchbook.stages import Job
from benchbook.stages.execute import execute
from tests.documented import ROOT
from tests.end_to_end.terminal import Cli, refused
from tests.piping import pipe

KEY = "sk-not-on-any-cassette-0123456789"
HELLO = "Grüezi, how are you today?"
EVERY = ("openai", "anthropic", "bedrock", "ollama")


# ---------------------------------------------------------------- SDKs


def by_openai(address: str) -> str:
    with openai.OpenAI(base_url=f"{address}/v1", api_key=KEY, max_retries=0) as client:
        messages: Any = [{"role": "user", "content": HELLO}]
        stream = client.chat.completions.create(model="m", messages=messages, stream=True)
        return "".join(part.choices[0].delta.content or "" for part in stream if part.choices)


def by_anthropic(address: str) -> str:
    with anthropic.Anthropic(base_url=address, api_key=KEY, max_retries=0) as client:
        messages: Any = [{"role": "user", "content": HELLO}]
        with client.messages.stream(model="m", max_tokens=64, messages=messages) as stream:
            return "".join(stream.text_stream)


def by_ollama(address: str) -> str:
    client = ollama.Client(host=address, headers={"authorization": f"Bearer {KEY}"})
    try:
        return "".join(part.message.content or "" for part in client.chat("m", _messages(), stream=True))
    finally:
        client._client.close()


def by_boto3(address: str) -> str:
    keys = {"aws_access_key_id": "AKIATHECLIENTSDUMMY0", "aws_secret_access_key": KEY, "aws_session_token": KEY}
    config = Config(retries={"total_max_attempts": 1})
    client = boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url=address, config=config, **keys)
    try:
        events = client.converse_stream(
            modelId="anthropic.m-v1:0", messages=[{"role": "user", "content": [{"text": HELLO}]}]
        )["stream"]
        return "".join(event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event)
    finally:
        client.close()


def _messages() -> list[dict[str, str]]:
    return [{"role": "user", "content": HELLO}]


def test_sdks_hear_from_the_cassette_what_they_heard_from_the_provider(tmp_path: Path) -> None:
    path = tmp_path / "tape.ndjson"
    sdks: tuple[Callable[[str], str], ...] = (by_openai, by_anthropic, by_ollama, by_boto3)
    with start_process() as simulator, start_recording(Order(path, {"simulator": simulator})) as addresses:
        assert [sdk(addresses["simulator"]) for sdk in sdks] == [HELLO] * 4
    written = path.read_text()
    assert KEY not in written
    assert "AKIA" not in written
    assert [kept.number for kept in read_cassette(path).exchanges] == [1, 2, 3, 4]
    with start_replay(str(path), How(MAX)) as serving:
        assert [sdk(serving.address) for sdk in sdks] == [HELLO] * 4
        with pytest.raises(openai.NotFoundError, match="the cassette has no POST /v1/embeddings"):
            openai.OpenAI(base_url=f"{serving.address}/v1", api_key=KEY, max_retries=0).embeddings.create(
                model="m", input="x"
            )


def test_a_killed_recorder_keeps_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "tape.ndjson"
    asked = {"cassette": str(path), "ignore": [], "host": "127.0.0.1", "port": 0, "append": False}
    with start_process() as simulator:
        command = [sys.executable, "-m", "benchbook.proxy", "record", json.dumps({**asked, "to": {"s": simulator}})]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as recorder:
            assert recorder.stdout is not None
            address = json.loads(recorder.stdout.readline())["addresses"]["s"]
            assert (by_openai(address), by_ollama(address)) == (HELLO, HELLO)
            recorder.kill()
    found = read_cassette(path)
    assert len(found.exchanges) >= 1  # the last one's line may have been under way
    assert found.damaged == ()


# ---------------------------------------------------------------- plans


@pytest.fixture(scope="module")
def taped(make_bench: Any, shared: Any) -> Any:
    """A plan of four targets, one of which is rate-limited once and reset once in mid-stream, run through a
    recorder by `record --plan`; `tape.ndjson` beside it."""
    bench = make_bench(Path(), EVERY, cases=3, law={"ttft_ms": 3, "token_ms": 1})
    bench.faults = [
        {"kind": "rate_limited", "match": "sim-openai", "script": [2], "retry_after_s": 0.01},
        {"kind": "reset", "match": "sim-openai", "script": [4], "after_chunks": 1},
    ]
    bench.execute = {"load": {"kind": "closed", "concurrency": 1}}

    def measure(bench: Any) -> None:
        plan = bench.write()
        words = ["record", "--plan", str(plan), "--cassette", str(bench.folder / "tape.ndjson"), "-q"]
        with pytest.raises(SystemExit) as ended:
            main([*words, "--results", str(bench.results)])
        assert ended.value.code == 0

    return shared(bench, "taped", measure)


def replayed(bench: Any, folder: Path, **replay: Any) -> Job:
    """The bench's plan with the cassette in the simulator's place."""
    document = yaml.safe_load(bench.plan.read_text())
    for target in document["execute"]["targets"]:
        target["base_url"] = f"cassette:{bench.folder / 'tape.ndjson'}"
    document["execute"]["replay"] = replay
    (folder / "replay.yaml").write_text(yaml.safe_dump(document))
    return Job(plan=str(folder / "replay.yaml"), results=str(folder / "results"))


def told(trial: Trial) -> tuple[Any, ...]:
    """What of a trial does not depend on when it happened."""
    calls = [
        (call.error_kind, call.http_status, len(call.chunks), call.usage, call.retry_after_s) for call in trial.calls
    ]
    return trial.status, calls, [answer.text for answer in trial.answers], [a.body for a in trial.answers]


def by_id(results: Path, run_id: str) -> dict[str, tuple[Any, ...]]:
    return {trial.planned.trial_id: told(trial) for trial in journal.read_run(results, run_id).trials()}


@pytest.mark.parametrize("speed", [1, "max"])
def test_a_plan_is_answered_from_its_cassette(taped: Any, tmp_path: Path, speed: Any) -> None:
    executed = execute(replayed(taped, tmp_path, speed=speed))
    (recorded_run,) = taped.run_ids()
    once, again = by_id(taped.results, recorded_run), by_id(tmp_path / "results", executed.run_id)
    assert again == once
    attempts = [call[0] for _, calls, _, _ in again.values() for call in calls if call[0]]
    assert sorted(attempts) == ["rate_limited", "reset"]
    assert "exchanges with the simulator" in executed.notes[0]


def test_a_cassette_is_part_of_the_plans_hash(taped: Any, tmp_path: Path) -> None:
    job = replace(replayed(taped, tmp_path, speed="max"), again=False)
    first = execute(job)
    assert execute(job).run_id == first.run_id
    tape = tmp_path / "tape.ndjson"
    tape.write_bytes((taped.folder / "tape.ndjson").read_bytes())
    moved = [f"execute.targets.{n}.base_url=cassette:{tape}" for n in range(4)]
    second = execute(replace(job, overrides=tuple(moved)))
    assert second.measured
    lines = tape.read_bytes().splitlines(keepends=True)
    tape.write_bytes(b"".join(lines[:-1]))
    assert execute(replace(job, overrides=tuple(moved))).run_id not in (first.run_id, second.run_id)


def test_a_cassette_that_is_not_there_is_refused(taped: Any, tmp_path: Path) -> None:
    job = replace(replayed(taped, tmp_path), overrides=("execute.targets.0.base_url=cassette:gone.ndjson",))
    with pytest.raises(PlanError, match=r"no cassette gone.ndjson; `benchbook record` makes one"):
        execute(job)


def test_a_stored_run_makes_a_cassette(taped: Any, tmp_path: Path) -> None:
    (run_id,) = taped.run_ids()
    tape = tmp_path / "from.ndjson"
    made = from_run(journal.read_run(taped.results, run_id), tape)
    calls = sum(len(trial.calls) for trial in taped.trials())
    assert (made.exchanges, dict(made.left_out)) == (calls, {})
    overrides = tuple(f"execute.targets.{n}.base_url=cassette:{tape}" for n in range(4))
    executed = execute(replace(replayed(taped, tmp_path, speed="max"), overrides=overrides))
    once, again = by_id(taped.results, run_id), by_id(tmp_path / "results", executed.run_id)
    assert sorted(map(repr, again.values())) == sorted(map(repr, once.values()))


def test_the_ready_plan_runs_from_its_cassette(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    job = Job(plan="plans/replay.yaml", results=str(tmp_path), overrides=("execute.replay.speed=max",))
    executed = pipe(job)
    assert {trial.status for trial in journal.read_run(tmp_path, executed.run_id).trials()} == {"success"}
    assert all("simulator" in kept.to for kept in read_cassette("datasets/cassettes/hello.ndjson").exchanges)


# ---------------------------------------------------------------- verbs


class Serving:
    """A verb that serves until it is interrupted."""

    def __init__(self, *words: str) -> None:
        command = [sys.executable, "-m", "benchbook", *words]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        self.announced = self._process.stderr.readline()
        self.address = re.findall(r"http://127\.0\.0\.1:\d+", self.announced)[0]

    def interrupted(self) -> tuple[int, str]:
        """Ctrl-C: the exit code, and what was said after the first line."""
        os.kill(self._process.pid, signal.SIGINT)
        out, err = self._process.communicate(timeout=120)
        return self._process.returncode, out + err


@pytest.fixture(scope="module")
def simulator() -> Iterator[str]:
    with start_process() as address:
        yield address


def test_ctrl_c_ends_a_recording_and_says_what_comes_next(simulator: str, tmp_path: Path) -> None:
    path = str(tmp_path / "mine.ndjson")
    recording = Serving("record", "--to", simulator, "--cassette", path, "--port", "0")
    assert by_openai(recording.address) == HELLO
    code, said = recording.interrupted()
    assert code == 0
    assert "POST /v1/chat/completions  200" in said
    assert f"1 exchanges recorded in {path}\nnext     benchbook replay {path}\n" in said
    replaying = Serving("replay", path, "--port", "0", "--speed", "max")
    assert f" replays 1 exchanges with {simulator}" in replaying.announced
    assert by_openai(replaying.address) == HELLO
    with pytest.raises(anthropic.NotFoundError):
        by_anthropic(replaying.address)
    code, said = replaying.interrupted()
    assert code == 0
    assert "1 answers served, 1 requests were not on the cassette" in said


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("record",), "exactly one of --to URL, --plan FILE and --from RUN"),
        (("record", "--to", "http://x", "--from", "latest"), "exactly one of"),
        (("record", "--to", "api.example.com"), "is no address"),
        (("record", "--to", "http://127.0.0.1:1", "--cassette", "{tape}"), "is there already"),
        (("record", "--plan", "plans/replay.yaml"), "is a cassette already"),
        (("replay", "gone.ndjson"), "no cassette can be read there"),
        (("replay", "{tape}", "--speed", "fast"), "'fast' is no speed; 1x, max, or a number above 0"),
        (("replay", "params.yaml"), "is no cassette"),
    ],
)
def test_bad_input_is_one_line(words: tuple[str, ...], why: str, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    monkeypatch.chdir(ROOT)
    tape = "datasets/cassettes/hello.ndjson"
    refused(cli(*(word.format(tape=tape) for word in words)), why)


def test_record_from_a_run_says_what_a_journal_lacks(taped: Any, tmp_path: Path, cli: Cli) -> None:
    said = cli("record", "--from", "latest", "--results", taped.results, "--cassette", tmp_path / "t")
    assert said.code == 0
    assert "exchanges recorded in" in said.out
    assert "a journal has no header fields" in said.err


def test_a_target_on_the_command_line_can_be_a_cassette(monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    monkeypatch.chdir(ROOT)
    address = "cassette:datasets/cassettes/hello.ndjson"
    words = ["models", "--json", "--target", f"ollama:sim-llama@{address}", "--target", f"ollama:gone@{address}"]
    done = cli(*words, "--dataset", "datasets/hello/hello.json")
    assert done.code == 0
    assert [(row["address"], row["available"], row["note"]) for row in done.json] == [
        (address, True, "from a cassette"),
        (address, False, "from a cassette"),
    ]
