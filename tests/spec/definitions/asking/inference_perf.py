"""inference-perf: `ChatCompletionAPIData.process_response`, then `summarize_requests`."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from tests.spec.definitions.asking.events import PERCENTS, SLOS, BrokenError, Clock, Row, arriving, first_attempts, ms


def answers(requests: list[Row]) -> Row:
    """Through `ChatCompletionAPIData.process_response` and `summarize_requests`."""
    from inference_perf.apis import ErrorResponseInfo, InferenceInfo, RequestLifecycleMetric, streaming_parser
    from inference_perf.apis.chat import ChatCompletionAPIData
    from inference_perf.config import APIConfig, APIType, GoodputConfig
    from inference_perf.payloads import RequestMetrics, Text
    from inference_perf.reportgen.base import summarize_requests

    streaming_parser.time = clock = Clock()
    words = SimpleNamespace(count_tokens=lambda text, **_: text.count("w"))
    asking, config = ChatCompletionAPIData(messages=[]), APIConfig(type=APIType.Chat, streaming=True)

    async def run(attempt: Row) -> RequestLifecycleMetric:
        clock.us = attempt["start"]
        start_s, error = clock.time(), None
        try:
            response = SimpleNamespace(content=SimpleNamespace(iter_any=lambda: arriving(attempt, clock)))
            info = await asking.process_response(response, config, words)
        except (BrokenError, streaming_parser.StreamInterruptedError) as caught:
            error = ErrorResponseInfo(error_type=type(caught).__name__, error_msg=str(caught))
            info = InferenceInfo(request_metrics=RequestMetrics(text=Text(input_tokens=5)))
        times = {"scheduled_time": start_s, "start_time": start_s, "end_time": clock.time()}
        return RequestLifecycleMetric(**times, request_data="", info=info, error=error)

    metrics = [asyncio.run(run(attempt)) for attempt in first_attempts(requests)]
    limits = {
        "ttft": SLOS["ttft_ms"] / 1000,
        "tpot": SLOS["decode_ms_per_token"] / 1000,
        "request_latency": SLOS["e2e_ms"] / 1000,
    }
    goodput = GoodputConfig(constraints=limits)
    found = summarize_requests(metrics, list(PERCENTS), goodput_config=goodput, tokenizer=words).successes
    latency, throughput, good = found["latency"], found["throughput"], found["goodput_metrics"]
    return {
        "first_token_ms": ms(latency["time_to_first_token"], median="median"),
        "per_token_ms": ms(latency["time_per_output_token"], median="median"),
        "per_token_whole_ms": ms(latency["normalized_time_per_output_token"], median="median"),
        "gap_ms": ms(latency["inter_token_latency"], median="median"),
        "end_to_end_ms": ms(latency["request_latency"], median="median"),
        "requests_per_s": {"rate": throughput["requests_per_sec"]},
        "output_tokens_per_s": {"rate": throughput["output_tokens_per_sec"]},
        "goodput_per_s": {"rate": good["request_goodput"]},
        "goodput_share": {"share": good["goodput_percentage"] / 100},
    }
