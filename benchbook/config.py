"""params.yaml and the command line -> one frozen, validated specification.

pydantic stands at this border only. Every error names the file and the YAML line. Sections carry the names of
the stages that read them, so that DVC sees which stage a change touches. A plan hash covers what is measured
(`validate` and `execute`), never how it is stored, aggregated or reported.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from benchbook.errors import PlanError
from benchbook.records import Params, Price, Target

DEFAULT_PLAN = "params.yaml"
SIMULATOR = "simulator"
"""The base_url that stands for the simulator which `execute` starts."""

_SAMPLING = ("temperature", "max_tokens", "top_p", "stop", "seed")


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ParamsSpec(BaseModel):
    """Sampling parameters; further keys go into the request's body as they are."""

    model_config = ConfigDict(extra="allow", frozen=True)
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
        raise ValueError(f"{value!r} is no address: write http://..., https://... or {SIMULATOR}")

    @field_validator("api_key_env")
    @classmethod
    def _variable_name(cls, value: str | None) -> str | None:
        if value is not None and not value.replace("_", "a").isalnum():
            raise ValueError("give the name of an environment variable, never the key itself")
        return value


class ClosedLoad(Section):
    kind: Literal["closed"] = "closed"
    concurrency: int = Field(5, ge=1, le=100_000)


class ConstantLoad(Section):
    kind: Literal["constant"]
    rate: float = Field(gt=0, le=1_000_000)


class PoissonLoad(Section):
    kind: Literal["poisson"]
    rate: float = Field(gt=0, le=1_000_000)
    seed: int | None = None


LoadSpec = Annotated[ClosedLoad | ConstantLoad | PoissonLoad, Field(discriminator="kind")]


class RetriesSpec(Section):
    """`attempts` counts the first one: 3 means at most two retries."""

    attempts: int = Field(3, ge=1, le=20)
    base_s: float = Field(1.0, ge=0)
    cap_s: float = Field(30.0, ge=0)


class ValidateSection(Section):
    datasets: tuple[str, ...] = Field(min_length=1)
    data_docs: bool = False


class ExecuteSection(Section):
    targets: tuple[TargetSpec, ...] = Field(min_length=1)
    workloads: tuple[Literal["api"], ...] = Field(("api",), min_length=1)
    stream: bool = True
    load: LoadSpec = ClosedLoad()
    repetitions: int = Field(10, ge=1)
    warmup: int = Field(2, ge=0)
    timeout_s: float = Field(60.0, gt=0)
    delay_s: float = Field(0.0, ge=0)
    retries: RetriesSpec = RetriesSpec()
    seed: int = 42
    simulator: str | None = None
    budget_usd: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _unique_names(self) -> ExecuteSection:
        names = [target.name for target in self.targets]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"target name {twice[0]!r} is used twice: names must be unique")
        return self


class StoreSection(Section):
    compression: Literal["zstd", "snappy", "gzip", "none"] = "zstd"
    bodies: Literal["all", "failures", "none"] = "all"
    max_failure_share: float = Field(0.05, ge=0, le=1)
    """Share of attempted trials that may fail or time out before the run counts as failed."""


class AggregateSection(Section):
    confidence: float = Field(0.95, gt=0.5, lt=1)
    slos: dict[str, float] = {}


class ReportSection(Section):
    formats: tuple[Literal["console", "html", "json", "csv"], ...] = ("console", "html", "json", "csv")


class PlanSpec(Section):
    """A plan file, whole. `source` is the name the user knows it by."""

    validate_: ValidateSection = Field(alias="validate")
    execute: ExecuteSection
    store: StoreSection = StoreSection()
    aggregate: AggregateSection = AggregateSection()
    report: ReportSection = ReportSection()
    source: str = Field("", exclude=True)
    prices: dict[str, Price] = Field(default_factory=dict, exclude=True)

    def measured(self) -> dict[str, Any]:
        """What the plan hash covers: the validate and execute sections and the resolved prices.

        A budget says when to stop, not what to measure, and is left out.
        """
        execute = self.execute.model_dump(mode="json", exclude={"budget_usd"})
        prices = {name: price_fields(price) for name, price in sorted(self.prices.items())}
        return {"validate": list(self.validate_.datasets), "execute": execute, "prices": prices}

    def frozen(self) -> dict[str, Any]:
        """The plan as a JSON-able dict that `thaw` reads back."""
        body = self.model_dump(mode="json", by_alias=True)
        prices = {name: price_fields(price) for name, price in sorted(self.prices.items())}
        return {"source": self.source, "sections": body, "prices": prices}

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


def thaw(frozen: Mapping[str, Any]) -> PlanSpec:
    """The specification that `PlanSpec.frozen` wrote."""
    spec = PlanSpec.model_validate(frozen["sections"])
    prices = {name: Price(**fields) for name, fields in frozen["prices"].items()}
    return spec.model_copy(update={"source": frozen["source"], "prices": prices})


