"""Repositories: list, read and search files, read the log and differences, in a local git clone or on GitHub.

Only what was committed is seen, never a working tree. Which of the two is asked is the team file's: `clone` names a
clone, or a file as `git fast-export` writes it; `github` names `owner/name`, read by GitHub's interface with a token.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from benchbook.errors import ToolError
from benchbook.tools import Outcome, Place, inside, remote, texts

NAME = "repository"
DESCRIPTION = (
    "Looks into a git repository, at any commit, branch or tag. files: the paths of a revision, below path if one is "
    "given; read: a file, path, from first_line on; search: the lines that hold query; log: commits, newest first, "
    "only those that touched path if one is given; diff: what changed from since to revision."
)
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]*(?:[~^][0-9]*)*")


class Input(BaseModel):
    """What a model asks for."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["files", "read", "search", "log", "diff"]
    path: str = Field("", description="a file or folder of the repository, relative to its top")
    query: str = Field("", max_length=400, description="of search: text that a line holds, in any case")
    revision: str = Field("HEAD", description="a commit, branch or tag, such as v1.2 or HEAD~1")
    since: str = Field("", description="of diff: the older revision; left out, the commit before revision")
    first_line: int = Field(1, ge=1, description="of read: the line to begin with")
    count: int = Field(200, ge=1, le=1000, description="at most so many lines, files or commits")


class Settings(BaseModel):
    """What a team file may set. clone: from where the run was started; github: `owner/name`, instead of a clone."""

    model_config = ConfigDict(extra="forbid")

    clone: str = "datasets/library/gauge.fast-import"
    github: str = Field("", pattern=r"^(?:[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+)?$")
    address: str = Field("https://api.github.com", pattern=r"^https?://[^\s@]+$")
    token_env: str = "GITHUB_TOKEN"  # noqa: S105 - a variable's name
    answer_chars: int = Field(12_000, ge=200, le=200_000)


@dataclass(frozen=True, slots=True)
class Commit:
    """A line of the log. day: YYYY-MM-DD, in the author's own time zone."""

    sha: str
    author: str
    day: str
    subject: str


@dataclass(frozen=True, slots=True)
class Asked:
    """Where to look: a revision, a path ("" for all), and at most how many things."""

    revision: str
    path: str
    count: int


class Repository(Protocol):
    """What a local clone and GitHub both can. Each raises ToolError; lists hold one more than asked for where there is
    more."""

    async def files(self, asked: Asked) -> Sequence[str]: ...

    async def read(self, asked: Asked) -> bytes: ...

    async def search(self, query: str, asked: Asked) -> Sequence[str]:
        """Lines, each with its path before it."""
        ...

    async def log(self, asked: Asked) -> Sequence[Commit]: ...

    async def diff(self, since: str, asked: Asked) -> str: ...


def lacking(settings: Settings, environ: Mapping[str, str]) -> str | None:
    """The token, or the clone."""
    if settings.github:
        return remote.without_key(settings.token_env, environ)
    return None if Path(settings.clone).exists() else f"the clone {settings.clone} is not there"


def service(settings: Settings) -> str | None:
    """Whom a use asks."""
    return "github" if settings.github else None


def warming(settings: Settings) -> dict[str, Any] | None:
    """A log makes a repository of a text."""
    return {"action": "log", "count": 1} if not settings.github else None


async def run(asked: Input, settings: Settings, place: Place) -> Outcome:
    """Raises ToolError for what is not there or can't be done."""
    path = "/".join(inside.parts(asked.path)) if asked.path.strip() not in ("", ".", "./", "/") else ""
    for revision in (asked.revision, asked.since):
        if revision and (not _REVISION.fullmatch(revision) or ".." in revision):
            raise ToolError(f"{revision[:80]!r} is no revision: a commit, branch or tag, such as v1.2 or HEAD~1")
    where = Asked(asked.revision or "HEAD", path, asked.count)
    repository = await opened(settings, place)
    answer = {"files": _files, "read": _read, "search": _search, "log": _log, "diff": _diff}[asked.action]
    text = await answer(repository, asked, where, settings)
    detail = {"action": asked.action, "repository": settings.github or settings.clone}
    return Outcome(texts.shortened(text, settings.answer_chars), detail=detail)


async def opened(settings: Settings, place: Place) -> Repository:
    """The repository that the settings name. Raises ToolError where it is none."""
    if settings.github:
        from benchbook.tools.github import GitHub

        return GitHub.of(settings, place)
    from benchbook.tools.git import Clone

    return await Clone.at(settings.clone)


async def _files(repository: Repository, _asked: Input, where: Asked, _settings: Settings) -> str:
    return _listed(await repository.files(where), where.count, "files") or "no files"


async def _search(repository: Repository, asked: Input, where: Asked, _settings: Settings) -> str:
    if not asked.query.strip() or "\n" in asked.query or "\0" in asked.query:
        raise ToolError("search needs a query of one line")
    found = await repository.search(asked.query, where)
    return _listed([line[:400] for line in found], where.count, "lines") or f"no line holds {asked.query!r}"


async def _log(repository: Repository, _asked: Input, where: Asked, _settings: Settings) -> str:
    commits = await repository.log(where)
    lines = [f"{commit.sha[:12]} {commit.day} {commit.author}: {commit.subject}" for commit in commits]
    return _listed(lines, where.count, "commits") or "no commits"


async def _diff(repository: Repository, asked: Input, where: Asked, _settings: Settings) -> str:
    return await repository.diff(asked.since, where) or "nothing changed"


async def _read(repository: Repository, asked: Input, where: Asked, settings: Settings) -> str:
    if not where.path:
        raise ToolError("read needs a path")
    data = await repository.read(where)
    if b"\0" in data:
        raise ToolError(f"{where.path} is no text")
    lines = data.decode("utf-8", "replace").splitlines()
    if asked.first_line > max(1, len(lines)):
        raise ToolError(f"{where.path} ends with line {len(lines)}")
    page: list[str] = []
    room = settings.answer_chars - 200
    for line in lines[asked.first_line - 1 :][: where.count]:
        room -= len(line) + 1
        if room < 0 and page:
            break
        page.append(line)
    last = asked.first_line + len(page) - 1
    more = f"; go on with first_line {last + 1}" if last < len(lines) else ""
    head = f"{where.path} at {where.revision}, lines {asked.first_line} to {last} of {len(lines)}{more}"
    return "\n".join((head, *page))


def _listed(lines: Sequence[str], count: int, what: str) -> str:
    shown = list(lines[:count])
    if len(lines) > count:
        shown.append(f"[there are more {what} than the {count} asked for]")
    return "\n".join(shown)
