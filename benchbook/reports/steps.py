"""What an agent did, step by step, in OpenTelemetry's words: the name, attributes and status of a stored span.

`invoke_agent` and `execute_tool` are operations of the conventions for generative AI; a tool call that runs an agent is
an `execute_tool` around an `invoke_agent`. For what groups and waits they have no word, so it keeps our kind as its
name. A task, an argument, a result, and what a failed tool said are content and stay here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as gen_ai
from opentelemetry.semconv.attributes import error_attributes
from opentelemetry.trace.status import Status, StatusCode

from benchbook.records import Span

INVOKE_AGENT = gen_ai.GenAiOperationNameValues.INVOKE_AGENT.value
EXECUTE_TOOL = gen_ai.GenAiOperationNameValues.EXECUTE_TOOL.value
_NAMED = ("node", "step", "handoff", "human_wait")
"""Kinds whose names are few, so that they may stand in a span's name."""
_CONTENT = ("tool", "handoff")
"""Kinds whose error is what a tool brought."""
_OTHER = "_OTHER"
"""The conventions' word for an error of no named kind."""
Attributes = dict[str, Any]


def operation_of(span: Span, spans: Iterable[Span]) -> str | None:
    """The conventions' operation that a span is, None where they have none. spans: of the same trial.

    A swarm's handoff is a call of the SDK's own tool, whose name is not stored, and a graph's is no call at all.
    """
    if span.kind == "agent":
        return INVOKE_AGENT
    runs = span.kind == "handoff" and any(one.parent_id == span.span_id and one.kind == "agent" for one in spans)
    return EXECUTE_TOOL if runs or span.kind == "tool" else None


def name_of(span: Span, operation: str | None) -> str:
    """The span's name: `invoke_agent NAME`, `execute_tool NAME`, or of what the conventions have no word for ours."""
    if operation is not None:
        return f"{operation} {span.name}"
    return f"{span.kind} {span.name}" if span.kind in _NAMED else span.kind


def attributes_of(span: Span, operation: str | None, model: Mapping[str, Any]) -> Attributes:
    """The span's attributes. model: those that name the model which its agent asked, as far as it asked one."""
    found = {
        gen_ai.GEN_AI_OPERATION_NAME: operation,
        gen_ai.GEN_AI_AGENT_NAME: span.agent or None,
        gen_ai.GEN_AI_TOOL_CALL_ID: span.detail.get("tool_use_id"),
        error_attributes.ERROR_TYPE: _error_type(span),
        "benchbook.span_id": span.span_id,
        "benchbook.kind": span.kind,
        "benchbook.attempt": span.detail.get("attempt"),
    }
    if operation == INVOKE_AGENT:
        found |= model
    elif operation == EXECUTE_TOOL:
        found |= {gen_ai.GEN_AI_TOOL_NAME: span.name, gen_ai.GEN_AI_TOOL_TYPE: "function"}
    return known(found)


def status_of(span: Span) -> Status:
    """Unset where the span went well. What a tool said in its failure is content, so its kind stands for it."""
    kind = _error_type(span)
    if kind is None:
        return Status(StatusCode.UNSET)
    return Status(StatusCode.ERROR, kind if span.kind in _CONTENT else span.error or kind)


def known(attributes: Attributes) -> Attributes:
    """Without what is missing: an attribute has no null."""
    return {name: value for name, value in attributes.items() if value is not None}


def _error_type(span: Span) -> str | None:
    if span.status == "ok":
        return None
    return "cancelled" if span.status == "cancelled" else str(span.detail.get("kind") or _OTHER)
