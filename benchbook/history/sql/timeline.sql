-- One row per span of the trials whose id starts with the setting trial, in order of start; a trial without spans has one.
--
-- The setting may name several trials, with commas between; without it there is no row. starts_ms counts from the trial's
-- start; attempt, ttft_ms and tokens are those of the span's call.
select
    t.run_id, t.trial_id, t.target, t.workload, t.team, t.dataset, t.test_id, t.repetition, t.phase,
    t.status as trial_status, t.error_kind, t.error_message, t.score, t.end_state, t.started_ns as trial_started_ns,
    t.ended_ns as trial_ended_ns, t.wall_ms, t.model_ms, t.tool_ms, t.human_wait_ms, t.rate_limit_wait_ms,
    t.orchestration_ms, t.effort_ms, t.critical_path_ms, t.parallel_speedup, t.provenance['model_ms'] as split_by,
    s.span_id, s.parent_id, s.kind, s.name, s.agent, s.status, s.error, s.call_id, s.started_ns, s.ended_ns,
    (s.started_ns - t.started_ns) / 1e6 as starts_ms, s.duration_ms, s.own_ms, s.critical_ms,
    coalesce(c.attempt, try_cast(json_extract_string(s.detail, '$.attempt') as bigint)) as attempt,
    c.ttft_ms, c.tokens_in, c.tokens_out,
    s.input, s.output, s.detail
from trials as t
left join spans as s using (run_id, trial_id)
left join calls as c on c.run_id = s.run_id and c.trial_id = s.trial_id and c.call_id = s.call_id
where len(list_filter(
    string_split(getvariable('trial')::varchar, ','), lambda start: starts_with(t.trial_id, start))) > 0
order by t.run_id, t.trial_id, s.started_ns, s.ended_ns desc, s.span_id
