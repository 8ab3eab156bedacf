"""The SDK's own model classes, pointed at a target: what users run is what is measured.

Clients are made once per target and process (a client per call would cost a TLS context each) and kept by the desk;
a model object, which holds sampling parameters only, is made per agent. Retries are ours alone: the clients' own are
off. A case's and target's parameters are put where each class takes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from benchbook.errors import PlanError
from benchbook.providers import Provider, keys
from benchbook.records import Message, ModelRequest, Params
from benchbook.workloads import Desk
from benchbook.workloads.team.wiretap import dressed

if TYPE_CHECKING:
    from strands.models.model import Model

_PATHS = {"openai": "/chat/completions", "anthropic": "/v1/messages", "ollama": "/api/chat"}
"""What each official client puts behind its base address."""


def model(desk: Desk, target: str, request: ModelRequest) -> Model:
    """A model of the SDK's for a target; `request` gives its name, parameters and whether it streams.

    Raises PlanError for a target that Strands can't speak to."""
    provider = desk.provider(target)
    kind = provider.target.provider
    if kind not in _MAKERS:
        raise PlanError(f"target {target}", f"agents can't use provider {kind!r}", f"known ones: {', '.join(_MAKERS)}")
    made: Model = _MAKERS[kind](desk, provider, request)
    return made


def _openai(desk: Desk, provider: Provider, request: ModelRequest) -> Any:
    from strands.models.openai import OpenAIModel

    client = desk.shared(f"client of {provider.target.name}", lambda: _openai_client(desk, provider))
    params = _named(request.params, max_tokens="max_tokens", stop="stop", seed="seed")
    return OpenAIModel(client=client, model_id=request.model, params=params, stream=request.stream)


def _openai_client(desk: Desk, provider: Provider) -> Any:
    import httpx2
    from openai import AsyncOpenAI

    return AsyncOpenAI(
        base_url=_base(provider),
        api_key=_key(provider),
        max_retries=0,
        timeout=None,
        http_client=httpx2.AsyncClient(transport=dressed(httpx2, provider, desk.transport), timeout=None),
    )


_MAKERS: Mapping[str, Any] = {"openai": _openai}


def _named(params: Params, **names: str) -> dict[str, Any]:
    """Sampling parameters under a class's own names, those that are set; then the provider's own fields."""
    found: dict[str, Any] = {}
    for ours in ("temperature", "top_p", "max_tokens", "stop", "seed"):
        value = getattr(params, ours)
        if value in (None, ()) or (ours in ("stop", "seed") and ours not in names):
            continue
        found[names.get(ours, ours)] = list(value) if ours == "stop" else value
    return {**found, **params.extra}


def _base(provider: Provider) -> str:
    """The base address that the official client has to be given: the target's whole one without the client's path."""
    asked = ModelRequest(provider.target.model, (Message("user", "?"),))
    whole = provider.prepare(asked).url
    path = _PATHS[provider.target.provider]
    if not whole.endswith(path):
        right = f"an address that ends in {path}"
        raise PlanError(f"target {provider.target.name}", f"the official client can't reach {whole}", right)
    return whole.removesuffix(path)


def _key(provider: Provider) -> str:
    """Its key; a dummy where there is none (a local server)."""
    provider.check()
    return provider.secrets[0] if provider.secrets else keys.DUMMY
