"""From an HTTP request to the score of its response and the record of what is meant to happen.

The order of judgement: key, route, body, is the model there, does a fault strike, can the model do this; then
the answer is composed and encoded. Memory is three counters (requests, sights of each prompt, fault triggers).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from benchbook.errors import WireError
from benchbook.records import ModelRequest, Usage
from benchbook.simulator import fault_kinds as kinds
from benchbook.simulator import faults, listings
from benchbook.simulator.answers import Reply, Speaker, carried
from benchbook.simulator.laws import prompt_key, prompt_tokens
from benchbook.simulator.messages import HttpRequest, Memory, Message
from benchbook.simulator.prefix import PrefixCache
from benchbook.simulator.prints import Print, press
from benchbook.simulator.profile import Fixed, Law, Profile, is_steady
from benchbook.simulator.score import Score, coalesced, perform, whole
from benchbook.simulator.scripts import Line
from benchbook.simulator.timeline import Draws, Timeline, compose, usage_first
from benchbook.simulator.truth import Log, Meant, Record
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
MOST_PRINTED = 2_048
"""Tokens of the longest answer that is made as a whole."""

MOST_PRINTED_BYTES = 128 * 1024 * 1024
"""Answers ready to be sent are kept up to this."""


def endpoint_of(path: str) -> str | None:
    """The wire of a model call's path, None for any other path."""
    return next((name for suffix, name in _ENDPOINTS if path.endswith(suffix)), None)


class Response(NamedTuple):
    """What to play. `requests` counts model calls from 1; what is none has no record and 0."""

    score: Score | Print
    record: Record | None = None
    requests: int = 0


