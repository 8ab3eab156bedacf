"""`run --require-valid`: the verdict as an exit code."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from benchbook.cli import root
from benchbook.cli.pipeline import exit_code


@pytest.mark.parametrize(
    ("status", "failed", "verdict", "required", "code"),
    [
        ("finished", 0, "DEGRADED: nothing_measured", False, 1),  # of one target among several
        ("finished", 0, "DEGRADED: too_few_samples", False, 0),
        ("finished", 0, "VALID", True, 0),
        ("finished", 0, "DEGRADED", False, 0),
        ("finished", 0, "DEGRADED", True, 3),
        ("finished", 0, "INVALID", True, 3),
        ("finished", 9, "DEGRADED", True, 1),
        ("interrupted", 0, "DEGRADED", True, 130),
    ],
)
def test_failures_and_interrupts_go_before_the_verdict(
    status: str, failed: int, verdict: str, required: bool, code: int
) -> None:
    run = {"failed": failed, "timed_out": 0, "succeeded": 10, "max_failure_share": 0.05}
    word, _, reason = verdict.partition(": ")
    run |= {"verdict": word, "reason_codes": [{"code": reason}] if reason else None}
    assert exit_code(status, run, require_valid=required) == code


def test_the_option_ends_a_run_of_few_trials_with_3(bench: Any) -> None:
    bench.execute, bench.cases = {"repetitions": 1, "warmup": 0}, 1
    bench.sections = {"store": {"verdict": {"quantile": 0.95}}, "report": {"formats": []}}
    place = ["--plan", str(bench.write()), "--results", str(bench.results), "--no-flow", "-q"]
    result = CliRunner().invoke(root, ["run", *place, "--require-valid"], standalone_mode=False)
    assert result.return_value == 3
    said = " ".join(result.output.split())
    assert "p95 needs 59 measured successes, there are 1 (the plan is small: 59 times its trials would do" in said
