-- One row per run, target, workload, team, agent, kind and name of a step: its time on the critical paths, and off them.
--
-- Over measured trials that succeeded. critical_ms: sum of what the ends of trials waited for; share: of all critical
-- time of that target, workload and team; slack_ms: own time off the critical path, which may shrink without effect;
-- trials: in how many of them it was on the path. The longest first.
with steps as (
    select
        t.run_id, t.target, t.workload, coalesce(t.team, '') as team, coalesce(s.agent, '') as agent, s.kind, s.name,
        s.trial_id, s.own_ms, s.critical_ms
    from trials as t join spans as s using (run_id, trial_id)
    where t.phase = 'measured' and t.status = 'success' and s.critical_ms is not null),
summed as (
    select
        run_id, target, workload, team, agent, kind, name,
        count(*) as n,
        count(*) filter (where critical_ms > 0) as n_critical,
        count(distinct trial_id) filter (where critical_ms > 0) as trials,
        steady_sum(critical_ms) as critical_ms,
        steady_sum(own_ms) - steady_sum(critical_ms) as slack_ms
    from steps
    group by all)
select
    *,
    critical_ms / nullif(list_sum(list(critical_ms) over everything), 0) as share
from summed
window everything as (
    partition by run_id, target, workload, team order by critical_ms
    rows between unbounded preceding and unbounded following)
order by run_id, target, workload, team, critical_ms desc, agent, kind, name
