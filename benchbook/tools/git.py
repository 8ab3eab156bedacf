"""A local git clone, read by git itself, and in such a way that nothing of the clone's is run.

A clone's own settings can name programs (hooks, a pager, filters, external differences, a file system monitor) and
addresses. So git sees no settings of the user's or the system's, those of the clone that name programs are overridden,
no protocol is allowed, and only committed objects are read: never a working tree, an index or a reflog. A model's
revision becomes the id of a commit first, its paths are taken literally and stand behind `--`.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Lock

from benchbook.errors import ToolError
from benchbook.tools import process
from benchbook.tools.aside import waited
from benchbook.tools.process import Command
from benchbook.tools.repositories import Asked, Commit

_FILE_BYTES = 2_000_000
_OUTPUT_BYTES = 4_000_000
_STREAM_BYTES = 64_000_000
_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")

_SEPARATORS = 3
_GREP = ("-n", "-I", "-i", "-F", "--no-textconv", "--no-color", "--no-column", "--no-recurse-submodules", "--full-name")
_DIFF = ("--no-ext-diff", "--no-textconv", "--no-color", "--submodule=short", "--src-prefix=a/", "--dst-prefix=b/")
_OVERRIDES: Mapping[str, str] = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.pager": "cat",
    "core.quotePath": "false",
    "core.attributesFile": os.devnull,
    "core.alternateRefsCommand": "",
    "core.sshCommand": "false",
    "core.gitProxy": "",
    "diff.external": "",
    "diff.submodule": "short",
    "diff.ignoreSubmodules": "all",
    "diff.noprefix": "false",
    "diff.mnemonicPrefix": "false",
    "log.showSignature": "false",
    "log.mailmap": "false",
    "gpg.program": "false",
    "credential.helper": "",
    "protocol.allow": "never",
    "grep.patternType": "fixed",
    "color.ui": "false",
    "maintenance.auto": "false",
    "gc.auto": "0",
}
"""Settings that win over the clone's own."""


