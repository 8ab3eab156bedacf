"""Cassettes out of plans and runs: where a plan's targets really are, and a stored run's calls as exchanges.

The journal keeps every answer's bytes and the stamp of each segment, and the plan says what was asked, so most of
a cassette is in every run. What is not: the answers' header fields (but for what calls keep of them), the HTTP
framing, trailers, and listings of models.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from benchbook.clock import utc
from benchbook.config import CASSETTE, SIMULATOR
from benchbook.errors import BenchbookError, CassetteError, PlanError
from benchbook.providers import Provider, open_provider
from benchbook.providers.address import join
from benchbook.proxy import cassette as tape
from benchbook.proxy import scrubbing
from benchbook.proxy.cassette import Answered, Asked, CassetteWriter, Recorded
from benchbook.records import Answer, Call, ModelRequest, Target
from benchbook.results.journal import JournalRun
from benchbook.runner.plan import Plan
from benchbook.runner.simulated import StandIns, addressed
from benchbook.runner.stored import stored_plan


@dataclass(frozen=True, slots=True)
class Place:
    """Where a target is: scheme, host and port; what its paths begin with; the name of it on a cassette."""

    origin: str
    prefix: str
    name: str
    region: str | None = None


def places(plan: Plan, found: StandIns) -> Mapping[str, Place]:
    """The real place of each target of a plan that is to be recorded. Raises UserError for a missing key, for a
    target that is a cassette itself, and for two that a cassette could not tell apart."""
    by_target = {name: _place(plan, target, found) for name, target in plan.targets.items()}
    first: dict[tuple[str, str, bool], str] = {}
    for name, target in plan.targets.items():
        other = first.setdefault((target.provider, target.model, target.stream), name)
        if by_target[other].origin != by_target[name].origin:
            what = f"asks the same as {other} of another address, and a replay could not tell them apart"
            raise PlanError(f"target {name}", what, "record them one after the other")
    return by_target


def _place(plan: Plan, target: Target, found: StandIns) -> Place:
    if (target.base_url or "").startswith(CASSETTE):
        raise PlanError(f"target {target.name}", "is a cassette already", "record a provider, or the simulator")
    provider = open_provider(addressed(target, found.addresses))
    provider.check()
    request = plan.request_to(target, next(iter(plan.prompts.values())))
    parts, path = urlsplit(provider.prepare(request).url), provider.wire.encode_request(request).path
    origin = f"{parts.scheme}://{parts.netloc}"
    simulated = target.base_url == SIMULATOR
    name = f"the simulator ({plan.spec.execute.simulator or 'echo'})" if simulated else origin
    region = getattr(provider, "region", None) if target.provider == "bedrock" else None
    return Place(origin, parts.path.removesuffix(path.partition("?")[0]), name, region)


# ---------------------------------------------------------------- a stored run


@dataclass(frozen=True, slots=True)
class Taped:
    """What a run gave. left_out: calls without a usable answer, by reason."""

    exchanges: int
    left_out: Mapping[str, int]


_WITHOUT_A_WORD = ("refused", "unresolved", "tls", "proxy", "local", "auth", "bad_request")
"""Kinds of failures that happened before anything was sent."""
_ENDINGS = {"reset": tape.RESET, "truncated": tape.CUT, "timeout": tape.LEFT}


def from_run(run: JournalRun, path: Path) -> Taped:
    """Write a cassette of the run's calls, in their planned order. Raises UserError."""
    plan = replace(stored_plan(run), salt=run.run_id)
    left_out: Counter[str] = Counter()
    found = list(_exchanges(run, plan, left_out))
    if not found:
        said = ", ".join(f"{count} {why}" for why, count in left_out.items())
        raise CassetteError(run.run_id, f"has no answer that a cassette could be made of ({said or 'no calls'})")
    facts = {"by": "benchbook record --from", "run": run.run_id, "to": sorted({kept.to for kept in found})}
    writer = CassetteWriter(path, {**facts, "recorded_at": _date(run), "ignore": []})
    try:
        for number, recorded in enumerate(found, 1):
            writer.append(replace(recorded, number=number))
    finally:
        writer.close()
    return Taped(len(found), dict(left_out))


def _date(run: JournalRun) -> str:
    return utc(int(run.manifest.get("started_wall_ns", 0))).isoformat(timespec="seconds")


