-- One row per run, target, workload and view: what retries do to a latency, with n, p50, p95, p99 and their intervals.
--
-- first_attempt: dispatch to end of first attempts that succeeded, as if nobody retried. last_attempt: the same of the
-- attempt that brought the answer (e2e_ms). with_retries: from the trial's start to the end of the answer, failed
-- attempts, waits and connection set-up included. from_intended: the same from the intended start (response_ms).
-- Of a conversation all four are its last turn's: a turn is no retry, and what the user took to write no wait.
-- missing counts attempted trials that the view has no value for. Measured trials.
with tried as (
    select run_id, target, workload, trial_id, status, started_ns, intended_ns, e2e_ms, response_ms
    from trials
    where phase = 'measured' and status <> 'skipped'),
firsts as (
    select run_id, trial_id, intended_ns as due_ns, taken_up_ns, case when error_kind is null then e2e_ms end as first_ms
    from calls
    where attempt = 1
    qualify row_number() over (partition by run_id, trial_id order by turn desc) = 1),
lasts as (
    select run_id, trial_id, arg_max(sent_ns, coalesce(turn, 1) * 1000 + attempt) as last_sent_ns
    from calls
    group by all),
views as (
    select
        t.run_id, t.target, t.workload, f.first_ms as first_attempt,
        case when status = 'success' then e2e_ms end as last_attempt,
        case
            when status <> 'success' then null
            when workload <> 'session' then response_ms - (started_ns - intended_ns) / 1e6
            else e2e_ms + (last_sent_ns - taken_up_ns) / 1e6
        end as with_retries,
        case
            when status <> 'success' then null
            when workload <> 'session' then response_ms
            else e2e_ms + (last_sent_ns - due_ns) / 1e6
        end as from_intended
    from tried as t left join firsts as f using (run_id, trial_id) left join lasts using (run_id, trial_id)),
long as (
    from views
    unpivot include nulls (value for view in (first_attempt, last_attempt, with_retries, from_intended))),
sorted as (
    select
        run_id, target, workload, view, count(*) as attempted, count(value) as n,
        list(value order by value) filter (where value is not null) as v
    from long
    group by all),
sizes as (
    select n, quantile_ranks(n, 0.50) as r50, quantile_ranks(n, 0.95) as r95, quantile_ranks(n, 0.99) as r99
    from (select distinct n from sorted))
select
    run_id, target, workload, view, attempted, n, attempted - n as missing, v[1] as min, v[n] as max, list_avg(v) as mean,
    case when r50 is not null then interpolated(v, 0.50) end as p50, v[r50.low] as p50_low, v[r50.high] as p50_high,
    case when r95 is not null then interpolated(v, 0.95) end as p95, v[r95.low] as p95_low, v[r95.high] as p95_high,
    case when r99 is not null then interpolated(v, 0.99) end as p99, v[r99.low] as p99_low, v[r99.high] as p99_high,
    quantile_refused(n, 0.50) as p50_refused,
    quantile_refused(n, 0.95) as p95_refused,
    quantile_refused(n, 0.99) as p99_refused
from sorted join sizes using (n)
order by run_id, target, workload,
    list_position(['first_attempt', 'last_attempt', 'with_retries', 'from_intended'], view)
