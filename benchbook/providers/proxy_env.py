"""Which proxy the environment names for an origin: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY.

Loopback addresses never go through a proxy: the simulator and local servers are reached directly.
"""

from __future__ import annotations

import base64
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from benchbook.errors import ProviderError
from benchbook.providers.http import Origin


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy; `authorization` is the Proxy-Authorization header's value, or empty."""

    origin: Origin
    authorization: str = field(default="", repr=False)

    @property
    def headers(self) -> Mapping[str, str]:
        return {"proxy-authorization": self.authorization} if self.authorization else {}


def is_loopback(host: str) -> bool:
    """True for `localhost` and for the loopback addresses of both families."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def from_environment() -> dict[str, str]:
    """The environment's proxies by scheme, as urllib reads them (`no` holds NO_PROXY)."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return {}
    from urllib.request import getproxies_environment

    return getproxies_environment()


def choose(origin: Origin, proxies: Mapping[str, str]) -> Proxy | None:
    """The proxy for this origin, or None. Raises ProviderError for a proxy we can't speak to."""
    url = proxies.get(origin.scheme) or proxies.get("all")
    if not url or is_loopback(origin.host) or _bypassed(origin, proxies):
        return None
    return parse(url)


def parse(url: str) -> Proxy:
    """A proxy's URL; without a scheme it is http. Raises ProviderError (kind `proxy`), never showing a password."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme != "http":
        raise ProviderError("proxy", f"the environment names a {parts.scheme}:// proxy; only http:// ones are spoken")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host:
        raise ProviderError("proxy", "the environment's proxy is no address; http://host:port would be")
    authorization = ""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode("ascii")
    return Proxy(Origin("http", host, port or 80), authorization)


def _bypassed(origin: Origin, proxies: Mapping[str, str]) -> bool:
    from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

    # The port-qualified form as well: NO_PROXY may name `host:port`.
    return bool(proxy_bypass_environment(origin.address, dict(proxies)))
