-- One row per attempt of a trial that took several: its error, wait and latency; setting trial: of trials so named instead.
--
-- after_ms: from the trial's start to this attempt's dispatch; back_off_ms: waited before it; took_ms: from its dispatch
-- to its end, whatever that was; attempts: at this answer, of a conversation at this turn; ttft_ms and e2e_ms are the attempt's own and never hold another attempt or a wait.
with chosen as (
    select *
    from trials
    where coalesce(
        starts_with(trial_id, getvariable('trial')::varchar),
        (run_id, trial_id) in (select (run_id, trial_id) from calls where attempt > 1)))
select
    t.run_id, t.target, t.trial_id, t.workload, t.dataset, t.test_id, t.repetition, t.phase, t.status,
    c.turn, c.attempt, max(c.attempt) over (partition by t.run_id, t.trial_id, c.turn) as attempts, c.error_kind, c.http_status, c.error_message, c.retry_after_s,
    (c.sent_ns - t.started_ns) / 1e6 as after_ms, c.backoff_ms as back_off_ms, c.cold, c.connect_ms,
    c.ttft_ms, c.e2e_ms, (c.closed_ns - c.sent_ns) / 1e6 as took_ms, t.response_ms as trial_response_ms,
    c.tokens_out, c.cost_usd
from chosen as t join calls as c using (run_id, trial_id)
order by t.run_id, t.target, t.position, t.trial_id, c.turn, c.attempt
