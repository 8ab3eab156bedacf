-- One row per run, target and workload: the mean score with its interval over test cases, and what a trial costs.
--
-- Scores are of measured trials that succeeded; the test case is the cluster: a mean over cases, and Wilson's interval
-- for as many independent trials as the spread between cases is worth (see pass_k), from six cases on. Cost is of all
-- attempted trials, null as soon as one of them is unknown.
with cases as (
    select run_id, target, workload, dataset, test_id, count(*) as n, steady_mean(score) as score
    from trials
    where phase = 'measured' and status = 'success' and score is not null
    group by all),
judged as (
    select
        run_id, target, workload, count(*) as cases, sum(n)::bigint as scored, steady_mean(score) as score,
        list_var_samp(list(score order by score)) as between_cases
    from cases
    group by all),
student as (
    select distinct cases, normal_z(confidence()) as z, student_t(cases - 1, normal_z(confidence())) as t
    from judged
    where cases >= 6),
sized as (
    select
        j.*,
        least(greatest(coalesce(
            score * (1 - score) / nullif(between_cases / j.cases, 0),
            case when score > 0 and score < 1 then scored else j.cases end), j.cases), scored) * pow(z / t, 2) as worth
    from judged as j left join student as s using (cases)),
spent as (
    select
        run_id, target, workload, count(*) as attempted,
        case when count(cost_usd) = count(*) then steady_sum(cost_usd) / count(*) end as cost_usd_per_trial
    from trials
    where phase = 'measured' and status <> 'skipped'
    group by all)
select
    run_id, target, workload, attempted, scored, cases, score,
    wilson_low(score * worth, worth) as score_low,
    wilson_high(score * worth, worth) as score_high,
    case when cases < 6 then 'an interval needs 6 test cases, has ' || cases end as score_refused,
    cost_usd_per_trial
from spent left join sized using (run_id, target, workload)
order by run_id, target, workload
