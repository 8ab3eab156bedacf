-- One row per target and workload: the median wall time of a measured trial in the newest run that holds enough of them.
with sorted as (
    select run_id, target, workload, list(wall_ms order by wall_ms) as v, len(v) as n
    from trials
    where phase = 'measured' and status = 'success' and wall_ms is not null
    group by all),
ranked as (
    select *, quantile_ranks(n, 0.50) as r
    from sorted)
select
    target, workload, run_id, n, interpolated(v, 0.50) as wall_ms_p50, v[r.low] as wall_ms_p50_low, v[r.high] as wall_ms_p50_high
from ranked
where r is not null
qualify row_number() over (partition by target, workload order by run_id desc) = 1
order by target, workload
