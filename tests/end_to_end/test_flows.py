"""The flow through the command line: without a server, with one, interrupted, with bad input, by a deployment.

One story in one Prefect home, so that a server is started as seldom as can be; each part is a subtest.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import orjson
import psutil
import pytest
from prefect import flow
from prefect.runtime import flow_run

from benchbook.records import ApprovalRequest
from benchbook.results.approvals import approvals_folder
from benchbook.stages import Job
from benchbook.workloads.approvers import approver
from flows.approvals import Decided, approvals_bridged
from flows.run import _all_told
from flows.server import some_server, talking_to
from tasks.live import Watcher, watched_by
from tests.worlds import QUIET

LONG_S = 180
PLENTY = {"repetitions": 400, "warmup": 0, "load": {"kind": "closed", "concurrency": 1}, "delay_s": 0.25}


class Cli:
    """`benchbook` on a bench, in a Prefect home of its own."""

    def __init__(self, bench: Any, home: Path, **environment: str) -> None:
        self.bench = bench
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        self.environment = {**kept, **QUIET, "PREFECT_HOME": str(home), **environment}

    def start(self, *words: str) -> subprocess.Popen[str]:
        plan = str(self.bench.write())
        return subprocess.Popen(
            [sys.executable, "-m", "benchbook", "run", "--plan", plan, "--results", str(self.bench.results), *words],
            cwd=self.bench.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str) -> tuple[int, str, str]:
        process = self.start(*words)
        out, complaints = process.communicate(timeout=LONG_S)
        return process.returncode, out, complaints


class Server:
    """What a Prefect server knows, asked over its API."""

    def __init__(self, api: str) -> None:
        self.api = api

    def rows(self, kind: str, **query: Any) -> list[dict[str, Any]]:
        answer = httpx.post(f"{self.api}/{kind}/filter", json={"limit": 50, **query}, timeout=30)
        rows: list[dict[str, Any]] = answer.raise_for_status().json()
        return rows

    def newest(self) -> dict[str, Any]:
        return self.rows("flow_runs", sort="START_TIME_DESC")[0]

    def tasks(self, run: dict[str, Any]) -> dict[str, str]:
        """Task -> state of a flow run's tasks."""
        rows = self.rows("task_runs", flow_runs={"id": {"any_": [run["id"]]}}, sort="EXPECTED_START_TIME_ASC")
        return {row["name"].split("-")[0]: row["state_name"] for row in rows}

    def artifacts(self, run: dict[str, Any]) -> dict[str, Any]:
        rows = self.rows("artifacts", flow_runs={"id": {"any_": [run["id"]]}})
        return {row["key"]: row["data"] for row in rows if row["key"]}

    def logged(self, run: dict[str, Any]) -> str:
        rows = self.rows("logs", logs={"flow_run_id": {"any_": [run["id"]]}})
        return "\n".join(row["message"] for row in rows)


ALL_COMPLETED = dict.fromkeys(["validate", "execute", "store", "aggregate", "report"], "Completed")


def until(truth: Callable[[], Any], what: str) -> Any:
    """Wait for something that will come; the limit only keeps a broken test from waiting for ever."""
    for _ in range(LONG_S * 5):
        if found := truth():
            return found
        time.sleep(0.2)
    pytest.fail(f"never happened: {what}")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # sockets that Prefect's client leaves
def test_the_flow(bench: Any, tmp_path: Path, subtests: pytest.Subtests) -> None:
    home = tmp_path / "prefect"
    with subtests.test("without a server one of its own is started, once, and said"):
        alone(Cli(bench, home, HTTP_PROXY="http://127.0.0.1:9"))
    os.environ["PREFECT_HOME"] = str(home)
    try:
        with some_server(lambda _line: None, pages=True) as address:
            server = Server(address())
            cli = Cli(bench, home, PREFECT_API_URL=server.api)
            with subtests.test("the next server knows that run, with its stages, table and progress"):
                shown(server, bench)
            with subtests.test("a user's error is one line and exit code 2; the server has the rest"):
                refused(server, cli)
            with subtests.test("Ctrl-C ends the measurement and not the flow"):
                interrupted(server, cli)
            with subtests.test("an approval is asked for and given by way of the server, and the flow is not paused"):
                approved(server, cli)
            with subtests.test("a deployed run that finds the folder busy is skipped"):
                skipped(server, cli)
    finally:
        del os.environ["PREFECT_HOME"]


def alone(cli: Cli) -> None:
    before = {process.pid for process in psutil.process_iter()}
    code, out, complaints = cli.run()
    assert code == 0, complaints
    assert "verdict VALID" in out
    lines = complaints.splitlines()
    assert [line for line in lines if not re.match(r"plan |prefect: |note: |\d+/\d+ trials|dvc: ", line)] == []
    assert sum(line.startswith("prefect: a server of our own on http://127.0.0.1:") for line in lines) == 1
    left = [process for process in psutil.process_iter() if process.pid not in before and _is_ours(process, cli)]
    assert left == []


def _is_ours(process: psutil.Process, cli: Cli) -> bool:
    try:
        return process.environ().get("PREFECT_HOME") == cli.environment["PREFECT_HOME"]
    except psutil.Error:
        return False


