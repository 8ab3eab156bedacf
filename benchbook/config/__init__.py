"""params.yaml and the command line -> one frozen, validated specification.

pydantic stands at this border only. Every error names the file and the YAML line. Sections carry the names of
the stages that read them, so that DVC sees which stage a change touches. A plan hash covers what is measured
(`validate` and `execute`), never how it is stored, aggregated or reported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from benchbook.config.documents import Lines, Place, apply_overrides, parse, where
from benchbook.config.limits import VerdictSpec
from benchbook.config.loads import TraceLoad
from benchbook.config.prices import resolve_price
from benchbook.config.sections import (
    CASSETTE,
    MOST_TRIALS,
    SIMULATOR,
    AggregateSection,
    AlertsSpec,
    BreakerSpec,
    ExecuteSection,
    PlanSpec,
    ReplaySpec,
    ReportSection,
    RequiresSection,
    StoreSection,
    TargetSpec,
    ValidateSection,
)
from benchbook.config.teams import TeamsSpec, read_team, require_targets, resolve_teams, team_of
from benchbook.config.traces import arrivals_of, resolve_trace
from benchbook.errors import PlanError
from benchbook.records import Price


def thaw(frozen: Mapping[str, Any]) -> PlanSpec:
    """The specification that `PlanSpec.frozen` wrote."""
    spec = PlanSpec.model_validate(frozen["sections"])
    prices = {name: Price(**fields) for name, fields in frozen["prices"].items()}
    trace = arrivals_of(frozen["trace"]) if "trace" in frozen else None
    teams = {name: tuple(team_of(part) for part in parts) for name, parts in frozen.get("teams", {}).items()}
    return spec.model_copy(update={"source": frozen["source"], "prices": prices, "trace": trace, "teams": teams})


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
    document, lines = parse(text, str(path), "a plan has the sections validate and execute")
    apply_overrides(document, overrides)
    return build_plan(document, str(path), lines)


def build_plan(document: Mapping[str, Any], source: str, lines: Lines | None = None) -> PlanSpec:
    """Validate a plan given as plain data. `lines` maps places to YAML lines. Raises PlanError."""
    try:
        spec = PlanSpec.model_validate(document)
    except ValidationError as error:
        raise _plan_error(error, source, lines or {}) from None
    prices = {
        target.name: resolve_price(target.price, source, target.name)
        for target in spec.execute.targets
        if target.price is not None
    }
    load = spec.execute.load
    trace = resolve_trace(load.file, source) if isinstance(load, TraceLoad) else None
    teams = resolve_teams(spec.execute.teams or TeamsSpec(), spec.execute.workloads, source)
    require_targets(teams, {target.name: target.name in prices for target in spec.execute.targets})
    return spec.model_copy(update={"source": source, "prices": prices, "trace": trace, "teams": teams})


def to_yaml(spec: PlanSpec) -> str:
    """The plan as a YAML text that `load_plan` reads back to an equal specification."""
    import yaml

    body = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    return yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=110)


def _plan_error(error: ValidationError, source: str, lines: Lines) -> PlanError:
    first = error.errors()[0]
    place = _place([str(part) for part in first["loc"]])
    what = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        what = "unknown field"
    elif first["type"] == "union_tag_invalid":
        what = f"no kind {first['ctx']['tag']!r}: one of {first['ctx']['expected_tags']}".replace("'", "")
    more = len(error.errors()) - 1
    field = ".".join(place) or "plan"
    hint = f"and {more} more error{'s' if more > 1 else ''} after this one" if more else ""
    return PlanError(where(source, place, lines), f"{field}: {what}", _known_fields(place) or hint)


def _place(parts: list[str]) -> Place:
    """Where the error is in the file: without the name of the kind, which pydantic puts in after a tagged field."""
    return tuple(
        part for at, part in enumerate(parts) if at == 0 or parts[at - 1] not in ("load", "think_s", "approver")
    )


def _known_fields(place: tuple[str, ...]) -> str:
    """For an unknown field: the names that its section knows."""
    models: dict[str, type[BaseModel]] = {
        "validate": ValidateSection,
        "execute": ExecuteSection,
        "store": StoreSection,
        "aggregate": AggregateSection,
        "report": ReportSection,
        "requires": RequiresSection,
    }
    if len(place) == 1 and place[0] not in models:
        return f"sections are {', '.join(models)}"
    model = models.get(place[0]) if len(place) == 2 else None
    if place[:2] == ("execute", "load") and len(place) == 3:
        return "each kind of load has fields of its own: see docs/FORMATS.md"
    if place[:2] == ("execute", "approver") and len(place) == 3:
        return "each kind of approver has fields of its own: see docs/FORMATS.md"
    if place[:2] == ("execute", "targets") and len(place) == 4:
        model = TargetSpec
    if place[:2] == ("execute", "breaker") and len(place) == 3:
        model = BreakerSpec
    if place[:2] == ("store", "verdict") and len(place) == 3:
        model = VerdictSpec
    if place[:2] == ("execute", "teams") and len(place) == 3:
        model = TeamsSpec
    if place[:2] == ("execute", "replay") and len(place) == 3:
        model = ReplaySpec
    if model is None or place[-1] in model.model_fields:
        return ""
    return f"known fields: {', '.join(model.model_fields)}"


__all__ = [
    "CASSETTE",
    "MOST_TRIALS",
    "SIMULATOR",
    "AggregateSection",
    "AlertsSpec",
    "BreakerSpec",
    "ExecuteSection",
    "PlanSpec",
    "ReportSection",
    "RequiresSection",
    "StoreSection",
    "TargetSpec",
    "TeamsSpec",
    "ValidateSection",
    "VerdictSpec",
    "apply_overrides",
    "build_plan",
    "load_plan",
    "read_team",
    "thaw",
    "to_yaml",
]
