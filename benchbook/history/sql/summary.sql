-- One row per run, target and workload: n (measured trials that succeeded) and METRIC_n, _p50, _p95, _p99, _p999, ... per metric.
--
-- The wide form of latency.sql, with the outcome of all measured trials and the mean score beside the latencies.
with wide as (
    pivot (select * from answers.latency) on metric in (
        'ttfb_ms', 'ttft_ms', 'ttfo_ms', 'e2e_ms', 'response_ms',
        'decode_ms_per_token', 'normalized_ms_per_token', 'tokens_per_s_user', 'schedule_lag_ms')
    using
        any_value(n) as n, any_value(min) as min, any_value(max) as max, any_value(mean) as mean, any_value(sd) as sd,
        any_value(p50) as p50, any_value(p50_low) as p50_low, any_value(p50_high) as p50_high,
        any_value(p95) as p95, any_value(p95_low) as p95_low, any_value(p95_high) as p95_high,
        any_value(p99) as p99, any_value(p99_low) as p99_low, any_value(p99_high) as p99_high,
        any_value(p999) as p999, any_value(p999_low) as p999_low, any_value(p999_high) as p999_high,
        any_value(p50_refused) as p50_refused, any_value(p95_refused) as p95_refused,
        any_value(p99_refused) as p99_refused, any_value(p999_refused) as p999_refused
    group by run_id, target, workload),
facts as (
    select
        run_id, target, workload,
        min(provider) as provider,
        min(model) as model,
        bool_or(streamed) as streamed,
        count(score) filter (where status = 'success') as scored,
        list_avg(list(score order by score) filter (where status = 'success' and score is not null)) as score
    from trials
    where phase = 'measured'
    group by all)
select
    o.run_id, r.started_at, r.verdict, r.offered_per_s, o.target, f.provider, f.model, o.workload, f.streamed,
    o.succeeded as n, o.* exclude (run_id, target, workload), f.scored, f.score,
    w.* exclude (run_id, target, workload)
from outcomes as o
join facts as f using (run_id, target, workload)
join wide as w using (run_id, target, workload)
left join runs as r on r.run_id = o.run_id
order by o.run_id, o.target, o.workload
