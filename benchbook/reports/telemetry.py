"""A stored run in OpenTelemetry's words: a trace for each trial, a client span for each call, three histograms; where
agents made the calls, also a span for each of their steps, as `steps` has it, with the parents that are stored.

Names are those of the semantic conventions for generative AI, as `opentelemetry-semantic-conventions` spells them;
what they have no name for is under `benchbook.`. Everything comes from the journal: a span's times are stored stamps
plus its session's offset to wall time, its ids are digests of the run's, so that the same run exported twice is the
same trace twice. Prompts and answers stay here. The time to the first chunk is the client's metric: what a server
calls its time to first token only the server can know.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as gen_ai
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics as metric
from opentelemetry.semconv.attributes import error_attributes, http_attributes, server_attributes
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from benchbook.config import PlanSpec, thaw
from benchbook.measure.timing import ttft_ms
from benchbook.providers import anthropic, openai
from benchbook.records import Call, Span, Target, Trial
from benchbook.reports import steps
from benchbook.reports.steps import Attributes, known
from benchbook.results.journal import JournalRun, Segment
from benchbook.runner.tally import BUCKETS_S

PROVIDERS: Mapping[str, str] = {
    "openai": "openai",
    "anthropic": "anthropic",
    "bedrock": "aws.bedrock",
    "ollama": "ollama",
}
"""Our provider -> `gen_ai.provider.name`; the conventions have no word for Ollama, so it keeps its own."""

_HOSTS: Mapping[str, str] = {"openai": openai.API.base_url, "anthropic": anthropic.API.base_url}
"""Where a provider without a `base_url` was; Ollama's depends on an environment that is not stored."""
_OPERATION = gen_ai.GenAiOperationNameValues.CHAT.value
_TOKEN_BOUNDS = tuple(float(4**power) for power in range(14))
_BOUNDS: Mapping[str, tuple[float, ...]] = {
    metric.GEN_AI_CLIENT_OPERATION_DURATION: BUCKETS_S["e2e"],
    metric.GEN_AI_CLIENT_OPERATION_TIME_TO_FIRST_CHUNK: BUCKETS_S["ttft"],
    metric.GEN_AI_CLIENT_TOKEN_USAGE: _TOKEN_BOUNDS,
}
_Place = tuple[SpanContext, SpanContext | None]
"""A span's own context and that of the span around it."""
_UNITS = {metric.GEN_AI_CLIENT_TOKEN_USAGE: "{token}"}


@dataclass(slots=True)
class _Point:
    """One set of attributes' values, as a histogram."""

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0
    low: float = float("inf")
    high: float = float("-inf")

    def add(self, value: float) -> None:
        self.counts = self.counts or [0] * (len(self.bounds) + 1)
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value
        self.low, self.high = min(self.low, value), max(self.high, value)


