-- One row per run, target, workload and phase: tokens as the provider reported them, and what they cost in USD.
--
-- Sums leave out what is unknown and say how much that is: trials_without_tokens, trials_without_cost (of those attempted).
with spent as (
    select
        run_id, target, workload, phase,
        count(*) as attempted,
        count(*) filter (where status = 'success') as succeeded,
        sum(calls)::bigint as calls,
        sum(tokens_in)::bigint as tokens_in,
        sum(tokens_cached)::bigint as tokens_cached,
        sum(tokens_cache_write)::bigint as tokens_cache_write,
        sum(tokens_out)::bigint as tokens_out,
        sum(tokens_reasoning)::bigint as tokens_reasoning,
        count(*) - count(tokens_out) as trials_without_tokens,
        steady_sum(cost_usd) as cost_usd,
        count(*) - count(cost_usd) as trials_without_cost,
        min(price_date) as price_date
    from trials
    where status <> 'skipped'
    group by all)
select
    *,
    case when trials_without_cost = 0 then cost_usd / nullif(succeeded, 0) end as cost_usd_per_success
from spent
order by run_id, target, workload, phase desc
