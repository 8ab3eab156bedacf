-- One row per target, workload, workload hash, metric and weekday (UTC, 1 is Monday) of the runs' start: levels with runs as replicates.
--
-- Columns as the macro levels_by has them; runs: those that started on that day. Steps in the history are not taken out:
-- `benchbook trend` looks within its stretches.
select * rename (slot as weekday, n as runs)
from levels_by('answers.levels', 'isodow')
order by target, workload, workload_hash, metric, weekday
