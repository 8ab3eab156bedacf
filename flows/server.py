"""A Prefect server of our own, where the user runs none: on a free loopback port, for as long as we live.

It is started as early as can be, so that it comes up while this process imports. It keeps its database in
Prefect's own home, as any Prefect server of this user does, so that its runs are there for the next one. It reads
its stdin and goes when that ends: a killed parent leaves no server behind. What it prints goes to a file, which is
shown only if it does not come up.
"""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchbook.clock import monotonic_ns
from benchbook.errors import BenchbookError, UserError

Say = Callable[[str], None]

LOOPBACK = "127.0.0.1"
_PATIENCE_NS = 90_000_000_000
_POLL_S = 0.1
_QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLI_PROMPT": "false",
}
_SILENT = {
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",
}
_SETTINGS_FILES = (".env", "prefect.toml")


def quiet_environment() -> None:
    """Nothing phones home; Prefect's log lines go to its server and not to the terminal. The user's word wins."""
    os.environ.update({name: value for name, value in _QUIET.items() if name not in os.environ})
    if not {"PREFECT_LOGGING_LEVEL", *_SILENT} & os.environ.keys():
        os.environ.update(_SILENT)


def configured_api() -> str | None:
    """The address of the Prefect server that the user has chosen: by environment, profile or settings file."""
    if os.environ.get("PREFECT_API_URL"):
        return os.environ["PREFECT_API_URL"]
    if not any(path.is_file() for path in (prefect_home() / "profiles.toml", *map(Path, _SETTINGS_FILES))):
        return None
    from prefect.settings import get_current_settings

    return get_current_settings().api.url


def prefect_home() -> Path:
    """Where Prefect keeps its things."""
    return Path(os.environ.get("PREFECT_HOME", "~/.prefect")).expanduser()


@contextmanager
def some_server(say: Say, *, pages: bool = False) -> Iterator[Callable[[], str]]:
    """The chosen server, else one of ours; yields a function that waits for it and returns its API's address.

    pages: a full server, with web pages and a scheduler. Raises UserError where a chosen server does not answer.
    """
    chosen = configured_api()
    if chosen is not None:
        yield lambda: _answering(chosen)
        return
    os.environ.setdefault("PREFECT_CLIENT_MAX_RETRIES", "2")  # ours does not come back: no need to hope for minutes
    _past_proxies(LOOPBACK)
    with _starting(pages=pages) as server:
        yield lambda: server.ready(say)


def _past_proxies(host: str) -> None:
    """Whatever proxy the environment names, `host` is reached without it."""
    spared = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if host not in spared.split(","):
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(filter(None, [spared, host]))


@contextmanager
def talking_to(api: str) -> Iterator[None]:
    """Prefect's client in this process, and in those it starts, talks to the server at `api`."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    os.environ["PREFECT_API_URL"] = api
    with temporary_settings({PREFECT_API_URL: api}):
        yield


def _answering(api: str) -> str:
    if not _responds(api):
        raise UserError(
            f"PREFECT_API_URL {api}", "no Prefect server answers there", "start it, unset it, or use --no-flow"
        )
    return api


def _responds(api: str) -> bool:
    try:
        with urllib.request.urlopen(f"{api.rstrip('/')}/health", timeout=5):  # noqa: S310 - the user's own address
            return True
    except urllib.error.HTTPError as refusal:
        return refusal.code < 500
    except (OSError, ValueError):
        return False


@dataclass(frozen=True, slots=True)
class Server:
    """A server that has been started and may not be up yet."""

    process: subprocess.Popen[bytes]
    port: int
    log: IO[bytes]
    began_ns: int

    @property
    def api(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/api"

    def ready(self, say: Say) -> str:
        """Wait until it answers; its API's address. Raises BenchbookError, with its last words, if it does not."""
        pause = threading.Event()
        while not _responds(self.api):
            if self.process.poll() is not None or monotonic_ns() - self.began_ns > _PATIENCE_NS:
                raise BenchbookError(
                    f"the Prefect server did not come up (--no-flow does without): {self._last_words()}"
                )
            pause.wait(_POLL_S)
        say(f"prefect: a server of our own on {self.api.removesuffix('/api')}, up in {self._waited_s():.0f} s")
        return self.api

    def _waited_s(self) -> float:
        return (monotonic_ns() - self.began_ns) / 1e9

    def _last_words(self) -> str:
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").strip().splitlines()
        return " / ".join(lines[-3:]) or f"exit code {self.process.poll()}"


@contextmanager
def _starting(*, pages: bool) -> Iterator[Server]:
    with socket.create_server((LOOPBACK, 0)) as door, tempfile.TemporaryFile() as log:
        port: int = door.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.server", str(door.fileno())],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=_server_environment(port, pages=pages),
            pass_fds=(door.fileno(),),
            start_new_session=True,
        )
        door.close()
        try:
            yield Server(process, port, log, monotonic_ns())
        finally:
            _end(process)


def _server_environment(port: int, *, pages: bool) -> dict[str, str]:
    environment = {**os.environ, **_QUIET, "PREFECT__SERVER_FINAL": "1"}
    if pages:
        environment["PREFECT_SERVER_UI_API_URL"] = f"http://{LOOPBACK}:{port}/api"
    else:
        environment |= {"PREFECT__SERVER_EPHEMERAL": "1", "PREFECT_UI_ENABLED": "0"}
        environment["PREFECT_API_BLOCKS_REGISTER_ON_START"] = "0"
    return environment


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()


# ---------------------------------------------------------------- inside the server's process


def main() -> None:
    """Serve Prefect's application on the listening socket whose number the command line gives."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import uvicorn
    from prefect.server.api.server import create_app

    class OneAtATime(uvicorn.Server):
        """Two servers must not bring the same new database up to date at once."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            with _alone(prefect_home()):
                await super().startup(sockets)

    config = uvicorn.Config(create_app, factory=True, log_level="error", lifespan="on")
    OneAtATime(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".benchbook-server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _end_with_parent() -> None:
    while os.read(0, 1):  # not sys.stdin: a thread that waits inside it upsets the interpreter's end
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
