"""OpenAI, and every server that speaks its Chat Completions: give `base_url` (with its /v1, if it has one)."""

from __future__ import annotations

from typing import Any

from benchbook.providers import ModelInfo, Provider
from benchbook.providers.keyed import Api, KeyedApi
from benchbook.records import Target


def _models(page: Any) -> tuple[list[ModelInfo], str | None]:
    rows = page if isinstance(page, list) else page.get("data") or page.get("models") or []
    return [ModelInfo(str(row["id"]), str(row.get("owned_by") or "")) for row in rows if row.get("id")], None


API = Api(
    wire_name="openai_chat",
    base_url="https://api.openai.com/v1",
    key_variable="OPENAI_API_KEY",
    headers=lambda key: {"authorization": f"Bearer {key}"},
    models_path="/models",
    models=_models,
)


def provider(target: Target) -> Provider:
    return KeyedApi(target, API)
