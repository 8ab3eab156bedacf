-- One row per run, target, worker and stay of a circuit breaker in a state: how long it lasted, and what led to it.
--
-- A stay ends with the next one; a session's last stay ends with the last of its trials of that target. Nothing for plans
-- without a breaker.
with changes as (
    select
        *,
        lead(at_ns) over (partition by run_id, target, worker, wall_offset_ns order by at_ns) as next_ns
    from (
        select
            run_id, target, wall_offset_ns, at_ns, happened_at, name as state, detail,
            coalesce(try_cast(json_extract_string(detail, '$.worker') as bigint), 0) as worker
        from events
        where kind = 'breaker')),
ends as (
    select run_id, target, wall_offset_ns, max(ended_ns) as ended_ns
    from trials
    where status <> 'skipped'
    group by all)
select
    c.run_id, c.target, c.worker,
    row_number() over (partition by c.run_id, c.target, c.worker order by c.happened_at, c.at_ns) as stay,
    c.happened_at, c.state,
    (greatest(coalesce(c.next_ns, e.ended_ns, c.at_ns), c.at_ns) - c.at_ns) / 1e9 as lasted_s,
    json_extract_string(c.detail, '$.reason') as reason,
    try_cast(json_extract_string(c.detail, '$.failures') as bigint) as failures,
    try_cast(json_extract_string(c.detail, '$.calls') as bigint) as calls,
    try_cast(json_extract_string(c.detail, '$.openings') as bigint) as openings,
    try_cast(json_extract_string(c.detail, '$.asked_s') as double) as asked_s
from changes c
left join ends e
    on e.run_id = c.run_id and e.target = c.target and e.wall_offset_ns is not distinct from c.wall_offset_ns
order by c.run_id, c.target, c.worker, stay
