"""Runs a model's Python: in a process that is locked in (`tools.jail`), or at E2B if a team's file says so.

What is isolated and what is not stands in docs/TOOLS.md. Nothing here runs the code in this process, and where the
system lacks a layer the tool refuses, unless the settings name that layer as one that may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from benchbook.tools import Outcome, Place, failure
from benchbook.tools.jail import door

NAME = "python"
DESCRIPTION = (
    "Runs a Python 3 script and returns what it prints, and the value of its last expression. "
    "Files in the current folder can be read and written; there is no network and no other process."
)
_OWN_LAYERS = ("clean environment", "audit hook")
_HEAD_START_S = 0.25


class Input(BaseModel):
    """What a model gives."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(description="the script", min_length=1, max_length=200_000)


class Settings(BaseModel):
    """What a team's file may set. packages: whether what is installed beside Benchbook (numpy, pandas, ...) can be
    imported; may_lack: layers of the kernel that this system may be without; remote: run at E2B instead, with the key
    in `key_env`; address, domain, host: where E2B is, and where a sandbox of it (for an E2B of one's own)."""

    model_config = ConfigDict(extra="forbid")

    memory_mb: int = Field(512, ge=32, le=65_536)
    disk_mb: int = Field(64, ge=1, le=65_536)
    files: int = Field(1000, ge=1, le=100_000)
    output_bytes: int = Field(20_000, ge=200, le=1_000_000)
    packages: bool = True
    may_lack: tuple[Literal["landlock", "seccomp"], ...] = ()
    remote: Literal["e2b"] | None = None
    key_env: str = "E2B_API_KEY"
    address: str = Field("https://api.e2b.app", pattern=r"^https?://[^\s@]+$")
    domain: str = Field("e2b.app", pattern=r"^[\w.-]+$")
    host: str = Field("https://49999-{id}.{domain}", pattern=r"^https?://[^\s@]+$")


def lacking(settings: Settings, environ: Mapping[str, str]) -> str | None:
    """The key of a remote one; here, a layer of the kernel."""
    if settings.remote is None:
        return door.lacking(settings.may_lack)
    return None if environ.get(settings.key_env, "").strip() else f"no key: ${settings.key_env} is not set"


def service(settings: Settings) -> str | None:
    """Whom a use asks."""
    return settings.remote


def warming(settings: Settings) -> dict[str, Any] | None:
    """A script starts the process that keeps Python warm."""
    return {"code": "None"} if settings.remote is None else None


async def run(asked: Input, settings: Settings, place: Place) -> Outcome:
    """The outcome's text is what was printed; `detail` has the layers in force, and what the code used."""
    if settings.remote is not None:
        from benchbook.tools import e2b

        return await e2b.run(asked.code, settings, place)
    place.folder.mkdir(parents=True, exist_ok=True)
    job = door.Job(
        payload={"code": asked.code, "packages": settings.packages},
        time_s=place.timeout_s - min(_HEAD_START_S, place.timeout_s / 10),
        folder=place.folder,
        memory_mb=settings.memory_mb,
        disk_mb=settings.disk_mb,
        file_mb=settings.disk_mb,
        most_files=settings.files,
        may_lack=settings.may_lack,
        keep_bytes=settings.output_bytes,
    )
    return _outcome(await door.run("python", {}, job), job)


def _outcome(report: door.Report, job: door.Job) -> Outcome:
    """A job that was stopped keeps what it had printed; the reason stands below it."""
    kinds = {
        "exit": "error",
        "signal": "error",
        "time": "timeout",
        "disk": "disk",
        "threads": "threads",
        "refused": "refused",
        "lost": "crash",
    }
    detail = {
        "layers": [*report.layers, *(_OWN_LAYERS if report.layers else ())],
        "missing": list(report.missing),
        **report.used,
    }
    if report.ended in ("refused", "lost"):
        return failure(kinds[report.ended], f"python: not run: {report.reason}", **detail)
    if report.ended == "exit" and report.code == 0:
        return Outcome(report.output or "(nothing was printed)", files=report.files, detail=detail)
    told = f"{report.output.rstrip()}\n[{_reason(report, job)}]".lstrip()
    kind = kinds[report.ended]
    return Outcome(told, failed=True, files=report.files, detail={"kind": kind, "code": report.code, **detail})


def _reason(report: door.Report, job: door.Job) -> str:
    if report.ended == "time":
        return f"stopped after {job.time_s:g} s, its time limit"
    if report.ended == "disk":
        most = f"more than {job.disk_mb} MB or {job.most_files} files"
        return f"stopped: it wrote {most}, or a folder that can't be looked through; its files are removed"
    if report.ended == "threads":
        return "stopped: it started more than 100 threads"
    if report.printed >= job.file_mb << 20:
        return f"stopped: it printed more than {job.file_mb} MB"
    if report.ended == "signal":
        return f"ended by signal {-report.code}"
    return f"ended with status {report.code}"