def load_plan(path: str | Path, overrides: Sequence[str] = ()) -> PlanSpec:
    """Read a plan file, apply `-S key=value` overrides, validate, and resolve its prices.

    Raises PlanError with file, line, what is wrong and what would be right.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise PlanError(str(path), "no such plan file", "name one with --plan, or run where params.yaml lies") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(str(path), f"can't be read ({error})", "a plan is a UTF-8 YAML file") from None
    document, lines = _parse(text, str(path))
    apply_overrides(document, overrides)
    return build_plan(document, str(path), lines)


def apply_overrides(document: dict[str, Any], overrides: Sequence[str]) -> None:
    """Apply `-S key=value` texts to a plan given as plain data, in place. Raises PlanError."""
    for override in overrides:
        _apply(document, override)


def build_plan(
    document: Mapping[str, Any], source: str, lines: Mapping[tuple[str, ...], int] | None = None
) -> PlanSpec:
    """Validate a plan given as plain data. `lines` maps places to YAML lines. Raises PlanError."""
    try:
        spec = PlanSpec.model_validate(document)
    except ValidationError as error:
        raise _plan_error(error, source, lines or {}) from None
    prices = {
        target.name: _resolve_price(target.price, source, target.name)
        for target in spec.execute.targets
        if target.price is not None
    }
    return spec.model_copy(update={"source": source, "prices": prices})


def to_yaml(spec: PlanSpec) -> str:
    """The plan as a YAML text that `load_plan` reads back to an equal specification."""
    body = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    return yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=110)


# ---------------------------------------------------------------- YAML with its lines


def _parse(text: str, source: str) -> tuple[dict[str, Any], dict[tuple[str, ...], int]]:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{source}:{mark.line + 1}" if mark else source
        problem = getattr(error, "problem", None) or "not YAML"
        raise PlanError(where, f"not valid YAML: {problem}", "check indentation and quotes on this line") from None
    if not isinstance(document, dict):
        raise PlanError(source, "is not a plan", "a plan has the sections validate and execute")
    lines: dict[tuple[str, ...], int] = {}
    _collect_lines(node, (), lines)
    return document, lines


def _collect_lines(node: Any, place: tuple[str, ...], lines: dict[tuple[str, ...], int]) -> None:
    lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            lines[(*place, str(key.value))] = key.start_mark.line + 1
            _collect_lines(value, (*place, str(key.value)), lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _collect_lines(value, (*place, str(index)), lines)


def _plan_error(error: ValidationError, source: str, lines: Mapping[tuple[str, ...], int]) -> PlanError:
    first = error.errors()[0]
    place = tuple(str(part) for part in first["loc"] if part not in ("closed", "constant", "poisson"))
    line = _line_of(place, lines)
    where = f"{source}:{line}" if line else source
    what = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        what = "unknown field"
    more = len(error.errors()) - 1
    field = ".".join(place) or "plan"
    hint = f"and {more} more error{'s' if more > 1 else ''} after this one" if more else ""
    return PlanError(where, f"{field}: {what}", _known_fields(place) or hint)


def _line_of(place: tuple[str, ...], lines: Mapping[tuple[str, ...], int]) -> int | None:
    for end in range(len(place), -1, -1):
        if place[:end] in lines:
            return lines[place[:end]]
    return None


def _known_fields(place: tuple[str, ...]) -> str:
    """For an unknown field: the names that its section knows."""
    models: dict[str, type[BaseModel]] = {
        "validate": ValidateSection,
        "execute": ExecuteSection,
        "store": StoreSection,
        "aggregate": AggregateSection,
        "report": ReportSection,
    }
    if len(place) == 1 and place[0] not in models:
        return f"sections are {', '.join(models)}"
    model = models.get(place[0]) if len(place) == 2 else None
    if place[:2] == ("execute", "targets") and len(place) == 4:
        model = TargetSpec
    if model is None or place[-1] in model.model_fields:
        return ""
    return f"known fields: {', '.join(model.model_fields)}"


def _apply(document: dict[str, Any], override: str) -> None:
    """Apply `a.b.0.c=VALUE` (VALUE is YAML) to the document in place."""
    key, sign, value = override.partition("=")
    if not sign or not key:
        raise PlanError(f"-S {override}", "is no override", "write -S section.field=value")
    *parents, last = key.strip().split(".")
    holder: Any = document
    try:
        for part in parents:
            holder = holder[int(part)] if isinstance(holder, list) else holder.setdefault(part, {})
        parsed = yaml.safe_load(value)
        if isinstance(holder, list):
            holder[int(last)] = parsed
        else:
            holder[last] = parsed
    except (ValueError, IndexError, TypeError, AttributeError):
        raise PlanError(f"-S {override}", "names no place in the plan", "list places count from 0") from None
    except yaml.YAMLError:
        raise PlanError(f"-S {override}", "the value is not valid YAML", "quote it") from None


# ---------------------------------------------------------------- prices


def _resolve_price(address: str, source: str, target: str) -> Price:
    """`FILE#KEY` -> the dated price vector. FILE is taken from here, else from the plan's folder."""
    where = f"{source}: price of target {target}"
    name, sign, key = address.partition("#")
    if not sign:
        raise PlanError(where, f"{address!r} names no entry", "write FILE#provider/model")
    path = Path(name) if Path(name).exists() else Path(source).parent / name
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        entry = document["prices"][key]
        numbers = {kind: _price_number(entry[kind]) for kind in _PRICE_KINDS if entry.get(kind) is not None}
        return Price(date=str(document["date"]), source=str(entry.get("source", "")), **numbers)
    except OSError:
        raise PlanError(where, f"no price file {name}", "price files lie under datasets/prices/") from None
    except KeyError:
        known = ", ".join(list(document.get("prices", {}))[:6]) if isinstance(document, dict) else ""
        raise PlanError(where, f"{name} has no entry {key!r}", f"it has: {known}") from None
    except (yaml.YAMLError, TypeError, AttributeError, ValueError) as error:
        raise PlanError(where, f"{name} is not a price file ({error})", "see datasets/prices/") from None


_PRICE_KINDS = ("input", "cached", "cache_write", "output", "reasoning", "request")


def _price_number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"price {value!r} is no amount of money")
    return number
