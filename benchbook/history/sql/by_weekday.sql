-- One row per target, workload, workload hash, metric and weekday (UTC) of the runs' start, 1 is Monday: levels with runs as replicates.
--
-- Over runs that finished and are not INVALID. level is the mean of run levels, low and high its interval by Student's t;
-- value, value_low and value_high are the same in the metric's unit (of scale log a geometric mean). away is level less the
-- mean of all runs of the row's history. Where fewer than three runs started on that day the interval is null and
-- refused says what it needs. Steps in the history are not taken out: `benchbook trend` looks within its stretches.
with fit as (
    select *, extract('isodow' from started_at)::bigint as weekday
    from answers.levels
    where status = 'finished' and verdict <> 'INVALID' and level is not null and workload_hash is not null
        and started_at is not null),
history as (
    select target, workload, workload_hash, metric, steady_mean(level) as all_runs
    from fit
    group by all),
cells as (
    select
        target, workload, workload_hash, metric, scale, weekday, count(*) as runs, steady_mean(level) as mean,
        list_stddev_samp(list(level order by level)) as sd
    from fit
    group by all),
bounds as (
    select
        *,
        case
            when runs = 3 then confidence() * sqrt(2 / (1 - pow(confidence(), 2)))  -- t of two degrees of freedom, exactly
            when runs > 3 then student_t(runs - 1, normal_z(confidence()))
        end * sd / sqrt(runs) as half
    from cells)
select
    target, workload, workload_hash, metric, scale, weekday, runs, mean as level, mean - half as low, mean + half as high,
    case when scale = 'log' then exp(mean) else mean end as value,
    case when scale = 'log' then exp(mean - half) else mean - half end as value_low,
    case when scale = 'log' then exp(mean + half) else mean + half end as value_high,
    mean - all_runs as away,
    case when runs < 3 then 'needs 3 runs, has ' || runs end as refused
from bounds
join history using (target, workload, workload_hash, metric)
order by target, workload, workload_hash, metric, weekday
