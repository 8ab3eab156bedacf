"""Where a run comes from: code, lock, host, harness. Facts only, each a string; what can't be had is absent."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from hashlib import md5, sha256
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from benchbook.records import Dataset

LOCK_FILE = "requirements.lock"
_PACKAGES = (
    "benchbook",
    "uvloop",
    "httptools",
    "orjson",
    "boto3",
    "pyarrow",
    "duckdb",
    "great-expectations",
    "prefect",
)


def provenance(datasets: Sequence[Dataset]) -> dict[str, Any]:
    """Everything a run is traced by: git commit and dirt, lock hash, dataset hashes, versions, host, harness."""
    commit, dirty = git_state(Path.cwd())
    return {
        "git_commit": commit,
        "git_dirty": dirty,
        "lock_hash": file_sha256(Path(LOCK_FILE)),
        "dataset_hashes": {dataset.name: dataset.sha256 for dataset in datasets},
        "dataset_versions": {dataset.name: dataset.version for dataset in datasets},
        "dvc_hashes": {dataset.path: digest for dataset in datasets if (digest := file_md5(Path(dataset.path)))},
        "versions": versions(),
        "host": platform.node(),
        "host_fingerprint": host_fingerprint(),
    }


def git_state(folder: Path) -> tuple[str | None, bool | None]:
    """The commit checked out in `folder` and whether tracked or new files differ from it (dvc.lock does not count)."""
    told = _git(folder, "status", "--porcelain=v2", "--branch", "--no-ahead-behind", "--", ".", _NO_LOCK)
    if told is None:
        return _git(folder, "rev-parse", "--verify", "HEAD"), None
    headers = [line for line in told.splitlines() if line.startswith("# ")]
    commit = next((line.removeprefix(_COMMIT) for line in headers if line.startswith(_COMMIT)), _UNBORN)
    return (None, None) if commit == _UNBORN else (commit, len(headers) < len(told.splitlines()))


_COMMIT, _UNBORN = "# branch.oid ", "(initial)"
_NO_LOCK = ":(exclude,top)dvc.lock"


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def file_sha256(path: Path) -> str | None:
    """SHA-256 of a file's bytes in hex, or None where there is no such file."""
    return sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def file_md5(path: Path) -> str | None:
    """MD5 of a file's bytes in hex: the name under which DVC keeps it."""
    return md5(path.read_bytes(), usedforsecurity=False).hexdigest() if path.is_file() else None


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that measure, store and answer."""
    return {"python": platform.python_version(), **installed(_PACKAGES)}


def installed(packages: Sequence[str]) -> dict[str, str]:
    """The versions of those of these packages that are there."""
    found = {}
    for package in packages:
        try:
            metadata = distribution(package).read_text("METADATA") or ""
        except PackageNotFoundError:
            continue
        # The line alone: to read it all as the mail that it is takes longer than all else before a run's first request.
        _, told, rest = metadata.partition("\nVersion: ")
        if told:
            found[package] = rest.partition("\n")[0].strip()
    return found


def host_fingerprint() -> dict[str, str]:
    """What of the host bears on a measurement: system, processor, cores, memory, container or not."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    facts = {
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cpu": _cpu_model(),
        "cores": str(cores),
        "memory_mib": _memory_mib(),
    }
    return {name: value for name, value in facts.items() if value}


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def _memory_mib() -> str:
    try:
        return str(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20)
    except (ValueError, OSError, AttributeError):
        return ""


def harness() -> dict[str, str]:
    """The measuring engine of this process."""
    return {"engine": "benchbook", "python": sys.implementation.name, "loop": loop_name()}


def loop_name() -> str:
    """`uvloop` where it is installed, else `asyncio`."""
    try:
        import uvloop
    except ImportError:
        return "asyncio"
    return f"uvloop {uvloop.__version__}"
