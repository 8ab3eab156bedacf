-- One row per run, target and rank: the top_n() test cases that scored lowest, below 1, each with its lowest scored answer.
--
-- Over measured trials that succeeded and have a score. answer is null where store.bodies kept no answers; of an
-- agent's trial it is what the last of its model calls said.
with judged as (
    select
        t.run_id, t.target, t.workload, t.dataset, t.test_id, t.category, t.repetition, t.trial_id,
        s.scorer, s.value as score, s.detail
    from trials as t join main.scores as s on s.run_id = t.run_id and s.trial_id = t.trial_id
    where t.phase = 'measured' and t.status = 'success' and s.value < 1
    qualify row_number() over (
        partition by t.run_id, t.target, t.workload, t.dataset, t.test_id order by s.value, t.trial_id) = 1),
said as (
    select r.run_id, r.trial_id, r.text as answer
    from responses as r left join calls as c using (run_id, trial_id, call_id)
    qualify row_number() over (
        partition by r.run_id, r.trial_id order by r.turn desc, c.closed_ns desc, r.attempt desc, r.call_id) = 1)
select
    j.run_id, j.target, row_number() over lowest as rank,
    j.* exclude (run_id, target), a.answer
from judged as j left join said as a using (run_id, trial_id)
window lowest as (partition by run_id, target order by score, dataset, test_id, workload)
qualify rank <= top_n()
order by run_id, target, rank
