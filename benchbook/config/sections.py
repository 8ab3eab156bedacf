"""The sections of a plan as frozen pydantic models: fields, defaults, bounds, and what the plan hash covers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from benchbook.config.approvals import Approver
from benchbook.config.gates import gated_metrics
from benchbook.config.limits import VerdictSpec
from benchbook.config.loads import ClosedLoad, LoadSpec, Section, Think, is_open
from benchbook.config.slos import trial_limits
from benchbook.config.teams import TeamsSpec, team_fields
from benchbook.config.traces import Arrivals
from benchbook.records import ERROR_KINDS, Params, Price, Target, Team

SIMULATOR = "simulator"
"""The base_url that stands for the simulator which `execute` starts."""
CASSETTE = "cassette:"
"""What a base_url begins with that names a cassette's file, which `execute` replays."""

MOST_TRIALS = 10_000_000
"""Trials of one target that a plan may hold: each of them is known before the first request."""

_SAMPLING = ("temperature", "max_tokens", "top_p", "stop", "seed")


class ParamsSpec(BaseModel):
    """Sampling parameters; further keys go into the request's body as they are."""

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)
    temperature: float | None = Field(None, ge=0, le=2)
    max_tokens: int | None = Field(None, ge=1)
    top_p: float | None = Field(None, ge=0, le=1)
    stop: tuple[str, ...] = ()
    seed: int | None = None


