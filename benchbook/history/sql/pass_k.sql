-- One row per run, target, workload, team and k: pass^k and pass@k over its judged test cases, the case being the cluster.
--
-- A trial passes when it succeeded and every scorer of its case passed; a failure or time-out does not pass; skipped
-- ones don't count. k goes up to the most repetitions (10 at most, 2 at least); where a case has fewer it is refused.
-- stats/passes.py and stats/proportions.py have the reasoning and the same in Python.
with judged as (
    select run_id, trial_id, bool_and(passed) as passed
    from main.scores
    group by all),
tried as (
    select t.run_id, t.target, t.workload, coalesce(t.team, '') as team, t.dataset, t.test_id, t.status,
        j.passed is not null as scored, t.status = 'success' and coalesce(j.passed, false) as passed
    from trials as t left join judged as j using (run_id, trial_id)
    where t.phase = 'measured' and t.status <> 'skipped'),
-- A case counts where its answers were judged; one that never succeeded counts where its dataset's others were.
known as (
    select run_id, workload, dataset, test_id, bool_or(scored) as scored, bool_or(status = 'success') as answered
    from tried
    group by all),
counting as (
    select *, scored or (not answered and bool_or(scored) over (partition by run_id, workload, dataset)) as counts
    from known),
cases as (
    select run_id, target, workload, team, dataset, test_id, count(*) as n, count(*) filter (where passed) as c
    from tried join counting using (run_id, workload, dataset, test_id)
    where counts
    group by all),
groups as (
    select run_id, target, workload, team, count(*) as cases, sum(n)::bigint as trials, sum(c)::bigint as passed,
        min(n) as fewest, max(n) as most
    from cases
    group by all),
asked as (
    select *, unnest(range(1, greatest(2, least(10, most)) + 1)) as k
    from groups),
-- C(some, k) / C(n, k), factor by factor.
drawn as (
    select a.run_id, a.target, a.workload, a.team, a.k,
        list_reduce(list_transform(range(0, a.k), lambda i: greatest(s.c - i, 0) / (s.n - i)::double), lambda x, y: x * y)
            as every,
        1 - list_reduce(
            list_transform(range(0, a.k), lambda i: greatest(s.n - s.c - i, 0) / (s.n - i)::double), lambda x, y: x * y)
            as any_one
    from asked as a join cases as s using (run_id, target, workload, team)
    where a.k <= a.fewest),
means as (
    select run_id, target, workload, team, k,
        steady_mean(every) as p_all, list_var_samp(list(every order by every)) as v_all,
        steady_mean(any_one) as p_any, list_var_samp(list(any_one order by any_one)) as v_any
    from drawn
    group by all),
student as (
    select distinct cases, normal_z(confidence()) as z, student_t(cases - 1, normal_z(confidence())) as t
    from groups
    where cases >= 6),
-- The effective number of independent trials: between cases and trials, then times (z / t)^2.
sized as (
    select a.*, m.p_all, m.p_any,
        case when m.p_all is not null then least(greatest(coalesce(
            m.p_all * (1 - m.p_all) / nullif(m.v_all / a.cases, 0),
            case when m.p_all > 0 and m.p_all < 1 then a.trials else a.cases end), a.cases), a.trials)
            * pow(s.z / s.t, 2) end as n_all,
        case when m.p_any is not null then least(greatest(coalesce(
            m.p_any * (1 - m.p_any) / nullif(m.v_any / a.cases, 0),
            case when m.p_any > 0 and m.p_any < 1 then a.trials else a.cases end), a.cases), a.trials)
            * pow(s.z / s.t, 2) end as n_any
    from asked as a
    left join means as m using (run_id, target, workload, team, k)
    left join student as s using (cases))
select
    run_id, target, workload, team, k, cases, trials, passed, fewest as repetitions_least, most as repetitions_most,
    p_all as pass_hat_k,
    wilson_low(p_all * n_all, n_all) as pass_hat_k_low,
    wilson_high(p_all * n_all, n_all) as pass_hat_k_high,
    p_any as pass_at_k,
    wilson_low(p_any * n_any, n_any) as pass_at_k_low,
    wilson_high(p_any * n_any, n_any) as pass_at_k_high,
    case when p_all is null then 'needs ' || k || ' repetitions of each test case, has ' || fewest
        when n_all is null then 'an interval needs 6 test cases, has ' || cases end as refused
from sized
order by run_id, target, workload, team, k
