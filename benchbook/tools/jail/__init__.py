"""Where code that nobody has read is run: a process of its own for each job, locked in before it begins.

The engine (`door`) asks; a keeper, one warm process per kind of work, takes a job up by forking, locks the fork in
(`confine`: Landlock, seccomp, limits, no capabilities), runs the work (`python_work`, `sql_work`, `chart_work`) in it,
and stands outside with a stopwatch. Nothing here needs the job's goodwill: it is killed at its limit, when whoever
asked is gone, and when the keeper itself is killed. What keepers load is the standard library and what their work
needs, small on purpose: no import of this package may bring more.
"""


class RefusalError(Exception):
    """What is asked for can't be prepared, and why: every job is answered with it."""