@dataclass(slots=True)
class Asked:
    """A model call as read, with what follows from it alone, whoever sends it and however often.

    complaint: what this model can't do of it. steady: the answer is the same every time, and not too long to be made
    as a whole; line: what a script has for it, under the law with the step's own pace.
    """

    wire: str
    request: ModelRequest
    law: Law
    prompt: str
    tokens_in: int
    complaint: str | None
    steady: bool
    line: Line | None = None


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
        self._prefixes = PrefixCache()
        self._laws: dict[str, Law] = {}
        self._known: Memory[tuple[str, bytes], Asked] = Memory()
        self._prints: Memory[tuple[str, bytes, bool], Print] = Memory(MOST_PRINTED_BYTES, MOST_PRINTED_BYTES // 64)
        self._seen: Counter[tuple[str, str]] = Counter()
        self._requests = 0

    def respond(self, request: HttpRequest) -> Response:
        """The response to a request; a model call leaves a record, everything else does not."""
        message = request.message
        if message.method == "POST":
            endpoint = endpoint_of(message.path)
            if endpoint is not None:
                return self._call(request, endpoint)
        return Response(self._other(message))

    # ------------------------------------------------------------ all but model calls

    def _other(self, request: Message) -> Score:
        match request.method, request.path.rstrip("/"):
            case "GET", "/health":
                return _json(200, {"status": "ok"})
            case "GET", "/truth":
                return _json(200, _page(self.log, request))
            case "GET", "/truth/summary":
                return _json(200, self.log.summary())
            case "DELETE", "/truth":
                self.log.clear()
                return _json(200, {"status": "cleared"})
            case "GET", path:
                return self._listing(path, request)
        return _json(404, {"error": {"message": f"no such endpoint: {request.method} {request.path}"}})

    def _listing(self, path: str, request: Message) -> Score:
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

    def _admits(self, request: Message) -> bool:
        key = self.profile.require_key
        if key is None:
            return True
        bearer = request.headers.get("authorization", "")
        shown = (bearer.removeprefix("Bearer "), request.headers.get("x-api-key", ""))
        return key in shown or f"Credential={key}/" in bearer

    # ------------------------------------------------------------ model calls

    def _call(self, request: HttpRequest, endpoint: str) -> Response:
        self._requests += 1
        message, spoken = request.message, wire(endpoint)
        request_id, nth = self._request_id(endpoint), None
        facts: dict[str, Any] = {}
        try:
            if not self._admits(message):
                raise Refusal(403 if endpoint.startswith("bedrock") else 401, "Wrong key.")
            asked = self._asked(message, endpoint)
            nth = self._nth(asked)
            fault = self._fault(asked, nth, facts)
            ready = None if fault is not None or not (nth and asked.steady) else self._print(asked, message)
            if ready is not None:
                return Response(ready, _record(request, request_id, ready.meant, nth), self._requests)
            score = self._answer(asked, fault, nth, (request_id, facts))
        except Refusal as refusal:
            headers = {**_JSON, **_error_headers(spoken, refusal.status), **refusal.headers}
            score = whole(refusal.status, headers, spoken.encode_error(refusal.status, refusal.message))
        meant = Meant(message.method, message.path, wire=endpoint, status=score.status, **facts)
        record = _record(request, request_id, meant, nth)
        return Response(_signed(score, endpoint, request_id), record, self._requests)

    def _request_id(self, endpoint: str, number: object = None) -> str:
        text = f"{self.profile.seed} {self._requests if number is None else number}"
        digest = blake2b(text.encode(), digest_size=16).hexdigest()
        if endpoint.startswith("bedrock"):
            return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:]))
        return f"req_{digest}"

    def _asked(self, message: Message, endpoint: str) -> Asked:
        """The decoded call. Raises Refusal where it can't be read."""
        key = message.target, message.body
        asked = self._known.get(key)
        if asked is None:
            try:
                request = wire(endpoint).decode_request(message.target, message.body)
            except WireError as error:
                raise Refusal(400, str(error)) from None
            law, prompt = self._law(request.model), prompt_key(request)
            tokens_in = prompt_tokens(request)
            complaint = _complaint(law, request, tokens_in)
            line = self._speaker.line(law, request, prompt)
            if line is not None:
                law = law.model_copy(update={"tokens_out": "answer", **line.law})
            asked = Asked(endpoint, request, law, prompt, tokens_in, complaint, is_steady(law), line)
            self._known.put(key, asked, 2 * len(message.body) + 2_000)
        return asked

    def _nth(self, asked: Asked) -> int:
        key = asked.request.model, asked.prompt
        nth = self._seen[key]
        self._seen[key] = nth + 1
        return nth

    def _fault(self, asked: Asked, nth: int, facts: dict[str, Any]) -> kinds.FaultSpec | None:
        """The fault that strikes, if one does. Raises Refusal where it, or the model, refuses the call."""
        request = asked.request
        facts.update(model=request.model, streamed=request.stream, tokens_in=asked.tokens_in)
        if asked.law.unavailable:
            raise Refusal(404, f"The model {request.model!r} does not exist.")
        fault = self.trigger.strike(request, (request.model, asked.prompt, nth))
        if fault is not None:
            facts["fault"] = str(getattr(fault, "kind", None))
            refusal = faults.refusal(fault)
            if refusal is not None:
                raise Refusal(*refusal)
        if asked.complaint is not None:
            raise Refusal(400, asked.complaint)
        return fault

    def _answer(self, asked: Asked, fault: Any, nth: int, notes: tuple[str, dict[str, Any]]) -> Score:
        """The answer under this id; writes into the facts what it is meant to be."""
        if isinstance(fault, kinds.Html):
            return whole(200, {"content-type": "text/html; charset=utf-8"}, faults.HTML_PAGE)
        law, (request_id, facts) = asked.law, notes
        if isinstance(fault, kinds.ManyTokensPerChunk):
            law = law.model_copy(update={"tokens_per_chunk": Fixed(value=fault.tokens)})
        key = asked.request.model, asked.prompt, nth
        if asked.line is None:
            reply = self._speaker.reply(law, asked.request, asked.prompt, nth)
        else:
            reply = carried(self._speaker.recite(law, asked.line, key), asked.wire, streamed=asked.request.stream)
        draws = Draws(self.profile.seed, key)
        cached = self._prefixes.cached(asked.request) if law.prefix_cache else None
        timeline = compose(law, reply, asked.request, draws, cached)
        if law.usage and asked.wire in _COUNTS_FIRST:
            timeline = usage_first(timeline)
        facts.update(_facts(reply, timeline))
        return _encode(timeline, asked, request_id, fault)

    def _print(self, asked: Asked, message: Message) -> Print | None:
        """The answer ready to be sent; None where it is so long that making it would hold up everyone."""
        key = message.target, message.body, message.keep_alive
        ready = self._prints.get(key)
        if ready is None:
            request = asked.request
            facts: dict[str, Any] = {"model": request.model, "streamed": request.stream, "tokens_in": asked.tokens_in}
            mark = self._request_id(asked.wire, f"print {asked.prompt}")
            score = _signed(self._answer(asked, None, 0, (mark, facts)), asked.wire, mark)
            if facts["tokens_out"] > MOST_PRINTED:
                asked.steady = False
                return None
            meant = Meant(message.method, message.path, wire=asked.wire, status=score.status, **facts)
            beats = score.framed(keep_alive=message.keep_alive)
            ready = press(coalesced(beats) if self.profile.coalesce else beats, mark.removeprefix("req_"), meant)
            self._prints.put(key, ready, len(ready.text))
        return ready

    def _law(self, model: str) -> Law:
        law = self._laws.get(model)
        if law is None:
            law = self._laws[model] = self.profile.law(model)
        return law


