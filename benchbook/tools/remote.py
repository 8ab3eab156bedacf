"""Services that tools ask over HTTP: one exchange, within the tool's time limit, by a key of the place's.

A key goes out over HTTPS or to this machine only, and never into a message. What a service does wrong is a ToolError
that names the service and says how it failed, in the words that a model call's failure has.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from benchbook.clock import monotonic_ns
from benchbook.errors import ToolError
from benchbook.providers import address, keys
from benchbook.providers.connection import Receiving
from benchbook.providers.http import Exchange, HttpRequest
from benchbook.providers.status import error_kind
from benchbook.providers.transport import Transport
from benchbook.tools import Place
from benchbook.tools.aside import aside

ANSWER_BYTES = 8_000_000
"""The largest answer taken in; a service that sends more is cut off."""
_HEAD_START_S = 0.1  # a service that hangs is left a little before the tool's time is up, so that it is named


@dataclass(frozen=True, slots=True)
class Service:
    """A service at an address, spoken to with a key: in `Authorization`, or alone in the field `key_field`."""

    name: str
    base: str
    key: str = field(repr=False)
    timeout_s: float
    key_field: str = ""

    async def get(self, path: str, accept: str) -> bytes:
        """The body of an answer to GET. Raises ToolError."""
        return await self._ask(HttpRequest(address.join(self.base, path), self._headers(accept), method="GET"))

    async def post(self, path: str, document: Mapping[str, Any]) -> bytes:
        """The body of an answer to a POST of JSON. Raises ToolError."""
        headers = {**self._headers("application/json"), "content-type": "application/json"}
        body = json.dumps(document).encode()
        return await self._ask(HttpRequest(address.join(self.base, path), headers, body))

    async def delete(self, path: str) -> bytes:
        """The body of an answer to DELETE. Raises ToolError."""
        return await self._ask(
            HttpRequest(address.join(self.base, path), self._headers("application/json"), method="DELETE")
        )

    def _headers(self, accept: str) -> dict[str, str]:
        key = {self.key_field: self.key} if self.key_field else {"authorization": f"Bearer {self.key}"}
        return {**key, "accept": accept}

    async def _ask(self, request: HttpRequest) -> bytes:
        patience_s = self.timeout_s - min(_HEAD_START_S, self.timeout_s / 10)
        exchange = await _exchange(request, monotonic_ns() + int(patience_s * 1e9))
        if exchange.error_kind is not None:
            raise self._failure(exchange.error_kind, exchange.error_message or "")
        status = exchange.status or 0
        if not 200 <= status < 300:
            kind = "rate_limited" if _used_up(exchange) else error_kind(status, exchange.headers)
            raise self._failure(kind, f"HTTP {status}: {_said(exchange.body)}")
        return exchange.body

    def _failure(self, kind: str, message: str) -> ToolError:
        return ToolError(f"{self.name}: {keys.scrub(message, (self.key,))}", kind=kind, service=self.name)


def service(name: str, base: str, key_env: str, place: Place, key_field: str = "") -> Service:
    """A service that can be asked. Raises ToolError without its key, and for an address that would show the key."""
    if missing := without_key(key_env, place.environ):
        raise ToolError(f"{name}: {missing}", kind="no_key", service=name)
    key = place.environ[key_env].strip()
    return reached(Service(name, base, key, place.timeout_s, key_field))


def reached(service: Service) -> Service:
    """The service, if its address keeps the key secret. Raises ToolError."""
    if not service.base.startswith("https://") and not address.on_loopback(service.base):
        told = f"{service.name}: a key is sent over https:// only, not to {service.base}"
        raise ToolError(told, kind="bad_request", service=service.name)
    return service


def without_key(key_env: str, environ: Mapping[str, str]) -> str | None:
    """What is missing where the variable is not set."""
    return None if environ.get(key_env, "").strip() else f"no key: ${key_env} is not set"


def document(service: Service, body: bytes) -> Any:
    """An answer as JSON. Raises ToolError."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise ToolError(f"{service.name}: the answer is not JSON", kind="protocol", service=service.name) from None


async def _exchange(request: HttpRequest, deadline_ns: int) -> Exchange:
    tls = await aside(_tls) if request.url.startswith("https://") else None
    transport = Transport(tls=tls)
    receivings: list[_Bounded] = []

    def receive(done: asyncio.Future[None]) -> _Bounded:
        receivings.append(_Bounded(done))
        return receivings[-1]

    try:
        exchange = await transport.exchange(request, deadline_ns, receive)
    finally:
        await transport.close()
    if receivings and receivings[0].room < 0:
        return replace(exchange, error_message=f"the answer is larger than {ANSWER_BYTES:,} bytes")
    return exchange


@cache
def _tls() -> ssl.SSLContext:
    """The system's certificates, read once: it takes some ten milliseconds, in a thread."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class _Bounded(Receiving):
    """An answer that ends as a failure when it becomes too large."""

    __slots__ = ("room",)

    def __init__(self, done: asyncio.Future[None]) -> None:
        super().__init__(done)
        self.room = ANSWER_BYTES

    def on_body(self, body: bytes) -> None:
        self.room -= len(body)
        if self.room < 0:
            raise ValueError("too large")
        super().on_body(body)


def _used_up(exchange: Exchange) -> bool:
    """A 403 that means too many requests, as GitHub says it; Tavily's 432 and 433 mean a used-up plan."""
    return exchange.status in (432, 433) or (
        exchange.status == 403 and exchange.headers.get("x-ratelimit-remaining") == "0"
    )


def _said(body: bytes) -> str:
    """The message in an error's body, in any of the forms that services use; else the body's beginning."""
    text = body[:4_000].decode("utf-8", "replace")
    try:
        said = json.loads(text)
    except ValueError:
        said = text
    for name in ("detail", "error", "message"):
        if isinstance(said, dict) and name in said:
            said = said[name]
    return re.sub(r"\s+", " ", said if isinstance(said, str) else json.dumps(said)).strip()[:300] or "no words"
