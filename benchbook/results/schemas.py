"""The Arrow schemas of the stored tables, with their version history.

Version history of SCHEMA_VERSION
  1  first release
  2  table `events`; calls: dns_ms, tcp_ms, proxy_ms, tls_ms, the parts of connect_ms; runs: reason_codes, harness_*,
     schedule_lag_p99_ms, calibration_*, sweep_*; calls, responses: turn; trials: prompt_tokens_asked
  3  spans: agent, status, error, call_id, own_ms, critical_ms, input, output, detail; calls: agent, stamped_by; trials:
     team, the agents' columns from tool_calls to sdk_tokens_out, end_state
  4  trials: block, block_place, answer_chars, reference_chars

Stamps are int64 nanoseconds on the monotonic clock of the session that took them; add `wall_offset_ns` for
Unix time. Durations are float64 milliseconds, tokens int64, money float64 USD. A null is a missing number and
`provenance` (column -> measured / reported / derived / estimated / missing: reason) says why.
"""

from __future__ import annotations

import pyarrow as pa

SCHEMA_VERSION = 4

_STRINGS = pa.map_(pa.string(), pa.string())
_MS = pa.float64()
_NS = pa.int64()
_INT = pa.int64()

METRIC_FIELDS = [
    ("ttfb_ms", _MS),
    ("ttft_ms", _MS),
    ("ttfo_ms", _MS),
    ("e2e_ms", _MS),
    ("response_ms", _MS),
    ("decode_ms_per_token", _MS),
    ("normalized_ms_per_token", _MS),
    ("tokens_per_s_user", pa.float64()),
    ("schedule_lag_ms", _MS),
    ("connect_ms", _MS),
]
CONNECT_FIELDS = [("dns_ms", _MS), ("tcp_ms", _MS), ("proxy_ms", _MS), ("tls_ms", _MS)]
TOKEN_FIELDS = [
    ("tokens_in", _INT),
    ("tokens_cached", _INT),
    ("tokens_cache_write", _INT),
    ("tokens_out", _INT),
    ("tokens_reasoning", _INT),
    ("cost_usd", pa.float64()),
]
AGENT_FIELDS = [
    ("tool_calls", _INT),
    ("tool_rounds", _INT),
    ("handoffs", _INT),
    ("agents", _INT),
    ("effort_ms", _MS),
    ("model_effort_ms", _MS),
    ("tool_effort_ms", _MS),
    ("critical_path_ms", _MS),
    ("parallel_speedup", pa.float64()),
    ("handoff_ms", _MS),
    ("agent_active_ms", pa.map_(pa.string(), pa.float64())),
    ("sdk_model_ms", _MS),
    ("sdk_tool_ms", _MS),
    ("sdk_cycles", _INT),
    ("sdk_tokens_in", _INT),
    ("sdk_tokens_out", _INT),
]

REASON = pa.struct(
    [
        ("code", pa.string()),
        ("severity", pa.string()),
        ("target", pa.string()),
        ("value", pa.float64()),
        ("threshold", pa.float64()),
        ("look", pa.string()),
    ]
)

