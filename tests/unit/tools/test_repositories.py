"""A git clone is read and nothing of it is run; GitHub is asked as its interface has it."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchbook import tools
from benchbook.tools import Outcome, Place
from tests.unit.providers.scripted_server import REQUEST, STALL, ScriptedServer, answer, until

GAUGE = Path(__file__).parents[3] / "datasets" / "library" / "gauge.fast-import"
TOKEN = "ghp_0123456789abcdef"
_WHO = {"NAME": "Ada", "EMAIL": "ada@a.example", "DATE": "2025-01-02T03:04:05Z"}
_ENVIRON = {
    **{f"GIT_{role}_{name}": value for role in ("AUTHOR", "COMMITTER") for name, value in _WHO.items()},
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, env=_ENVIRON, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two commits, a tag, a file that is no text, a link to a secret, and changes that were never committed."""
    folder = tmp_path_factory.mktemp("clone")
    (folder.parent / "secret.txt").write_text("the word is mango")
    git(folder, "init", "-q", "-b", "main")
    (folder / "a b.txt").write_text("one\nTwo\nthree\n")
    (folder / "sub").mkdir()
    (folder / "sub" / "ø.txt").write_text("two again\n")
    (folder / "blob.bin").write_bytes(b"two\0")
    (folder / "link.txt").symlink_to(folder.parent / "secret.txt")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "First: two files\n\nand a body")
    git(folder, "tag", "v1")
    (folder / "a b.txt").write_text("one\n2\nthree\n")
    git(folder, "commit", "-qam", "Second")
    (folder / "a b.txt").write_text("never committed\n")
    return folder


async def ask(clone: Path, tmp_path: Path, **arguments: Any) -> Outcome:
    return await tools.use("repository", arguments, {"clone": str(clone)}, Place(tmp_path, timeout_s=20))


async def refused(clone: Path, tmp_path: Path, **arguments: Any) -> str:
    outcome = await ask(clone, tmp_path, **arguments)
    assert outcome.failed, outcome.text
    assert "\n" not in outcome.text
    return outcome.text


async def test_reads_what_was_committed(clone: Path, tmp_path: Path) -> None:
    listed = await ask(clone, tmp_path, action="files")
    assert listed.text.splitlines() == ["a b.txt", "blob.bin", "link.txt", "sub/ø.txt"]
    assert (await ask(clone, tmp_path, action="files", path="sub/")).text == "sub/ø.txt"
    assert (await ask(clone, tmp_path, action="files", count=1)).text.endswith(
        "[there are more files than the 1 asked for]"
    )
    now = await ask(clone, tmp_path, action="read", path="a b.txt")
    assert now.text == "a b.txt at HEAD, lines 1 to 3 of 3\none\n2\nthree"
    page = await ask(clone, tmp_path, action="read", path="a b.txt", revision="v1", first_line=2, count=1)
    assert page.text == "a b.txt at v1, lines 2 to 2 of 3; go on with first_line 3\nTwo"
    assert "is no text" in await refused(clone, tmp_path, action="read", path="blob.bin")
    assert (
        "mango" not in (await ask(clone, tmp_path, action="read", path="link.txt")).text
    )  # the link's text, not its end


async def test_searches_logs_and_compares(clone: Path, tmp_path: Path) -> None:
    found = await ask(clone, tmp_path, action="search", query="TWO", revision="v1")
    assert found.text.splitlines() == ["a b.txt:2:Two", "sub/ø.txt:1:two again"]
    assert "no line" in (await ask(clone, tmp_path, action="search", query="never")).text
    assert "no line" in (await ask(clone, tmp_path, action="search", query="t.o")).text  # not a pattern
    log = await ask(clone, tmp_path, action="log")
    assert [line[13:] for line in log.text.splitlines()] == [
        "2025-01-02 Ada: Second",
        "2025-01-02 Ada: First: two files",
    ]
    assert len((await ask(clone, tmp_path, action="log", path="sub")).text.splitlines()) == 1
    for since in ("v1", "", "HEAD~1"):
        diff = await ask(clone, tmp_path, action="diff", since=since)
        assert diff.text.splitlines()[-4:] == [" one", "-Two", "+2", " three"]
    assert (await ask(clone, tmp_path, action="diff", since="v1", path="sub")).text == "nothing changed"
    assert (
        "+Two" in (await ask(clone, tmp_path, action="diff", revision="v1")).text
    )  # the first commit, against nothing


async def test_a_repository_that_is_a_text(tmp_path: Path) -> None:
    log = await ask(GAUGE, tmp_path, action="log")
    assert log.text.splitlines()[2] == "2e5638f7b728 2025-02-24 Jonas Reuter: Shorten the pause for the new switch"
    diff = await ask(GAUGE, tmp_path, action="diff", since="v4.0", revision="v4.1")
    assert {"-PAUSE_MS = 20", "+PAUSE_MS = 2"} <= set(diff.text.splitlines())
    broken = tmp_path / "broken.fast-import"
    broken.write_text(f"feature export-marks={tmp_path}/marks\nnonsense\n")
    assert "is no repository" in await refused(broken, tmp_path, action="log")
    assert not (tmp_path / "marks").exists()


