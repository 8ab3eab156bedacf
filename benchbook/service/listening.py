"""Listening on a port until Ctrl-C: where, whether that is safe, and what to say when the port is taken."""

from __future__ import annotations

import errno
import ipaddress
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchbook.errors import UserError

HOST, PORT = "127.0.0.1", 8765
_NEAR = 20
"""Ports above a taken one that are tried for a free one to propose."""


@dataclass(frozen=True, slots=True)
class Where:
    """Where to listen. remote: others than this machine may come in."""

    host: str = HOST
    port: int = PORT
    remote: bool = False


def serve(results: Path, where: Where, announce: Callable[[str], None]) -> None:
    """Serve until interrupted. announce is told the address once it listens. Raises UserError."""
    with _bound(where) as listener:
        import uvicorn

        from benchbook.service.app import application

        names = () if _is_address(where.host) else (where.host,)
        app = application(results, names=names, remote=where.remote)
        _only_warnings()
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", ws="none", server_header=False,
            timeout_graceful_shutdown=1, limit_concurrency=64, proxy_headers=False,
        )  # fmt: skip
        announce(_address(listener, where.host))
        try:
            uvicorn.Server(config).run(sockets=[listener])
        except KeyboardInterrupt:
            return


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach that address."""
    if host == "localhost":
        return True
    return _is_address(host) and ipaddress.ip_address(host).is_loopback


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _bound(where: Where) -> socket.socket:
    if not is_loopback(where.host) and not where.remote:
        right = "leave --host out, or say --allow-remote if whoever reaches this machine may read the history"
        raise UserError(f"--host {where.host}", "would let other machines in", right)
    try:
        return _listener(where.host, where.port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise UserError(f"{where.host}:{where.port}", f"can't be listened on ({error.strerror})") from None
    free = next((port for port in range(where.port + 1, where.port + 1 + _NEAR) if _is_free(where.host, port)), 0)
    raise UserError(f"port {where.port}", "is taken by another program", f"--port {free} is free")


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def _is_free(host: str, port: int) -> bool:
    try:
        _listener(host, port).close()
    except (OSError, OverflowError):
        return False
    return True


def _address(listener: socket.socket, host: str) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{listener.getsockname()[1]}/"


def _only_warnings() -> None:
    """The server's chatter is not for the terminal."""
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
