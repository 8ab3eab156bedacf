-- One row per run, target, workload, team and kind of trial: of agents' measured trials the one at the median, the slowest, and the longest that failed.
--
-- By wall time, then by id; of an even number the lower of the two in the middle. The slowest is left out where it is
-- the median itself. For `timeline`, which draws them.
with agents as (
    select
        run_id, target, workload, coalesce(team, '') as team, trial_id, dataset, test_id, status, wall_ms,
        status = 'success' as succeeded,
        row_number() over (
            partition by run_id, target, workload, coalesce(team, ''), status = 'success' order by wall_ms, trial_id) as place,
        count(*) over (partition by run_id, target, workload, coalesce(team, ''), status = 'success') as n
    from trials
    where phase = 'measured' and status <> 'skipped' and workload in ('agent', 'multi_agent', 'workflow')
        and wall_ms is not null)
select
    run_id, target, workload, team,
    case when not succeeded then 'failed' when place = (n + 1) // 2 then 'median' else 'slowest' end as which,
    trial_id, dataset, test_id, status, wall_ms, place, n
from agents
where (succeeded and place = (n + 1) // 2) or place = n
order by run_id, target, workload, team, succeeded desc, place
