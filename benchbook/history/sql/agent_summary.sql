-- One row per run, target, workload and team: wall time p50 and p95, how it splits, calls, rounds, tokens, cost, score, pass^k.
--
-- What summary is for single answers: outcomes of all measured trials, the rest over those that succeeded. Bare calls are
-- among the rows, so that layers stand side by side. Cost is of everything attempted and null as soon as a part is
-- unknown; pass_k is the largest k that the repetitions carry (up to 10), pass_hat_k its pass^k.
with outcome as (
    select
        run_id, target, workload, coalesce(team, '') as team,
        min(model) as model,
        count(*) filter (where status <> 'skipped') as attempted,
        count(*) filter (where status = 'success') as succeeded,
        count(*) filter (where status = 'failure') as failed,
        count(*) filter (where status = 'timeout') as timed_out,
        count(*) filter (where status = 'skipped') as skipped,
        steady_mean(case when status = 'success' then score end) as score,
        count(score) filter (where status = 'success') as scored,
        list(wall_ms order by wall_ms) filter (where status = 'success' and wall_ms is not null) as v,
        case when count(*) filter (where status = 'success' and tokens_in is null) = 0
            then avg(tokens_in) filter (where status = 'success') end as tokens_in_mean,
        case when count(*) filter (where status = 'success' and tokens_out is null) = 0
            then avg(tokens_out) filter (where status = 'success') end as tokens_out_mean,
        case when count(*) filter (where status <> 'skipped' and cost_usd is null) = 0
            then steady_sum(case when status <> 'skipped' then cost_usd end) end as cost_usd
    from trials
    where phase = 'measured'
    group by all),
counted as (
    select *, coalesce(len(v), 0) as n
    from outcome),
sizes as (
    select n, quantile_ranks(n, 0.50) as r50, quantile_ranks(n, 0.95) as r95
    from (select distinct n from counted)),
dependable as (
    select run_id, target, workload, team, k as pass_k, cases as pass_cases, pass_hat_k, pass_hat_k_low, pass_hat_k_high
    from answers.pass_k
    where pass_hat_k is not null
    qualify row_number() over (partition by run_id, target, workload, team order by k desc) = 1)
select
    c.run_id, r.started_at, r.verdict, c.target, c.model, c.workload, c.team,
    c.attempted, c.succeeded, c.failed, c.timed_out, c.skipped,
    (c.failed + c.timed_out) / nullif(c.attempted, 0)::double as failure_share, c.score, c.scored,
    c.n as wall_ms_n,
    case when r50 is not null then interpolated(c.v, 0.50) end as wall_ms_p50,
    v[r50.low] as wall_ms_p50_low, v[r50.high] as wall_ms_p50_high,
    case when r95 is not null then interpolated(v, 0.95) end as wall_ms_p95,
    v[r95.low] as wall_ms_p95_low, v[r95.high] as wall_ms_p95_high,
    quantile_refused(c.n, 0.50) as wall_ms_p50_refused,
    quantile_refused(c.n, 0.95) as wall_ms_p95_refused,
    model_share, tool_share, human_wait_share, rate_limit_wait_share, orchestration_share, parallel_speedup,
    calls_mean, tool_calls_mean, tool_rounds_mean, handoffs_mean,
    c.tokens_in_mean, c.tokens_out_mean, c.cost_usd,
    pass_k, pass_cases, pass_hat_k, pass_hat_k_low, pass_hat_k_high
from counted as c
join sizes as z on z.n = c.n
left join answers.agent_breakdown as b using (run_id, target, workload, team)
left join dependable using (run_id, target, workload, team)
left join runs as r on r.run_id = c.run_id
order by c.run_id, c.target, list_position(['api', 'session', 'agent', 'multi_agent', 'workflow'], c.workload), c.workload, c.team
