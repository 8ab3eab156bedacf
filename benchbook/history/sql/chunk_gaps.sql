-- One row per run and target: the gaps between neighbouring chunks of measured calls that succeeded, in ms.
--
-- n gaps come out of calls answers. The gaps of one answer hang together, so no interval is given; a quantile is null
-- below the n that an interval over independent values would need, and pXX_refused says so. same_arrival_share: gaps of
-- 0, two chunks that one read brought.
with streams as (
    select run_id, target, chunk_offsets_us as at_us
    from calls
    where phase = 'measured' and error_kind is null and streamed and len(chunk_offsets_us) > 1),
gaps as (
    select run_id, target, unnest(at_us[2:]) - unnest(at_us[:-2]) as gap_us
    from streams),
summed as (
    select
        run_id, target, count(*) as n, min(gap_us) as min_us, max(gap_us) as max_us, sum(gap_us) as sum_us,
        count(*) filter (where gap_us = 0) as zeros,
        quantile_cont(gap_us, [0.5, 0.9, 0.95, 0.99, 0.999]) as q
    from gaps
    group by all),
counted as (
    select run_id, target, count(*) as calls
    from streams
    group by all)
select
    run_id, target, c.calls, n,
    min_us / 1e3 as min, max_us / 1e3 as max, sum_us / n / 1e3 as mean,
    case when quantile_refused(n, 0.5) is null then q[1] / 1e3 end as p50,
    case when quantile_refused(n, 0.9) is null then q[2] / 1e3 end as p90,
    case when quantile_refused(n, 0.95) is null then q[3] / 1e3 end as p95,
    case when quantile_refused(n, 0.99) is null then q[4] / 1e3 end as p99,
    case when quantile_refused(n, 0.999) is null then q[5] / 1e3 end as p999,
    quantile_refused(n, 0.5) as p50_refused,
    quantile_refused(n, 0.9) as p90_refused,
    quantile_refused(n, 0.95) as p95_refused,
    quantile_refused(n, 0.99) as p99_refused,
    quantile_refused(n, 0.999) as p999_refused,
    zeros / n::double as same_arrival_share
from summed join counted as c using (run_id, target)
order by run_id, target