class TargetSpec(Section):
    name: str = Field(min_length=1, pattern=r"^[^\s/\\]+$")
    provider: str
    model: str = Field(min_length=1)
    base_url: str | None = None
    wire: str | None = None
    api_key_env: str | None = None
    region: str | None = None
    params: ParamsSpec = ParamsSpec()
    price: str | None = None
    stream: bool | None = None

    @field_validator("base_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is None or value == SIMULATOR or value.startswith(("http://", "https://")):
            return value
        if value.startswith(CASSETTE) and value != CASSETTE:
            return value
        raise ValueError(f"{value!r} is no address: write http://..., https://..., {SIMULATOR} or {CASSETTE}FILE")

    @field_validator("api_key_env")
    @classmethod
    def _variable_name(cls, value: str | None) -> str | None:
        if value is not None and not value.replace("_", "a").isalnum():
            raise ValueError("give the name of an environment variable, never the key itself")
        return value


class RetriesSpec(Section):
    """`attempts` counts the first one: 3 means at most two retries."""

    attempts: int = Field(3, ge=1, le=20)
    base_s: float = Field(1.0, ge=0)
    cap_s: float = Field(30.0, ge=0)


class BreakerSpec(Section):
    """When a target is left alone for a while; a plan that says nothing has none, since it changes what is offered.

    `window` counts calls; with `window_s` only those that ended in the last so many seconds are in it.
    """

    failure_share: float = Field(0.5, gt=0, le=1)
    window: int = Field(20, ge=1, le=100_000)
    window_s: float | None = Field(None, gt=0)
    min_calls: int = Field(10, ge=1)
    open_s: float = Field(5.0, gt=0)
    cap_s: float = Field(60.0, gt=0)
    probes: int = Field(1, ge=1)
    counts: tuple[str, ...] = ("rate_limited", "overloaded", "server_error", "timeout", "refused", "reset")

    @model_validator(mode="after")
    def _can_open(self) -> BreakerSpec:
        if self.min_calls > self.window:
            raise ValueError(f"min_calls {self.min_calls} is more than the window of {self.window} calls holds")
        if self.cap_s < self.open_s:
            raise ValueError(f"cap_s {self.cap_s:g} is less than open_s {self.open_s:g}, the first pause")
        unknown = [kind for kind in self.counts if kind not in ERROR_KINDS]
        if unknown or not self.counts:
            said = f"{unknown[0]!r} is no error kind" if unknown else "counts is empty"
            raise ValueError(f"{said}: name some of {', '.join(ERROR_KINDS)}")
        return self


class ReplaySpec(Section):
    """How the cassettes of a plan are played."""

    speed: Annotated[float, Field(gt=0, allow_inf_nan=False)] | Literal["max"] = 1.0
    on_miss: Literal["error", "nearest"] = "error"
    ignore: tuple[str, ...] = ()


class ValidateSection(Section):
    datasets: tuple[str, ...] = Field(min_length=1)
    data_docs: bool = False


class ExecuteSection(Section):
    targets: tuple[TargetSpec, ...] = Field(min_length=1)
    workloads: tuple[Literal["api", "session", "agent", "multi_agent", "workflow"], ...] = Field(("api",), min_length=1)
    teams: TeamsSpec | None = None
    stream: bool = True
    load: LoadSpec = ClosedLoad()
    order: Literal["interleaved", "abba"] = "interleaved"
    leg_trials: int | None = Field(None, ge=1, le=MOST_TRIALS)
    repetitions: int = Field(10, ge=1)
    trials: int | None = Field(None, ge=1, le=MOST_TRIALS)
    warmup: int = Field(2, ge=0)
    timeout_s: float = Field(60.0, gt=0)
    delay_s: float = Field(0.0, ge=0)
    think_s: Think = None
    max_in_flight: int | None = Field(None, ge=1, le=100_000)
    on_full: Literal["wait", "drop"] = "wait"
    warm_connections: bool = True
    retries: RetriesSpec = RetriesSpec()
    breaker: BreakerSpec | None = None
    cache: Literal["as_is", "cold", "shared_prefix", "warm"] = "as_is"
    seed: int = 42
    simulator: str | None = None
    replay: ReplaySpec = ReplaySpec()
    budget_usd: float | None = Field(None, gt=0)
    approver: Approver = None
    calibrate: bool | Annotated[float, Field(gt=0, le=60)] = True

    @model_validator(mode="after")
    def _unique_names(self) -> ExecuteSection:
        names = [target.name for target in self.targets]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"target name {twice[0]!r} is used twice: names must be unique")
        return self

    @model_validator(mode="after")
    def _fitting_load(self) -> ExecuteSection:
        if self.think_s is not None and is_open(self.load):
            raise ValueError(f"think_s goes with a closed loop: a {self.load.kind} load starts by its schedule")
        if self.max_in_flight is not None and not is_open(self.load):
            raise ValueError("max_in_flight goes with an open loop: a closed one has its concurrency")
        if self.on_full == "drop" and self.max_in_flight is None:
            raise ValueError("on_full: drop goes with max_in_flight, the cap that can be full")
        if self.trials is not None and self.counts_itself:
            raise ValueError(f"trials goes without a {self.load.kind} load, whose rate and duration say how many")
        return self

    @model_validator(mode="after")
    def _fitting_order(self) -> ExecuteSection:
        if self.leg_trials is not None and self.order != "abba":
            raise ValueError("leg_trials goes with order: abba, where targets take turns")
        if self.order == "abba" and len(self.targets) < 2:
            raise ValueError("order: abba is of targets that take turns: name at least two")
        if self.order == "abba" and self.load.kind not in ("closed", "constant", "poisson", "gamma"):
            raise ValueError(
                f"order: abba goes without a {self.load.kind} load, whose shape targets that take turns would cut up"
            )
        return self

    @property
    def counts_itself(self) -> bool:
        """Whether the load's own end, and not the plan's repetitions, says how many measured trials there are."""
        return is_open(self.load) and self.load.kind not in ("constant", "poisson", "gamma")


class StoreSection(Section):
    compression: Literal["zstd", "snappy", "gzip", "none"] = "zstd"
    bodies: Literal["all", "failures", "none"] = "all"
    max_failure_share: float = Field(0.05, ge=0, le=1)
    """Share of attempted trials that may fail or time out before the run counts as failed."""
    verdict: VerdictSpec = VerdictSpec()


class AggregateSection(Section):
    confidence: float = Field(0.95, gt=0.5, lt=1)
    slos: Annotated[dict[str, float], BeforeValidator(trial_limits)] = Field(default_factory=dict)
    margin_median: float = Field(0.05, gt=0)
    margin_p95: float = Field(0.10, gt=0)
    margin_share: float = Field(0.03, gt=0, lt=1)
    gate: Annotated[tuple[str, ...], AfterValidator(gated_metrics)] = ()


