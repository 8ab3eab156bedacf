-- One row per run, target, metric and stretch of the measured part: at most 32 stretches of equally many trials.
--
-- Successful measured trials in order of their start. A level row of means is a steady run; the verdict's classes
-- (flat, warm-up, drifting) are found in such stretches.
with timed as (
    select run_id, target, started_ns + coalesce(wall_offset_ns, 0) as at_ns, trial_id, ttft_ms, e2e_ms, decode_ms_per_token
    from trials
    where phase = 'measured' and status = 'success'),
long as (
    select *
    from timed
    unpivot (value for metric in (ttft_ms, e2e_ms, decode_ms_per_token))),
placed as (
    select
        *,
        count(*) over (partition by run_id, target, metric) as n,
        row_number() over (partition by run_id, target, metric order by at_ns, trial_id) - 1 as place,
        min(at_ns) over (partition by run_id, target) as zero_ns
    from long),
cut as (
    select *, (place * least(32, greatest(1, n // 5))) // n as stretch
    from placed)
select
    run_id, target, metric, stretch,
    count(*) as n,
    (min(at_ns) - any_value(zero_ns)) / 1e9 as from_s,
    (max(at_ns) - any_value(zero_ns)) / 1e9 as to_s,
    steady_mean(value) as mean,
    median_of(value) as median,
    max(value) as max
from cut
group by run_id, target, metric, stretch
order by run_id, target, metric, stretch
