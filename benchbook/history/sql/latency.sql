-- One row per run, target, workload and metric, over measured trials that succeeded; quantiles with their intervals.
--
-- Beside them stands what they leave out: attempted, failed, timed_out, failure_share. Where n is too small a quantile
-- is null and pXX_refused says what it needs. The interval speaks of this fixed set of prompts.
with sorted as (
    select run_id, target, workload, metric, list(value order by value) as v
    from measurements
    group by all),
counted as (
    select o.*, m.metric, m.position, s.v, coalesce(len(s.v), 0) as n
    from outcomes as o cross join metrics as m
    left join sorted as s
        on s.run_id = o.run_id and s.target = o.target and s.workload = o.workload and s.metric = m.metric),
sizes as (
    select n, quantile_ranks(n, 0.50) as r50, quantile_ranks(n, 0.95) as r95, quantile_ranks(n, 0.99) as r99,
        quantile_ranks(n, 0.999) as r999
    from (select distinct n from counted))
select
    run_id, target, workload, metric,
    trials, attempted, succeeded, failed, timed_out, skipped, failure_share,
    n, v[1] as min, v[n] as max, list_avg(v) as mean, list_stddev_samp(v) as sd,
    case when r50 is not null then interpolated(v, 0.50) end as p50, v[r50.low] as p50_low, v[r50.high] as p50_high,
    case when r95 is not null then interpolated(v, 0.95) end as p95, v[r95.low] as p95_low, v[r95.high] as p95_high,
    case when r99 is not null then interpolated(v, 0.99) end as p99, v[r99.low] as p99_low, v[r99.high] as p99_high,
    case when r999 is not null then interpolated(v, 0.999) end as p999, v[r999.low] as p999_low, v[r999.high] as p999_high,
    quantile_refused(n, 0.50) as p50_refused,
    quantile_refused(n, 0.95) as p95_refused,
    quantile_refused(n, 0.99) as p99_refused,
    quantile_refused(n, 0.999) as p999_refused
from counted join sizes using (n)
order by run_id, target, workload, position
