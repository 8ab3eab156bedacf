"""Ollama: `OLLAMA_HOST` in any of the forms its own client takes, or http://localhost:11434. A key is optional."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from benchbook.errors import PlanError
from benchbook.providers import ModelInfo, Provider
from benchbook.providers.keyed import Api, KeyedApi
from benchbook.records import Target

PORT = 11434


def _models(page: Any) -> tuple[list[ModelInfo], str | None]:
    return [ModelInfo(str(row["name"]), _detail(row)) for row in page.get("models") or [] if row.get("name")], None


def _detail(row: Any) -> str:
    details = row.get("details") or {}
    words = (details.get("family"), details.get("parameter_size"), details.get("quantization_level"))
    return " ".join(str(word) for word in words if word)


def base_url(host: str) -> str:
    """An OLLAMA_HOST as a base URL: scheme, host and port are each optional; 0.0.0.0 means this machine.
    Raises PlanError."""
    host = host.strip().strip("\"'")
    scheme, _, rest = host.rpartition("://")
    try:
        parts = urlsplit(f"//{rest}")
        port = parts.port or {"http": 80, "https": 443}.get(scheme, PORT)
    except ValueError:
        raise PlanError("$OLLAMA_HOST", f"{host!r} is no address", f"host:{PORT} would be") from None
    name = parts.hostname or "127.0.0.1"
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(name, name)  # noqa: S104 - read, never bound
    name = f"[{name}]" if ":" in name else name
    return f"{scheme or 'http'}://{name}:{port}{parts.path.rstrip('/')}"


API = Api(
    wire_name="ollama_chat",
    base_url=f"http://localhost:{PORT}",
    key_variable="OLLAMA_API_KEY",
    headers=lambda key: {"authorization": f"Bearer {key}"},
    models_path="/api/tags",
    models=_models,
    key_needed=False,
)


def provider(target: Target) -> Provider:
    host = os.environ.get("OLLAMA_HOST", "").strip()
    return KeyedApi(target, replace(API, base_url=base_url(host)) if host else API)
