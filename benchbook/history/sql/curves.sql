-- One row per point of the empirical distribution of a metric, by run, target and workload; at most 200 points a curve.
--
-- share: of the successful values, those at or below value; share_attempted: the same over attempted trials, so that a
-- curve with failures ends below 1. Smallest and largest value are always points.
with sorted as (
    select run_id, target, workload, metric, list(value order by value) as v, len(v) as n
    from measurements
    group by all),
chosen as (
    select *, case when n <= 200 then range(1, n + 1)
        else list_transform(range(0, 200), lambda i: 1 + (i * (n - 1)) // 199) end as ranks
    from sorted),
points as (
    select run_id, target, workload, metric, n, unnest(ranks) as rank, unnest(list_select(v, ranks)) as value
    from chosen)
select
    p.*,
    p.rank / p.n::double as share,
    p.rank / o.attempted::double as share_attempted
from points as p
join outcomes as o using (run_id, target, workload)
join metrics as m using (metric)
order by p.run_id, p.target, p.workload, m.position, p.rank
