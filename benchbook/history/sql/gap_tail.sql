-- One row per run, target and share: the gap that this share of the gaps between chunks reaches or exceeds, in ms.
--
-- The gaps of chunk_gaps: neighbouring chunks of measured calls that succeeded. Shares fall from 1 (the shortest gap) by
-- a tenth of a decade each, as far as a single gap is left; the last row of a target is its longest gap.
with gaps as (
    select run_id, target, unnest(chunk_offsets_us[2:]) - unnest(chunk_offsets_us[:-2]) as gap_us
    from calls
    where phase = 'measured' and error_kind is null and streamed and len(chunk_offsets_us) > 1),
summed as (
    select
        run_id, target, count(*) as n, max(gap_us) as longest_us,
        quantile_disc(-gap_us, list_transform(range(0, 61), lambda i: pow(10, -i / 10.0))) as q
    from gaps
    group by all),
points as (
    select run_id, target, n, longest_us, unnest(range(0, 61)) as i, unnest(q) as minus_us
    from summed)
select run_id, target, n, pow(10, -i / 10.0) as share, -minus_us / 1e3 as gap_ms
from points
where pow(10, -i / 10.0) * n > 1
union all
select run_id, target, n, 1 / n::double as share, longest_us / 1e3 as gap_ms
from summed
order by run_id, target, share desc
