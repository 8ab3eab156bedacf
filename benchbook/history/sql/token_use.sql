-- One row per run, target and workload: what its answers take in tokens, and how long they are against the references.
--
-- Over measured trials that succeeded; each ratio is one of sums, over the trials that have both numbers, and *_trials says
-- how many those are. verbosity: characters of answers over characters of the case's references (the lower median of
-- several), from stored texts; null where the dataset has no references.
with good as (
    select *
    from trials
    where phase = 'measured' and status = 'success')
select
    run_id, target, workload,
    count(*) as succeeded,
    avg(tokens_in) as tokens_in,
    avg(tokens_out) as tokens_out,
    count(*) filter (where tokens_in is not null and tokens_out is not null) as token_trials,
    sum(tokens_out) filter (where tokens_in is not null)
        / nullif(sum(tokens_in) filter (where tokens_out is not null), 0)::double as output_per_input,
    sum(tokens_cached) filter (where tokens_in is not null)
        / nullif(sum(tokens_in) filter (where tokens_cached is not null), 0)::double as cached_share,
    sum(tokens_reasoning) filter (where tokens_out is not null)
        / nullif(sum(tokens_out) filter (where tokens_reasoning is not null), 0)::double as reasoning_share,
    count(*) filter (where answer_chars is not null and reference_chars is not null) as verbosity_trials,
    sum(answer_chars) filter (where reference_chars is not null)
        / nullif(sum(reference_chars) filter (where answer_chars is not null), 0)::double as verbosity
from good
group by run_id, target, workload
order by run_id, target, workload
