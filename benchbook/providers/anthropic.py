"""Anthropic's Messages API."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from benchbook.providers import ModelInfo, Provider
from benchbook.providers.keyed import Api, KeyedApi
from benchbook.records import Target

VERSION = "2023-06-01"
_MODELS = "/v1/models?limit=1000"


def _models(page: Any) -> tuple[list[ModelInfo], str | None]:
    rows = [ModelInfo(str(row["id"]), str(row.get("display_name") or "")) for row in page.get("data") or []]
    last = page.get("last_id") if page.get("has_more") else None
    return rows, f"{_MODELS}&after_id={quote(str(last))}" if last else None


API = Api(
    wire_name="anthropic_messages",
    base_url="https://api.anthropic.com",
    key_variable="ANTHROPIC_API_KEY",
    headers=lambda key: {"x-api-key": key, "anthropic-version": VERSION},
    models_path=_MODELS,
    models=_models,
)


def provider(target: Target) -> Provider:
    return KeyedApi(target, API)