REVISIONS = (
    "--help",
    "-n1",
    "v1..HEAD",
    "HEAD:a b.txt",
    "@{1}",
    "a b",
    ":/First",
    "HEAD^{tree}",
    "$(id)",
    "../v1",
    "é",
)


@pytest.mark.parametrize("revision", REVISIONS)
async def test_what_is_no_revision(clone: Path, tmp_path: Path, revision: str) -> None:
    assert "is no revision" in await refused(clone, tmp_path, action="files", revision=revision)
    assert "is no revision" in await refused(clone, tmp_path, action="diff", since=revision)


async def test_what_is_not_there(clone: Path, tmp_path: Path) -> None:
    assert "there is no revision v9" in await refused(clone, tmp_path, action="log", revision="v9")
    for path in ("none.txt", "sub", "a*"):
        assert "there is no file" in await refused(clone, tmp_path, action="read", path=path)
    for path in ("../secret.txt", "/etc/passwd", "sub/../../secret.txt"):
        for action in ("read", "files", "log", "diff"):
            assert "outside" in await refused(clone, tmp_path, action=action, path=path)
    assert (await ask(clone, tmp_path, action="files", path=":(top)sub")).text == "no files"  # taken literally
    assert "needs a path" in await refused(clone, tmp_path, action="read")
    assert "one line" in await refused(clone, tmp_path, action="search", query="a\nb")
    assert "is not there" in await refused(clone / "none", tmp_path, action="log")
    assert "is no git repository" in await refused(tmp_path, tmp_path, action="log")


async def test_a_work_tree_of_a_clone_is_one_too(clone: Path, tmp_path: Path) -> None:
    git(clone, "worktree", "add", "-q", str(tmp_path / "tree"), "v1")
    assert "Two" in (await ask(tmp_path / "tree", tmp_path, action="read", path="a b.txt")).text
    assert "First" in (await ask(clone / ".git", tmp_path, action="log", revision="v1")).text


