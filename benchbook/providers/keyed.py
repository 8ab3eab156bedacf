"""What providers with a base address and one key in a header have in common: a plain HTTP API.

`KeyedApi` is all of a provider but its names; openai, anthropic and ollama are three values of `Api`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from benchbook.clock import monotonic_ns
from benchbook.errors import PlanError, ProviderError
from benchbook.providers import ModelInfo, address, capabilities, keys
from benchbook.providers.http import HttpRequest
from benchbook.providers.status import error_kind
from benchbook.providers.transport import Transport
from benchbook.records import ModelRequest, Target
from benchbook.wire import Wire, wire

_LISTING_PAGES = 50


@dataclass(frozen=True, slots=True)
class Api:
    """A provider's names. `headers(key)` makes the credentials' header fields; `models` reads one page of a
    listing and gives the next page's path, or None."""

    wire_name: str
    base_url: str
    key_variable: str
    headers: Callable[[str], Mapping[str, str]]
    models_path: str
    models: Callable[[Any], tuple[list[ModelInfo], str | None]]
    key_needed: bool = True


class KeyedApi:
    """A `Provider` over an `Api`."""

    repeatable = True

    def __init__(self, target: Target, api: Api) -> None:
        self.target = target
        self.wire_name = api.wire_name
        self._api = api
        self._base = target.base_url or api.base_url
        self._key: str | None = None
        self._fixed: dict[str, str] | None = None
        if target.wire not in (None, api.wire_name):
            raise PlanError(
                f"target {target.name}",
                f"provider {target.provider} does not speak the wire {target.wire!r}",
                f"leave `wire` out, or say {api.wire_name}",
            )
        address.checked(target, self._base)
        self.wire: Wire = wire(api.wire_name)

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self._key,) if self._key else ()

    def check(self) -> None:
        self._headers()

    def prepare(self, request: ModelRequest) -> HttpRequest:
        asked = self.wire.encode_request(request)
        return HttpRequest(address.join(self._base, asked.path), {**self._headers(), **asked.headers}, asked.body)

    def capabilities(self) -> capabilities.Capabilities:
        return capabilities.of(self.target)

    async def list_models(self, transport: Transport, deadline_ns: int) -> tuple[ModelInfo, ...]:
        found: list[ModelInfo] = []
        path: str | None = self._api.models_path
        for _ in range(_LISTING_PAGES):
            if path is None:
                break
            listing = await self._get(transport, path, deadline_ns)
            try:
                page, path = self._api.models(listing)
            except (AttributeError, KeyError, TypeError):
                raise ProviderError("protocol", f"{path} did not answer with a list of models") from None
            found += page
        return tuple(found)

    async def _get(self, transport: Transport, path: str, deadline_ns: int) -> Any:
        headers = {**self._headers(), "accept": "application/json"}
        exchange = await transport.exchange(
            HttpRequest(address.join(self._base, path), headers, method="GET"), deadline_ns
        )
        if exchange.error_kind is not None:
            raise ProviderError(exchange.error_kind, keys.scrub(exchange.error_message or "", self.secrets))
        status = exchange.status or 0
        if status != 200:
            said = self.wire.decode_error(status, exchange.body)
            message = keys.scrub(f"HTTP {status}: {said.message}", self.secrets)
            raise ProviderError(error_kind(status, exchange.headers), message, http_status=status)
        try:
            return orjson.loads(exchange.body)
        except orjson.JSONDecodeError:
            raise ProviderError("protocol", f"{path} did not answer with JSON", http_status=status) from None

    def _headers(self) -> Mapping[str, str]:
        """Credentials and content type, made once. Raises CredentialError."""
        if self._fixed is None:
            self._key = self._find_key()
            self._fixed = {"content-type": "application/json"}
            key = self._key or (keys.DUMMY if address.on_loopback(self._base) else None)
            if key:
                self._fixed.update(self._api.headers(key))
        return self._fixed

    def _find_key(self) -> str | None:
        variable = self.target.api_key_env or self._api.key_variable
        key = keys.read(variable)
        own = address.host_of(self._base) == address.host_of(self._api.base_url)
        needed = (own and self._api.key_needed) or self.target.api_key_env is not None
        if key is None and needed and not address.on_loopback(self._base):
            raise keys.missing(self.target.name, variable)
        return key


def deadline_in(seconds: float) -> int:
    """A deadline that many seconds from now, for callers that list models."""
    return monotonic_ns() + int(seconds * 1e9)
