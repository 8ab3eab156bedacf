"""What travels between stages and processes is plain data, and comes back as it was."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from benchbook.records import Check
from benchbook.stages import Job, job_from
from benchbook.stages.validate import decode_checks, encode_checks

TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
JOBS = st.builds(
    Job,
    plan=TEXT,
    document=st.none() | st.dictionaries(TEXT, st.integers(-9, 9) | TEXT, max_size=3),
    overrides=st.lists(TEXT, max_size=3).map(tuple),
    results=TEXT,
    resume=st.none() | TEXT,
    budget_usd=st.none() | st.floats(0.01, 1e6),
    again=st.booleans(),
    preflight=st.booleans(),
    origin=st.dictionaries(TEXT, TEXT, max_size=2),
)
CHECKS = st.lists(
    st.builds(
        Check,
        suite=st.sampled_from(("dataset", "result")),
        subject=TEXT,
        name=TEXT,
        success=st.booleans(),
        severity=st.sampled_from(("critical", "warning")),
        observed=st.integers(0, 10**9),
        unexpected=st.integers(0, 10**9),
        failures=st.lists(TEXT, max_size=3).map(tuple),
    ),
    max_size=4,
)


@given(JOBS)
def test_a_job_survives_a_flows_parameters(job: Job) -> None:
    sent: Any = json.loads(json.dumps(job.fields()))
    assert job_from(sent) == job


@given(CHECKS)
def test_checks_survive_their_file_and_their_order_is_theirs(checks: list[Check]) -> None:
    assert decode_checks(encode_checks(checks)) == checks
    assert encode_checks(checks) == encode_checks(list(checks))
