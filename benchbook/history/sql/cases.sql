-- One row per run, target, workload, dataset and test case: its measured trials, their medians and mean score.
--
-- A median here describes these n trials and carries no interval: n is the number of repetitions.
with good as (
    select
        run_id, target, workload, dataset, test_id,
        count(*) as n,
        count(score) as scored,
        steady_mean(score) as score,
        median_of(ttft_ms) as ttft_ms_median,
        median_of(e2e_ms) as e2e_ms_median,
        median_of(response_ms) as response_ms_median,
        median_of(tokens_per_s_user) as tokens_per_s_user_median,
        median_of(tokens_out) as tokens_out_median,
        min(e2e_ms) as e2e_ms_min,
        max(e2e_ms) as e2e_ms_max
    from trials
    where phase = 'measured' and status = 'success'
    group by all),
every as (
    select
        run_id, target, workload, dataset, test_id,
        min(category) as category,
        count(*) filter (where status <> 'skipped') as attempted
    from trials
    where phase = 'measured'
    group by all)
select
    e.*, coalesce(g.n, 0) as n, coalesce(g.scored, 0) as scored,
    g.* exclude (run_id, target, workload, dataset, test_id, n, scored)
from every as e
left join good as g using (run_id, target, workload, dataset, test_id)
order by e.run_id, e.target, e.workload, e.dataset, e.test_id