def _exchanges(run: JournalRun, plan: Plan, left_out: Counter[str]) -> Iterator[Recorded]:
    providers = {name: open_provider(_at_its_own(target)) for name, target in plan.targets.items()}
    for trial in sorted(run.trials(), key=lambda trial: trial.planned.position):
        if trial.planned.workload != "api":
            left_out[f"of the workload {trial.planned.workload}"] += 1
            continue
        target = plan.targets[trial.planned.target]
        request = plan.request(trial.planned)
        asked = _asked(request, providers[target.name])
        answers = {answer.call_id: answer for answer in trial.answers}
        for call in trial.calls:
            why = _unusable(call, answers.get(call.call_id))
            if why is not None:
                left_out[why] += 1
                continue
            answer = answers[call.call_id]
            content_type = _content_type(providers[target.name], request, call)
            yield Recorded(1, _name(target, plan), asked, _answered(call, answer, content_type))


def _at_its_own(target: Target) -> Target:
    """A stand-in's address is gone; only paths are asked of it."""
    named = target.base_url == SIMULATOR or (target.base_url or "").startswith(CASSETTE)
    return (
        replace(target, base_url="http://127.0.0.1/v1" if target.provider == "openai" else "http://127.0.0.1")
        if named
        else target
    )


def _name(target: Target, plan: Plan) -> str:
    if target.base_url == SIMULATOR:
        return f"the simulator ({plan.spec.execute.simulator or 'echo'})"
    return target.base_url or f"{target.provider}'s own address"


def _asked(request: ModelRequest, provider: Provider) -> Asked:
    """The request as it was made from the plan; it was sent with headers that no journal keeps."""
    wire_request = provider.wire.encode_request(request)
    url = urlsplit(join(provider.target.base_url or "http://h", wire_request.path))
    path = f"{url.path}?{url.query}" if url.query else url.path
    body = scrubbing.scrubbed_body(wire_request.body, ())
    headers = (("content-type", "application/json"),)
    return Asked("POST", scrubbing.scrubbed_path(path, ()), headers, body)


def _unusable(call: Call, answer: Answer | None) -> str | None:
    """Why a call can't be replayed, None if it can."""
    if call.sent_ns is None or (call.http_status is None and call.error_kind in _WITHOUT_A_WORD):
        return "never sent"
    if call.http_status is not None and (answer is None or not answer.body):
        return "without a stored body"
    return None


def _answered(call: Call, answer: Answer, content_type: str) -> Answered:
    sent_ns = call.sent_ns or 0
    ending = _ENDINGS.get(call.error_kind or "", tape.COMPLETE)
    end_ns = call.closed_ns - sent_ns
    if call.http_status is None or call.first_byte_ns is None:
        return Answered(end_ns, ending if ending != tape.COMPLETE else tape.CUT)
    fields = [("content-type", content_type)]
    if call.request_id:
        fields.append(("x-request-id", call.request_id))
    if call.retry_after_s is not None:
        fields.append(("retry-after", f"{call.retry_after_s:g}"))
    at_ns = [stamp - sent_ns for stamp in answer.piece_at_ns]
    pieces = list(_cut(answer.body, answer.piece_sizes))
    chunked = call.streamed and call.http_status == 200
    fields.append(("transfer-encoding", "chunked") if chunked else ("content-length", str(len(answer.body))))
    return Answered(
        end_ns=max(end_ns, *at_ns),
        ending=ending,
        status=call.http_status,
        headers=scrubbing.scrubbed_fields(fields, ()),
        framing=tape.CHUNKED if chunked else tape.LENGTH,
        head_ns=min(call.first_byte_ns - sent_ns, *at_ns),
        piece_at_ns=tuple(at_ns),
        pieces=scrubbing.scrubbed_pieces(pieces, content_type, ()),
    )


def _cut(body: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    at = 0
    for size in sizes:
        yield body[at : at + size]
        at += size


def _content_type(provider: Provider, request: ModelRequest, call: Call) -> str:
    """As the wire's server would say: the one that was said is not in the journal."""
    if call.http_status != 200:
        return "application/json"
    try:
        return provider.wire.writer(request, request_id="").content_type
    except BenchbookError:
        return "application/json"
