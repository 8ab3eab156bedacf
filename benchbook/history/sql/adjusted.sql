-- One row per run, target, workload, metric and quantile: percentiles in which a failure counts as infinitely slow.
--
-- n holds failed and timed-out trials too. value, low and high are null where they fall on a failure (says: unbounded)
-- or where n is too small (says: needs 59, has 10). Latencies only: metrics of which more is better have no such form.
with sorted as (
    select run_id, target, workload, metric, list(value order by value) as v, len(v) as known
    from measurements
    group by all),
counted as (
    select s.*, m.position, o.failed + o.timed_out as failures, s.known + o.failed + o.timed_out as n
    from sorted as s
    join outcomes as o using (run_id, target, workload)
    join metrics as m using (metric)
    where m.metric in ('ttfb_ms', 'ttft_ms', 'ttfo_ms', 'e2e_ms', 'response_ms')),
sizes as (
    select n, q, quantile_ranks(n, q) as r, quantile_refused(n, q) as refused
    from (select distinct n from counted) cross join (values (0.50), (0.95), (0.99), (0.999)) as quantiles (q)),
placed as (
    select *, (n - 1) * q::double as place, ceil((n - 1) * q::double)::bigint + 1 as above
    from counted join sizes using (n))
select
    run_id, target, workload, metric, q::double as quantile, n, failures,
    case when r is not null and above <= known
        then v[floor(place)::bigint + 1] + (place - floor(place)) * (v[above] - v[floor(place)::bigint + 1]) end as value,
    case when r.low <= known then v[r.low] end as low,
    case when r.high <= known then v[r.high] end as high,
    case when r is null then refused when above > known then 'unbounded' when r.high > known then 'unbounded above' end as says
from placed
order by run_id, target, workload, position, q
