-- One row per run, target, workload and metric that has values: the level of the run, which is one observation to the history.
--
-- Over measured trials that succeeded; failure_share over those attempted. Scale log (durations, rates, cost): level is
-- ln(p50), case_level the mean over test cases of ln(median of the case). Scale share (score, failure_share): level is
-- the plain mean, case_level the mean of the cases' means. A level that is no number (the log of 0) is null. p50 is there
-- however few the trials (between runs the run is the replicate); p95 is null where n is too small for its interval.
-- Runs that are INVALID or didn't finish are here with their verdict and status; who draws conclusions leaves them out.
with good as (
    select *
    from trials
    where phase = 'measured' and status = 'success'),
long as (
    select run_id, target, workload, dataset, test_id, metric, value
    from good
    unpivot (value for metric in (
        ttfb_ms, ttft_ms, ttfo_ms, e2e_ms, response_ms, decode_ms_per_token, normalized_ms_per_token, tokens_per_s_user,
        schedule_lag_ms, wall_ms, cost_usd, model_ms, tool_ms, orchestration_ms, score))
    where metric not in ('model_ms', 'tool_ms', 'orchestration_ms') or workload in ('agent', 'multi_agent', 'workflow')),
attempts as (
    select
        run_id, target, workload, dataset, test_id, 'failure_share' as metric,
        (status <> 'success')::int::double as value
    from trials
    where phase = 'measured' and status <> 'skipped'),
by_case as (
    select
        run_id, target, workload, metric, metric in ('score', 'failure_share') as share, dataset, test_id,
        list(value order by value) as w
    from (from long union all by name from attempts)
    group by all),
case_levels as (
    select *, case when share then list_avg(w) when interpolated(w, 0.5) > 0 then ln(interpolated(w, 0.5)) end as case_level
    from by_case),
by_run as (
    select
        run_id, target, workload, metric, share, count(*) as cases,
        list_sort(flatten(list(w))) as v, sum(len(w))::bigint as n,
        case when count(case_levels.case_level) = count(*) then steady_mean(case_levels.case_level) end as case_level
    from case_levels
    group by run_id, target, workload, metric, share),
sizes as (
    select n, quantile_ranks(n, 0.95) as r95
    from (select distinct n from by_run))
select
    b.run_id, r.started_at, r.workload_hash, r.verdict, r.status, b.target, b.workload, b.metric,
    case when share then 'share' else 'log' end as scale,
    n, cases,
    case when metric <> 'failure_share' then interpolated(v, 0.5) end as p50,
    case when metric <> 'failure_share' and r95 is not null then interpolated(v, 0.95) end as p95,
    case when share then list_avg(v) when interpolated(v, 0.5) > 0 then ln(interpolated(v, 0.5)) end as level,
    case_level
from by_run as b
join sizes using (n)
left join runs as r on r.run_id = b.run_id
order by b.run_id, b.target, b.workload, b.metric
