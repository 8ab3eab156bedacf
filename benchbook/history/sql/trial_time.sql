-- One row per target: the median wall time of a measured trial in the newest run that holds enough of them (n and interval).
with sorted as (
    select run_id, target, list(wall_ms order by wall_ms) as v, len(v) as n
    from trials
    where phase = 'measured' and status = 'success' and wall_ms is not null
    group by all),
ranked as (
    select *, quantile_ranks(n, 0.50) as r
    from sorted)
select
    target, run_id, n, interpolated(v, 0.50) as wall_ms_p50, v[r.low] as wall_ms_p50_low, v[r.high] as wall_ms_p50_high
from ranked
where r is not null
qualify row_number() over (partition by target order by run_id desc) = 1
order by target