@dataclass(frozen=True, slots=True)
class Clone:
    """A `Repository` in a local folder. git_dir: the folder that holds objects and refs."""

    git_dir: Path

    @classmethod
    async def at(cls, path: str) -> Clone:
        """The clone in a folder, or the one that a file of `git fast-export` makes. Raises ToolError."""
        return cls(await waited(_git_dir, path))

    async def files(self, asked: Asked) -> Sequence[str]:
        commit = await self._commit(asked.revision)
        listed = await self._git("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit, "--", *_paths(asked))
        return [path for path in listed.split("\0") if path]

    async def read(self, asked: Asked) -> bytes:
        commit = await self._commit(asked.revision)
        entry = await self._git("ls-tree", "-z", "-l", "--full-tree", commit, "--", asked.path)
        facts, _, path = entry.partition("\0")[0].partition("\t")
        _, kind, blob, size = (facts.split() + [""] * 4)[:4]
        if path != asked.path or kind != "blob":
            raise ToolError(f"there is no file {asked.path} at {asked.revision}")
        if int(size) > _FILE_BYTES:
            raise ToolError(f"{asked.path} has {int(size):,} bytes, more than the {_FILE_BYTES:,} that are read")
        return (await self._ran("cat-file", "blob", blob)).output

    async def search(self, query: str, asked: Asked) -> Sequence[str]:
        commit = await self._commit(asked.revision)
        found = await self._git("grep", *_GREP, "-e", query, commit, "--", *_paths(asked), fine=(0, 1))
        return [line.removeprefix(f"{commit}:") for line in found.split("\n") if line]

    async def log(self, asked: Asked) -> Sequence[Commit]:
        commit = await self._commit(asked.revision)
        form = "--format=%H%x00%an%x00%as%x00%s"
        words = ("log", f"--max-count={asked.count + 1}", form, "--encoding=UTF-8", "--no-show-signature", commit, "--")
        lines = (await self._git(*words, *_paths(asked))).split("\n")
        return [Commit(*line.split("\0")) for line in lines if line.count("\0") == _SEPARATORS]

    async def diff(self, since: str, asked: Asked) -> str:
        newer = await self._commit(asked.revision)
        older = await self._commit(since) if since else await self._before(newer)
        return await self._git("diff-tree", "-r", "-p", *_DIFF, older, newer, "--", *_paths(asked))

    # ------------------------------------------------------------ inside

    async def _before(self, commit: str) -> str:
        parents = (await self._git("rev-list", "--parents", "--max-count=1", commit)).split()[1:]
        return parents[0] if parents else (await self._git("hash-object", "-t", "tree", os.devnull)).strip()

    async def _commit(self, revision: str) -> str:
        """The id of the commit that a revision means. Raises ToolError."""
        ended = await self._run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        commit = ended.output.decode("ascii", "replace").strip()
        if ended.status or not _ID.fullmatch(commit):
            raise ToolError(f"there is no revision {revision}{': ' + ended.complaint if ended.complaint else ''}")
        return commit

    async def _git(self, *words: str, fine: tuple[int, ...] = (0,)) -> str:
        return (await self._ran(*words, fine=fine)).output.decode("utf-8", "replace")

    async def _ran(self, *words: str, fine: tuple[int, ...] = (0,)) -> process.Ended:
        ended = await self._run(*words)
        if not ended.cut and ended.status not in fine:
            raise ToolError(f"git {words[0]}: {ended.complaint or f'it ended with status {ended.status}'}")
        return ended

    async def _run(self, *words: str) -> process.Ended:
        try:
            return await process.ran(_command(self.git_dir, words))
        except OSError as error:
            raise ToolError(f"git can't be run: {error.strerror}") from None


def _command(git_dir: Path, words: Sequence[str], stdin: bytes = b"") -> Command:
    """git in that folder and no other, with nothing of the caller's environment but the way to programs."""
    overrides = [word for name, value in _OVERRIDES.items() for word in ("-c", f"{name}={value}")]
    environ = {
        "PATH": os.pathsep.join(os.get_exec_path()),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "HOME": os.devnull,
        "XDG_CONFIG_HOME": os.devnull,
        "GIT_DIR": str(git_dir),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "false",
        "SSH_ASKPASS": "false",
        "GIT_PAGER": "cat",
        "GIT_EDITOR": "false",
    }
    return Command(("git", "--no-pager", *overrides, *words), git_dir, environ, stdin, _OUTPUT_BYTES)


def _paths(asked: Asked) -> tuple[str, ...]:
    return (asked.path,) if asked.path else ()


def _git_dir(path: str) -> Path:
    place = Path(path).absolute()
    if place.is_file():
        return _imported(place)
    for folder in (place / ".git", place):
        if (folder / "HEAD").is_file() and (folder / "objects").is_dir():
            return folder
    if (place / ".git").is_file():
        return _linked(place)
    raise ToolError(f"{path} is no git repository" if place.is_dir() else f"{path} is not there")


def _linked(place: Path) -> Path:
    """The git folder that a work tree's `.git` file points to."""
    said = (place / ".git").read_text(encoding="utf-8", errors="replace")
    folder = (place / said.removeprefix("gitdir:").strip()).resolve()
    if not said.startswith("gitdir:") or not (folder / "HEAD").is_file():
        raise ToolError(f"{place} is no git repository")
    return folder


# ---------------------------------------------------------------- a repository that is a text

_made: dict[str, Path] = {}
_making = Lock()


def _imported(file: Path) -> Path:
    """The bare repository that a file of `git fast-export` describes, made once per process and content."""
    if file.stat().st_size > _STREAM_BYTES:
        raise ToolError(f"{file.name} has more than {_STREAM_BYTES:,} bytes")
    stream = file.read_bytes()
    digest = sha256(stream).hexdigest()
    with _making:
        if digest not in _made:
            _made[digest] = _make(file.name, stream)
        return _made[digest]


def _make(name: str, stream: bytes) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="benchbook-repository-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    start = ("init", "--bare", "--quiet", "--template=", "--initial-branch=main", str(folder))
    for words, fed in ((start, b""), (("fast-import", "--quiet"), stream)):
        ended = process.run(_command(folder, words, fed))
        if ended.status:
            raise ToolError(f"{name} is no repository: git {words[0]}: {ended.complaint.partition(chr(10))[0]}")
    return folder
