-- One row per attempt of a measured trial of a bare API call, in order: what definitions of other tools need.
--
-- The body and its pieces only where somebody may count something in it that is no content chunk: OpenAI streams.
select
    t.target, t.trial_id, coalesce(t.wall_offset_ns, 0) as offset_ns, t.started_ns, t.ended_ns,
    t.block, t.block_place,
    c.sent_ns, c.taken_up_ns, c.closed_ns, c.last_byte_ns, c.connect_ms, c.error_kind is not null as failed, c.streamed,
    c.chunk_offsets_us, c.chunk_kinds, c.tokens_out, c.tokens_reasoning,
    case when t.provider = 'openai' and c.streamed and c.error_kind is null then r.body end as body,
    r.piece_offsets_us, r.piece_sizes
from trials as t
join calls as c using (run_id, trial_id)
left join responses as r on r.run_id = c.run_id and r.trial_id = c.trial_id and r.call_id = c.call_id
where t.phase = 'measured' and t.workload = 'api' and t.status <> 'skipped'
order by t.target, t.started_ns + coalesce(t.wall_offset_ns, 0), t.trial_id, c.attempt
