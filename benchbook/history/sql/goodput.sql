-- One row per run, target and workload: measured trials that met every limit of slos(), a second and as a share.
--
-- The share is over attempted trials, so a failure or a metric that is missing counts as not met. Limits are the highest
-- value allowed, or the lowest for a metric of which more is better.
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
    select run_id, target, workload, wall_offset_ns, max(ended_ns) - min(started_ns) as window_ns
    from trials
    where phase = 'measured' and status <> 'skipped'
    group by all),
windows as (
    select run_id, target, workload, sum(window_ns) / 1e9 as window_s
    from sessions
    group by all)
select
    o.run_id, o.target, o.workload, slos() as slos, o.attempted, o.succeeded, w.window_s,
    coalesce(g.good, 0) as good,
    coalesce(g.good, 0) / nullif(w.window_s, 0) as goodput_per_s,
    coalesce(g.good, 0) / nullif(o.attempted, 0)::double as good_share,
    wilson_low(coalesce(g.good, 0), o.attempted) as good_share_low,
    wilson_high(coalesce(g.good, 0), o.attempted) as good_share_high
from outcomes as o
left join good as g using (run_id, target, workload)
left join windows as w using (run_id, target, workload)
order by o.run_id, o.target, o.workload
