"""The kinds of faults a profile can ask for, one frozen model each; `FAULTS` names them.

When a fault strikes is the same for all kinds: exactly one of `rate`, `script` and `every`, among the
requests that `match`, `agent`, `holds` and `streamed` let through. What it does is in `faults`; here is only its form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Spec(BaseModel):
    """A frozen part of a profile; a key that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FaultSpec(Spec):
    """When: by chance (`rate`), on given numbers from 1 (`script`), or on each n-th (`every`)."""

    rate: float | None = Field(None, ge=0, le=1)
    script: tuple[Annotated[int, Field(ge=1)], ...] | None = None
    every: int | None = Field(None, ge=1)
    match: str = "*"
    agent: str | None = Field(None, min_length=1)
    holds: str | None = Field(None, min_length=1)
    streamed: bool | None = None

    @model_validator(mode="after")
    def _one_trigger(self) -> FaultSpec:
        given = [name for name in ("rate", "script", "every") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"a fault needs exactly one of rate, script and every, not {' and '.join(given) or 'none'}"
            )
        return self


class RateLimited(FaultSpec):
    """429, with `Retry-After` unless it is null."""

    kind: Literal["rate_limited"]
    retry_after_s: float | None = Field(1.0, ge=0)


class ServerError(FaultSpec):
    """500."""

    kind: Literal["server_error"]


class Unavailable(FaultSpec):
    """503, or another overload status such as Anthropic's 529."""

    kind: Literal["unavailable"]
    status: int = Field(503, ge=500, le=599)
    retry_after_s: float | None = Field(None, ge=0)


class Refused(Spec):
    """A connection is reset right after it was accepted (`rate`, `script`, `every` count connections); with
    `after_requests` the listening socket closes after that many requests, for `for_s` seconds or for good."""

    kind: Literal["refused"]
    rate: float | None = Field(None, ge=0, le=1)
    script: tuple[Annotated[int, Field(ge=1)], ...] | None = None
    every: int | None = Field(None, ge=1)
    after_requests: int | None = Field(None, ge=1)
    for_s: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _one_trigger(self) -> Refused:
        triggers = (self.rate, self.script, self.every, self.after_requests)
        if sum(trigger is not None for trigger in triggers) != 1:
            raise ValueError("refused needs exactly one of rate, script, every and after_requests")
        return self


class Reset(FaultSpec):
    """RST after `after_chunks` content chunks; 0 = before the first byte."""

    kind: Literal["reset"]
    after_chunks: int = Field(1, ge=0)


class Stall(FaultSpec):
    """Silence of `for_s` after `after_chunks` content chunks, then on as if nothing had been; null = for good."""

    kind: Literal["stall"]
    after_chunks: int = Field(0, ge=0)
    for_s: float | None = Field(5.0, ge=0)


class SlowTrickle(FaultSpec):
    """The body in pieces of `bytes_per_write`, `delay_ms` apart."""

    kind: Literal["slow_trickle"]
    bytes_per_write: int = Field(1, ge=1)
    delay_ms: float = Field(1.0, ge=0)


class TruncatedBody(FaultSpec):
    """Close without the end: a stream after `after_chunks`, a whole answer after half its Content-Length."""

    kind: Literal["truncated_body"]
    after_chunks: int = Field(1, ge=0)


class StreamError(FaultSpec):
    """An error object after `after_chunks` content chunks, then the orderly end of the body. Streams only."""

    kind: Literal["stream_error"]
    after_chunks: int = Field(1, ge=0)
    error: str = "overloaded_error"
    message: str = "The simulator was told to fail here."


class RoleOnlyFirstChunk(FaultSpec):
    """The opening event comes when content was due; all content `delay_ms` later. Streams only."""

    kind: Literal["role_only_first_chunk"]
    delay_ms: float = Field(100.0, ge=0)


class EmptyDeltas(FaultSpec):
    """`count` deltas with nothing in them before each content chunk. Streams only."""

    kind: Literal["empty_deltas"]
    count: int = Field(1, ge=1)


class MissingUsage(FaultSpec):
    """No usage report."""

    kind: Literal["missing_usage"]


class KeepAliveComments(FaultSpec):
    """An SSE comment (a blank line in NDJSON, nothing in AWS framing) each `interval_ms`. Streams only."""

    kind: Literal["keep_alive_comments"]
    interval_ms: float = Field(20.0, ge=0.1)


class SplitUtf8(FaultSpec):
    """Each write is cut inside its first multi-byte character (else in its middle), the rest `gap_ms` later."""

    kind: Literal["split_utf8"]
    gap_ms: float = Field(1.0, ge=0)


class ManyTokensPerChunk(FaultSpec):
    """`tokens` tokens in each content chunk. Streams only."""

    kind: Literal["many_tokens_per_chunk"]
    tokens: int = Field(8, ge=2)


class EarlyEnd(FaultSpec):
    """Complete as HTTP, but without the wire's closing events (a whole answer: cut JSON)."""

    kind: Literal["early_end"]


class Html(FaultSpec):
    """200 with an HTML page, as a captive portal or a broken gateway sends."""

    kind: Literal["html"]


FAULTS: Mapping[str, type[Spec]] = {
    "rate_limited": RateLimited,
    "server_error": ServerError,
    "unavailable": Unavailable,
    "refused": Refused,
    "reset": Reset,
    "stall": Stall,
    "slow_trickle": SlowTrickle,
    "truncated_body": TruncatedBody,
    "stream_error": StreamError,
    "role_only_first_chunk": RoleOnlyFirstChunk,
    "empty_deltas": EmptyDeltas,
    "missing_usage": MissingUsage,
    "keep_alive_comments": KeepAliveComments,
    "split_utf8": SplitUtf8,
    "many_tokens_per_chunk": ManyTokensPerChunk,
    "early_end": EarlyEnd,
    "html": Html,
}

Fault = Annotated[
    RateLimited
    | ServerError
    | Unavailable
    | Refused
    | Reset
    | Stall
    | SlowTrickle
    | TruncatedBody
    | StreamError
    | RoleOnlyFirstChunk
    | EmptyDeltas
    | MissingUsage
    | KeepAliveComments
    | SplitUtf8
    | ManyTokensPerChunk
    | EarlyEnd
    | Html,
    Field(discriminator="kind"),
]
