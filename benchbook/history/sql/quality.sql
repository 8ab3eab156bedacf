-- One row per run and check, on its datasets (suite dataset) and on its results (suite result); failed ones first.
select run_id, suite, subject, name, success, severity, observed, unexpected, failures
from checks
order by run_id, success, suite, subject, name
