-- One row per run, target, workload, team, agent that handed over, and agent that took over: how often, and how long it took.
--
-- Over handoff spans of measured trials that were attempted. ms_*: from handing over to having it back, or to the taking over
-- where work does not come back (a swarm); from_agent is empty where the team's own machinery passed work on.
with handed as (
    select
        t.run_id, t.target, t.workload, coalesce(t.team, '') as team, coalesce(s.agent, '') as from_agent,
        s.name as to_agent, s.trial_id, s.status, s.duration_ms
    from trials as t join spans as s using (run_id, trial_id)
    where t.phase = 'measured' and s.kind = 'handoff'),
sorted as (
    select
        run_id, target, workload, team, from_agent, to_agent,
        count(*) as n,
        count(distinct trial_id) as trials,
        count(*) filter (where status <> 'ok') as failed,
        list(duration_ms order by duration_ms) as v
    from handed
    group by all),
sizes as (
    select n, quantile_ranks(n, 0.50) as r50, quantile_ranks(n, 0.95) as r95
    from (select distinct n from sorted))
select
    run_id, target, workload, team, from_agent, to_agent, n, trials, failed,
    list_sum(v) as ms_sum, v[1] as ms_min, v[n] as ms_max,
    case when r50 is not null then interpolated(v, 0.50) end as ms_p50,
    v[r50.low] as ms_p50_low, v[r50.high] as ms_p50_high,
    case when r95 is not null then interpolated(v, 0.95) end as ms_p95,
    v[r95.low] as ms_p95_low, v[r95.high] as ms_p95_high,
    quantile_refused(n, 0.50) as ms_p50_refused,
    quantile_refused(n, 0.95) as ms_p95_refused
from sorted join sizes using (n)
order by run_id, target, workload, team, from_agent, to_agent
