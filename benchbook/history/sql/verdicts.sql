-- One row per run and reason of its verdict (one with nulls for a run without any), the gravest first.
--
-- value and threshold: the number behind the reason and the limit that it passed, in the unit that the sentence names.
with listed as (
    select run_id, unnest(range(1, len(reason_codes) + 1)) as place, reason_codes, reasons
    from runs),
told as (
    select run_id, place, reason_codes[place] as one, reasons[place] as reason
    from listed)
select
    r.run_id, r.started_at, r.verdict, t.one.severity as severity, t.one.code as code, t.one.target as target,
    t.one.value as value, t.one.threshold as threshold, t.reason, t.one.look as look
from runs as r left join told as t using (run_id)
order by r.run_id, t.place
