"""The baseline: what a careful user of the `openai` SDK writes. A process of its own; prints one JSON object.

    python benchmarks/sdk_client.py http://127.0.0.1:PORT/v1 '{"concurrency": 64, "total": 1000, "model": "sim-openai"}'

AsyncOpenAI, a semaphore and `gather` (or, with "rate", a task at each of its times); every chunk is iterated, usage is
asked for and read. `calls` holds [request id, intended, sent, first content, last content] in ns of the monotonic
clock, None for a call that failed; the clock of a call starts before `create`, as users have it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import openai

PROMPT = "Hello, how are you?"


async def call(client: openai.AsyncOpenAI, asked: dict[str, Any], intended_ns: int) -> tuple[Any, ...] | None:
    """One streamed answer, all of its chunks; None where it failed or reported no usage."""
    first_ns = last_ns = 0
    name, usage = "", None
    sent_ns = time.monotonic_ns()
    try:
        stream = await client.chat.completions.create(
            model=asked["model"],
            messages=[{"role": "user", "content": PROMPT}],
            max_tokens=100,
            stream=True,
            stream_options={"include_usage": True},
        )
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                last_ns = time.monotonic_ns()
                first_ns = first_ns or last_ns
            name, usage = chunk.id, chunk.usage or usage
    except openai.OpenAIError:
        return None
    return ("req_" + name.removeprefix("chatcmpl-"), intended_ns, sent_ns, first_ns, last_ns) if usage else None


async def closed(client: openai.AsyncOpenAI, asked: dict[str, Any]) -> list[Any]:
    """At most `concurrency` at once."""
    room = asyncio.Semaphore(asked["concurrency"])

    async def one() -> Any:
        async with room:
            return await call(client, asked, time.monotonic_ns())

    return await asyncio.gather(*(one() for _ in range(asked["total"])))


async def opened(client: openai.AsyncOpenAI, asked: dict[str, Any]) -> list[Any]:
    """One each 1 / `rate` seconds, whatever is still under way."""
    tasks, start_ns = [], time.monotonic_ns()
    for number in range(asked["total"]):
        due_ns = start_ns + round(number * 1e9 / asked["rate"])
        await asyncio.sleep(max(0.0, (due_ns - time.monotonic_ns()) / 1e9))
        tasks.append(asyncio.create_task(call(client, asked, due_ns)))
    return await asyncio.gather(*tasks)


async def main() -> None:
    asked = json.loads(sys.argv[2])
    async with openai.AsyncOpenAI(base_url=sys.argv[1], api_key="none", max_retries=0, timeout=120) as client:
        calls = await (opened if asked.get("rate") else closed)(client, asked)
    print(json.dumps({"calls": calls}))


if __name__ == "__main__":
    asyncio.run(main())
