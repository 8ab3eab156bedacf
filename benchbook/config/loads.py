"""The load shapes and think times of a plan, as its file writes them: one model a kind, told apart by `kind`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Rate = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]
RateOrNone = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
"""A rate that may be 0: nobody comes."""
Seconds = Annotated[float, Field(gt=0, le=31_536_000, allow_inf_nan=False)]
Slots = Annotated[int, Field(ge=1, le=100_000)]
Arrivals = Literal["even", "poisson"]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class ClosedLoad(Section):
    kind: Literal["closed"] = "closed"
    concurrency: Slots = 5
    ramp_s: float | None = Field(None, ge=0, le=86_400, allow_inf_nan=False)
    """Seconds over which the slots open: None is 0.1 ms a slot, 0 is all at once."""


class ConstantLoad(Section):
    kind: Literal["constant"]
    rate: Rate


class PoissonLoad(Section):
    kind: Literal["poisson"]
    rate: Rate
    seed: int | None = None


class GammaLoad(Section):
    kind: Literal["gamma"]
    rate: Rate
    burstiness: float = Field(gt=0, le=1000, allow_inf_nan=False)
    seed: int | None = None


class RampLoad(Section):
    kind: Literal["ramp"]
    from_rate: RateOrNone
    to_rate: RateOrNone
    duration_s: Seconds
    arrivals: Arrivals = "even"
    seed: int | None = None

    @model_validator(mode="after")
    def _some(self) -> RampLoad:
        if self.from_rate == self.to_rate == 0:
            raise ValueError("a ramp from 0 to 0 holds no trial: give a rate above 0 at one end")
        return self


class StepSpec(Section):
    rate: RateOrNone | None = None
    concurrency: Slots | None = None
    for_s: Seconds

    @model_validator(mode="after")
    def _one(self) -> StepSpec:
        if (self.rate is None) == (self.concurrency is None):
            raise ValueError("a step has a rate or a concurrency, one of them")
        return self


class StepsLoad(Section):
    kind: Literal["steps"]
    steps: tuple[StepSpec, ...] = Field(min_length=1)
    arrivals: Arrivals = "even"
    seed: int | None = None

    @model_validator(mode="after")
    def _alike(self) -> StepsLoad:
        if len({step.rate is None for step in self.steps}) > 1:
            raise ValueError("either every step has a rate or every step has a concurrency")
        if all(step.rate == 0 for step in self.steps):
            raise ValueError("steps of rate 0 alone hold no trial: give one a rate above 0")
        return self


class SpikeLoad(Section):
    kind: Literal["spike"]
    base_rate: RateOrNone
    peak_rate: Rate
    at_s: float = Field(ge=0, le=31_536_000)
    for_s: Seconds
    duration_s: Seconds | None = None
    arrivals: Arrivals = "even"
    seed: int | None = None

    @model_validator(mode="after")
    def _inside(self) -> SpikeLoad:
        if self.duration_s is not None and self.duration_s < self.at_s + self.for_s:
            raise ValueError("the spike ends after duration_s: at_s + for_s must fit into it")
        return self


class SoakLoad(Section):
    kind: Literal["soak"]
    duration_s: Seconds
    rate: Rate | None = None
    concurrency: Slots | None = None
    arrivals: Arrivals = "even"
    seed: int | None = None

    @model_validator(mode="after")
    def _one(self) -> SoakLoad:
        if (self.rate is None) == (self.concurrency is None):
            raise ValueError("a soak has a rate or a concurrency, one of them")
        return self


class TraceLoad(Section):
    kind: Literal["trace"]
    file: str = Field(min_length=1)
    speed: float = Field(1.0, gt=0, le=1_000_000, allow_inf_nan=False)


LoadSpec = Annotated[
    ClosedLoad | ConstantLoad | PoissonLoad | GammaLoad | RampLoad | StepsLoad | SpikeLoad | SoakLoad | TraceLoad,
    Field(discriminator="kind"),
]


def is_open(load: Any) -> bool:
    """Whether starts follow a schedule, however slow the answers are."""
    if isinstance(load, StepsLoad):
        return load.steps[0].rate is not None
    return not (isinstance(load, ClosedLoad) or getattr(load, "concurrency", None))


class ConstantThink(Section):
    kind: Literal["constant"]
    s: float = Field(ge=0, le=86_400)


class UniformThink(Section):
    kind: Literal["uniform"]
    from_s: float = Field(ge=0, le=86_400)
    to_s: float = Field(ge=0, le=86_400)

    @model_validator(mode="after")
    def _ordered(self) -> UniformThink:
        if self.to_s < self.from_s:
            raise ValueError("to_s is less than from_s")
        return self


class ExponentialThink(Section):
    kind: Literal["exponential"]
    mean_s: float = Field(ge=0, le=86_400)


class LognormalThink(Section):
    kind: Literal["lognormal"]
    median_s: float = Field(gt=0, le=86_400)
    sigma: float = Field(ge=0, le=5)


def _law(value: Any) -> Any:
    """A bare number is a constant pause."""
    return {"kind": "constant", "s": value} if isinstance(value, int | float) else value


ThinkSpec = Annotated[
    ConstantThink | UniformThink | ExponentialThink | LognormalThink,
    Field(discriminator="kind"),
]
Think = Annotated[ThinkSpec | None, BeforeValidator(_law)]
