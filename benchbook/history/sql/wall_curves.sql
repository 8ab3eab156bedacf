-- One row per point of the empirical distribution of wall_ms of agents' trials, by run, target and workload; at most 200 points a curve.
--
-- What curves is for single answers, with the same columns: share of the successful trials, share_attempted of all.
with tried as (
    select run_id, target, workload, status, wall_ms
    from trials
    where phase = 'measured' and status <> 'skipped' and workload in ('agent', 'multi_agent', 'workflow')),
sorted as (
    select
        run_id, target, workload, count(*) as attempted,
        list(wall_ms order by wall_ms) filter (where status = 'success' and wall_ms is not null) as v, len(v) as n
    from tried
    group by all),
chosen as (
    select *, case when n <= 200 then range(1, n + 1)
        else list_transform(range(0, 200), lambda i: 1 + (i * (n - 1)) // 199) end as ranks
    from sorted
    where n > 0)
select
    run_id, target, workload, 'wall_ms' as metric, n, unnest(ranks) as rank, unnest(list_select(v, ranks)) as value,
    rank / n::double as share, rank / attempted::double as share_attempted
from chosen
order by run_id, target, workload, rank
