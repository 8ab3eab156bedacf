"""From an HTTP request to the score of its response and the record of what is meant to happen.

The order of judgement: key, route, body, is the model there, does a fault strike, can the model do this; then
the answer is composed and encoded. Memory is three counters (requests, sights of each prompt, fault triggers).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import orjson

from benchbook.errors import WireError
from benchbook.records import ModelRequest, Usage
from benchbook.simulator import fault_kinds as kinds
from benchbook.simulator import faults, listings
from benchbook.simulator.answers import Reply, Speaker
from benchbook.simulator.laws import prompt_key, prompt_tokens
from benchbook.simulator.profile import Fixed, Law, Profile
from benchbook.simulator.score import Score, perform, whole
from benchbook.simulator.timeline import Draws, Timeline, compose, usage_first
from benchbook.simulator.truth import Log, Record
from benchbook.wire import Wire, wire

_ENDPOINTS = (
    ("/chat/completions", "openai_chat"),
    ("/messages", "anthropic_messages"),
    ("/api/chat", "ollama_chat"),
    ("/converse", "bedrock_converse"),
    ("/converse-stream", "bedrock_converse"),
    ("/invoke", "bedrock_invoke"),
    ("/invoke-with-response-stream", "bedrock_invoke"),
)
_ID_HEADERS = {
    "anthropic_messages": "request-id",
    "bedrock_converse": "x-amzn-RequestId",
    "bedrock_invoke": "x-amzn-RequestId",
}
_ANSWER_IDS = {"openai_chat": "chatcmpl-", "anthropic_messages": "msg_"}
_COUNTS_FIRST = ("anthropic_messages", "bedrock_invoke")
_JSON = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request whose last byte arrived at `received_ns`. Header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    received_ns: int
    keep_alive: bool
    connection: int
    number: int

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def query(self, name: str) -> str:
        """The first value of a query parameter, or ''."""
        pairs = (pair.partition("=") for pair in self.target.partition("?")[2].split("&"))
        return next((value for key, _, value in pairs if key == name), "")


@dataclass(frozen=True, slots=True)
class Response:
    """What to play. `record` is None for what is no model call; `requests` counts model calls from 1."""

    score: Score
    record: Record | None = None
    requests: int = 0


class Refusal(Exception):  # noqa: N818
    """An error answer, on its way out of the judgement."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, message)
        self.status, self.message, self.headers = status, message, headers or {}