RUNS = pa.schema(
    [
        ("run_id", pa.string()),
        ("plan_hash", pa.string()),
        ("workload_hash", pa.string()),
        ("started_at", pa.timestamp("us", "UTC")),
        ("ended_at", pa.timestamp("us", "UTC")),
        ("status", pa.string()),
        ("verdict", pa.string()),
        ("reasons", pa.list_(pa.string())),
        ("reason_codes", pa.list_(REASON)),
        ("planned", _INT),
        ("succeeded", _INT),
        ("failed", _INT),
        ("timed_out", _INT),
        ("skipped", _INT),
        ("not_started", _INT),
        ("offered_per_s", pa.float64()),
        ("achieved_per_s", pa.float64()),
        ("wall_s", pa.float64()),
        ("cost_usd", pa.float64()),
        ("sessions", _INT),
        ("git_commit", pa.string()),
        ("git_dirty", pa.bool_()),
        ("dataset_hashes", _STRINGS),
        ("dvc_hashes", _STRINGS),
        ("dataset_versions", _STRINGS),
        ("lock_hash", pa.string()),
        ("versions", _STRINGS),
        ("host", pa.string()),
        ("host_fingerprint", _STRINGS),
        ("harness", _STRINGS),
        ("harness_seconds", pa.float64()),
        ("harness_beats", pa.float64()),
        ("harness_loop_lag_p50_ms", _MS),
        ("harness_loop_lag_p99_ms", _MS),
        ("harness_loop_lag_max_ms", _MS),
        ("harness_cpu_share", pa.float64()),
        ("harness_process_cpu_share", pa.float64()),
        ("harness_run_delay_share", pa.float64()),
        ("harness_steal_share", pa.float64()),
        ("harness_gc_pauses", pa.float64()),
        ("harness_gc_pause_max_ms", _MS),
        ("harness_gc_share", pa.float64()),
        ("harness_in_flight_mean", pa.float64()),
        ("harness_in_flight_max", pa.float64()),
        ("harness_clock_step_ms", _MS),
        ("schedule_lag_p99_ms", _MS),
        ("calibration_ttft_bias_ms", _MS),
        ("calibration_ttft_u_ms", _MS),
        ("calibration_chunk_error_p50_ms", _MS),
        ("calibration_chunk_error_p99_ms", _MS),
        ("calibration_streams_per_s", pa.float64()),
        ("calibration_chunks_per_s", pa.float64()),
        ("flow_run_id", pa.string()),
        ("sweep_id", pa.string()),
        ("sweep_axis", pa.string()),
        ("sweep_value", pa.float64()),
        ("plan", pa.string()),
        ("store_params", pa.string()),
        ("journal_hash", pa.string()),
        ("schema_version", _INT),
    ]
)

TRIALS = pa.schema(
    [
        ("run_id", pa.string()),
        ("trial_id", pa.string()),
        ("dataset", pa.string()),
        ("dataset_version", pa.string()),
        ("test_id", pa.string()),
        ("category", pa.string()),
        ("target", pa.string()),
        ("provider", pa.string()),
        ("model", pa.string()),
        ("workload", pa.string()),
        ("team", pa.string()),
        ("streamed", pa.bool_()),
        ("repetition", _INT),
        ("position", _INT),
        ("block", _INT),
        ("block_place", _INT),
        ("phase", pa.string()),
        ("prompt_sha256", pa.string()),
        ("prompt_tokens_asked", _INT),
        ("seed", _INT),
        ("intended_ns", _NS),
        ("started_ns", _NS),
        ("ended_ns", _NS),
        ("wall_offset_ns", _NS),
        ("started_at", pa.timestamp("us", "UTC")),
        ("status", pa.string()),
        ("error_kind", pa.string()),
        ("error_message", pa.string()),
        ("calls", _INT),
        ("cold", pa.bool_()),
        ("wall_ms", _MS),
        ("model_ms", _MS),
        ("tool_ms", _MS),
        ("human_wait_ms", _MS),
        ("rate_limit_wait_ms", _MS),
        ("orchestration_ms", _MS),
        *AGENT_FIELDS,
        *METRIC_FIELDS,
        *TOKEN_FIELDS,
        ("price_date", pa.string()),
        ("finish_reason", pa.string()),
        ("end_state", pa.string()),
        ("answer_chars", _INT),
        ("reference_chars", _INT),
        ("score", pa.float64()),
        ("provenance", _STRINGS),
    ]
)

