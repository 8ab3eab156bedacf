-- One row per run, target and kind of chunk: how large the pieces of measured answers that succeeded are, in UTF-8 bytes.
--
-- reads: arrivals that brought at least one chunk of the kind, so chunks_per_read above 1 says that pieces came together.
-- tokens_per_chunk is over calls whose tokens were reported and whose chunks are all of this kind.
with streams as materialized (
    select run_id, target, chunk_offsets_us as at_us, chunk_sizes as sizes, chunk_kinds as kinds, tokens_out,
        row_number() over () as call, len(list_distinct(chunk_kinds)) as kinds_seen
    from calls
    where phase = 'measured' and error_kind is null and streamed and len(chunk_offsets_us) > 0),
chunks as (
    select
        run_id, target, call, tokens_out, kinds_seen,
        unnest(kinds) as kind, unnest(sizes) as size, unnest(at_us) as at_us
    from streams),
by_call as (
    select
        run_id, target, kind, call, count(*) as chunks, count(distinct at_us) as reads,
        case when any_value(kinds_seen) = 1 then any_value(tokens_out) end as tokens
    from chunks
    group by all),
reads as (
    select
        run_id, target, kind, count(*) as calls, sum(reads)::bigint as reads,
        sum(tokens) / sum(chunks) filter (where tokens is not null)::double as tokens_per_chunk
    from by_call
    group by all),
sizes as (
    select
        run_id, target, kind, count(*) as n, min(size) as min, max(size) as max, sum(size) / count(*)::double as mean,
        quantile_cont(size, [0.5, 0.95, 0.99]) as q
    from chunks
    group by all)
select
    run_id, target, kind, r.calls, n, n / r.calls::double as chunks_per_call, r.reads, n / r.reads::double as chunks_per_read,
    min, max, mean,
    case when quantile_refused(n, 0.5) is null then q[1] end as p50,
    case when quantile_refused(n, 0.95) is null then q[2] end as p95,
    case when quantile_refused(n, 0.99) is null then q[3] end as p99,
    r.tokens_per_chunk
from sizes join reads as r using (run_id, target, kind)
order by run_id, target, kind
