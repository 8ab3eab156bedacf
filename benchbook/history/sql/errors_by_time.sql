-- One row per run, target and slice of the measured part: trials that ended in it and how many failed; at most 24 slices.
--
-- Slices are equally long, from the run's first measured start to its last end, and as few as let a target have five
-- trials in each if they come evenly. A slice in which no trial of a target ended has no row. kinds: failures by kind.
with ended as (
    select
        run_id, target, status in ('failure', 'timeout') as bad, coalesce(error_kind, 'unknown') as kind,
        started_ns + coalesce(wall_offset_ns, 0) as from_ns, ended_ns + coalesce(wall_offset_ns, 0) as at_ns
    from trials
    where phase = 'measured' and status <> 'skipped'),
window_of as (
    select
        run_id, min(from_ns) as zero_ns, greatest(max(at_ns) - min(from_ns), 1) as length_ns,
        greatest(1, least(24, count(*) // (5 * count(distinct target)))) as slices
    from ended
    group by all),
cut as (
    select
        run_id, target, bad, kind, length_ns / slices / 1e9 as slice_s,
        least(slices - 1, (at_ns - zero_ns) * slices // length_ns) as slice
    from ended join window_of using (run_id)),
kinds as (
    select run_id, target, slice, map_from_entries(list((kind, n) order by kind)) as kinds
    from (select run_id, target, slice, kind, count(*) as n from cut where bad group by all)
    group by all),
counted as (
    select
        run_id, target, slice, any_value(slice_s) as slice_s, count(*) as attempted, count(*) filter (where bad) as failed
    from cut
    group by all)
select
    run_id, target, slice, slice * slice_s as from_s, (slice + 1) * slice_s as to_s, attempted, failed,
    failed / attempted::double as failure_share,
    wilson_low(failed, attempted) as failure_share_low,
    wilson_high(failed, attempted) as failure_share_high,
    coalesce(kinds, map {}::map(varchar, bigint)) as kinds
from counted left join kinds using (run_id, target, slice)
order by run_id, target, slice
