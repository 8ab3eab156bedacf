"""Where a run comes from: what git says of a folder, and the versions that measured."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from benchbook.runner.provenance import git_state, versions


def _git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=n", "-c", "user.email=e@x")
    return subprocess.run(["git", "-C", str(folder), *who, *words], capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def commit(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("code")
    _git(folder, "init", "-q")
    (folder / "below").mkdir()
    (folder / "below" / "kept").write_text("a")
    _git(folder, "add", ".")
    _git(folder, "commit", "-qm", "all")
    return folder, _git(folder, "rev-parse", "HEAD").strip()


def test_no_repository_and_no_commit_are_no_state(tmp_path: Path) -> None:
    assert git_state(tmp_path / "none") == (None, None)
    _git(tmp_path, "init", "-q")
    (tmp_path / "new").write_text("a")
    assert git_state(tmp_path) == (None, None)


@pytest.mark.parametrize(
    ("name", "text", "dirty"),
    [("below/kept", "a", False), ("dvc.lock", "x", False), ("# branch", "x", True), ("below/kept", "b", True)],
)
def test_a_changed_or_new_file_is_dirt_and_dvc_lock_is_none(
    commit: tuple[Path, str], name: str, text: str, *, dirty: bool
) -> None:
    folder, head = commit
    (folder / name).write_text(text)
    assert git_state(folder) == (head, dirty)
    _git(folder, "clean", "-qfd")
    _git(folder, "checkout", "-q", ".")


def test_versions_are_those_that_are_installed() -> None:
    found = versions()
    assert {"python", "benchbook", "orjson", "pyarrow", "great-expectations"} <= set(found)
    assert all(found[name] == version(name) for name in found if name != "python")
