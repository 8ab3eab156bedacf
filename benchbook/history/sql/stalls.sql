-- One row per run and target: gaps far beyond an answer's own median, of measured calls that succeeded.
--
-- A gap is a stall when it is longer than 50 ms and longer than ten times the median gap of its own answer; answers of
-- fewer than three chunks have no stall. stalled_share: of the time between first and last chunk, the part spent in
-- stalls. The interval of stalled_calls_share is Wilson's.
with streams as materialized (
    select row_number() over () as call, run_id, target, chunk_offsets_us as at_us
    from calls
    where phase = 'measured' and error_kind is null and streamed and len(chunk_offsets_us) > 1),
gaps as (
    select call, run_id, target, unnest(at_us[2:]) - unnest(at_us[:-2]) as gap_us
    from streams),
typical as (
    select call, median(gap_us) as median_us
    from gaps
    group by call),
judged as (
    select call, g.run_id, g.target, gap_us, gap_us > 50000 and gap_us > 10 * median_us as stalled
    from gaps as g join typical using (call)),
by_call as (
    select
        call, run_id, target, count(*) as gaps, sum(gap_us) as stream_us,
        count(*) filter (where stalled) as stalls,
        coalesce(sum(gap_us) filter (where stalled), 0) as stalled_us,
        max(gap_us) filter (where stalled) as longest_us
    from judged
    group by call, run_id, target)
select
    run_id, target, count(*) as calls, sum(gaps)::bigint as gaps, sum(stalls)::bigint as stalls,
    count(*) filter (where stalls > 0) as stalled_calls,
    stalled_calls / calls::double as stalled_calls_share,
    wilson_low(stalled_calls, calls) as stalled_calls_share_low,
    wilson_high(stalled_calls, calls) as stalled_calls_share_high,
    sum(stalled_us) / 1e3 as stalled_ms,
    sum(stalled_us) / nullif(sum(stream_us), 0)::double as stalled_share,
    max(longest_us) / 1e3 as longest_ms
from by_call
group by run_id, target
order by run_id, target
