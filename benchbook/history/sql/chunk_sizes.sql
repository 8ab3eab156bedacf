-- One row per run, target and kind of chunk: how large the pieces of measured answers that succeeded are, in UTF-8 bytes.
--
-- reads: arrivals that brought at least one chunk of the kind, so chunks_per_read above 1 says that pieces came together.
-- tokens_per_chunk is over calls whose tokens were reported and whose chunks are all of this kind.
with streams as materialized (
    select run_id, target, chunk_offsets_us as at_us, chunk_sizes as sizes, chunk_kinds as kinds, tokens_out,
        list_distinct(chunk_kinds) as seen
    from calls
    where phase = 'measured' and error_kind is null and streamed and len(chunk_offsets_us) > 0),
by_kind as (
    select *, unnest(seen) as kind
    from streams),
by_call as (
    select
        run_id, target, kind, case when len(seen) = 1 then tokens_out end as tokens,
        case when len(seen) = 1 then at_us
            else list_transform(list_filter(list_zip(at_us, kinds), lambda chunk: chunk[2] = kind), lambda chunk: chunk[1]) end
            as own_us,
        len(own_us) as chunks, list_unique(own_us) as reads
    from by_kind),
chunks as (
    select run_id, target, unnest(kinds) as kind, unnest(sizes) as size
    from streams),
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
