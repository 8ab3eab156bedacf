-- One row per run, target and metric: the first call that the run sent to the target, beside the median of later ones.
--
-- The first call bears what a caller meets who comes cold: a new connection (connect_ms), a model that may have to be
-- loaded, empty caches. It is a metric of its own and never pooled with the rest. ratio: first over the median of the
-- later successful calls on connections that were open already; null where the first one failed.
with sent as (
    select
        run_id, target, error_kind, cold, connect_ms, ttfb_ms, ttft_ms, e2e_ms,
        row_number() over (
            partition by run_id, target
            order by sent_ns + coalesce(wall_offset_ns, 0), trial_id, attempt) as place
    from calls
    where sent_ns is not null),
long as (
    select *
    from sent
    unpivot include nulls (value for metric in (connect_ms, ttfb_ms, ttft_ms, e2e_ms)))
select
    run_id, target, metric,
    any_value(error_kind) filter (where place = 1) as error_kind,
    max(value) filter (where place = 1 and error_kind is null) as first,
    median_of(case when place > 1 and error_kind is null and not cold then value end) as later_median,
    count(value) filter (where place > 1 and error_kind is null and not cold) as later_n,
    first / nullif(later_median, 0) as ratio
from long
group by run_id, target, metric
order by run_id, target, metric
