-- One row per run, target, phase, cold (a connection's first call) and metric: what warm-up and new connections cost.
--
-- Over calls that succeeded. The median describes these n calls and carries no interval.
with good as (
    select run_id, target, phase, cold, connect_ms, ttfb_ms, ttft_ms, e2e_ms, response_ms
    from calls
    where error_kind is null and sent_ns is not null),
long as (
    select *
    from good
    unpivot (value for metric in (connect_ms, ttfb_ms, ttft_ms, e2e_ms, response_ms)))
select
    run_id, target, phase, cold, metric,
    count(*) as n, min(value) as min, median_of(value) as median, max(value) as max
from long
group by run_id, target, phase, cold, metric
order by run_id, target, phase desc, cold desc, metric
