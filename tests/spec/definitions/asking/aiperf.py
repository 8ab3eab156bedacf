"""AIPerf: `AsyncSSEStreamReader`, `ChatEndpoint.parse_response`, the metrics' classes, `metric_result_from_array`."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import numpy as np
from aiperf.common.exceptions import NoMetricValue
from aiperf.common.models import ErrorDetails, ParsedResponseRecord, RequestRecord
from aiperf.common.models.record_models import TokenCounts
from aiperf.endpoints.openai_chat import ChatEndpoint
from aiperf.metrics.metric_dicts import MetricRecordDict, MetricResultsDict, metric_result_from_array
from aiperf.metrics.metric_registry import MetricRegistry
from aiperf.transports import sse_utils

from tests.spec.definitions.asking.events import PERCENTS, SLOS, BrokenError, Clock, Row, arriving, first_attempts

PER_REQUEST = (
    "time_to_first_token",
    "request_latency",
    "output_sequence_length",
    "inter_token_latency",
    "inter_chunk_latency",
    "min_request_timestamp",
    "max_response_timestamp",
    "good_request_count",
)
TAGS = {"ttft_ms": "time_to_first_token", "decode_ms_per_token": "inter_token_latency", "e2e_ms": "request_latency"}
CLOCK = Clock()


def answers(requests: list[Row]) -> Row:
    """Its figures, by our names for quantities and statistics."""
    sse_utils.time = CLOCK
    MetricRegistry.get_class("good_request_count").set_slos({TAGS[metric]: limit for metric, limit in SLOS.items()})
    records = [asyncio.run(_record(attempt)) for attempt in first_attempts(requests)]
    seen = [_metrics(record) for record in records if record.valid]
    values = {tag: [found[tag] for found in seen if tag in found] for tag in PER_REQUEST}
    run = MetricResultsDict(
        {
            "request_count": len(seen),
            "error_request_count": len(records) - len(seen),
            "good_request_count": sum(values["good_request_count"]),
            "total_osl": sum(values["output_sequence_length"]),
            "min_request_timestamp": min(values["min_request_timestamp"]),
            "max_response_timestamp": max(values["max_response_timestamp"]),
        }
    )

    def derived(tag: str) -> float:
        return float(MetricRegistry.get_class(tag)().derive_value(run))

    run["benchmark_duration"] = derived("benchmark_duration")
    return {
        "first_token_ms": _latencies("time_to_first_token", values),
        "per_token_ms": _latencies("inter_token_latency", values),
        "gap_ms": _latencies("inter_chunk_latency", values),
        "end_to_end_ms": _latencies("request_latency", values),
        "requests_per_s": {"rate": derived("request_throughput")},
        "output_tokens_per_s": {"rate": derived("output_token_throughput")},
        "goodput_per_s": {"rate": derived("goodput")},
        "goodput_share": {"share": derived("good_request_fraction")},
    }


async def _record(attempt: Row) -> ParsedResponseRecord:
    CLOCK.us = attempt["start"]
    record = RequestRecord(start_perf_ns=CLOCK.perf_counter_ns(), timestamp_ns=CLOCK.time_ns())
    try:
        async for message in sse_utils.AsyncSSEStreamReader(arriving(attempt, CLOCK)):
            record.responses.append(message)
    except BrokenError as error:
        record.error = ErrorDetails.from_exception(error)
    record.end_perf_ns = CLOCK.perf_counter_ns()
    endpoint = ChatEndpoint.__new__(ChatEndpoint)
    endpoint.debug = lambda *_: None
    parsed = [found for message in record.responses if (found := endpoint.parse_response(message))]
    reasoning = attempt.get("reasoning")
    counts = TokenCounts(output=(attempt["tokens"] or 0) - (reasoning or 0), reasoning=reasoning)
    return ParsedResponseRecord(request=record, responses=parsed, token_counts=counts)


def _metrics(record: ParsedResponseRecord) -> MetricRecordDict:
    found = MetricRecordDict()
    for tag in PER_REQUEST:
        with contextlib.suppress(NoMetricValue):
            found[tag] = MetricRegistry.get_class(tag)().parse_record(record, found)
    return found


def _latencies(tag: str, values: dict[str, list[Any]]) -> Row:
    array = np.array(np.hstack(values[tag]), dtype=np.float64)
    result = metric_result_from_array(tag, tag, "ns", array, float(array.sum()))
    return {"mean": result.avg / 1e6, **{f"p{percent}": getattr(result, f"p{percent}") / 1e6 for percent in PERCENTS}}
