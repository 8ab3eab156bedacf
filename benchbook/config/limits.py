"""`store.verdict`: the limits that a run's verdict goes by. A limit that is null is not looked at."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class VerdictSpec(BaseModel):
    """Every limit may be reached and not passed. Shares are of 1, as everywhere."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    loop_lag_p99_ms: float | None = Field(20.0, ge=0)
    cpu_share: float | None = Field(0.9, ge=0)
    run_delay_share: float | None = Field(0.1, ge=0)
    steal_share: float | None = Field(0.05, ge=0)
    gc_pause_max_ms: float | None = Field(50.0, ge=0)
    clock_step_ms: float | None = Field(100.0, ge=0)
    schedule_lag_p99_ms: float | None = Field(10.0, ge=0)
    rate_shortfall: float | None = Field(0.05, ge=0, le=1)
    concurrency_shortfall: float | None = Field(0.05, ge=0, le=1)
    little_law_gap: float | None = Field(0.2, ge=0)
    invalid_factor: float | None = Field(5.0, ge=1)
    token_mismatch_share: float | None = Field(0.01, ge=0, le=1)
    input_token_spread: float | None = Field(0.05, ge=0, le=1)
    wrong_length_share: float | None = Field(0.01, ge=0, le=1)
    throttled_share: float | None = Field(0.01, ge=0, le=1)
    endpoints: int | None = Field(1, ge=1)
    drift: float | None = Field(0.1, ge=0)
    inflation: float | None = Field(2.0, ge=1)
    quantile: float | None = Field(0.95, gt=0, lt=1)
