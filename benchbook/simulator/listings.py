"""Lists of models, in the shapes of the four providers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

CREATED = 1_767_225_600
CREATED_TEXT = "2026-01-01T00:00:00Z"


def openai(models: Sequence[str]) -> dict[str, Any]:
    entries = [{"id": model, "object": "model", "created": CREATED, "owned_by": "benchbook"} for model in models]
    return {"object": "list", "data": entries}


def anthropic(models: Sequence[str]) -> dict[str, Any]:
    entries = [{"type": "model", "id": m, "display_name": m, "created_at": CREATED_TEXT} for m in models]
    ends = {"first_id": models[0] if models else None, "last_id": models[-1] if models else None}
    return {"data": entries, "has_more": False, **ends}


def ollama(models: Sequence[str]) -> dict[str, Any]:
    details = {"format": "gguf", "family": "sim", "parameter_size": "1B", "quantization_level": "Q4_0"}
    return {
        "models": [
            {"name": m, "model": m, "modified_at": CREATED_TEXT, "size": 1, "digest": "0" * 64, "details": details}
            for m in models
        ]
    }


def bedrock_models(models: Sequence[str]) -> dict[str, Any]:
    return {"modelSummaries": [_bedrock_model(model) for model in models]}


def _bedrock_model(model: str) -> dict[str, Any]:
    return {
        "modelArn": f"arn:aws:bedrock:us-east-1::foundation-model/{model}",
        "modelId": model,
        "modelName": model,
        "providerName": model.partition(".")[0].capitalize(),
        "inputModalities": ["TEXT"],
        "outputModalities": ["TEXT"],
        "responseStreamingSupported": True,
        "customizationsSupported": [],
        "inferenceTypesSupported": ["ON_DEMAND"],
        "modelLifecycle": {"status": "ACTIVE"},
    }


def bedrock_profiles(models: Sequence[str]) -> dict[str, Any]:
    """A cross-region profile (`us.` + id) for each model with a vendor's prefix."""
    return {"inferenceProfileSummaries": [_bedrock_profile(model) for model in models if "." in model]}


def _bedrock_profile(model: str) -> dict[str, Any]:
    return {
        "inferenceProfileName": f"US {model}",
        "inferenceProfileArn": f"arn:aws:bedrock:us-east-1:000000000000:inference-profile/us.{model}",
        "inferenceProfileId": f"us.{model}",
        "models": [{"modelArn": f"arn:aws:bedrock:us-east-1::foundation-model/{model}"}],
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
        "createdAt": CREATED_TEXT,
        "updatedAt": CREATED_TEXT,
    }
