-- One row per run, target and phase: attempts that the provider turned away for load, and whether its wish was honoured.
--
-- throttled: HTTP 429, 503 or 529, or an error of kind rate_limited or overloaded. asked: those that named a wait
-- (Retry-After); a wait is honoured when the next attempt was sent no sooner, else hurried; not_retried had no next
-- attempt. waited_ms: from the end of a throttled attempt to the next dispatch. The interval is Wilson's.
with steps as (
    select
        run_id, target, phase, trial_id, turn, attempt, retry_after_s, closed_ns,
        coalesce(http_status in (429, 503, 529), false) or coalesce(error_kind in ('rate_limited', 'overloaded'), false)
            as throttled,
        coalesce(http_status = 429, false) as said_429,
        coalesce(http_status = 529, false) as said_529,
        lead(sent_ns) over (partition by run_id, trial_id order by turn, attempt) as next_sent_ns,
        lead(attempt) over (partition by run_id, trial_id order by turn, attempt) as next_attempt
    from calls)
select
    run_id, target, phase, count(*) as attempts,
    count(*) filter (where throttled) as throttled_attempts,
    count(*) filter (where throttled) / count(*)::double as throttled_share,
    wilson_low(count(*) filter (where throttled), count(*)) as throttled_share_low,
    wilson_high(count(*) filter (where throttled), count(*)) as throttled_share_high,
    count(*) filter (where throttled and said_429) as status_429,
    count(*) filter (where throttled and said_529) as status_529,
    count(distinct trial_id) as trials,
    count(distinct trial_id) filter (where throttled) as throttled_trials,
    count(*) filter (where throttled and retry_after_s is not null) as asked,
    count(*) filter (
        where throttled and next_sent_ns - closed_ns >= retry_after_s * 1e9) as honoured,
    count(*) filter (
        where throttled and next_sent_ns - closed_ns < retry_after_s * 1e9) as hurried,
    count(*) filter (where throttled and next_attempt is null) as not_retried,
    median_of(case when throttled then retry_after_s end) as retry_after_s_median,
    max(retry_after_s) filter (where throttled) as retry_after_s_max,
    steady_sum(case when throttled then (next_sent_ns - closed_ns) / 1e6 end) as waited_ms
from steps
group by run_id, target, phase
order by run_id, target, phase desc
