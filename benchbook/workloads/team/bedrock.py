"""Strands' Bedrock model over boto3, one watched client per target; its streams are stamped event by event.

Strands runs boto3 in threads. The loop's default pool has six on two cores, behind which calls would queue in our own
process, so it is replaced by one as large as any load asks for. A thread inherits the span around the agent that
started it, which is how a request finds the step that it belongs to.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchbook.providers import Provider
from benchbook.providers.bedrock import Bedrock
from benchbook.providers.bedrock_runtime import Recording, Watched
from benchbook.providers.http import Exchange
from benchbook.records import ModelRequest
from benchbook.wire.bedrock_converse import FIELDS
from benchbook.workloads import Desk
from benchbook.workloads.team.asking import Asking, asking_here

MOST = 4_096
"""Threads and kept connections at most; both are made as they are needed."""


class _Session:
    """What Strands takes for a boto3 session: it hands out the one client of the target."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.region_name = client.meta.region_name

    def client(self, **_: Any) -> Any:
        return self._client


class Followed:
    """A thread's request as a step follows it."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self.exchange: asyncio.Future[Exchange] = asyncio.wrap_future(recording.over)

    def give_up(self, kind: str) -> None:
        said = "the trial's time was up" if kind == "timeout" else "given up before its answer was complete"
        self._recording.give_up(kind, said)


def model(desk: Desk, provider: Provider, request: ModelRequest) -> Any:
    """Strands' Bedrock model for that target."""
    from strands.models.bedrock import BedrockModel

    session = desk.shared(f"client of {provider.target.name}", lambda: _session(desk, provider))
    params, extra = request.params, request.params.extra
    wanted: dict[str, Any] = {
        "temperature": params.temperature,
        "top_p": params.top_p,
        "max_tokens": params.max_tokens,
        "stop_sequences": list(params.stop) or None,
        "additional_args": {name: value for name, value in extra.items() if name in FIELDS} or None,
        "additional_request_fields": {name: value for name, value in extra.items() if name not in FIELDS} or None,
    }
    given = {name: value for name, value in wanted.items() if value is not None}
    return BedrockModel(boto_session=session, model_id=request.model, streaming=request.stream, **given)


def _session(desk: Desk, provider: Provider) -> Any:
    assert isinstance(provider, Bedrock)  # noqa: S101 - for the type checker
    loop = asyncio.get_running_loop()
    desk.shared("threads", lambda: loop.set_default_executor(ThreadPoolExecutor(MOST, "benchbook-agent")))

    def begin(model: str, streamed: bool) -> Recording:  # noqa: FBT001 - boto3's operation decides
        recording = Recording(model, streamed=streamed)
        asking = asking_here()
        facts = (asking.next_asked(), model, streamed)
        loop.call_soon_threadsafe(_follow, asking, provider, recording, facts)
        return recording

    client = provider.runtime_client(connections=MOST, timeout_s=desk.timeout_s)
    desk.at_close(client.close)
    return _Session(Watched(client, begin))


def _follow(asking: Asking, provider: Provider, recording: Recording, facts: Any) -> None:
    asking.take(provider, Followed(recording), facts, "events")