class AlertsSpec(Section):
    """That alerts are told after a run; `webhook_env` names the variable that holds the address: it may be a secret."""

    webhook_env: str | None = Field(None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")


class ReportSection(Section):
    formats: tuple[Literal["console", "html", "json", "csv"], ...] = ("console", "html", "json", "csv")
    alerts: AlertsSpec | None = None


class RequiresSection(Section):
    """What the plan may ask of a target at most; `streaming`: that it streams. Checked before a run, never measured."""

    context_tokens: int | None = Field(None, ge=1)
    output_tokens: int | None = Field(None, ge=1)
    streaming: bool = False
    requests_per_s: float | None = Field(None, gt=0)
    in_flight: int | None = Field(None, ge=1)
    tokens: int | None = Field(None, ge=1)
    cost_usd: float | None = Field(None, ge=0)


class PlanSpec(Section):
    """A plan file, whole. `source` is the name the user knows it by."""

    validate_: ValidateSection = Field(alias="validate")
    execute: ExecuteSection
    store: StoreSection = StoreSection()
    aggregate: AggregateSection = AggregateSection()
    report: ReportSection = ReportSection()
    requires: RequiresSection | None = None
    source: str = Field("", exclude=True)
    prices: dict[str, Price] = Field(default_factory=dict, exclude=True)
    trace: Arrivals | None = Field(None, exclude=True)
    teams: dict[str, tuple[Team, ...]] = Field(default_factory=dict, exclude=True)
    """Workload -> its teams, of the workloads that run agents."""

    def measured(self) -> dict[str, Any]:
        """What the plan hash covers: the validate and execute sections and the resolved prices.

        A budget says when to stop, not what to measure, and is left out; so are a breaker, a think time, a cap and a
        number of trials that are not there, and an order that is the usual one.
        """
        unset = {
            name
            for name in ("approver", "breaker", "think_s", "max_in_flight", "trials", "leg_trials")
            if getattr(self.execute, name) is None
        }
        unset |= {"order"} if self.execute.order == "interleaved" else set()
        unset |= {"cache"} if self.execute.cache == "as_is" else set()
        unset |= {"on_full"} if self.execute.max_in_flight is None else set()
        execute = self.execute.model_dump(mode="json", exclude={"budget_usd", "calibrate", "teams", *unset})
        prices = {name: price_fields(price) for name, price in sorted(self.prices.items())}
        measured = {"validate": list(self.validate_.datasets), "execute": execute, "prices": prices}
        if self.teams:
            measured["teams"] = self.team_hashes()
        return measured if self.trace is None else measured | {"trace": self.trace.sha256}

    def team_hashes(self) -> dict[str, list[str]]:
        """Workload -> the hashes of its teams' files: another team is another measurement."""
        return {workload: [team.sha256 for team in teams] for workload, teams in sorted(self.teams.items())}

    def frozen(self) -> dict[str, Any]:
        """The plan as a JSON-able dict that `thaw` reads back."""
        body = self.model_dump(mode="json", by_alias=True)
        prices = {name: price_fields(price) for name, price in sorted(self.prices.items())}
        frozen: dict[str, Any] = {"source": self.source, "sections": body, "prices": prices}
        if self.teams:
            frozen["teams"] = {
                workload: [team_fields(team) for team in teams] for workload, teams in self.teams.items()
            }
        return frozen if self.trace is None else frozen | {"trace": self.trace.fields()}

    def load_fields(self) -> dict[str, Any]:
        """The load's kind and numbers, with the requests of its trace where it has one."""
        fields = self.execute.load.model_dump()
        if self.trace is not None:
            fields |= {name: part for name, part in self.trace.fields().items() if name != "sha256"}
        return fields

    def targets(self) -> tuple[Target, ...]:
        """The targets as records, with their resolved prices."""
        return tuple(self._target(spec) for spec in self.execute.targets)

    def _target(self, spec: TargetSpec) -> Target:
        sampling = spec.params.model_dump(include=set(_SAMPLING))
        return Target(
            name=spec.name,
            provider=spec.provider,
            model=spec.model,
            base_url=spec.base_url,
            wire=spec.wire,
            api_key_env=spec.api_key_env,
            region=spec.region,
            params=Params(**sampling, extra=dict(spec.params.model_extra or {})),
            price=self.prices.get(spec.name),
            stream=self.execute.stream if spec.stream is None else spec.stream,
        )


def price_fields(price: Price) -> dict[str, Any]:
    """A price as a plain dict."""
    return {name: getattr(price, name) for name in Price.__slots__}
