"""GuideLLM: `OpenAIHTTPBackend._resolve_streaming`, then `GenerativeMetrics.compile`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, Self

from tests.spec.definitions.asking.events import PERCENTS, SLOS, BrokenError, Clock, Row, arriving, first_attempts


class Stream:
    """Stands where httpx would hand over the response."""

    def __init__(self, attempt: Row, clock: Clock, trace: Any) -> None:
        self.attempt, self.clock, self.trace = attempt, clock, trace

    async def __aenter__(self) -> Self:
        self.clock.us = self.attempt["sent"]
        await self.trace("http11.send_request_headers.started", {"request": SimpleNamespace(method=b"POST")})
        return self

    async def __aexit__(self, *_: object) -> None:
        self.clock.us = self.attempt["end"]

    def raise_for_status(self) -> None:
        if self.attempt["failed"] and not self.attempt["events"]:
            raise BrokenError

    async def aiter_lines(self) -> AsyncIterator[str]:
        async for data in arriving(self.attempt, self.clock):
            for line in data.decode().split("\n"):
                yield line


def answers(requests: list[Row]) -> Row:
    """Through `OpenAIHTTPBackend._resolve_streaming` and `GenerativeMetrics.compile`."""
    from guidellm.backends.openai import http
    from guidellm.backends.openai.request_handlers import ChatCompletionsRequestHandler
    from guidellm.benchmark.schemas.accumulator import GenerativeRequestsAccumulator
    from guidellm.benchmark.schemas.metrics import GenerativeMetrics
    from guidellm.schemas import GenerationRequest, GenerationRequestArguments, RequestInfo
    from guidellm.schemas.benchmark import GoodputSLO

    http.time = clock = Clock()
    completed, errored, empty = (GenerativeRequestsAccumulator() for _ in range(3))

    async def run(attempt: Row) -> None:
        class Client:
            def stream(self, extensions: Row, **_: object) -> Self:
                return Stream(attempt, clock, extensions["trace"])

        backend = http.OpenAIHTTPBackend.__new__(http.OpenAIHTTPBackend)
        backend._async_client = Client()
        request, response = GenerationRequest(), None
        info = RequestInfo(request_id=request.request_id)
        handler, arguments = ChatCompletionsRequestHandler(), GenerationRequestArguments()
        clock.us = attempt["start"]
        target = completed
        try:
            async for answer, _ in backend._resolve_streaming(request, info, handler, arguments, {}):
                response = answer
        except BrokenError:
            target = errored
        info.timings.resolve_end = clock.time()
        target.update_estimate(response, request, info, prefer_response_metrics=True)

    for attempt in first_attempts(requests):
        asyncio.run(run(attempt))
    every = completed.requests_stats + errored.requests_stats
    slo = GoodputSLO(ttft_ms=SLOS["ttft_ms"], tpot_ms=SLOS["decode_ms_per_token"], e2el_ms=SLOS["e2e_ms"])
    found = GenerativeMetrics.compile(
        SimpleNamespace(
            timings=SimpleNamespace(
                finalized_measure_start=min(stats.request_start_time for stats in every),
                finalized_measure_end=max(stats.request_end_time for stats in every),
            ),
            completed=completed,
            errored=errored,
            incomplete=empty,
            config=SimpleNamespace(slo=slo, confidence=None, strategy=SimpleNamespace(defines_arrival_schedule=False)),
        )
    )

    return {
        "first_token_ms": _latencies(found.time_to_first_token_ms),
        "per_token_ms": _latencies(found.inter_token_latency_ms),
        "per_token_whole_ms": _latencies(found.time_per_output_token_ms),
        "end_to_end_ms": _latencies(found.request_latency, 1000),
        "requests_per_s": {"rate": found.requests_per_second.total.mean},
        "output_tokens_per_s": {"rate": found.output_tokens_per_second.total.mean},
        "goodput_per_s": {"rate": found.request_goodput.total.mean},
        "goodput_share": {"share": found.slo_attainment},
    }


def _latencies(summary: Any, factor: float = 1.0) -> Row:
    of = summary.successful
    percentiles = {f"p{percent}": getattr(of.percentiles, f"p{percent}") for percent in PERCENTS}
    return {name: value * factor for name, value in {"mean": of.mean, **percentiles}.items()}
