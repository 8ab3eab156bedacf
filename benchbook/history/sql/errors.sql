-- One row per run, target, level (trial or attempt) and error kind: how many, and of how many. Measured phase only.
--
-- A trial that succeeded after a retry has no error at the level of trials and one at the level of attempts.
with errors as (
    select run_id, target, 'trial' as level, error_kind, status in ('failure', 'timeout') as bad
    from trials
    where phase = 'measured' and status <> 'skipped'
    union all
    select run_id, target, 'attempt' as level, error_kind, error_kind is not null as bad
    from calls
    where phase = 'measured'),
totals as (
    select run_id, target, level, count(*) as attempted
    from errors
    group by all)
select
    run_id, target, level, coalesce(error_kind, 'unknown') as error_kind,
    count(*) as n,
    any_value(attempted) as attempted,
    n / any_value(attempted)::double as share
from errors join totals using (run_id, target, level)
where bad
group by run_id, target, level, coalesce(error_kind, 'unknown')
order by run_id, target, level desc, n desc, error_kind
