-- One row per run, target, workload and turn of a conversation: its latency, its prompt, and how much of that was cached.
--
-- Over the attempts that succeeded in measured trials, of conversations that ended well or not; failed counts the
-- attempts that did not. Means are per attempt. cached_share: cached tokens over prompt tokens where both are reported.
with made as (
    select c.*, t.workload
    from calls as c join trials as t using (run_id, trial_id)
    where c.phase = 'measured'),
sorted as (
    select
        run_id, target, workload, turn,
        count(*) as attempts,
        count(*) filter (where error_kind is not null) as failed,
        count(*) filter (where error_kind is null) as answered,
        list(ttft_ms order by ttft_ms) filter (where error_kind is null and ttft_ms is not null) as v,
        median_of(case when error_kind is null then e2e_ms end) as e2e_ms_median,
        avg(tokens_in) filter (where error_kind is null) as tokens_in_mean,
        avg(tokens_out) filter (where error_kind is null) as tokens_out_mean,
        sum(tokens_cached) filter (where error_kind is null and tokens_in is not null)
            / nullif(sum(tokens_in) filter (where error_kind is null and tokens_cached is not null), 0)::double
            as cached_share
    from made
    group by all),
counted as (
    select *, coalesce(len(v), 0) as n
    from sorted),
sizes as (
    select n, quantile_ranks(n, 0.50) as r50, quantile_ranks(n, 0.95) as r95
    from (select distinct n from counted))
select
    run_id, target, workload, turn, attempts, failed, answered, n as ttft_ms_n,
    case when r50 is not null then interpolated(v, 0.50) end as ttft_ms_p50,
    v[r50.low] as ttft_ms_p50_low, v[r50.high] as ttft_ms_p50_high,
    case when r95 is not null then interpolated(v, 0.95) end as ttft_ms_p95,
    v[r95.low] as ttft_ms_p95_low, v[r95.high] as ttft_ms_p95_high,
    quantile_refused(n, 0.50) as ttft_ms_p50_refused,
    quantile_refused(n, 0.95) as ttft_ms_p95_refused,
    e2e_ms_median, tokens_in_mean, tokens_out_mean, cached_share
from counted join sizes using (n)
order by run_id, target, workload, turn
