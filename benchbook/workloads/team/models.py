"""The SDK's own model classes, pointed at a target: what users run is what is measured.

Clients are made once per target and process (a client per call would cost a TLS context each) and kept by the desk;
a model object, which holds sampling parameters only, is made per agent. Retries are ours alone: the clients' own are
off. A case's and target's parameters are put where each class takes them.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from benchbook.errors import PlanError
from benchbook.providers import Provider, keys
from benchbook.records import Message, ModelRequest, Params
from benchbook.wire.claude_requests import DEFAULT_MAX_TOKENS
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
    from openai.resources.chat.completions import AsyncCompletions
    from strands.models.openai import OpenAIModel

    client = desk.shared(f"client of {provider.target.name}", lambda: _openai_client(desk, provider))
    params = _named(request.params, _OPENAI, _arguments(AsyncCompletions.create))
    return OpenAIModel(client=client, model_id=request.model, params=params, stream=request.stream)


def _openai_client(desk: Desk, provider: Provider) -> Any:
    import httpx2
    from openai import AsyncOpenAI

    client = AsyncOpenAI(
        base_url=_base(provider),
        api_key=_key(provider),
        max_retries=0,
        timeout=None,
        http_client=httpx2.AsyncClient(transport=dressed(httpx2, provider, desk.transport), timeout=None),
    )
    _ = client.chat.completions  # imported when first used, and that is not to be in the first trial
    return client


def _anthropic(desk: Desk, provider: Provider, request: ModelRequest) -> Any:
    import httpx2
    from anthropic.resources.messages import AsyncMessages
    from strands.models.anthropic import AnthropicModel

    def http() -> Any:
        return httpx2.AsyncClient(transport=dressed(httpx2, provider, desk.transport), timeout=None)

    http_client = desk.shared(f"client of {provider.target.name}", http)
    params = _named(request.params, _ANTHROPIC, _arguments(AsyncMessages.stream))
    model = AnthropicModel(
        client_args={
            "base_url": _base(provider),
            "api_key": _key(provider),
            "max_retries": 0,
            "timeout": None,
            "http_client": http_client,
        },
        model_id=request.model,
        max_tokens=params.pop("max_tokens", DEFAULT_MAX_TOKENS),
        params=params,
    )
    _ = model.client.messages
    return model


def _ollama(desk: Desk, provider: Provider, request: ModelRequest) -> Any:
    import httpx
    from strands.models.ollama import OllamaModel

    transport = desk.shared(f"client of {provider.target.name}", lambda: dressed(httpx, provider, desk.transport))
    params = request.params
    extra = dict(params.extra)
    options = {**extra.pop("options", {}), **({} if params.seed is None else {"seed": params.seed})}
    headers = {"authorization": f"Bearer {key}"} if (key := _key(provider)) != keys.DUMMY else {}
    return OllamaModel(
        _base(provider),
        ollama_client_args={"transport": transport, "headers": headers},
        model_id=request.model,
        options=options,
        additional_args=extra,
        **_set(
            max_tokens=params.max_tokens,
            temperature=params.temperature,
            top_p=params.top_p,
            stop_sequences=list(params.stop) or None,
        ),
    )


def _bedrock(desk: Desk, provider: Provider, request: ModelRequest) -> Any:
    from benchbook.workloads.team import bedrock

    return bedrock.model(desk, provider, request)


_MAKERS: Mapping[str, Any] = {"openai": _openai, "anthropic": _anthropic, "bedrock": _bedrock, "ollama": _ollama}
_OPENAI = {name: name for name in ("temperature", "top_p", "max_tokens", "stop", "seed")}
_ANTHROPIC = {"temperature": "temperature", "top_p": "top_p", "max_tokens": "max_tokens", "stop": "stop_sequences"}
"""Our sampling parameters -> the wire's; what is not named here, the wire does not have."""


def _set(**values: Any) -> dict[str, Any]:
    """Those that are set."""
    return {name: value for name, value in values.items() if value is not None}


def _named(params: Params, names: Mapping[str, str], takes: frozenset[str]) -> dict[str, Any]:
    """Sampling parameters under a wire's names and the provider's own fields, as the client's method takes them: what
    it has no argument for goes into the body as it is."""
    values = {names[name]: getattr(params, name) for name in names}
    said = {name: value for name, value in values.items() if value not in (None, ())} | dict(params.extra)
    if "max_completion_tokens" in said:
        said.pop("max_tokens", None)
    known = {name: list(value) if isinstance(value, tuple) else value for name, value in said.items() if name in takes}
    more = {name: value for name, value in said.items() if name not in takes}
    return {**known, "extra_body": more} if more else known


@cache
def _arguments(method: Any) -> frozenset[str]:
    """The names of the arguments that a client's method takes: clients drop some from version to version."""
    return frozenset(inspect.signature(method).parameters)


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
