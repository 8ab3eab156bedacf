"""A repository on GitHub, by its REST interface and a token (https://docs.github.com/rest, version 2022-11-28).

Only reading requests are made. Search is GitHub's own, over the default branch; its excerpts come instead of lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from benchbook.errors import ToolError
from benchbook.tools import Place, remote
from benchbook.tools.repositories import Asked, Commit, Settings

_JSON = "application/vnd.github+json"
_RAW = "application/vnd.github.raw+json"
_DIFF = "application/vnd.github.diff"
_MATCHES = "application/vnd.github.text-match+json"
_MOST_PER_PAGE = 100


@dataclass(frozen=True, slots=True)
class GitHub:
    """A `Repository` at GitHub. name: `owner/name`."""

    service: remote.Service
    name: str

    @classmethod
    def of(cls, settings: Settings, place: Place) -> GitHub:
        """The repository that the settings name, with the place's token. Raises ToolError where there is none."""
        return cls(remote.service("github", settings.address, settings.token_env, place), settings.github)

    async def files(self, asked: Asked) -> Sequence[str]:
        tree = await self._json(f"/git/trees/{_quoted(asked.revision)}?recursive=1")
        inside = f"{asked.path}/"
        found = [str(entry["path"]) for entry in self._list(tree, "tree") if entry.get("type") == "blob"]
        return [path for path in found if not asked.path or path == asked.path or path.startswith(inside)]

    async def read(self, asked: Asked) -> bytes:
        path = f"/contents/{quote(asked.path)}?{urlencode({'ref': asked.revision})}"
        return await self.service.get(f"/repos/{self.name}{path}", _RAW)

    async def search(self, query: str, asked: Asked) -> Sequence[str]:
        words = " ".join([_exact(query), f"repo:{self.name}", *([f"path:{_exact(asked.path)}"] if asked.path else [])])
        page = urlencode({"q": words, "per_page": min(asked.count + 1, _MOST_PER_PAGE)})
        answer = remote.document(self.service, await self.service.get(f"/search/code?{page}", _MATCHES))
        return [
            f"{item['path']}: {' '.join(str(match.get('fragment', '')).split())}"
            for item in self._list(answer, "items")
            if str((item.get("repository") or {}).get("full_name")).lower() == self.name.lower()
            for match in item.get("text_matches") or [{}]
        ]

    async def log(self, asked: Asked) -> Sequence[Commit]:
        fields = {"sha": asked.revision, "path": asked.path, "per_page": str(min(asked.count + 1, _MOST_PER_PAGE))}
        page = urlencode({name: value for name, value in fields.items() if value and value != "HEAD"})
        commits = await self._json(f"/commits?{page}")
        return [_commit(entry) for entry in self._list({"commits": commits}, "commits")]

    async def diff(self, since: str, asked: Asked) -> str:
        newer = _quoted(asked.revision)
        path = f"/compare/{_quoted(since)}...{newer}" if since else f"/commits/{newer}"
        text = (await self.service.get(f"/repos/{self.name}{path}", _DIFF)).decode("utf-8", "replace")
        return _of_path(text, asked.path) if asked.path else text

    async def _json(self, path: str) -> Any:
        return remote.document(self.service, await self.service.get(f"/repos/{self.name}{path}", _JSON))

    def _list(self, answer: Any, name: str) -> list[dict[str, Any]]:
        found = answer.get(name) if isinstance(answer, dict) else None
        if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
            raise ToolError(f"github: the answer has no list of {name}", kind="protocol", service="github")
        return found


def _exact(text: str) -> str:
    """Words to be found as they stand; without quotation marks, so that nothing in them is a search's own word."""
    return '"' + text.replace('"', " ").replace("\\", " ") + '"'


def _quoted(revision: str) -> str:
    return quote(revision, safe="/")


def _commit(entry: dict[str, Any]) -> Commit:
    said = entry.get("commit") or {}
    author = said.get("author") or {}
    subject = str(said.get("message") or "").partition("\n")[0]
    return Commit(
        str(entry.get("sha") or ""), str(author.get("name") or ""), str(author.get("date") or "")[:10], subject
    )


def _of_path(diff: str, path: str) -> str:
    """The parts of a difference that are about a file or folder."""
    parts = ("diff --git " + part for part in diff.split("diff --git ")[1:])
    return "".join(part for part in parts if f" b/{path}\n" in part or f" b/{path}/" in part.partition("\n")[0])
