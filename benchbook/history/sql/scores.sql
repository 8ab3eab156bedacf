-- One row per run, target, workload, dataset, category and scorer: mean score and share passed, with Wilson's interval.
--
-- Over measured trials that succeeded and have a score. The interval takes trials as independent: it speaks of these
-- prompts, not of others. (main.scores is the table: in the schema answers, scores is this question.)
with judged as (
    select t.run_id, t.target, t.workload, t.dataset, t.category, t.test_id, s.scorer, s.value, s.passed
    from trials as t join main.scores as s on s.run_id = t.run_id and s.trial_id = t.trial_id
    where t.phase = 'measured' and t.status = 'success' and s.value is not null),
counted as (
    select
        run_id, target, workload, dataset, category, scorer,
        count(*) as n,
        count(distinct test_id) as cases,
        steady_mean(value) as mean,
        count(*) filter (where passed) as passes
    from judged
    group by all)
select
    *,
    passes / n::double as pass_share,
    wilson_low(passes, n) as pass_share_low,
    wilson_high(passes, n) as pass_share_high
from counted
order by run_id, target, workload, dataset, category, scorer
