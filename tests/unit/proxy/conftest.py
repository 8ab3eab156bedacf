"""A recorder between a scripted server and a client, and a replayer, in the test's own loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop

from benchbook.providers.transport import Transport
from benchbook.proxy import recorder, replayer
from benchbook.proxy.cassette import read_cassette
from benchbook.proxy.recorder import Order, Recording
from benchbook.proxy.replayer import How, Replayer


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
def _own_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIARECORDERSOWNKEY0")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-recorders-own-secret-key")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    transport = Transport(proxies={})
    yield transport
    await transport.close()


@asynccontextmanager
async def _recording(to: str, path: Path) -> AsyncIterator[tuple[str, Recording]]:
    recording = await recorder.serve(Order(path, {"there": to}))
    try:
        yield recording.addresses["there"], recording
    finally:
        await recording.close()


@asynccontextmanager
async def _replaying(path: Path, how: How) -> AsyncIterator[Replayer]:
    served = await replayer.serve(read_cassette(path), how)
    try:
        yield served
    finally:
        await served.close()


@pytest.fixture
def recording() -> object:
    """`async with recording(url, path) as (address, under_way)`."""
    return _recording


@pytest.fixture
def replaying() -> object:
    """`async with replaying(path, how) as replayer`."""
    return _replaying
