-- One row per run, target, workload and team: what a solved task cost, in USD and in time, the failures' cost included.
--
-- Over measured trials whose cases are judged. A trial is solved when it succeeded and every scorer of its case passed;
-- what failed, timed out or was judged wrong is paid for all the same. cost_usd_per_solved is null where a cost is
-- unknown (trials_without_cost) or nothing was solved (refused says so). The interval of the share takes trials as
-- independent; the one over test cases is pass_k's, with k = 1.
with judged as (
    select run_id, trial_id, bool_and(passed) as passed
    from main.scores
    group by all),
tried as (
    select t.*, coalesce(t.team, '') as of_team, j.passed, t.status = 'success' and coalesce(j.passed, false) as solved
    from trials as t left join judged as j using (run_id, trial_id)
    where t.phase = 'measured' and t.status <> 'skipped'),
-- A case counts where an answer of it was judged; one that was never answered, where its dataset's others were.
known as (
    select
        run_id, workload, dataset, test_id,
        bool_or(passed is not null) as scored, bool_or(status = 'success') as answered
    from tried
    group by all),
counting as (
    select *, scored or (not answered and bool_or(scored) over (partition by run_id, workload, dataset)) as counts
    from known),
spent as (
    select
        t.run_id, t.target, t.workload, t.of_team as team,
        count(*) as attempted,
        count(*) filter (where solved) as solved,
        count(*) filter (where status <> 'success') as failed,
        count(*) filter (where status = 'success' and not solved) as wrong,
        count(*) - count(cost_usd) as trials_without_cost,
        coalesce(steady_sum(cost_usd), 0) as cost_usd,
        coalesce(steady_sum(case when not solved then cost_usd end), 0) as cost_usd_unsolved,
        steady_sum(wall_ms) as wall_ms
    from tried as t join counting as c using (run_id, workload, dataset, test_id)
    where c.counts
    group by all)
select
    run_id, target, workload, team, attempted, solved, failed, wrong,
    solved / attempted::double as solved_share,
    wilson_low(solved, attempted) as solved_share_low, wilson_high(solved, attempted) as solved_share_high,
    trials_without_cost,
    case when trials_without_cost = 0 then cost_usd end as cost_usd,
    case when trials_without_cost = 0 then cost_usd_unsolved end as cost_usd_unsolved,
    case when trials_without_cost = 0 then cost_usd / nullif(solved, 0) end as cost_usd_per_solved,
    wall_ms / nullif(solved, 0) as wall_ms_per_solved,
    case when solved = 0 then 'no task was solved'
        when trials_without_cost > 0 then 'the cost of ' || trials_without_cost || ' trials is unknown' end as refused
from spent
order by run_id, target, workload, team
