-- One row per run and target: trials and tokens a second within the measured window.
--
-- The window runs from the first measured trial's start to the last one's end, session by session where a run was
-- resumed and, where targets take turns, leg by leg: while another target had its turn nothing was asked. Tokens count when their stamps fall inside it, whichever call they belong to: a call's reported tokens are
-- spread over its chunks by size (over the end of the answer where it was not streamed). Calls that were
-- answered, if only in part, and whose tokens nobody reported add nothing and are counted in calls_without_tokens: where
-- there are any, tokens_per_s is a lower bound. mean_in_flight is the time-weighted concurrency.
with sessions as (
    select
        run_id, target, wall_offset_ns,
        min(started_ns) as opens_ns,
        max(ended_ns) as closes_ns,
        count(*) as attempted,
        count(*) filter (where status = 'success') as succeeded,
        sum(ended_ns - started_ns) as busy_ns
    from trials
    where phase = 'measured' and status <> 'skipped'
    group by all),
legs as (
    select
        run_id, target, wall_offset_ns,
        max(ended_ns) - min(started_ns) as window_ns
    from trials
    where phase = 'measured' and status <> 'skipped'
    group by run_id, target, wall_offset_ns, block, block_place),
stamped as (
    select
        c.run_id, c.target, c.tokens_out, c.error_kind is null or len(c.chunk_offsets_us) > 0 as answered, s.opens_ns, s.closes_ns,
        case when len(c.chunk_offsets_us) > 0
            then list_transform(c.chunk_offsets_us, lambda offset_us: c.sent_ns + 1000 * offset_us)
            else [coalesce(c.last_byte_ns, c.closed_ns)] end as at_ns,
        case when list_sum(c.chunk_sizes) > 0
            then c.chunk_sizes
            else list_transform(c.chunk_offsets_us, lambda offset_us: 1) end as sizes
    from calls as c
    join sessions as s
        on s.run_id = c.run_id and s.target = c.target and s.wall_offset_ns is not distinct from c.wall_offset_ns
    where c.sent_ns is not null),
shares as (
    select
        run_id, target, tokens_out, answered,
        case when len(sizes) > 0
            then list_sum(list_transform(list_zip(at_ns, sizes), lambda chunk:
                case when chunk[1] between opens_ns and closes_ns then chunk[2] else 0 end)) / list_sum(sizes)
            else (at_ns[1] between opens_ns and closes_ns)::int end as inside
    from stamped),
tokens as (
    select
        run_id, target,
        count(*) as calls,
        count(*) filter (where answered and tokens_out is null) as calls_without_tokens,
        steady_sum(tokens_out * inside) as tokens_out
    from shares
    group by all),
spans as (
    select run_id, target, sum(window_ns) / 1e9 as window_s
    from legs
    group by all),
windows as (
    select
        run_id, target,
        count(*)::bigint as sessions,
        any_value(p.window_s) as window_s,
        sum(attempted)::bigint as attempted,
        sum(succeeded)::bigint as succeeded,
        sum(busy_ns) / 1e9 as busy_s
    from sessions join spans as p using (run_id, target)
    group by all)
select
    w.run_id, w.target, w.sessions, w.window_s, w.attempted, w.succeeded,
    w.attempted / nullif(w.window_s, 0) as attempts_per_s,
    w.succeeded / nullif(w.window_s, 0) as trials_per_s,
    w.busy_s / nullif(w.window_s, 0) as mean_in_flight,
    coalesce(t.calls, 0) as calls,
    coalesce(t.calls_without_tokens, 0) as calls_without_tokens,
    t.tokens_out,
    t.tokens_out / nullif(w.window_s, 0) as tokens_per_s
from windows as w left join tokens as t using (run_id, target)
order by w.run_id, w.target
