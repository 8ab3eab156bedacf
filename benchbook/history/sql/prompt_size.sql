-- One row per run, target and dataset with generated prompts: their tokens as asked for and as the provider counts them.
--
-- Over every first turn that was counted. factor is what a dataset's synthetic.calibration is to be multiplied by.
select
    run_id, target, dataset,
    count(*) as n,
    min(prompt_tokens_asked) as asked_min,
    max(prompt_tokens_asked) as asked_max,
    sum(prompt_tokens_asked)::bigint as tokens_asked,
    sum(calls.tokens_in)::bigint as tokens_counted,
    tokens_counted / tokens_asked::double as factor,
    min(calls.tokens_in / prompt_tokens_asked::double) as factor_min,
    max(calls.tokens_in / prompt_tokens_asked::double) as factor_max
from calls join trials using (run_id, trial_id, target)
where turn = 1 and prompt_tokens_asked is not null and calls.tokens_in is not null
group by run_id, target, dataset
order by run_id, target, dataset
