-- One row per run, workload and tool: how often it was used, how often it failed, and how long the uses that did not fail took.
--
-- Over tool spans of measured trials, whichever target's model asked for them; each try is a use. cancelled: cut off by
-- the end of a trial, in neither group. share: of the wall time of the trials that used it.
with used as (
    select
        s.run_id, t.workload, s.name as tool, s.trial_id, s.status, s.duration_ms, t.wall_ms
    from trials as t join spans as s using (run_id, trial_id)
    where t.phase = 'measured' and s.kind = 'tool'),
walls as (
    select run_id, workload, tool, steady_sum(wall_ms) as wall_ms
    from (select distinct run_id, workload, tool, trial_id, wall_ms from used)
    group by all),
sorted as (
    select
        run_id, workload, tool,
        count(*) as uses,
        count(distinct trial_id) as trials,
        count(*) filter (where status = 'error') as failed,
        count(*) filter (where status = 'cancelled') as cancelled,
        steady_sum(duration_ms) as ms_sum,
        list(duration_ms order by duration_ms) filter (where status = 'ok') as v
    from used
    group by all),
counted as (
    select *, coalesce(len(v), 0) as n
    from sorted),
sizes as (
    select n, quantile_ranks(n, 0.50) as r50, quantile_ranks(n, 0.95) as r95
    from (select distinct n from counted))
select
    run_id, workload, tool, uses, trials, failed, cancelled,
    failed / nullif(uses - cancelled, 0)::double as failure_share,
    wilson_low(failed, uses - cancelled) as failure_share_low, wilson_high(failed, uses - cancelled) as failure_share_high,
    ms_sum, ms_sum / nullif(wall_ms, 0) as share,
    n, v[1] as ms_min, v[n] as ms_max,
    case when r50 is not null then interpolated(v, 0.50) end as ms_p50,
    v[r50.low] as ms_p50_low, v[r50.high] as ms_p50_high,
    case when r95 is not null then interpolated(v, 0.95) end as ms_p95,
    v[r95.low] as ms_p95_low, v[r95.high] as ms_p95_high,
    quantile_refused(n, 0.50) as ms_p50_refused,
    quantile_refused(n, 0.95) as ms_p95_refused
from counted join sizes using (n) join walls using (run_id, workload, tool)
order by run_id, workload, tool
