-- One row per target, workload, workload hash, metric and hour of day (UTC) of the runs' start: levels with runs as replicates.
--
-- Columns as the macro levels_by has them; runs: those that started in that hour. Steps in the history are not taken out:
-- `benchbook trend` looks within its stretches.
select * rename (slot as hour, n as runs)
from levels_by('answers.levels', 'hour')
order by target, workload, workload_hash, metric, hour
