-- One row per trial that failed or timed out, warm-up included.
select
    run_id, trial_id, target, workload, dataset, test_id, category, repetition, phase, started_at,
    status, error_kind, error_message, calls, wall_ms
from trials
where status in ('failure', 'timeout')
order by run_id, target, position, trial_id