class Responder:
    """Answers requests under a profile."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.log = Log()
        self.trigger = faults.Trigger(profile.seed, profile.faults)
        self._speaker = Speaker(profile)
        self._laws: dict[str, Law] = {}
        self._seen: Counter[tuple[str, str]] = Counter()
        self._requests = 0

    def respond(self, request: HttpRequest) -> Response:
        """The response to a request; a model call leaves a record, everything else does not."""
        endpoint = next((name for suffix, name in _ENDPOINTS if request.path.endswith(suffix)), None)
        if request.method == "POST" and endpoint is not None:
            return self._call(request, endpoint)
        return Response(self._other(request))

    # ------------------------------------------------------------ all but model calls

    def _other(self, request: HttpRequest) -> Score:
        match request.method, request.path.rstrip("/"):
            case "GET", "/health":
                return _json(200, {"status": "ok"})
            case "GET", "/truth":
                since = request.query("since")
                return _json(200, list(self.log.since(int(since) if since.isdecimal() else 0)))
            case "DELETE", "/truth":
                self.log.clear()
                return _json(200, {"status": "cleared"})
            case "GET", path:
                return self._listing(path, request)
        return _json(404, {"error": {"message": f"no such endpoint: {request.method} {request.path}"}})

    def _listing(self, path: str, request: HttpRequest) -> Score:
        models = self.profile.listed()
        if not self._admits(request):
            return _json(401, {"error": {"message": "Wrong key.", "type": "authentication_error"}})
        if path.endswith("/models"):
            shape = listings.anthropic if "anthropic-version" in request.headers else listings.openai
            return _json(200, shape(models))
        for suffix, shape in _LISTINGS.items():
            if path.endswith(suffix):
                return _json(200, shape(models))
        return _json(404, {"error": {"message": f"no such endpoint: GET {path}"}})

    def _admits(self, request: HttpRequest) -> bool:
        key = self.profile.require_key
        if key is None:
            return True
        bearer = request.headers.get("authorization", "")
        shown = (bearer.removeprefix("Bearer "), request.headers.get("x-api-key", ""))
        return key in shown or f"Credential={key}/" in bearer

    # ------------------------------------------------------------ model calls

    def _call(self, request: HttpRequest, endpoint: str) -> Response:
        self._requests += 1
        record = Record(
            request_id=self._request_id(endpoint),
            method=request.method,
            path=request.path,
            connection=request.connection,
            request=request.number,
            received_ns=request.received_ns,
            wire=endpoint,
        )
        spoken = wire(endpoint)
        try:
            score = self._answer(request, spoken, record)
        except Refusal as refusal:
            headers = {**_JSON, **_error_headers(spoken, refusal.status), **refusal.headers}
            score = whole(refusal.status, headers, spoken.encode_error(refusal.status, refusal.message))
        record.status = score.status
        headers = {**score.headers, _ID_HEADERS.get(endpoint, "x-request-id"): record.request_id}
        return Response(replace(score, headers=headers), record, self._requests)

    def _request_id(self, endpoint: str) -> str:
        digest = blake2b(f"{self.profile.seed} {self._requests}".encode(), digest_size=16).hexdigest()
        if endpoint.startswith("bedrock"):
            return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:]))
        return f"req_{digest}"

    def _answer(self, request: HttpRequest, spoken: Wire, record: Record) -> Score:
        if not self._admits(request):
            raise Refusal(403 if str(record.wire).startswith("bedrock") else 401, "Wrong key.")
        try:
            asked = spoken.decode_request(request.target, request.body)
        except WireError as error:
            raise Refusal(400, str(error)) from None
        law = self._law(asked.model)
        prompt = prompt_key(asked)
        nth = self._seen[asked.model, prompt]
        self._seen[asked.model, prompt] += 1
        record.model, record.streamed, record.nth, record.tokens_in = (
            asked.model,
            asked.stream,
            nth,
            prompt_tokens(asked),
        )
        if law.unavailable:
            raise Refusal(404, f"The model {asked.model!r} does not exist.")
        draws = Draws(self.profile.seed, (asked.model, prompt, nth))
        fault = self.trigger.strike(asked.model, draws.key, streamed=asked.stream)
        record.fault = None if fault is None else str(getattr(fault, "kind", None))
        _refuse(fault)
        _check_capabilities(law, asked)
        if isinstance(fault, kinds.Html):
            return whole(200, {"content-type": "text/html; charset=utf-8"}, faults.HTML_PAGE)
        if isinstance(fault, kinds.ManyTokensPerChunk):
            law = law.model_copy(update={"tokens_per_chunk": Fixed(value=fault.tokens)})
        reply = self._speaker.reply(law, asked, prompt, nth)
        timeline = compose(law, reply, asked, draws)
        if law.usage and record.wire in _COUNTS_FIRST:
            timeline = usage_first(timeline)
        _note(record, reply, timeline)
        return _encode(timeline, spoken, asked, (fault, record))

    def _law(self, model: str) -> Law:
        law = self._laws.get(model)
        if law is None:
            law = self._laws[model] = self.profile.law(model)
        return law


def _refuse(fault: kinds.FaultSpec | None) -> None:
    refusal = None if fault is None else faults.refusal(fault)
    if refusal is not None:
        raise Refusal(*refusal)


def _check_capabilities(law: Law, request: ModelRequest) -> None:
    asked_out = request.params.max_tokens
    problems = {
        "This model does not support streaming.": request.stream and not law.streaming,
        "This model does not support tools.": bool(request.tools) and not law.tools,
        "This model does not support system prompts.": bool(request.system) and not law.system,
        f"The prompt is longer than the context of {law.max_context} tokens.": (
            law.max_context is not None and prompt_tokens(request) > law.max_context
        ),
        f"max_tokens is above this model's {law.max_output}.": (
            law.max_output is not None and asked_out is not None and asked_out > law.max_output
        ),
    }
    for message, broken in problems.items():
        if broken:
            raise Refusal(400, message)


def _note(record: Record, reply: Reply, timeline: Timeline) -> None:
    """Write into the record what the answer is meant to be."""
    usage: Usage = timeline.usage
    record.case, record.correct, record.finish_reason = reply.case, reply.correct, timeline.finish
    record.tokens_cached, record.tokens_out, record.tokens_reasoning = usage.cached, usage.output, usage.reasoning


def _encode(timeline: Timeline, spoken: Wire, request: ModelRequest, struck: tuple[Any, Record]) -> Score:
    """Events to bytes, with what the fault does to either."""
    fault, record = struck
    events = faults.on_events(fault, timeline.events, streamed=request.stream)
    prefix = _ANSWER_IDS.get(str(record.wire), "")
    writer = spoken.writer(request, request_id=prefix + record.request_id.removeprefix("req_"))
    headers = {"content-type": writer.content_type}
    if request.stream:
        return faults.on_score(fault, Score(200, headers, perform(events, writer), streamed=True))
    said = tuple(events)
    body = b"".join([writer.write(timed.event) for timed in said])
    return faults.on_score(fault, whole(200, headers, body, said[-1].at_ms))


def _error_headers(spoken: Wire, status: int) -> Mapping[str, str]:
    """Header fields that errors carry on this wire, where it has such."""
    fields = getattr(spoken, "error_headers", None)
    return {} if fields is None else fields(status)


def _json(status: int, body: Any) -> Score:
    return whole(status, _JSON, orjson.dumps(body))


_LISTINGS = {
    "/api/tags": listings.ollama,
    "/foundation-models": listings.bedrock_models,
    "/inference-profiles": listings.bedrock_profiles,
}
