-- One row per run, target and workload: how many attempts measured trials took, why, and what became of them.
--
-- A retry is a call whose trial's previous call failed; reasons counts the errors that were followed by one. recovered:
-- trials that succeeded and had a retry; gave_up: those that failed with one. most_attempts: at one answer; the turns of
-- a conversation are answers of their own. back_off_ms is all the waiting before
-- retries, failed_ms the time from dispatch to the end of attempts that failed.
with tried as (
    select t.run_id, t.target, t.workload, t.trial_id, t.status
    from trials as t
    where t.phase = 'measured' and t.status <> 'skipped'),
steps as (
    select
        t.*, c.turn, c.attempt, c.error_kind, c.backoff_ms, (c.closed_ns - c.sent_ns) / 1e6 as busy_ms,
        lag(c.error_kind) over (partition by c.run_id, c.trial_id order by c.turn, c.attempt) as error_before
    from tried as t join calls as c using (run_id, trial_id)),
by_trial as (
    select
        run_id, target, workload, trial_id, status, count(*) as calls, max(attempt) as most, count(error_before) as retries,
        count(error_kind) as failed, arg_min(error_kind is not null, coalesce(turn, 1) * 1000 + attempt) as first_failed
    from steps
    group by all),
causes as (
    select run_id, target, workload, map_from_entries(list((error_before, n) order by n desc, error_before)) as reasons
    from (
        select run_id, target, workload, error_before, count(*) as n
        from steps
        where error_before is not null
        group by all)
    group by all),
times as (
    select
        run_id, target, workload,
        steady_sum(case when error_before is not null then backoff_ms end) as back_off_ms,
        steady_sum(case when error_kind is not null then busy_ms end) as failed_ms
    from steps
    group by all)
select
    run_id, target, workload, count(*) as trials, sum(calls)::bigint as attempts, sum(retries)::bigint as retries,
    sum(failed)::bigint as failed_attempts,
    max(most) as most_attempts,
    count(*) filter (where retries > 0) as retried,
    retried / trials::double as retried_share,
    wilson_low(retried, trials) as retried_share_low,
    wilson_high(retried, trials) as retried_share_high,
    count(*) filter (where first_failed) as first_failed,
    count(*) filter (where retries > 0 and status = 'success') as recovered,
    count(*) filter (where retries > 0 and status <> 'success') as gave_up,
    any_value(reasons) as reasons,
    coalesce(any_value(back_off_ms), 0) as back_off_ms,
    coalesce(any_value(failed_ms), 0) as failed_ms
from by_trial
left join causes using (run_id, target, workload)
left join times using (run_id, target, workload)
group by run_id, target, workload
order by run_id, target, workload
