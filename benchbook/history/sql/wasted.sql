-- One row per run, target and phase: what attempts that failed cost: time, content thrown away, tokens and money.
--
-- partial: failed attempts that had brought content; unknown: partial ones for which nobody reported tokens, so the sums
-- are a lower bound where it is above 0 (null if no attempt reported any). wasted_cost_share is of all attempts' known cost.
select
    run_id, target, phase, count(*) as attempts,
    count(error_kind) as failed,
    count(*) filter (where error_kind is not null and len(chunk_sizes) > 0) as partial,
    count(*) filter (where error_kind is not null and len(chunk_sizes) > 0 and tokens_out is null) as unknown,
    count(*) filter (where error_kind is not null and tokens_out is not null) as reported,
    coalesce(sum(list_sum(chunk_sizes)) filter (where error_kind is not null), 0)::bigint as wasted_bytes,
    coalesce(sum(tokens_in) filter (where error_kind is not null), case when unknown = 0 then 0 end)::bigint as wasted_tokens_in,
    coalesce(sum(tokens_out) filter (where error_kind is not null), case when unknown = 0 then 0 end)::bigint as wasted_tokens_out,
    coalesce(steady_sum(case when error_kind is not null then cost_usd end), case when unknown = 0 then 0 end) as wasted_cost_usd,
    steady_sum(cost_usd) as cost_usd,
    wasted_cost_usd / nullif(steady_sum(cost_usd), 0) as wasted_cost_share,
    coalesce(steady_sum(case when error_kind is not null then (closed_ns - sent_ns) / 1e6 end), 0) as wasted_ms
from calls
group by run_id, target, phase
order by run_id, target, phase desc