async def test_nothing_of_a_hostile_clone_is_run(clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings, attributes and hooks that name a program; the program leaves a mark where it is run."""
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\nexit 0\n")
    trap.chmod(trap.stat().st_mode | stat.S_IXUSR)
    own = tmp_path / "own"
    git(tmp_path, "clone", "-q", str(clone), str(own))
    for name in (
        *(
            "core.fsmonitor",
            "core.pager",
            "core.editor",
            "core.sshCommand",
            "core.alternateRefsCommand",
            "core.gitProxy",
        ),
        *("diff.external", "diff.evil.command", "diff.evil.textconv", "filter.evil.clean", "filter.evil.smudge"),
        *("filter.evil.process", "pager.log", "pager.grep", "pager.diff", "gpg.program", "credential.helper"),
        *("alias.log", "alias.cat-file", "remote.origin.uploadpack", "uploadpack.packObjectsHook", "merge.evil.driver"),
    ):
        git(own, "config", name, f"!{trap}" if name.startswith("alias") else str(trap))
    for name, value in {
        "log.showSignature": "true",
        "core.hooksPath": str(tmp_path),
        "core.worktree": "/",
        "submodule.recurse": "true",
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": f"ext::{trap}",
        "protocol.ext.allow": "always",
    }.items():
        git(own, "config", name, value)
    (own / ".git" / "info" / "attributes").write_text("* diff=evil filter=evil merge=evil\n")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(trap))
    monkeypatch.setenv("GIT_PAGER", str(trap))
    for hook in ("post-checkout", "reference-transaction", "post-index-change"):
        (own / ".git" / "hooks" / hook).write_text(trap.read_text())
        (own / ".git" / "hooks" / hook).chmod(0o755)
    blob = git(clone, "rev-parse", "v1:a b.txt").strip()
    for action in ("files", "log", "diff", "search"):
        assert not (await ask(own, tmp_path, action=action, query="one")).failed
    assert "2" in (await ask(own, tmp_path, action="read", path="a b.txt")).text
    next((own / ".git" / "objects").rglob(blob[2:])).unlink()  # git would fetch it from the remote that promised it
    await refused(own, tmp_path, action="read", path="a b.txt", revision="v1")
    assert not (tmp_path / "sprung").exists()


async def test_a_git_that_hangs_is_ended_with_its_children(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `git` that never ends and has a child: both are gone when the time is up."""
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text(
        f"#!/bin/sh\nsleep 300 &\necho $$ $! > {tmp_path}/pids.part\nmv {tmp_path}/pids.part {tmp_path}/pids\nwait\n"
    )
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    asked = asyncio.create_task(tools.use("repository", {"action": "log"}, {"clone": str(clone)}, Place(tmp_path, 60)))
    await until((tmp_path / "pids").exists)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    for pid in (tmp_path / "pids").read_text().split():
        await until(lambda pid=pid: not _running(int(pid)))


def _running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        return False


async def test_without_git_it_is_a_failure(clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git can't be run" in await refused(clone, tmp_path, action="log")


# ---------------------------------------------------------------- GitHub


async def github(tmp_path: Path, body: bytes | Any, status: str = "200 OK", **arguments: Any) -> tuple[Outcome, str]:
    """What became of it, and the request line with its accepted type."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with ScriptedServer((REQUEST, answer(raw, status, x_ratelimit_remaining="0"))) as server:
        wishes = {"github": "ada/kites", "address": server.url.removesuffix("/v1")}
        place = Place(tmp_path, environ={"GITHUB_TOKEN": TOKEN})
        outcome = await tools.use("repository", arguments, wishes, place)
        head = server.requests[0].decode() if server.requests else ""
    assert TOKEN not in outcome.text
    assert not head or f"authorization: Bearer {TOKEN}" in head
    accept = next((line for line in head.splitlines() if line.startswith("accept: ")), "")
    return outcome, f"{head.partition(' HTTP/')[0]} {accept.partition('.')[2]}"


async def test_github_is_asked_as_its_interface_has_it(tmp_path: Path) -> None:
    tree = {
        "tree": [{"path": "a.txt", "type": "blob"}, {"path": "sub", "type": "tree"}, {"path": "sub/b", "type": "blob"}]
    }
    found, asked = await github(tmp_path, tree, action="files", revision="v1")
    assert (found.text, asked) == ("a.txt\nsub/b", "GET /repos/ada/kites/git/trees/v1?recursive=1 github+json")
    found, _ = await github(tmp_path, tree, action="files", path="sub")
    assert found.text == "sub/b"
    found, asked = await github(tmp_path, b"one\ntwo\n", action="read", path="sub/a b.txt", revision="feature/x")
    assert asked == "GET /repos/ada/kites/contents/sub/a%20b.txt?ref=feature%2Fx github.raw+json"
    assert found.text.endswith("lines 1 to 2 of 2\none\ntwo")
    author = {"name": "Ada", "date": "2025-01-02T03:04:05Z"}
    commits = [{"sha": "a" * 40, "commit": {"author": author, "message": "First\n\nbody"}}]
    found, asked = await github(tmp_path, commits, action="log", path="a.txt", count=3)
    assert (found.text, asked) == (
        "aaaaaaaaaaaa 2025-01-02 Ada: First",
        "GET /repos/ada/kites/commits?path=a.txt&per_page=4 github+json",
    )


async def test_github_search_and_differences(tmp_path: Path) -> None:
    match = {"path": "a.txt", "repository": {"full_name": "Ada/kites"}, "text_matches": [{"fragment": "one\n two"}]}
    other = {"path": "s.txt", "repository": {"full_name": "ada/secret"}, "text_matches": [{"fragment": "mango"}]}
    found, asked = await github(
        tmp_path, {"items": [match, other]}, action="search", query='x" repo:ada/secret "', count=5
    )
    assert found.text == "a.txt: one two"
    assert asked == (
        "GET /search/code?q=%22x++repo%3Aada%2Fsecret++%22+repo%3Aada%2Fkites&per_page=6 github.text-match+json"
    )
    diff = b"diff --git a/a.txt b/a.txt\n+1\ndiff --git a/sub/b b/sub/b\n+2\n"
    found, asked = await github(tmp_path, diff, action="diff", since="v1", revision="v2")
    assert (found.text, asked) == (diff.decode(), "GET /repos/ada/kites/compare/v1...v2 github.diff")
    found, asked = await github(tmp_path, diff, action="diff", path="sub")
    assert (found.text.splitlines()[-1], asked) == ("+2", "GET /repos/ada/kites/commits/HEAD github.diff")
    assert "a.txt" not in found.text


async def test_what_github_does_wrong_is_an_outcome(tmp_path: Path) -> None:
    for status, kind in {"404 Not Found": "not_found", "401 No": "auth", "403 No": "rate_limited"}.items():
        found, _ = await github(tmp_path, {"message": f"no {TOKEN}"}, status, action="log")
        assert (found.failed, found.detail) == (True, {"kind": kind, "service": "github"})
        assert found.text.endswith(f"HTTP {status[:3]}: no [key]")
    for body in (b"no json", [], {"tree": 3}, {"tree": [3]}):
        found, _ = await github(tmp_path, body, action="files")
        assert found.detail["kind"] == "protocol"
    found, asked = await github(tmp_path, {}, action="files", revision="../../../ada/secret/git/trees/main")
    assert ("is no revision" in found.text, asked) == (True, " ")


async def test_a_github_that_hangs_is_left(tmp_path: Path) -> None:
    async with ScriptedServer((REQUEST, STALL)) as server:
        wishes = {"github": "ada/kites", "address": server.url.removesuffix("/v1")}
        place = Place(tmp_path, timeout_s=0.2, environ={"GITHUB_TOKEN": TOKEN})
        left = await tools.use("repository", {"action": "log"}, wishes, place)
        assert left.detail == {"kind": "timeout", "service": "github"}
        unknown = await tools.use("repository", {"action": "log"}, wishes, Place(tmp_path))
        assert unknown.text == "repository: github: no key: $GITHUB_TOKEN is not set"
