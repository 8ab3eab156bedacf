-- One row per run, target and tenth of the stream: tokens a second between first and last chunk, measured successes.
--
-- A tenth is one of ten equal parts of an answer's gaps, in order (answers of at least eleven chunks, with tokens
-- reported). A call's tokens are spread over its chunks by size, the first chunk's fall before the stream's time. A rate
-- is the sum of tokens over the sum of time of all calls: what one user sees on average, tenth by tenth. ends_ms: the
-- mean time from dispatch to the end of the tenth.
with streams as materialized (
    select
        row_number() over () as call, run_id, target, tokens_out, chunk_offsets_us as at_us,
        case when list_sum(chunk_sizes) > 0 then chunk_sizes else list_transform(chunk_sizes, lambda size: 1) end as sizes
    from calls
    where phase = 'measured' and error_kind is null and streamed and len(chunk_offsets_us) > 10 and tokens_out is not null),
steps as (
    select
        call, run_id, target, unnest(range(1, len(at_us))) as step, len(at_us) - 1 as steps,
        unnest(at_us[2:]) as at_us, unnest(at_us[2:]) - unnest(at_us[:-2]) as gap_us, unnest(sizes[2:]) as size,
        tokens_out / list_sum(sizes)::double as tokens_per_byte
    from streams),
tenths as (
    select
        call, run_id, target, (10 * step + steps - 1) // steps as tenth,
        sum(gap_us) as gap_us, max(at_us) as ends_us, sum(size) * any_value(tokens_per_byte) as tokens
    from steps
    group by all)
select
    run_id, target, tenth, count(*) as calls,
    steady_sum(tokens) as tokens,
    sum(gap_us) / 1e3 as time_ms,
    sum(ends_us) / count(*) / 1e3 as ends_ms,
    steady_sum(tokens) / nullif(sum(gap_us), 0) * 1e6 as tokens_per_s
from tenths
group by run_id, target, tenth
order by run_id, target, tenth
