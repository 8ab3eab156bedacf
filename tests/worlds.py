"""Temporary clones of this repository, each a world with a DVC remote beside it, for tests of whole pipelines.

The first world is measured once, whoever needs it first; every test takes a copy of its own.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import UNTIMED

ROOT = Path(__file__).resolve().parents[1]
PLAN: dict[str, Any] = {
    "validate": {"datasets": ["datasets/hello/hello.json"]},
    "execute": {
        "targets": [
            {"name": "a", "provider": "openai", "model": "sim-openai", "base_url": "simulator"},
            {"name": "b", "provider": "ollama", "model": "sim-llama", "base_url": "simulator"},
        ],
        "repetitions": 6,
        "warmup": 0,
        "calibrate": False,
        "simulator": "datasets/simulator/instant.yaml",
    },
    "store": {"verdict": UNTIMED},
    "aggregate": {"confidence": 0.95},
    "report": {"formats": ["html", "json", "csv"]},
}
QUIET = {
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}


@dataclass(frozen=True)
class World:
    """A folder that holds a clone, its DVC remote and a Prefect home."""

    folder: Path
    clone: str = "clone"

    @property
    def path(self) -> Path:
        return self.folder / self.clone

    @property
    def environment(self) -> dict[str, str]:
        """`benchbook`, `dvc` and `python` are this environment's; no server and no folder is chosen."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "BENCHBOOK_"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**kept, **QUIET, "PATH": path, "PREFECT_HOME": str(self.folder / "prefect")}

    def run(self, *words: str, code: int = 0, **environment: str) -> str:
        """Run a command in the clone; what it printed. Fails the test if it ends otherwise than with `code`."""
        done = subprocess.run(
            words, cwd=self.path, env={**self.environment, **environment}, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, f"{' '.join(words)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def repro(self, *words: str) -> list[str]:
        """`dvc repro`; the stages that it ran."""
        return re.findall(r"Running stage '(\w+)'", self.run("dvc", "repro", *words))

    def runs(self) -> list[str]:
        return sorted(path.name for path in (self.path / "results/journal").iterdir())

    def digests(self, *folders: str) -> dict[str, str]:
        """File -> digest, of every file in these folders under results/."""
        found = (path for folder in folders for path in sorted((self.path / "results" / folder).rglob("*")))
        return {
            str(path.relative_to(self.path)): sha256(path.read_bytes()).hexdigest() for path in found if path.is_file()
        }

    def copy(self, folder: Path) -> World:
        """A world of its own with the same past."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return World(folder)


def measured_world(shared: Path) -> World:
    """The first world: cloned, measured by `dvc repro`, committed and pushed; made once under `shared`."""
    world = World(shared / "world")
    with (shared / "world.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not world.folder.exists():
            unfinished = World(shared / "world.unfinished")
            _measure(unfinished)
            unfinished.folder.rename(world.folder)
    return world


def _measure(world: World) -> None:
    copy_tree(world.path)
    write_plan(world.path, PLAN)
    for words in (
        ("git", "init", "-q", "-b", "main"),
        ("git", "config", "user.email", "tests@example.org"),
        ("git", "config", "user.name", "tests"),
        ("dvc", "remote", "add", "-q", "-d", "beside", "../remote"),
        ("dvc", "repro", "-q"),
        ("git", "add", "--all"),
        ("git", "commit", "-q", "-m", "measured"),
        ("dvc", "push", "-q"),
    ):
        world.run(*words)


def copy_tree(folder: Path) -> None:
    """Every file of this repository's work tree that git would keep, but for the record of runs made here."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file() and name != "dvc.lock":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def write_plan(folder: Path, plan: dict[str, Any]) -> None:
    """`plan` as the clone's params.yaml, and its dataset and simulator law as dvc.yaml's deps."""
    (folder / "params.yaml").write_text(yaml.safe_dump(plan, sort_keys=False))
    pipeline = yaml.safe_load((folder / "dvc.yaml").read_text())
    for name, extra in (("validate", []), ("execute", [plan["execute"]["simulator"], "results/checks"])):
        pipeline["stages"][name]["deps"] = [*plan["validate"]["datasets"], *extra]
    (folder / "dvc.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))
