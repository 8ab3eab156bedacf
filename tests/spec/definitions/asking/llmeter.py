"""LLMeter: `OpenAICompletionStreamEndpoint.invoke`, the runner's time per output token, `RunningStats`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace

from tests.spec.definitions.asking.events import BASE_S, BrokenError, Clock, Row, decoded


def answers(requests: list[Row]) -> Row:
    """Through `OpenAICompletionStreamEndpoint.invoke`, `Runner`'s time per output token and `RunningStats`."""
    from llmeter.endpoints import base, openai
    from llmeter.runner import _Run
    from llmeter.utils import RunningStats
    from openai.types.chat import ChatCompletionChunk

    clock = Clock()
    base.time = openai.time = clock
    stats = RunningStats(["time_to_first_token", "time_to_last_token", "time_per_output_token", "num_tokens_output"])

    def at(us: int) -> datetime:
        return datetime.fromtimestamp(BASE_S + us / 1e6, UTC)

    def chunks(attempt: Row) -> Iterator[ChatCompletionChunk]:
        for stamp, kind, text in attempt["events"]:
            clock.us = stamp
            if (event := decoded(kind, text)) is not None:
                yield ChatCompletionChunk.model_validate(event)
        clock.us = attempt["end"]
        if attempt["failed"]:
            raise BrokenError("broken")

    for request in requests:
        last = request["attempts"][-1]  # the SDK has retried by then
        completions = SimpleNamespace(create=lambda last=last, **_: chunks(last))
        endpoint = openai.OpenAICompletionStreamEndpoint.__new__(openai.OpenAICompletionStreamEndpoint)
        endpoint.model_id = "m"
        endpoint._client = SimpleNamespace(chat=SimpleNamespace(completions=completions))
        clock.us = request["attempts"][0]["start"]
        response = endpoint.invoke({"messages": []})
        response.request_time = at(request["attempts"][0]["start"])
        asyncio.run(_Run._compute_time_per_output_token(response))
        stats.update(response.to_dict())
    found = stats.to_stats(end_time=at(max(request["ended"] for request in requests)))

    def latencies(name: str) -> Row:
        return {
            statistic: found[f"{name}-{theirs}"] * 1000
            for statistic, theirs in {"mean": "average", "p50": "p50", "p90": "p90", "p99": "p99"}.items()
        }

    return {
        "first_token_ms": latencies("time_to_first_token"),
        "per_token_ms": latencies("time_per_output_token"),
        "end_to_end_ms": latencies("time_to_last_token"),
        "requests_per_s": {"rate": found["requests_per_minute"] / 60},
        "output_tokens_per_s": {"rate": found["output_tps"]},
    }
