"""After a run: tell DVC what is new, where that is safe.

Recording writes the present hashes into `dvc.lock`, so it may happen only where what lies there is what
`dvc repro` would have made: after a finished run of `params.yaml`'s own plan, datasets and all, or where the stage
`execute` was up to date but for the appended run. Anything else stays for `dvc repro`, which measures only what
has never been measured. DVC is called as a process, for its lock and its messages are its own.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import orjson

from benchbook.config import PlanSpec, load_plan
from benchbook.errors import BenchbookError
from benchbook.stages import DEFAULT_PLAN, DEFAULT_RESULTS, STAGES, Executed, Job

CHECKS = "results/checks"
_DERIVED = ("store", "aggregate", "report")


@dataclass(frozen=True, slots=True)
class Said:
    """How a DVC command ended: its exit code, what it printed, and the last line of its complaint."""

    code: int
    out: str
    complaint: str


async def record(job: Job, executed: Executed) -> str:
    """Record the run and push it, or not; one line that says which. Never raises for DVC's sake."""
    reason = out_of_scope(job)
    if reason:
        return f"dvc: not recorded: {reason}"
    stages = await asyncio.to_thread(recordable, job, executed)
    if not stages:
        return f"dvc: not recorded: {DEFAULT_PLAN} is yet to be measured as it is now; `dvc repro` will record both"
    commit, remote = await asyncio.gather(
        asyncio.to_thread(dvc, "commit", "--force", "--quiet", *stages),
        asyncio.to_thread(dvc, "config", "core.remote"),
    )
    if commit.code != 0:
        return f"dvc: not recorded ({commit.complaint}); the run is kept, `dvc repro` will record it"
    left = [stage for stage in STAGES if stage not in stages and stage != "validate"]
    recorded = f"dvc: recorded in dvc.lock{'; `dvc repro` redoes ' + ', '.join(left) if left else ''}"
    if remote.code != 0 or not remote.out.strip():
        return recorded
    push = await asyncio.to_thread(dvc, "push", "--quiet")
    return f"{recorded}, pushed" if push.code == 0 else f"{recorded}; not pushed ({push.complaint}): try `dvc push`"


def out_of_scope(job: Job) -> str:
    """Why DVC has nothing to do with this run; empty where it has."""
    if Path(job.results).resolve() != Path(DEFAULT_RESULTS).resolve():
        return f"{job.results} is not the results folder that dvc.yaml knows"
    if not (Path(".dvc").is_dir() and Path("dvc.yaml").is_file()):
        return "this folder is no DVC repository"
    return ""


def recordable(job: Job, executed: Executed) -> tuple[str, ...]:
    """The stages whose outputs are now what `dvc repro` would have made of its inputs; none if that is not so."""
    try:
        own = load_plan(DEFAULT_PLAN)
        derived = made_alike(job.spec(), own)
        if executed.status == "finished" and _plan_hash(own) == _run_plan_hash(job, executed):
            return ("validate", "execute", *derived)
    except BenchbookError:
        return ()
    return ("execute", *derived) if _measured_already() else ()


def made_alike(spec: PlanSpec, own: PlanSpec) -> tuple[str, ...]:
    """The derived stages whose sections, and those before them, are the same in both plans."""
    alike = []
    for stage in _DERIVED:
        if getattr(spec, stage) != getattr(own, stage):
            break
        alike.append(stage)
    return tuple(alike)


def _plan_hash(spec: PlanSpec) -> str:
    from benchbook.datasets import files, read
    from benchbook.runner.plan import freeze

    return freeze(spec, [read(path).dataset for path in files(spec.validate_.datasets)]).plan_hash


def _run_plan_hash(job: Job, executed: Executed) -> str:
    from benchbook.results import journal

    return str(journal.read_run(Path(job.results), executed.run_id).manifest["plan_hash"])


def _measured_already() -> bool:
    """Whether `execute` was recorded with the inputs that it has now. Another plan's checks are put back first."""
    if dvc("checkout", "--force", "--quiet", CHECKS).code != 0:
        return False
    status = dvc("status", "--json", "execute")
    if status.code != 0:
        return False
    changes = orjson.loads(status.out).get("execute", [])
    return not any("changed deps" in change for change in changes)


def dvc(*words: str) -> Said:
    """Run a DVC command, without its analytics."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *words],
        env={**os.environ, "DVC_NO_ANALYTICS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    return Said(done.returncode, done.stdout, lines[-1].removeprefix("ERROR: "))
