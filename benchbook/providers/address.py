"""Base addresses: joined with a wire's path, and told apart (ours, loopback, somebody else's). Pure."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from benchbook.errors import PlanError
from benchbook.providers.proxy_env import is_loopback
from benchbook.records import Target


def join(base: str, path: str) -> str:
    """A base URL with a wire's path behind it.

    Trailing slashes and a query in the base are kept right, and what base and path have in common is said once:
    `http://h/v1` and `/v1/messages` make `http://h/v1/messages`; a base that is the whole address already stays.
    """
    parts = urlsplit(base)
    path, _, query = path.partition("?")
    had = [step for step in parts.path.split("/") if step]
    wanted = [step for step in path.split("/") if step]
    shared = next(size for size in range(len(wanted), -1, -1) if not size or had[-size:] == wanted[:size])
    whole = "/" + "/".join(had + wanted[shared:])
    return urlunsplit((parts.scheme, parts.netloc, whole, "&".join(filter(None, (parts.query, query))), ""))


def host_of(url: str) -> str:
    return urlsplit(url).hostname or ""


def on_loopback(url: str | None) -> bool:
    """True where the address is this machine's own: the simulator, a local server."""
    return url is not None and is_loopback(host_of(url))


def checked(target: Target, base_url: str) -> None:
    """Raises PlanError unless the base is an http or https address without a password in it."""
    try:
        parts = urlsplit(base_url)
        well_formed = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        well_formed = False
    if not well_formed:
        raise PlanError(f"target {target.name}", f"{base_url!r} is no address", "https://host/v1 would be")
    if parts.password is not None:
        right = "name its variable in api_key_env"
        raise PlanError(
            f"target {target.name}", "base_url holds a password, which would be stored with the plan", right
        )
