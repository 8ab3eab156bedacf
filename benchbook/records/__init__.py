"""The nouns as frozen, slotted dataclasses: what a plan promises and what a measurement found.

Nothing here reads a clock, a file or a socket. Stamps are int nanoseconds on the monotonic clock; durations
are float milliseconds and say so in their names; tokens and prices are the provider's own. `None` means
missing, and `provenance` says why. A record that contradicts itself can't be built.
"""

from __future__ import annotations

from benchbook.records.approvals import VERDICTS, ApprovalRequest, Decision
from benchbook.records.asked import (
    Case,
    Dataset,
    Generated,
    Message,
    ModelRequest,
    Params,
    PlannedTrial,
    Price,
    Target,
    ToolCall,
    ToolSpec,
    Turn,
)
from benchbook.records.found import (
    NO_CHUNKS,
    Answer,
    Call,
    Check,
    Chunk,
    Chunks,
    Event,
    Score,
    Span,
    Trial,
    Usage,
)
from benchbook.records.kinds import (
    CHUNK_KINDS,
    CONNECT_PARTS,
    ERROR_KINDS,
    EVENT_KINDS,
    PHASES,
    RETRYABLE,
    SPAN_KINDS,
    SPAN_STATUSES,
    STAMPED_BY,
    STATUSES,
)
from benchbook.records.quick import record
from benchbook.records.teams import (
    TEAM_KINDS,
    TEAM_WORKLOADS,
    Edge,
    Limits,
    Member,
    Step,
    Team,
    ToolUse,
    Tries,
)

__all__ = [
    "CHUNK_KINDS",
    "CONNECT_PARTS",
    "ERROR_KINDS",
    "EVENT_KINDS",
    "NO_CHUNKS",
    "PHASES",
    "RETRYABLE",
    "SPAN_KINDS",
    "SPAN_STATUSES",
    "STAMPED_BY",
    "STATUSES",
    "TEAM_KINDS",
    "TEAM_WORKLOADS",
    "VERDICTS",
    "Answer",
    "ApprovalRequest",
    "Call",
    "Case",
    "Check",
    "Chunk",
    "Chunks",
    "Dataset",
    "Decision",
    "Edge",
    "Event",
    "Generated",
    "Limits",
    "Member",
    "Message",
    "ModelRequest",
    "Params",
    "PlannedTrial",
    "Price",
    "Score",
    "Span",
    "Step",
    "Target",
    "Team",
    "ToolCall",
    "ToolSpec",
    "ToolUse",
    "Trial",
    "Tries",
    "Turn",
    "Usage",
    "record",
]
