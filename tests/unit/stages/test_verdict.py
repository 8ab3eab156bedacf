"""The verdict is a table."""

from __future__ import annotations

import pytest

from benchbook.records import Check
from benchbook.stages.verdict import Counts, verdict

GOOD = Counts(10, 10, 0, 0, 0)


def check(*, success: bool = False, severity: str = "critical") -> Check:
    return Check("result", "calls", "ttfb <= ttft", success, severity, 10, 0 if success else 3)


@pytest.mark.parametrize(
    ("counts", "checks", "share", "expected", "reason"),
    [
        (GOOD, [], 0.05, "VALID", None),
        (GOOD, [check(success=True)], 0.05, "VALID", None),
        (GOOD, [check()], 0.05, "INVALID", "ttfb <= ttft"),
        (GOOD, [check(severity="warning")], 0.05, "DEGRADED", "3 of 10"),
        (Counts(10, 9, 1, 0, 0), [], 0.05, "DEGRADED", "1 of 10 attempted"),
        (Counts(10, 9, 1, 0, 0), [], 0.10, "VALID", None),
        (Counts(10, 9, 0, 1, 0), [], 0.05, "DEGRADED", "1 of 10 attempted"),
        (Counts(10, 8, 0, 0, 2), [], 0.05, "DEGRADED", "2 of 10 planned trials were skipped"),
        (Counts(10, 8, 0, 0, 0), [], 0.05, "DEGRADED", "2 of 10 planned trials were not started"),
        (Counts(10, 0, 10, 0, 0), [], 1.0, "INVALID", "no trial succeeded"),
        (Counts(10, 0, 0, 0, 10), [], 0.05, "INVALID", "no trial was attempted"),
    ],
)
def test_verdicts(counts: Counts, checks: list[Check], share: float, expected: str, reason: str | None) -> None:
    found, reasons = verdict(counts, checks, share)
    assert found == expected
    assert bool(reasons) == (reason is not None)
    assert reason is None or any(reason in said for said in reasons)
