"""A bare HTTP client on a socket, and a simulator in this process: a fault as it is, not as our client sees it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httptools

from benchbook.simulator import Profile, Simulator, serve

TEXT = "Grüße aus Zürich: äöü äöü äöü!"
CHUNKS = -(-len(TEXT) // 4)
PATHS = {
    "openai_chat": "/v1/chat/completions",
    "anthropic_messages": "/v1/messages",
    "ollama_chat": "/api/chat",
}


@dataclass
class Seen:
    """What came back on a connection. `end`: complete, eof (closed too early), reset, silence."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    end: str = ""

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    # httptools' callbacks
    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self.pieces.append(bytes(body))
        self.at.append(asyncio.get_running_loop().time())

    def on_message_complete(self) -> None:
        self.end = "complete"


def request_bytes(*, stream: bool, path: str = PATHS["openai_chat"], model: str = "m") -> bytes:
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": TEXT}], "stream": stream}
    if path == PATHS["openai_chat"] and stream:
        body["stream_options"] = {"include_usage": True}
    if path == PATHS["anthropic_messages"]:
        body["max_tokens"] = 100
    data = json.dumps(body).encode()
    return f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(data)}\r\n\r\n".encode() + data


async def ask(simulator: Simulator, request: bytes, patience_s: float = 2.0) -> Seen:
    """One request on a new connection."""
    seen = Seen()
    parser = httptools.HttpResponseParser(seen)
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    try:
        writer.write(request)
        while not seen.end:
            data = await asyncio.wait_for(reader.read(65536), patience_s)
            if data:
                parser.feed_data(data)
                seen.status = parser.get_status_code()
            else:
                seen.end = seen.end or "eof"
    except ConnectionResetError:
        seen.end = "reset"
    except TimeoutError:
        seen.end = "silence"
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return seen


@contextlib.asynccontextmanager
async def simulating(*faults: dict[str, Any], **law: Any) -> AsyncIterator[Simulator]:
    simulator = await serve(Profile.model_validate({"default": law, "faults": faults}))
    try:
        yield simulator
    finally:
        await simulator.close()


def truth(simulator: Simulator) -> list[dict[str, Any]]:
    return list(simulator.responder.log.since())


def always(kind: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "every": 1, **more}


def deltas(seen: Seen) -> list[str | None]:
    """The content of each OpenAI chunk, None where a chunk has none."""
    events = [line[6:] for line in seen.body.split(b"\n") if line.startswith(b"data: {")]
    return [
        choice["delta"].get("content")
        for event in events
        for choice in json.loads(event).get("choices", ())
        if "error" not in event.decode()
    ]


def text(seen: Seen) -> str:
    return "".join(delta or "" for delta in deltas(seen))
