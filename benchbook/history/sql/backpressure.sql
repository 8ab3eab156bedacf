-- One row per run and target: who was slow when a stream stalled, from what arrived elsewhere and from our own lag stamps.
--
-- Stalls are those of the question stalls. our_reader: the harness recorded a lag of its event loop of at least half the
-- stall in a second that overlaps it. Else, by what arrived in the stall's middle eight tenths on other connections of
-- the same process: one_answer (the same target's other streams went on: the server, in this answer), target (only other
-- targets went on: the server or the path to it), nothing (nowhere: the path, our reader, or nothing else was asked).
-- Without harness seconds (harness_seconds = 0) our_reader is null and its stalls are among nothing. dispatch_lag: from
-- taking a trial up to writing its request, first attempts on connections that were open: our own share of a late start.
with sent as materialized (
    select
        row_number() over () as call, run_id, coalesce(wall_offset_ns, 0) as session, target, phase, error_kind, attempt, cold,
        taken_up_ns, sent_ns, chunk_offsets_us as at_us
    from calls
    where streamed and sent_ns is not null),
gaps as (
    select
        call, run_id, session, target,
        sent_ns + 1000 * unnest(at_us[:-2]) as from_ns, sent_ns + 1000 * unnest(at_us[2:]) as to_ns
    from sent
    where phase = 'measured' and error_kind is null and len(at_us) > 1),
typical as (
    select call, median(to_ns - from_ns) as median_ns
    from gaps
    group by call),
stalls as materialized (
    select
        row_number() over () as stall, g.run_id, g.session, g.target, from_ns, to_ns,
        from_ns + (to_ns - from_ns) // 10 as inner_ns, to_ns - (to_ns - from_ns) // 10 as outer_ns
    from gaps as g join typical using (call)
    where to_ns - from_ns > 50000000 and to_ns - from_ns > 10 * median_ns),
arrivals as (
    select run_id, session, target, sent_ns + 1000 * unnest(at_us) as at_ns
    from sent
    where run_id in (select run_id from stalls)),
on_target as (
    select s.stall, max(a.at_ns) >= any_value(s.inner_ns) as heard
    from stalls as s asof join arrivals as a
        on s.run_id = a.run_id and s.session = a.session and s.target = a.target and s.outer_ns >= a.at_ns
    group by s.stall),
-- What went on at the same target went on somewhere: only the other stalls need the wider search.
alone as materialized (
    from stalls
    where stall not in (select stall from on_target where heard)),
on_any as (
    select s.stall, max(a.at_ns) >= any_value(s.inner_ns) as heard
    from alone as s asof join (from arrivals where run_id in (select run_id from alone)) as a
        on s.run_id = a.run_id and s.session = a.session and s.outer_ns >= a.at_ns
    group by s.stall),
seconds as (
    select
        run_id, coalesce(wall_offset_ns, 0) as session, at_ns as ends_ns,
        at_ns - (try_cast(detail ->> '$.seconds' as double) * 1e9)::bigint as starts_ns,
        try_cast(detail ->> '$.loop_lag_max_ms' as double) as lag_ms
    from events
    where kind = 'harness' and name = 'second'),
late as (
    select distinct s.stall
    from stalls as s join seconds as h
        on s.run_id = h.run_id and s.session = h.session and h.starts_ns < s.to_ns and h.ends_ns > s.from_ns
    where h.lag_ms * 1e6 >= (s.to_ns - s.from_ns) / 2),
judged as (
    select
        s.run_id, s.target, (s.to_ns - s.from_ns) / 1e6 as gap_ms,
        case when l.stall is not null then 'our_reader' when t.heard then 'one_answer' when y.heard then 'target'
            else 'nothing' end as whom
    from stalls as s left join late as l using (stall) left join on_target as t using (stall) left join on_any as y using (stall)),
counted as (
    select
        run_id, target, count(*) as stalls,
        count(*) filter (where whom = 'one_answer') as one_answer,
        count(*) filter (where whom = 'target') as target_wide,
        count(*) filter (where whom = 'nothing') as nothing,
        count(*) filter (where whom = 'our_reader') as our_reader,
        steady_sum(case when whom = 'one_answer' then gap_ms end) as one_answer_ms,
        steady_sum(case when whom = 'target' then gap_ms end) as target_wide_ms,
        steady_sum(case when whom = 'nothing' then gap_ms end) as nothing_ms,
        steady_sum(case when whom = 'our_reader' then gap_ms end) as our_reader_ms
    from judged
    group by all),
recorded as (
    select run_id, count(*) as n, max(lag_ms) as lag_ms
    from seconds
    group by all),
dispatched as (
    select
        run_id, target, count(*) as calls,
        quantile_cont(taken_to_sent_ns, [0.5, 0.99]) as q, count(taken_to_sent_ns) as n, max(taken_to_sent_ns) as most_ns
    from (
        select run_id, target, case when attempt = 1 and not cold then sent_ns - taken_up_ns end as taken_to_sent_ns
        from sent
        where phase = 'measured')
    group by all)
select
    d.run_id, d.target, d.calls, coalesce(c.stalls, 0) as stalls, coalesce(r.n, 0) as harness_seconds,
    coalesce(c.one_answer, 0) as one_answer, coalesce(c.target_wide, 0) as target_wide, coalesce(c.nothing, 0) as nothing,
    case when r.n > 0 then coalesce(c.our_reader, 0) end as our_reader,
    coalesce(c.one_answer_ms, 0) as one_answer_ms, coalesce(c.target_wide_ms, 0) as target_wide_ms,
    coalesce(c.nothing_ms, 0) as nothing_ms,
    case when r.n > 0 then coalesce(c.our_reader_ms, 0) end as our_reader_ms,
    r.lag_ms as loop_lag_ms_max,
    d.n as dispatch_lag_n,
    case when quantile_refused(d.n, 0.5) is null then q[1] / 1e6 end as dispatch_lag_ms_p50,
    case when quantile_refused(d.n, 0.99) is null then q[2] / 1e6 end as dispatch_lag_ms_p99,
    d.most_ns / 1e6 as dispatch_lag_ms_max
from dispatched as d left join counted as c using (run_id, target) left join recorded as r using (run_id)
order by d.run_id, d.target
