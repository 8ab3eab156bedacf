"""Sides out of words: every key, and the one line that a wrong word gets."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchbook.errors import UnknownRunError, UserError
from benchbook.history.selecting import KEYS, Side, select_side
from benchbook.results.baselines import SET, Baseline, write
from benchbook.results.journal import create_run
from tests.spec.sql.stored import Stored, run_row, trial_row

START = datetime(2026, 11, 1, 22, tzinfo=UTC)
IDS = ("20261101T22-a", "20261102T22-b", "20261103T22-c", "20261104T22-d")


@pytest.fixture(scope="module")
def commits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A git repository of two commits, the second with a dvc.lock whose list of results is in DVC's cache."""
    top = tmp_path_factory.mktemp("repo")
    names = ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL")

    def git(*words: str) -> str:
        environment = {**dict.fromkeys(names, "x@example.org"), "PATH": "/usr/bin:/bin", "HOME": str(top)}
        done = subprocess.run(
            ["git", "-C", str(top), *words], check=True, capture_output=True, text=True, env=environment
        )
        return done.stdout.strip()

    git("init", "-q", "-b", "main")
    git("commit", "-q", "--allow-empty", "-m", "first")
    git("tag", "v1")
    digest = "0123456789abcdef0123456789abcdef.dir"
    lock = f"stages:\n  execute:\n    outs:\n    - path: results/journal\n      hash: md5\n      md5: {digest}\n"
    (top / "dvc.lock").write_text(lock)
    cached = top / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]
    cached.parent.mkdir(parents=True)
    cached.write_text(json.dumps([{"md5": "0", "relpath": f"{run_id}/run.json"} for run_id in IDS[:3]]))
    git("add", "dvc.lock")
    git("commit", "-q", "-m", "second")
    return top, [git("rev-parse", "v1"), git("rev-parse", "HEAD")]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, commits: tuple[Path, list[str]]) -> Path:
    stored = Stored()
    for number, run_id in enumerate(IDS):
        facts = {
            "started_at": START + timedelta(days=number),
            "git_commit": commits[1][number // 2],
            "plan_hash": f"p{number % 2}",
            "workload_hash": f"w{number // 3}",
            "host": "one" if number else "two",
            "dvc_hashes": {"d.json": f"abc{number}"},
            "sweep_id": None if number else "sweep-7",
        }
        stored.rows["runs"].append(run_row(run_id, **facts))
        stored.rows["trials"].append(trial_row(run_id, 1, target="beta" if number == 2 else "alpha"))
        stored.rows["trials"].append(trial_row(run_id, 2, workload="agent" if number == 3 else "api"))
    folder = stored.write(tmp_path_factory.mktemp("results"))
    for name, target, number in (("gold", "alpha", 1), ("both", "alpha", 0), ("both", "beta", 2)):
        write(folder, Baseline(name, target, SET, IDS[number], "2026-11-05T08:00:00+00:00"))
    return folder


@pytest.fixture(autouse=True)
def inside(commits: tuple[Path, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(commits[0])


@pytest.mark.parametrize(
    ("words", "letters"),
    [
        ("latest", "d"),
        ("latest~2", "b"),
        ("20261102", "b"),
        (f"{IDS[0]}, latest", "ad"),
        ("latest latest~1 latest", "cd"),
        ("target=beta", "c"),
        ("workload=agent", "d"),
        ("target=alpha workload=api last=2", "cd"),
        ("since=2026-11-02", "bcd"),
        ("since=2026-11-02T23:00", "cd"),
        ("until=2026-11-02", "ab"),
        ("until=2026-11-02T22:00", "a"),
        ("since=2026-11-02 until=2026-11-03", "bc"),
        ("since=2026-11-02T23:30+01:00,last=1", "d"),
        ("last=9", "abcd"),
        ("plan=p1", "bd"),
        ("workload_hash=w1", "d"),
        ("rev=v1", "ab"),
        ("rev=HEAD last=1", "d"),
        ("v1", "ab"),
        ("main last=1", "d"),
        ("dvc=abc2", "c"),
        ("dvc=HEAD", "c"),
        ("dvc=main last=2", "bc"),
        ("host=two", "a"),
        ("sweep=sweep", "a"),
        ("profile=gold", "b"),
        ("profile=both target=alpha", "a"),
    ],
)
def test_sides(results: Path, words: str, letters: str) -> None:
    side = select_side(results, words)
    assert "".join(run_id[-1] for run_id in side.runs) == letters
    assert side.words == words


def test_a_target_and_a_workload_narrow_the_side(results: Path) -> None:
    assert select_side(results, "latest target=alpha workload=agent") == Side(
        "latest target=alpha workload=agent", (IDS[3],), "alpha", "agent"
    )
    assert select_side(results, "latest").target is None
    assert select_side(results, "profile=gold").target == "alpha"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("", "a side of a comparison is empty"),
        ("colour=red", "'colour' selects nothing; one of target, workload, since"),
        ("target=", "has no value"),
        ("last=1 last=2", "is said twice"),
        ("last=0", "is no number of runs"),
        ("since=yesterday", "since=2026-10-01"),
        ("target=gamma", "no selected run holds that target; one of alpha, beta"),
        ("since=2027-01-01", "selects none of the 4 stored runs"),
        ("latest plan=p0", "selects none of the 4 stored runs"),
        ("rev=nowhere", "is no git revision here"),
        ("dvc=v1", "that revision has no dvc.lock here"),
        ("dvc=zzz", "selects none"),
        (
            "profile=lead",
            "no such baseline holds; `benchbook profile` lists them (both of alpha, both of beta, gold of alpha)",
        ),
        ("profile=both", "its targets have different runs; add target=, one of alpha, beta"),
    ],
)
def test_what_is_wrong_is_one_line(results: Path, words: str, says: str) -> None:
    with pytest.raises(UserError) as error:
        select_side(results, words)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_unknown_runs_and_empty_folders(results: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownRunError, match="no such run"):
        select_side(results, "nope")
    with pytest.raises(UnknownRunError, match="no run is stored"):
        select_side(tmp_path, "latest")


def test_every_key_is_tried_here() -> None:
    tried = {
        word.split("=")[0] for case in test_sides.pytestmark[0].args[1] for word in case[0].replace(",", " ").split()
    }
    assert set(KEYS) <= tried


def test_a_run_that_is_still_being_measured_is_no_side_yet(tmp_path: Path) -> None:
    stored = Stored()
    stored.rows["runs"].append(run_row(IDS[0]))
    results = stored.write(tmp_path)
    create_run(results, IDS[1], {"plan_hash": "p", "workload_hash": "w"}, [])
    with pytest.raises(UnknownRunError, match=f"{IDS[1]}: is in the journal and not in the tables"):
        select_side(results, "latest")
    assert select_side(results, "last=1").runs == (IDS[0],)