class Telling:
    """One run's telling. Iterate `spans()` once; `metrics()` then has what they said. Memory does not grow with it."""

    def __init__(self, run: JournalRun) -> None:
        from importlib.metadata import version

        self._run = run
        spec: PlanSpec = thaw(run.manifest["plan"])
        self._targets = {target.name: target for target in spec.targets()}
        self._scope = InstrumentationScope("benchbook", version("benchbook"))
        self._resource = _resource(run, version("benchbook"))
        self._points: dict[tuple[str, tuple[tuple[str, Any], ...]], _Point] = {}
        self._from_ns: int | None = None
        self._to_ns = 0

    def spans(self) -> Iterator[ReadableSpan]:
        """A trial's span and then those of its calls in order of attempt, or of an agent's steps and calls in order of
        start; trials in order of finishing. A skipped trial has none."""
        for segment, trial in self._run.records():
            offset_ns = segment.start.get("wall_offset_ns")
            if trial.status != "skipped" and offset_ns is not None:
                self._from_ns = min(self._from_ns or 2**63, trial.started_ns + offset_ns)
                self._to_ns = max(self._to_ns, trial.ended_ns + offset_ns)
                yield from self._of_trial(trial, segment)

    def metrics(self) -> MetricsData | None:
        """Histograms over all calls that `spans` went through; None where there was no call."""
        if not self._points or self._from_ns is None:
            return None
        names = dict.fromkeys(name for name, _ in self._points)
        told = [Metric(name, None, _UNITS.get(name, "s"), self._histogram(name, self._from_ns)) for name in names]
        scoped = [ScopeMetrics(self._scope, told, "")]
        return MetricsData([ResourceMetrics(self._resource, scoped, "")])

    def _histogram(self, name: str, from_ns: int) -> Histogram:
        points = [
            HistogramDataPoint(
                attributes=dict(attributes),
                start_time_unix_nano=from_ns,
                time_unix_nano=self._to_ns,
                count=sum(point.counts),
                sum=point.total,
                bucket_counts=point.counts,
                explicit_bounds=point.bounds,
                min=point.low,
                max=point.high,
            )
            for (kind, attributes), point in self._points.items()
            if kind == name
        ]
        return Histogram(points, AggregationTemporality.CUMULATIVE)

    def _of_trial(self, trial: Trial, segment: Segment) -> Iterator[ReadableSpan]:
        offset_ns = segment.start["wall_offset_ns"]
        trace = _digest(16, self._run.run_id, trial.planned.trial_id)
        root = _context(trace, _digest(8, self._run.run_id, trial.planned.trial_id, "trial"))
        yield self._told(
            f"trial {trial.planned.test_id}",
            (root, None),
            self._trial_attributes(trial),
            kind=SpanKind.INTERNAL,
            status=_status(trial.error_kind, trial.error_message),
            start_time=trial.started_ns + offset_ns,
            end_time=trial.ended_ns + offset_ns,
        )
        calls = {call.call_id: call for call in trial.calls}
        for span in trial.spans:
            place = self._place(root, span.span_id), self._place(root, span.parent_id)
            call = calls.pop(span.call_id or "", None)
            if call is None:
                yield self._of_step(trial, span, place, offset_ns)
            else:
                yield self._of_call(trial, call, place, offset_ns)
        for call in calls.values():
            yield self._of_call(trial, call, (self._place(root, call.call_id), root), offset_ns)

    def _of_step(self, trial: Trial, span: Span, place: _Place, offset_ns: int) -> ReadableSpan:
        operation = steps.operation_of(span, trial.spans)
        asked = (call for call in trial.calls if call.agent == span.agent)
        model = next((_model(self._target(trial, call), call) for call in asked), {})
        return self._told(
            steps.name_of(span, operation),
            place,
            steps.attributes_of(span, operation, model),
            kind=SpanKind.INTERNAL,
            status=steps.status_of(span),
            start_time=span.started_ns + offset_ns,
            end_time=span.ended_ns + offset_ns,
        )

    def _of_call(self, trial: Trial, call: Call, place: _Place, offset_ns: int) -> ReadableSpan:
        target = self._target(trial, call)
        common = _common(target, call)
        self._count(call, {**common, "benchbook.phase": trial.planned.phase})
        return self._told(
            f"{_OPERATION} {call.model_requested}",
            place,
            common | _call_attributes(target, call),
            events=tuple(_events(call, offset_ns)),
            kind=SpanKind.CLIENT,
            status=_status(call.error_kind, call.error_message),
            start_time=_begun_ns(call) + offset_ns,
            end_time=call.closed_ns + offset_ns,
        )

    def _told(self, name: str, place: _Place, attributes: Attributes, **rest: Any) -> ReadableSpan:
        resource, scope = self._resource, self._scope
        return ReadableSpan(name, *place, resource, attributes, instrumentation_scope=scope, **rest)

    def _place(self, root: SpanContext, span_id: str | None) -> SpanContext:
        """A stored span's context in the root's trace; the root's own where there is none."""
        return root if span_id is None else _context(root.trace_id, _digest(8, self._run.run_id, span_id))

    def _target(self, trial: Trial, call: Call) -> Target:
        """Whom a call asked: a member of a team may have a target of its own."""
        return self._targets[call.target or trial.planned.target]

    def _trial_attributes(self, trial: Trial) -> Attributes:
        planned = trial.planned
        return known(
            {
                "benchbook.run_id": self._run.run_id,
                "benchbook.trial_id": planned.trial_id,
                "benchbook.dataset": planned.dataset,
                "benchbook.test_id": planned.test_id,
                "benchbook.target": planned.target,
                "benchbook.workload": planned.workload,
                "benchbook.team": planned.team or None,
                "benchbook.repetition": planned.repetition,
                "benchbook.phase": planned.phase,
                "benchbook.status": trial.status,
                "benchbook.schedule_lag_ms": (trial.started_ns - trial.intended_ns) / 1e6,
                error_attributes.ERROR_TYPE: trial.error_kind,
            }
        )

    def _count(self, call: Call, attributes: Attributes) -> None:
        self._add(metric.GEN_AI_CLIENT_OPERATION_DURATION, (call.closed_ns - _begun_ns(call)) / 1e9, attributes)
        first_ms = ttft_ms(call)
        plain = {name: value for name, value in attributes.items() if name != error_attributes.ERROR_TYPE}
        if first_ms is not None:
            self._add(metric.GEN_AI_CLIENT_OPERATION_TIME_TO_FIRST_CHUNK, first_ms / 1000, plain)
        for kind, count in (("input", call.usage.input), ("output", call.usage.output)):
            if count is not None:
                self._add(metric.GEN_AI_CLIENT_TOKEN_USAGE, count, {**plain, gen_ai.GEN_AI_TOKEN_TYPE: kind})

    def _add(self, name: str, value: float, attributes: Attributes) -> None:
        key = name, tuple(sorted(attributes.items()))
        point = self._points.get(key)
        if point is None:
            point = self._points[key] = _Point(_BOUNDS[name])
        point.add(value)


