-- One row per run, target, wave (first, steady), phase and metric: the start of the load apart from what follows it.
--
-- first: the trials of a session, warm-up included, that started before the load had reached what was asked: in a closed
-- loop the first `concurrency` of them, else those that started before the first trial of the target had ended. Over
-- trials that succeeded. A quantile is null where n is too small, and pXX_refused says so.
with asked as (
    select run_id, try_cast(plan ->> '$.sections.execute.load.concurrency' as bigint) as concurrency
    from runs
    where json_valid(plan)),
sent as (
    select *,
        row_number() over (partition by run_id, target, wall_offset_ns order by started_ns, position, trial_id) as place,
        min(ended_ns) over (partition by run_id, target, wall_offset_ns) as first_end_ns
    from trials
    where status <> 'skipped'),
placed as (
    select
        s.run_id, s.target, s.phase, s.ttft_ms, s.e2e_ms, s.response_ms,
        case when coalesce(place <= a.concurrency, started_ns <= first_end_ns) then 'first' else 'steady' end as wave
    from sent as s left join asked as a using (run_id)
    where s.status = 'success'),
sorted as (
    select run_id, target, wave, phase, metric, list(value order by value) as v, len(v) as n
    from (from placed unpivot (value for metric in (ttft_ms, e2e_ms, response_ms)))
    group by all)
select
    run_id, target, wave, phase, metric, n, v[1] as min, v[n] as max, list_avg(v) as mean,
    case when quantile_refused(n, 0.5) is null then interpolated(v, 0.5) end as p50,
    case when quantile_refused(n, 0.95) is null then interpolated(v, 0.95) end as p95,
    case when quantile_refused(n, 0.99) is null then interpolated(v, 0.99) end as p99,
    quantile_refused(n, 0.5) as p50_refused,
    quantile_refused(n, 0.95) as p95_refused,
    quantile_refused(n, 0.99) as p99_refused
from sorted
order by run_id, target, wave, phase desc, metric
