"""What stands before every page: who may ask, what may be asked, and what the browser is told about the answer.

A page of another site that a browser shows could send it here. So the Host must be ours (a name that was bound to our
address has another one), nothing but reading is allowed, what carries SQL must come from our own page, and no answer
may be read, framed or embedded from elsewhere.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any
from urllib.parse import urlsplit

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

LARGEST = 100_000
"""Bytes of a request's body."""

HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """An ASGI application around another one. names: further hosts that it may be asked as; policy: of every page."""

    def __init__(self, inner: Application, *, policy: str, names: Collection[str] = (), remote: bool = False) -> None:
        self._inner, self._names, self._remote = inner, {name.lower() for name in names}, remote
        self._headers = [
            (name.encode(), value.encode()) for name, value in {**HEADERS, "content-security-policy": policy}.items()
        ]

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        told = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refused = self._refused(str(scope["method"]), told)
        if refused:
            await self._refuse(*refused, send)
            return

        async def stamped(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self._headers]
            await send(message)

        await self._inner(scope, receive, stamped)

    def _refused(self, method: str, told: dict[str, str]) -> tuple[int, str] | None:
        if not self._ours(told.get("host", "")):
            return 421, "this is not the host that is served here; open the address that `benchbook ui` printed"
        if method not in ("GET", "HEAD", "POST"):
            return 405, "pages here are only read"
        said = told.get("content-length", "0")
        if "transfer-encoding" in told or not said.isdecimal() or int(said) > LARGEST:
            return 413, f"a request says its length, and that is {LARGEST:,} bytes at most"
        return _from_elsewhere(method, told)

    def _ours(self, host: str) -> bool:
        """Whether a Host is one that we are reached by; where others may come in any address will do, and no name."""
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        if name == "localhost" or name in self._names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return self._remote or address.is_loopback

    async def _refuse(self, status: int, why: str, send: Send) -> None:
        body = f"{why}\n".encode()
        kind = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
        headers = [*kind, (b"connection", b"close"), *self._headers]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _from_elsewhere(method: str, told: dict[str, str]) -> tuple[int, str] | None:
    """By what the browser says of where a request comes from; who says nothing is no browser."""
    site, origin = told.get("sec-fetch-site"), told.get("origin")
    if method == "POST":
        ours = (
            site in ("same-origin", "none") if site else origin is None or urlsplit(origin).netloc == told.get("host")
        )
        return None if ours else (403, "SQL is taken from our own page only")
    if site in ("cross-site", "same-site") and told.get("sec-fetch-mode") != "navigate":
        return 403, "another site's page may not load this"
    return None