def _resource(run: JournalRun, version: str) -> Resource:
    """What the run is about; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES have their say."""
    facts = {"service.version": version, "service.instance.id": run.run_id, "benchbook.run_id": run.run_id}
    resource = Resource.create(known({**facts, "host.name": run.manifest.get("host")}))
    if str(resource.attributes.get("service.name", "unknown_service")).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": "benchbook"}))
    return resource


def _model(target: Target, call: Call) -> Attributes:
    return {
        gen_ai.GEN_AI_PROVIDER_NAME: PROVIDERS.get(target.provider, target.provider),
        gen_ai.GEN_AI_REQUEST_MODEL: call.model_requested,
    }


def _common(target: Target, call: Call) -> Attributes:
    """What a call's span and its metrics share."""
    return known(
        {
            gen_ai.GEN_AI_OPERATION_NAME: _OPERATION,
            **_model(target, call),
            gen_ai.GEN_AI_RESPONSE_MODEL: call.model_served,
            error_attributes.ERROR_TYPE: call.error_kind,
            **_server(target),
        }
    )


def _call_attributes(target: Target, call: Call) -> Attributes:
    first_ms, params, usage = ttft_ms(call), target.params, call.usage
    return known(
        {
            gen_ai.GEN_AI_REQUEST_STREAM: call.streamed,
            gen_ai.GEN_AI_REQUEST_TEMPERATURE: params.temperature,
            gen_ai.GEN_AI_REQUEST_MAX_TOKENS: params.max_tokens,
            gen_ai.GEN_AI_REQUEST_TOP_P: params.top_p,
            gen_ai.GEN_AI_REQUEST_SEED: params.seed,
            gen_ai.GEN_AI_REQUEST_STOP_SEQUENCES: list(params.stop) or None,
            gen_ai.GEN_AI_RESPONSE_FINISH_REASONS: None if call.finish_reason is None else [call.finish_reason],
            gen_ai.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK: None if first_ms is None else first_ms / 1000,
            gen_ai.GEN_AI_USAGE_INPUT_TOKENS: usage.input,
            gen_ai.GEN_AI_USAGE_OUTPUT_TOKENS: usage.output,
            gen_ai.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: usage.cached,
            gen_ai.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS: usage.cache_write,
            gen_ai.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS: usage.reasoning,
            http_attributes.HTTP_RESPONSE_STATUS_CODE: call.http_status,
            gen_ai.GEN_AI_AGENT_NAME: call.agent or None,
            "benchbook.call_id": call.call_id,
            "benchbook.attempt": call.attempt,
            "benchbook.cold": call.cold,
            "benchbook.backoff_ms": call.backoff_ns / 1e6,
        }
    )


def _server(target: Target) -> Attributes:
    """The server's host and port; nothing where the stored run does not know them, as of the simulator."""
    url = target.base_url or _HOSTS.get(target.provider, "")
    if target.provider == "bedrock" and not url and target.region:
        url = f"https://bedrock-runtime.{target.region}.amazonaws.com"
    parts = urlsplit(url)
    if not parts.hostname:
        return {}
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return {server_attributes.SERVER_ADDRESS: parts.hostname, server_attributes.SERVER_PORT: port}


def _events(call: Call, offset_ns: int) -> Iterator[Event]:
    chunks = call.chunks
    stamps = {
        "benchbook.first_byte": call.first_byte_ns,
        "benchbook.first_chunk": chunks[0].at_ns if chunks else None,
        "benchbook.last_chunk": chunks[-1].at_ns if chunks else None,
    }
    for name, at_ns in stamps.items():
        if at_ns is not None:
            yield Event(name, timestamp=at_ns + offset_ns)


def _begun_ns(call: Call) -> int:
    """Where a call's span begins: it was sent, or, if it never was, taken up."""
    return call.taken_up_ns if call.sent_ns is None else call.sent_ns


def _status(kind: str | None, message: str | None) -> Status:
    return Status(StatusCode.UNSET) if kind is None else Status(StatusCode.ERROR, message or kind)


def _digest(size: int, *words: str) -> int:
    return int.from_bytes(sha256("\0".join(words).encode()).digest()[:size], "big")


def _context(trace_id: int, span_id: int) -> SpanContext:
    return SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