CALLS = pa.schema(
    [
        ("run_id", pa.string()),
        ("trial_id", pa.string()),
        ("call_id", pa.string()),
        ("turn", _INT),
        ("attempt", _INT),
        ("span_id", pa.string()),
        ("agent", pa.string()),
        ("stamped_by", pa.string()),
        ("target", pa.string()),
        ("provider", pa.string()),
        ("phase", pa.string()),
        ("model_requested", pa.string()),
        ("model_served", pa.string()),
        ("streamed", pa.bool_()),
        ("intended_ns", _NS),
        ("taken_up_ns", _NS),
        ("sent_ns", _NS),
        ("first_byte_ns", _NS),
        ("first_chunk_ns", _NS),
        ("first_reasoning_ns", _NS),
        ("first_output_ns", _NS),
        ("last_chunk_ns", _NS),
        ("last_byte_ns", _NS),
        ("closed_ns", _NS),
        ("wall_offset_ns", _NS),
        ("cold", pa.bool_()),
        ("backoff_ms", _MS),
        ("http_status", _INT),
        ("error_kind", pa.string()),
        ("error_message", pa.string()),
        ("retry_after_s", pa.float64()),
        ("request_id", pa.string()),
        *METRIC_FIELDS,
        *CONNECT_FIELDS,
        ("chunk_offsets_us", pa.list_(pa.int64())),
        ("chunk_sizes", pa.list_(pa.int64())),
        ("chunk_kinds", pa.list_(pa.string())),
        ("finish_reason", pa.string()),
        *TOKEN_FIELDS,
        ("system_fingerprint", pa.string()),
        ("reported", pa.map_(pa.string(), pa.float64())),
        ("provenance", _STRINGS),
    ]
)

RESPONSES = pa.schema(
    [
        ("run_id", pa.string()),
        ("trial_id", pa.string()),
        ("call_id", pa.string()),
        ("turn", _INT),
        ("attempt", _INT),
        ("text", pa.string()),
        ("reasoning", pa.string()),
        ("tool_calls", pa.string()),
        ("body", pa.binary()),
        ("piece_offsets_us", pa.list_(pa.int64())),
        ("piece_sizes", pa.list_(pa.int64())),
    ]
)

SPANS = pa.schema(
    [
        ("run_id", pa.string()),
        ("trial_id", pa.string()),
        ("span_id", pa.string()),
        ("parent_id", pa.string()),
        ("kind", pa.string()),
        ("name", pa.string()),
        ("agent", pa.string()),
        ("status", pa.string()),
        ("error", pa.string()),
        ("call_id", pa.string()),
        ("started_ns", _NS),
        ("ended_ns", _NS),
        ("duration_ms", _MS),
        ("own_ms", _MS),
        ("critical_ms", _MS),
        ("input", pa.string()),
        ("output", pa.string()),
        ("detail", pa.string()),
    ]
)

SCORES = pa.schema(
    [
        ("run_id", pa.string()),
        ("trial_id", pa.string()),
        ("scorer", pa.string()),
        ("value", pa.float64()),
        ("passed", pa.bool_()),
        ("detail", pa.string()),
    ]
)

CHECKS = pa.schema(
    [
        ("run_id", pa.string()),
        ("suite", pa.string()),
        ("subject", pa.string()),
        ("name", pa.string()),
        ("success", pa.bool_()),
        ("severity", pa.string()),
        ("observed", _INT),
        ("unexpected", _INT),
        ("failures", pa.list_(pa.string())),
    ]
)

EVENTS = pa.schema(
    [
        ("run_id", pa.string()),
        ("wall_offset_ns", _NS),
        ("at_ns", _NS),
        ("happened_at", pa.timestamp("us", "UTC")),
        ("kind", pa.string()),
        ("target", pa.string()),
        ("name", pa.string()),
        ("value", pa.float64()),
        ("detail", pa.string()),
    ]
)

TABLES: dict[str, pa.Schema] = {
    "runs": RUNS,
    "trials": TRIALS,
    "calls": CALLS,
    "responses": RESPONSES,
    "spans": SPANS,
    "scores": SCORES,
    "checks": CHECKS,
    "events": EVENTS,
}
"""Table name -> schema; every run has a partition of each, even when empty."""
