-- One row per run, target, layer with its team, and lower layer with its team: what the layer adds, paired by test case.
--
-- Layers are api, agent, multi_agent, workflow, in this order; next_below marks the nearest one that the run has. A case's
-- numbers are the means of its measured trials that succeeded (means, so that what is added to the five parts adds up to
-- what is added to the wall time); *_added is the mean difference over the `cases` that both sides have, with an
-- interval by Student's t over cases for the wall time, from 6 cases on. Tokens and cost are null where a trial's are unknown.
with layers as (
    from (values ('api', 1), ('agent', 2), ('multi_agent', 3), ('workflow', 4)) as l (workload, place)),
cases as (
    select
        run_id, target, workload, place, coalesce(team, '') as team, dataset, test_id,
        count(*) as n,
        steady_mean(wall_ms) as wall_ms,
        steady_mean(model_ms) as model_ms,
        steady_mean(tool_ms) as tool_ms,
        steady_mean(human_wait_ms) as human_wait_ms,
        steady_mean(rate_limit_wait_ms) as rate_limit_wait_ms,
        steady_mean(orchestration_ms) as orchestration_ms,
        avg(calls) as calls,
        case when count(tokens_in) = count(*) then avg(tokens_in) end as tokens_in,
        case when count(tokens_out) = count(*) then avg(tokens_out) end as tokens_out,
        case when count(cost_usd) = count(*) then steady_mean(cost_usd) end as cost_usd
    from trials join layers using (workload)
    where phase = 'measured' and status = 'success' and model_ms is not null
    group by all),
nearest as (
    select run_id, target, workload, max(below) as below
    from (
        select u.run_id, u.target, u.workload, l.place as below
        from (select distinct run_id, target, workload, place from cases) as u
        join (select distinct run_id, target, place from cases) as l
            on l.run_id = u.run_id and l.target = u.target and l.place < u.place)
    group by all),
paired as (
    select
        u.run_id, u.target, u.workload, u.place, u.team, l.workload as over_workload, l.place as over_place,
        l.team as over_team, l.place = f.below as next_below, u.n, l.n as over_n,
        u.wall_ms, l.wall_ms as over_wall_ms, u.wall_ms - l.wall_ms as wall,
        u.model_ms - l.model_ms as model, u.tool_ms - l.tool_ms as tool,
        u.human_wait_ms - l.human_wait_ms as human_wait,
        u.rate_limit_wait_ms - l.rate_limit_wait_ms as rate_limit_wait,
        u.orchestration_ms - l.orchestration_ms as orchestration,
        u.calls - l.calls as calls, u.tokens_in - l.tokens_in as tokens_in, u.tokens_out - l.tokens_out as tokens_out,
        u.cost_usd - l.cost_usd as cost_usd
    from cases as u
    join cases as l
        on l.run_id = u.run_id and l.target = u.target and l.dataset = u.dataset and l.test_id = u.test_id
        and l.place < u.place
    join nearest as f on f.run_id = u.run_id and f.target = u.target and f.workload = u.workload),
summed as (
    select
        run_id, target, workload, place, team, over_workload, over_place, over_team, next_below,
        count(*) as cases, sum(n)::bigint as n, sum(over_n)::bigint as over_n,
        steady_mean(wall_ms) as wall_ms, steady_mean(over_wall_ms) as over_wall_ms,
        steady_mean(wall) as wall_ms_added,
        list_stddev_samp(list(wall order by wall)) / sqrt(count(*)) as error,
        steady_mean(model) as model_ms_added,
        steady_mean(tool) as tool_ms_added,
        steady_mean(human_wait) as human_wait_ms_added,
        steady_mean(rate_limit_wait) as rate_limit_wait_ms_added,
        steady_mean(orchestration) as orchestration_ms_added,
        steady_mean(calls) as calls_added,
        case when count(tokens_in) = count(*) then steady_mean(tokens_in) end as tokens_in_added,
        case when count(tokens_out) = count(*) then steady_mean(tokens_out) end as tokens_out_added,
        case when count(cost_usd) = count(*) then steady_mean(cost_usd) end as cost_usd_added
    from paired
    group by all)
select
    run_id, target, workload, team, over_workload, over_team, next_below, cases, n, over_n,
    wall_ms, over_wall_ms, wall_ms / nullif(over_wall_ms, 0) as wall_ratio,
    wall_ms_added,
    case when cases >= 6 then wall_ms_added - student_t(cases - 1, normal_z(confidence())) * error end as wall_ms_added_low,
    case when cases >= 6 then wall_ms_added + student_t(cases - 1, normal_z(confidence())) * error end as wall_ms_added_high,
    model_ms_added, tool_ms_added, human_wait_ms_added, rate_limit_wait_ms_added, orchestration_ms_added,
    calls_added, tokens_in_added, tokens_out_added, cost_usd_added,
    case when cases < 6 then 'an interval needs 6 test cases, has ' || cases end as refused
from summed
order by run_id, target, place, team, over_place, over_team
