"""Search: a few words in, at most five hits out, each with its title, where it lies and a passage.

Where hits come from is a `SearchProvider`: one file, one line in `PROVIDERS`. The default is a folder of documents, so
that a search needs neither a key nor a network and always finds the same in the same order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, Protocol, cast

from pydantic import BaseModel, ConfigDict, Field

from benchbook.tools import Outcome, Place, inside, remote

NAME = "search"
DESCRIPTION = (
    "Searches for documents or web pages and gives the best few hits, best first, each with a title, its path or "
    "address, and a passage. Ask with a few telling words."
)
MOST_HITS = 5
_PASSAGE_CHARS = 600
_TITLE_CHARS = 160

PROVIDERS: Mapping[str, str] = {"library": "benchbook.tools.library", "tavily": "benchbook.tools.tavily"}
"""A provider's name -> the module that holds its `provider(settings, place)`."""


class Input(BaseModel):
    """What a model asks for."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(min_length=1, max_length=400, pattern=r"\S", description="a few words on what is looked for")
    max_results: int = Field(MOST_HITS, ge=1, le=MOST_HITS, description="at most so many hits")


class Settings(BaseModel):
    """What a team file may set. folder, leave_out: of the library, from where the run was started; address, key_env,
    depth, topic: of Tavily."""

    model_config = ConfigDict(extra="forbid")

    provider: Literal["library", "tavily"] = "library"
    max_results: int = Field(MOST_HITS, ge=1, le=MOST_HITS)
    folder: str = "datasets/library"
    leave_out: tuple[str, ...] = ("README.md",)
    address: str = Field("https://api.tavily.com", pattern=r"^https?://[^\s@]+$")
    key_env: str = "TAVILY_API_KEY"
    depth: Literal["basic", "advanced"] = "basic"
    topic: Literal["general", "news", "finance"] = "general"


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing found. where: a path or an address; passage: the part of it that answers best, as one line."""

    title: str
    where: str
    passage: str


class SearchProvider(Protocol):
    """Where hits come from."""

    async def find(self, query: str, count: int) -> list[Hit]:
        """At most `count` hits, best first; none is no failure. Raises ToolError or ProviderError."""
        ...


def lacking(settings: Settings, environ: Mapping[str, str]) -> str | None:
    """The folder, or the key."""
    if settings.provider == "library":
        return inside.no_folder(settings.folder)
    return remote.without_key(settings.key_env, environ)


def warming(settings: Settings) -> dict[str, Any] | None:
    """A search makes the index."""
    return {"query": "anything"} if settings.provider == "library" else None


async def run(asked: Input, settings: Settings, place: Place) -> Outcome:
    """Raises ToolError or ProviderError for what the provider can't do."""
    made = cast("SearchProvider", import_module(PROVIDERS[settings.provider]).provider(settings, place))
    count = min(asked.max_results, settings.max_results)
    hits = (await made.find(asked.query, count))[:count]
    text = "\n\n".join(_shown(number, hit) for number, hit in enumerate(hits, 1))
    detail = {"provider": settings.provider, "hits": len(hits), "found": [hit.where for hit in hits]}
    return Outcome(text or f"nothing was found for {asked.query!r}", detail=detail)


def service(settings: Settings) -> str | None:
    """Whom a search asks."""
    return None if settings.provider == "library" else settings.provider


def _shown(number: int, hit: Hit) -> str:
    title, passage = _line(hit.title, _TITLE_CHARS), _line(hit.passage, _PASSAGE_CHARS)
    return f"{number}. {title}\n   {_line(hit.where, 2_000)}\n   {passage}"


def _line(text: str, most: int) -> str:
    flat = re.sub(r"\s+", " ", text).strip()
    return flat if len(flat) <= most else flat[: most - 3].rstrip() + "..."
