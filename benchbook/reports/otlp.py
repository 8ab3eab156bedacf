"""A stored run to an OpenTelemetry collector by OTLP over HTTP, or into a file of OTLP's JSON lines.

Asked for, and after the run: the measuring process never hears of it. The exporters are OpenTelemetry's own, so
the standard OTEL_EXPORTER_OTLP_* variables hold for what is not said here (headers, compression, time-out,
certificates, and the address itself). A file holds traces only, as the format of such files has it.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchbook.errors import UserError

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.trace import ReadableSpan

    from benchbook.reports.telemetry import Telling

DEFAULT = "OTEL"
"""The address that stands for what OTEL_EXPORTER_OTLP_ENDPOINT says, or OTLP's own default."""
_BATCH = 512
_LOGGER = "opentelemetry.exporter.otlp"


@dataclass(frozen=True, slots=True)
class Sent:
    """How much was taken: spans, and metric data points."""

    spans: int
    points: int


def send(results: Path, run_id: str, endpoint: str) -> Sent:
    """Send a run's traces and metrics to a collector's base address (`http://host:4318`), or to DEFAULT.

    Raises UserError where the address is none or the collector does not take them all, with what it said.
    """
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics.export import MetricExportResult
    from opentelemetry.sdk.trace.export import SpanExportResult

    telling = _telling(results, run_id)
    base = base_of(endpoint)
    spans = 0
    with _complaints() as said:
        to = OTLPSpanExporter(endpoint=base and f"{base}/v1/traces")
        for batch in _batches(telling.spans()):
            if to.export(batch) is not SpanExportResult.SUCCESS:
                raise _refused(endpoint, f"{spans} spans went before it", said)
            spans += len(batch)
        to.shutdown()  # type: ignore[no-untyped-call]
        data = telling.metrics()
        if data is not None:
            onward = OTLPMetricExporter(endpoint=base and f"{base}/v1/metrics")
            if onward.export(data) is not MetricExportResult.SUCCESS:
                raise _refused(endpoint, f"its {spans} spans are there, the metrics are not", said)
            onward.shutdown()
    return Sent(spans, 0 if data is None else _points(data))


def _points(data: MetricsData) -> int:
    scopes = (scope for resource in data.resource_metrics for scope in resource.scope_metrics)
    return sum(len(metric.data.data_points) for scope in scopes for metric in scope.metrics)


def lines(results: Path, run_id: str) -> Iterator[bytes]:
    """A run's traces as lines of OTLP JSON, some hundred spans each."""
    import orjson
    from google.protobuf.json_format import MessageToDict
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

    for batch in _batches(_telling(results, run_id).spans()):
        document = MessageToDict(encode_spans(batch), use_integers_for_enums=True)
        for span in (s for r in document["resourceSpans"] for scope in r["scopeSpans"] for s in scope["spans"]):
            for name in ("traceId", "spanId", "parentSpanId"):
                if name in span:  # OTLP's JSON has ids in hex where protobuf's has base64
                    span[name] = base64.b64decode(span[name]).hex()
        yield orjson.dumps(document) + b"\n"


def _telling(results: Path, run_id: str) -> Telling:
    from benchbook.reports.telemetry import Telling
    from benchbook.results import journal

    return Telling(journal.read_run(results, run_id))


def _batches(spans: Iterator[ReadableSpan]) -> Iterator[list[ReadableSpan]]:
    while batch := list(islice(spans, _BATCH)):
        yield batch


def base_of(endpoint: str) -> str | None:
    """The collector's base address without what the signals' paths add; None where the environment says.

    Raises UserError.
    """
    if endpoint == DEFAULT:
        return None
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(endpoint or "no address", "is no collector's address", "http://host:4318 would be")
    return endpoint.rstrip("/").removesuffix("/v1/traces").rstrip("/")


def _refused(endpoint: str, so_far: str, said: list[str]) -> UserError:
    where = "the collector that OTEL_EXPORTER_OTLP_ENDPOINT names" if endpoint == DEFAULT else endpoint
    why = _why(said) if said else "no reason was given"
    return UserError(where, f"did not take the run ({why}); {so_far}", "see that an OTLP/HTTP collector listens there")


def _why(said: list[str]) -> str:
    """What the system said, where complaints wrap that in much else; or else the first complaint."""
    system = re.search(r"\[Errno -?\d+\] ([\w ]+)", "\n".join(said))
    return system[1] if system else said[0].rstrip(".")


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """What the exporters log while this lasts, kept off the terminal."""
    said: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logger, keep = logging.getLogger(_LOGGER), Keep(logging.WARNING)
    before, logger.propagate = logger.propagate, False
    logger.addHandler(keep)
    try:
        yield said
    finally:
        logger.removeHandler(keep)
        logger.propagate = before
