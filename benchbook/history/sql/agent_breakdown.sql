-- One row per run, target, workload and team: how the wall time of its trials splits, in ms and shares, and the effort beside it.
--
-- Over measured trials that succeeded and whose spans can be split (others: without_split). Sums, so that the parts add
-- up to the wall time exactly, in nanoseconds; *_ms are sums over trials, *_share are parts of wall_ms. Effort counts
-- what ran side by side each, so it may be more than the wall time; handoff_ms is a part of orchestration_ms.
with counted as (
    select
        run_id, target, workload, coalesce(team, '') as team, model_ms is not null as splits,
        round(wall_ms * 1e6)::hugeint as wall_ns, round(model_ms * 1e6)::hugeint as model_ns,
        round(tool_ms * 1e6)::hugeint as tool_ns, round(human_wait_ms * 1e6)::hugeint as human_wait_ns,
        round(rate_limit_wait_ms * 1e6)::hugeint as rate_limit_wait_ns,
        round(orchestration_ms * 1e6)::hugeint as orchestration_ns, round(handoff_ms * 1e6)::hugeint as handoff_ns,
        round(effort_ms * 1e6)::hugeint as effort_ns, round(critical_path_ms * 1e6)::hugeint as critical_path_ns,
        calls, tool_calls, tool_rounds, handoffs
    from trials
    where phase = 'measured' and status = 'success'),
summed as (
    select
        run_id, target, workload, team,
        count(*) filter (where splits) as n,
        count(*) filter (where not splits) as without_split,
        sum(wall_ns) filter (where splits) as wall, sum(model_ns) as model, sum(tool_ns) as tool,
        sum(human_wait_ns) as human_wait, sum(rate_limit_wait_ns) as rate_limit_wait,
        sum(orchestration_ns) as orchestration, sum(handoff_ns) as handoff, sum(effort_ns) as effort,
        sum(critical_path_ns) as critical_path,
        avg(calls) as calls_mean, avg(tool_calls) as tool_calls_mean, avg(tool_rounds) as tool_rounds_mean,
        avg(handoffs) as handoffs_mean
    from counted
    group by all)
select
    run_id, target, workload, team, n, without_split,
    wall / 1e6 as wall_ms, model / 1e6 as model_ms, tool / 1e6 as tool_ms, human_wait / 1e6 as human_wait_ms,
    rate_limit_wait / 1e6 as rate_limit_wait_ms, orchestration / 1e6 as orchestration_ms,
    wall - model - tool - human_wait - rate_limit_wait - orchestration = 0 as exact,
    model / nullif(wall, 0)::double as model_share,
    tool / nullif(wall, 0)::double as tool_share,
    human_wait / nullif(wall, 0)::double as human_wait_share,
    rate_limit_wait / nullif(wall, 0)::double as rate_limit_wait_share,
    orchestration / nullif(wall, 0)::double as orchestration_share,
    handoff / 1e6 as handoff_ms, effort / 1e6 as effort_ms, critical_path / 1e6 as critical_path_ms,
    effort / nullif(wall, 0)::double as parallel_speedup,
    calls_mean, tool_calls_mean, tool_rounds_mean, handoffs_mean
from summed
order by run_id, target, workload, team
