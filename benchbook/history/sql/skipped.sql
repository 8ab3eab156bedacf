-- One row per run, target, workload and reason: trials that were planned and not sent.
select run_id, target, workload, coalesce(error_message, error_kind, 'no reason given') as reason, count(*) as trials
from trials
where status = 'skipped'
group by all
order by run_id, target, workload, reason
