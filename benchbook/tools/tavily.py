"""Search on the web by Tavily's API: one POST to `/search`, with a key from the environment.

Request and answer are as https://docs.tavily.com/documentation/api-reference/endpoint/search has them. Hits keep the
service's order, which is by its own score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchbook.errors import ToolError
from benchbook.tools import Place, remote
from benchbook.tools.search import Hit, Settings


@dataclass(frozen=True, slots=True)
class Tavily:
    """A `SearchProvider` over Tavily's index of the web."""

    service: remote.Service
    depth: str
    topic: str

    async def find(self, query: str, count: int) -> list[Hit]:
        asked = {
            "query": query,
            "max_results": count,
            "search_depth": self.depth,
            "topic": self.topic,
            "include_answer": False,
            "include_raw_content": False,
            "include_images": False,
        }
        answer = remote.document(self.service, await self.service.post("/search", asked))
        results = answer.get("results") if isinstance(answer, dict) else None
        if not isinstance(results, list):
            raise ToolError("tavily: the answer has no list of results", kind="protocol", service="tavily")
        return [_hit(result) for result in results[:count] if isinstance(result, dict)]


def provider(settings: Settings, place: Place) -> Tavily:
    """Tavily with the place's key. Raises ToolError where there is none."""
    service = remote.service("tavily", settings.address, settings.key_env, place)
    return Tavily(service, settings.depth, settings.topic)


def _hit(result: dict[str, Any]) -> Hit:
    where = str(result.get("url") or "")
    return Hit(str(result.get("title") or where), where, str(result.get("content") or ""))
