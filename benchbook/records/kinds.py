"""The words that records may use: statuses, phases, kinds; each with its meaning where a name is not enough."""

from __future__ import annotations

from collections.abc import Mapping

STATUSES = ("success", "failure", "timeout", "skipped")
PHASES = ("warmup", "measured")
CHUNK_KINDS = ("text", "reasoning", "tool")
CONNECT_PARTS = ("dns_ns", "tcp_ns", "tunnel_ns", "tls_ns")
"""What setting up a connection consists of, in this order. Through a proxy, dns and tcp are the proxy's."""
SPAN_KINDS = ("agent", "model", "tool", "handoff", "human_wait", "rate_limit_wait", "round", "node", "step")
"""model, tool and the two waits cover time; the others only group: an agent's invocation, a tool call that runs an
agent (handoff), the tool calls of one assistant message (round), a graph's or swarm's node, a workflow's step."""
SPAN_STATUSES = ("ok", "error", "cancelled")
STAMPED_BY = ("transport", "events")
"""Who stamped a call's chunks: our transport as the bytes came in, or the SDK's stream events as they came out."""

ERROR_KINDS: Mapping[str, str] = {
    "unresolved": "the host name has no address",
    "refused": "the address refused the connection",
    "tls": "the TLS handshake failed",
    "proxy": "the proxy would not open a tunnel",
    "reset": "the connection broke before the answer was complete",
    "truncated": "the connection or stream ended early, without its closing event",
    "timeout": "the trial's time was up",
    "bad_request": "HTTP 400, 413 or 422: the request was not accepted",
    "auth": "HTTP 401 or 403: the key or its rights",
    "not_found": "HTTP 404: no such model or address",
    "rate_limited": "HTTP 429",
    "overloaded": "HTTP 503 or 529",
    "server_error": "another HTTP 5xx",
    "http_error": "another HTTP status that is not 200",
    "stream_error": "an error object in the middle of a stream",
    "protocol": "bytes that break the wire's protocol",
    "empty": "a complete answer without any content",
    "local": "this host ran out of file descriptors, ports or memory",
    "cancelled": "interrupted by the user",
    "limit": "an agent's limit of steps, tokens, time, money or handoffs was reached",
    "agent": "the agent's own machinery gave up: no call failed",
    "bad_plan": "a planner's answers were no plan that could be run",
    "rejected": "an approver said no: the workflow was cancelled",
    "unanswered": "nobody decided about a request for approval in time",
    "dropped": "no room under the cap on what is in flight when it was due: not sent",
    "time_up": "the load's time was over before its turn: not sent",
}
EVENT_KINDS: Mapping[str, str] = {
    "breaker": "a target's circuit breaker changed its state",
    "service": "the circuit breaker of a service that agents use changed its state",
    "harness": "what the measuring process saw of itself or of its host",
    "worker": "a worker process started, ended or died",
    "load": "what was offered is not what the load's shape says",
}
"""Kind -> what an event of it is about. Who writes a kind documents its names and fields."""
RETRYABLE = frozenset({"refused", "reset", "truncated", "rate_limited", "overloaded", "server_error", "stream_error"})