def _record(request: HttpRequest, request_id: str, meant: Meant, nth: int | None) -> Record:
    return Record(request_id, request.connection, request.number, request.received_ns, meant, nth)


def _complaint(law: Law, request: ModelRequest, tokens_in: int) -> str | None:
    """What the model can't do of a request."""
    asked_out = request.params.max_tokens
    problems = {
        "This model does not support streaming.": request.stream and not law.streaming,
        "This model does not support tools.": bool(request.tools) and not law.tools,
        "This model does not support system prompts.": bool(request.system) and not law.system,
        f"The prompt is longer than the context of {law.max_context} tokens.": (
            law.max_context is not None and tokens_in > law.max_context
        ),
        f"max_tokens is above this model's {law.max_output}.": (
            law.max_output is not None and asked_out is not None and asked_out > law.max_output
        ),
    }
    return next((message for message, broken in problems.items() if broken), None)


def _facts(reply: Reply, timeline: Timeline) -> dict[str, Any]:
    """What the answer is meant to be."""
    usage: Usage = timeline.usage
    return {
        "case": reply.case,
        "correct": reply.correct,
        "finish_reason": timeline.finish,
        "tokens_cached": usage.cached,
        "tokens_out": usage.output,
        "tokens_reasoning": usage.reasoning,
    }


def _encode(timeline: Timeline, asked: Asked, request_id: str, fault: Any) -> Score:
    """Events to bytes, with what the fault does to either."""
    request = asked.request
    events = faults.on_events(fault, timeline.events, streamed=request.stream)
    writer = wire(asked.wire).writer(request, request_id=_answer_id(asked, request_id))
    headers = {"content-type": writer.content_type}
    if request.stream:
        return faults.on_score(fault, Score(200, headers, perform(events, writer), streamed=True))
    said = tuple(events)
    body = b"".join([writer.write(timed.event) for timed in said])
    return faults.on_score(fault, whole(200, headers, body, said[-1].at_ms))


def _answer_id(asked: Asked, request_id: str) -> str:
    """The id inside the answer. Where frames hide it, it goes by the prompt: else no two requests could share one."""
    if asked.wire == "bedrock_invoke":
        return f"msg_bdrk_{asked.prompt}"
    return _ANSWER_IDS.get(asked.wire, "") + request_id.removeprefix("req_")


def _signed(score: Score, endpoint: str, request_id: str) -> Score:
    return replace(score, headers={**score.headers, _ID_HEADERS.get(endpoint, "x-request-id"): request_id})


def _error_headers(spoken: Wire, status: int) -> Mapping[str, str]:
    """Header fields that errors carry on this wire, where it has such."""
    fields = getattr(spoken, "error_headers", None)
    return {} if fields is None else fields(status)


def _json(status: int, body: Any) -> Score:
    return whole(status, _JSON, orjson.dumps(body))


def _page(log: Log, request: Message) -> list[dict[str, Any]]:
    """The records that are asked for: those after `since`, `limit` of them, only these `fields`."""
    since, limit, names = (request.query(name) for name in ("since", "limit", "fields"))
    records = log.since(int(since) if since.isdecimal() else 0, int(limit) if limit.isdecimal() else None)
    wanted = frozenset(names.split(",")) if names else None
    return [one if wanted is None else {k: v for k, v in one.items() if k in wanted} for one in records]


_LISTINGS = {
    "/api/tags": listings.ollama,
    "/foundation-models": listings.bedrock_models,
    "/inference-profiles": listings.bedrock_profiles,
}