def shown(server: Server, bench: Any) -> None:
    run = server.newest()
    assert run["state_name"] == "Completed"
    assert run["parameters"]["job"]["plan"] == str(bench.plan)
    assert server.tasks(run) == ALL_COMPLETED
    artifacts = server.artifacts(run)
    assert float(artifacts["progress"]) == 100.0
    (row,) = orjson.loads(artifacts["results"])
    assert (row["target"], row["trials"], row["succeeded"]) == ("openai-sim", 8, 8)
    assert bench.run_ids()[-1] in artifacts["report"]
    assert f"{bench.results.as_uri()}/report/" in artifacts["report"]


def refused(server: Server, cli: Cli) -> None:
    cli.bench.cases, cases = 0, cli.bench.cases
    try:
        code, out, complaints = cli.run("-q")
    finally:
        cli.bench.cases = cases
    assert (code, out) == (2, "")
    assert complaints.count("\n") == 1
    assert complaints.startswith("error: ")
    assert "small.json" in complaints
    run = server.newest()
    assert run["state_name"] == "Failed"
    assert server.tasks(run) == {"validate": "Failed"}
    assert "small.json" in server.logged(run)


def interrupted(server: Server, cli: Cli) -> None:
    cli.bench.execute, execute = PLENTY, cli.bench.execute
    try:
        before = len(cli.bench.run_ids())
        process = cli.start()
        until(lambda: len(cli.bench.run_ids()) > before and len(cli.bench.trials()) > 2, "some trials")
        process.send_signal(signal.SIGINT)
        out, complaints = process.communicate(timeout=LONG_S)
    finally:
        cli.bench.execute = execute
    assert process.returncode == 130, complaints
    assert "Traceback" not in out + complaints
    run_id = cli.bench.run_ids()[-1]
    done = len(cli.bench.trials(run_id))
    assert 2 < done < 1600
    assert (cli.bench.results / f"tables/trials/run_id={run_id}/part-0.parquet").is_file()
    run = server.newest()
    assert run["state_name"] == "Completed"
    assert server.tasks(run) == ALL_COMPLETED
    assert float(server.artifacts(run)["progress"]) == pytest.approx(100 * done / 1600)


def approved(server: Server, cli: Cli) -> None:
    """Two requests wait in a flow run; both are answered on the server, by ids cut short, one with a no."""
    job = cli.bench.job(overrides=("execute.approver=human",))
    folder = approvals_folder(cli.bench.results, "20260101T000000Z-abcdef")
    lines: list[str] = []

    @flow(name="asking")
    async def asking() -> list[list[str]]:
        human = approver({"kind": "human"}, folder)
        async with approvals_bridged(job):
            asked = [
                ApprovalRequest(f"{name}.draft", "r", name, "draft", "w", "write", "text") for name in ("a1", "b2")
            ]
            waiting = [asyncio.create_task(human.decide(request)) for request in asked]
            run = {"id": str(flow_run.id)}
            rows = await asyncio.to_thread(until, lambda: _asked(server, run, 2), "two requests on the server")
            for row in rows:
                answer = Decided(request=row["request"][:3], approve=row["request"] == "a1.draft", feedback="so be it")
                await answer.asend_to(flow_run.id)
            decided = await asyncio.gather(*waiting)
        return [[made.verdict, made.via, made.feedback] for made in decided]

    async def told() -> list[list[str]]:
        try:
            return await asking()
        finally:
            await _all_told()

    with talking_to(server.api), watched_by(Watcher(say=lines.append)):
        answers = asyncio.run(told())
    assert answers == [["approved", "prefect", "so be it"], ["rejected", "prefect", "so be it"]]
    assert [line.rpartition("benchbook ")[2] for line in lines] == [
        "approve a1.draft --show",
        "approve b2.draft --show",
    ]


def _asked(server: Server, run: dict[str, Any], count: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = orjson.loads(server.artifacts(run).get("approvals", "[]"))
    return rows if len(rows) == count else []


def skipped(server: Server, cli: Cli) -> None:
    job = Job(plan=str(cli.bench.write()), results=str(cli.bench.results))
    made = httpx.post(f"{server.api}/flows/", json={"name": "benchmark"}).json()
    body = {"name": "x", "flow_id": made["id"], "entrypoint": "flows.benchmark.benchmark"}
    deployment = httpx.post(f"{server.api}/deployments/", json=body).raise_for_status().json()["id"]
    body = {"parameters": {"job": job.fields()}}
    run = httpx.post(f"{server.api}/deployments/{deployment}/create_flow_run", json=body).raise_for_status().json()
    before = cli.bench.run_ids()
    with (cli.bench.results / ".lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        engine = [sys.executable, "-m", "prefect.engine", run["id"]]
        done = subprocess.run(engine, env=cli.environment, cwd=cli.bench.folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    state = httpx.get(f"{server.api}/flow_runs/{run['id']}").json()["state"]
    assert (state["type"], state["name"]) == ("CANCELLED", "Skipped")
    assert "is at work in it" in state["message"]
    assert cli.bench.run_ids() == before
