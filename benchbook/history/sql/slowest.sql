-- One row per run, target and rank: the top_n() slowest measured trials that succeeded, by response_ms.
--
-- An agent's trial has no single response: it counts with its wall time, which is its response from the moment it began.
select
    run_id, target, row_number() over slowest as rank,
    trial_id, workload, dataset, test_id, category, repetition, started_at, cold, calls,
    response_ms, e2e_ms, ttft_ms, schedule_lag_ms, wall_ms, tokens_out, finish_reason, score
from trials
where phase = 'measured' and status = 'success' and (response_ms is not null or (workload in ('agent', 'multi_agent', 'workflow') and wall_ms is not null))
window slowest as (partition by run_id, target order by coalesce(response_ms, wall_ms) desc, trial_id)
qualify rank <= top_n()
order by run_id, target, rank
