-- One row per run, target and workload: what a month costs at so many trials, if its trials are like the run's.
--
-- The setting `volume` is trials a month (1,000,000). cost_usd is the mean of measured trials that succeeded; null where
-- the cost of one of them is unknown (refused says of how many). Its interval is the jackknife's over test cases, of the
-- log, with Student's t (stats/joint.py says the same in Python); null below 6 cases or where nothing was paid.
with good as (
    select run_id, target, workload, dataset, test_id, cost_usd, price_date
    from trials
    where phase = 'measured' and status = 'success'),
by_case as (
    select
        run_id, target, workload, dataset, test_id,
        count(*) as n, coalesce(steady_sum(cost_usd), 0) as spent, count(*) - count(cost_usd) as unknown,
        max(price_date) as price_date
    from good
    group by all),
by_target as (
    select
        run_id, target, workload,
        count(*) as cases, sum(n)::bigint as trials, steady_sum(spent) as spent, sum(unknown)::bigint as unknown,
        max(price_date) as price_date
    from by_case
    group by all),
-- The log of the mean without each case; null where nothing would be left of it.
without_one as (
    select
        run_id, target, workload,
        case when t.trials > c.n and t.spent > c.spent then ln((t.spent - c.spent) / (t.trials - c.n)) end as log_mean
    from by_case as c join by_target as t using (run_id, target, workload)),
spread as (
    select
        run_id, target, workload,
        case when count(log_mean) = count(*) then
            sqrt((count(*) - 1) * list_var_pop(list(log_mean order by log_mean))) end as se
    from without_one
    group by run_id, target, workload),
reached as (
    select
        t.*, s.se,
        case when cases >= 6 and spent > 0 then s.se * student_t(cases - 1, normal_z(confidence())) end as reach
    from by_target as t join spread as s using (run_id, target, workload))
select
    run_id, target, workload, cases, trials, price_date, volume() as volume,
    case when unknown = 0 then spent / trials end as cost_usd,
    case when unknown = 0 then volume() * spent / trials end as monthly_usd,
    case when unknown = 0 then volume() * spent / trials * exp(-reach) end as monthly_usd_low,
    case when unknown = 0 then volume() * spent / trials * exp(reach) end as monthly_usd_high,
    case when unknown > 0 then 'the cost of ' || unknown || ' of ' || trials || ' trials is unknown'
        when cases < 6 then 'an interval needs 6 test cases, has ' || cases
        when spent = 0 then 'nothing was paid'
        when reach is null then 'one case holds all of it' end as refused
from reached
order by run_id, target, workload
