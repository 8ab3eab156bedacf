-- One row per run, target and workload: measured trials that met every limit of slos(), a second and as a share.
--
-- The share is over attempted trials, so a failure or a metric that is missing counts as not met. Limits are the highest
-- value allowed, or the lowest for a metric of which more is better. Of agents' trials nothing is counted under limits.
with limits as (
    select entry.key as metric, entry.value as bound
    from (select unnest(map_entries(slos())) as entry)),
met as (
    select v.run_id, v.trial_id, v.target, v.workload
    from measurements as v
    join limits as l on l.metric = v.metric
    join metrics as m on m.metric = v.metric
    where case m.better when 'higher' then v.value >= l.bound else v.value <= l.bound end
    group by all
    having count(*) = (select count(*) from limits)
    union all
    select run_id, trial_id, target, workload
    from trials
    where phase = 'measured' and status = 'success' and (select count(*) from limits) = 0),
good as (
    select run_id, target, workload, count(*) as good
    from met
    group by all),
sessions as (
    select
        run_id, target, workload, wall_offset_ns, block, block_place,
        max(ended_ns) - min(started_ns) as window_ns
    from trials
    where phase = 'measured' and status <> 'skipped'
    group by all),
windows as (
    select run_id, target, workload, sum(window_ns) / 1e9 as window_s
    from sessions
    group by all),
counted as (
    select o.*, w.window_s, case when r.refused is null then coalesce(g.good, 0) end as good, r.refused
    from outcomes as o
    left join good as g using (run_id, target, workload)
    left join windows as w using (run_id, target, workload)
    cross join lateral (select case
        when o.workload in ('agent', 'multi_agent', 'workflow') and (select count(*) from limits) > 0
            then 'the limits are of single calls, and such a trial makes several' end as refused) as r)
select
    run_id, target, workload, slos() as slos, attempted, succeeded, window_s, good,
    good / nullif(window_s, 0) as goodput_per_s,
    good / nullif(attempted, 0)::double as good_share,
    case when refused is null then wilson_low(good, attempted) end as good_share_low,
    case when refused is null then wilson_high(good, attempted) end as good_share_high,
    refused
from counted
order by run_id, target, workload
