-- One row per run: when, what came of it, and what it stands on.
with found as (
    select run_id, list_sort(list(distinct target)) as targets, list_sort(list(distinct dataset)) as datasets
    from trials
    group by all)
select
    r.run_id, r.started_at, r.ended_at, r.status, r.verdict, r.reasons, f.targets, f.datasets,
    r.planned, r.succeeded, r.failed, r.timed_out, r.skipped, r.not_started,
    r.calibration_ttft_bias_ms, r.calibration_ttft_u_ms, r.harness_loop_lag_p99_ms,
    r.offered_per_s, r.achieved_per_s, r.schedule_lag_p99_ms, r.wall_s, r.cost_usd, r.sessions,
    r.plan_hash, r.workload_hash, r.git_commit, r.git_dirty, r.lock_hash, r.host
from runs as r left join found as f using (run_id)
order by r.run_id
