"""Expands a specification and its datasets into a frozen plan: every trial, in order, before the first request.

Each trial's id, prompt hash, seed and (open loop) intended start follow from the plan alone, so a resumed run
finds exactly what is missing. Order: per target, warm-up before measured, each shuffled by a derived seed; then
targets are interleaved one by one, so that drift hits all of them alike. Where they take turns (`execute.order: abba`)
they have one order for all, the same test cases and the same gaps between starts.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from benchbook.config import CASSETTE, MOST_TRIALS, SIMULATOR, PlanSpec
from benchbook.datasets import Rendered, render
from benchbook.datasets.nonce import after_shared, at_start, nonce
from benchbook.errors import PlanError
from benchbook.providers import require_known
from benchbook.records import Case, Dataset, ModelRequest, Params, PlannedTrial, Target, Team, ToolSpec
from benchbook.runner.teams import require_tools, team_of, ways_of
from benchbook.runner.trials import Lane, Trials
from benchbook.runner.turns import Turns, turns, whole_legs
from benchbook.schedules import Load, load_of, starts_ns

_SAMPLING = ("temperature", "max_tokens", "top_p", "stop", "seed")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A test case made ready: rendered once, asked many times."""

    dataset: Dataset
    case: Case
    rendered: Rendered
    tools: tuple[ToolSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A frozen plan. `prompts` is keyed by (dataset name, test id)."""

    spec: PlanSpec
    datasets: tuple[Dataset, ...]
    targets: Mapping[str, Target]
    prompts: Mapping[tuple[str, str], Prompt]
    trials: Trials
    plan_hash: str
    workload_hash: str
    salt: str = ""
    """Of the nonces: the run's id, once there is a run."""
    requests: dict[tuple[str, str, str], ModelRequest] = field(default_factory=dict, repr=False, compare=False)
    """Requests that were asked for, by (target, dataset, test id)."""

    @property
    def own_requests(self) -> bool:
        """Whether each trial has a request of its own (a nonce in it), so that none can be prepared once per case."""
        return self.spec.execute.cache in ("cold", "shared_prefix")

    def team(self, trial: PlannedTrial) -> Team:
        """The team that works on this trial. Raises KeyError for a workload without agents."""
        return team_of(self.spec.teams, trial)

    @property
    def load(self) -> Load:
        """The load shape, the same for each target."""
        return load_of(self.spec.load_fields())

    def request(self, trial: PlannedTrial) -> ModelRequest:
        """What this trial asks of its target: the same object for every trial of a case, so that it is encoded only
        once, unless `own_requests`."""
        key = (trial.target, trial.dataset, trial.test_id)
        target, prompt = self.targets[trial.target], self.prompts[key[1:]]
        if not self.own_requests:
            found = self.requests.get(key)
            if found is None:
                found = self.requests[key] = self.request_to(target, prompt)
            return found
        mark = nonce(self.salt, trial.seed)
        if self.spec.execute.cache == "cold":
            marked = at_start(prompt.rendered, mark)
        else:
            marked = after_shared(prompt.rendered, mark, prompt.case)
        return self.request_to(target, replace(prompt, rendered=marked))

    def request_to(self, target: Target, prompt: Prompt) -> ModelRequest:
        """What `target` is asked for `prompt`: dataset defaults, then target's, then case's parameters."""
        return ModelRequest(
            model=target.model,
            messages=prompt.rendered.messages,
            system=prompt.rendered.system,
            params=merged_params(prompt.dataset.defaults, target.params, prompt.case.config),
            tools=prompt.tools,
            stream=target.stream,
        )


def freeze(spec: PlanSpec, datasets: Sequence[Dataset]) -> Plan:
    """Expand `spec` over `datasets`. Raises PlanError where two datasets share a name or a provider is unknown."""
    _require_unique_names(spec, datasets)
    _require_workloads(spec, datasets)
    require_tools(spec)
    targets = {target.name: target for target in spec.targets()}
    for target in targets.values():
        require_known(target)
    prompts = {(dataset.name, case.id): _prompt(dataset, case) for dataset in datasets for case in dataset.cases}
    inputs = {"dataset_hashes": {d.name: d.sha256 for d in datasets}, "simulator_law": _law_sha256(spec)}
    plan_hash = digest({**spec.measured(), **inputs, **_cassettes_sha256(spec)})
    plan = Plan(spec, tuple(datasets), targets, prompts, Trials(), plan_hash, _workload_hash(spec, targets, prompts))
    return replace(plan, trials=_expand(plan))


def digest(value: Any) -> str:
    """SHA-256 of a JSON-able value in canonical form (sorted keys), hex."""
    return sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def derived_seed(root: int, *purpose: object) -> int:
    """A 63-bit seed for one purpose: hash of the root seed and the purpose's names."""
    text = "\x1f".join(map(str, (root, *purpose)))
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big") >> 1


def merged_params(defaults: Mapping[str, Any], target: Params, config: Mapping[str, Any]) -> Params:
    """Sampling parameters by rising precedence: the dataset's defaults, the target's, the case's own."""
    fields: dict[str, Any] = {name: defaults[name] for name in _SAMPLING if defaults.get(name) is not None}
    fields |= {name: value for name in _SAMPLING if (value := getattr(target, name)) not in (None, ())}
    fields |= {name: config[name] for name in _SAMPLING if config.get(name) is not None}
    stop = fields.pop("stop", ())
    extra = {**(defaults.get("extra") or {}), **target.extra, **(config.get("extra") or {})}
    return Params(**fields, stop=(stop,) if isinstance(stop, str) else tuple(stop), extra=extra)


def _require_unique_names(spec: PlanSpec, datasets: Sequence[Dataset]) -> None:
    names = [dataset.name for dataset in datasets]
    for dataset in datasets:
        if names.count(dataset.name) > 1:
            raise PlanError(
                spec.source, f"two datasets are named {dataset.name!r} ({dataset.path} is one)", "names must be unique"
            )


def _require_workloads(spec: PlanSpec, datasets: Sequence[Dataset]) -> None:
    """A conversation needs the workload that holds one; a single prompt is a conversation of one turn."""
    single = next((name for name in spec.execute.workloads if name != "session"), None)
    if single is None:
        return
    for dataset in datasets:
        for case in dataset.cases:
            if len(case.turns) > 1:
                what = f"case {case.id} has {len(case.turns)} turns, and the workload {single} asks once"
                raise PlanError(dataset.path or dataset.name, what, "plan it with execute.workloads: [session]")


def _law_sha256(spec: PlanSpec) -> str | None:
    """The simulator profile's hash, where a target is answered by it: another law is another measurement."""
    profile = spec.execute.simulator
    simulated = any(target.base_url == SIMULATOR for target in spec.execute.targets)
    if profile is None or not simulated or not Path(profile).is_file():
        return None
    return sha256(Path(profile).read_bytes()).hexdigest()


def _cassettes_sha256(spec: PlanSpec) -> dict[str, Any]:
    """The hashes of the cassettes that answer for targets; nothing where there are none."""
    paths = {
        Path(target.base_url.removeprefix(CASSETTE))
        for target in spec.execute.targets
        if target.base_url is not None and target.base_url.startswith(CASSETTE)
    }
    found = {str(path): sha256(path.read_bytes()).hexdigest() for path in sorted(paths) if path.is_file()}
    return {"cassettes": found} if found else {}


def _prompt(dataset: Dataset, case: Case) -> Prompt:
    tools = tuple(
        ToolSpec(str(tool["name"]), str(tool.get("description", "")), tool.get("parameters", {"type": "object"}))
        for tool in case.config.get("tools", ())
    )
    return Prompt(dataset, case, render(dataset, case), tools)


def _workload_hash(spec: PlanSpec, targets: Mapping[str, Target], prompts: Mapping[tuple[str, str], Prompt]) -> str:
    """What must be equal for two runs to be comparable: prompts, parameters, streaming, workloads, load, delay,
    teams where agents work, and a breaker where there is one: it changes what is offered.

    Target names, models, addresses, prices, seeds and repetitions are not in it: they are what is compared.
    """
    asked = {(p.rendered.prompt_sha256, *_manner(p, t)) for p in prompts.values() for t in targets.values()}
    return digest({"asked": sorted(asked), **circumstances(spec)})


def asked_of(plan: Plan, target: str) -> dict[str, set[tuple[str, bool]]]:
    """Hash of a rendered prompt -> the parameters and the streaming that this target is asked it with."""
    found: dict[str, set[tuple[str, bool]]] = {}
    for prompt in plan.prompts.values():
        found.setdefault(prompt.rendered.prompt_sha256, set()).add(_manner(prompt, plan.targets[target]))
    return found


def circumstances(spec: PlanSpec) -> dict[str, Any]:
    """What the workload hash covers beside what is asked: how and under which load it is asked."""
    execute = spec.execute
    breaker = {} if execute.breaker is None else {"breaker": execute.breaker.model_dump(mode="json")}
    teams = {"teams": spec.team_hashes()} if spec.teams else {}
    return {
        "workloads": sorted(execute.workloads),
        "load": execute.load.model_dump(mode="json"),
        "delay_s": execute.delay_s,
        **breaker,
        **teams,
        **_pacing(spec),
    }


def _manner(prompt: Prompt, target: Target) -> tuple[str, bool]:
    return repr(merged_params(prompt.dataset.defaults, target.params, prompt.case.config)), target.stream


def _pacing(spec: PlanSpec) -> dict[str, Any]:
    """What else bears on the numbers, of load and cache, where the plan says any of it."""
    execute = spec.execute
    found: dict[str, Any] = {}
    if execute.cache != "as_is":
        found["cache"] = execute.cache
    if spec.trace is not None:
        found["trace"] = spec.trace.sha256
    if execute.think_s is not None:
        found["think_s"] = execute.think_s.model_dump(mode="json")
    if execute.max_in_flight is not None:
        found["max_in_flight"] = [execute.max_in_flight, execute.on_full]
    return found


def _expand(plan: Plan) -> Trials:
    names = list(plan.targets)
    lanes = tuple(_lane(plan, plan.targets[name], (place, len(names))) for place, name in enumerate(names))
    if plan.spec.execute.order == "interleaved" or not lanes:
        return Trials(lanes)
    taken = _turns(plan, lanes[0])
    return Trials(tuple(replace(lane, turns=taken) for lane in lanes), taken)


def _turns(plan: Plan, lane: Lane) -> Turns:
    """Who is under load when; all lanes are of one length."""
    execute = plan.spec.execute
    measured = len(lane) - lane.warmup
    leg = execute.leg_trials or whole_legs(measured, lane.units)
    return turns(len(plan.targets), lane.warmup, measured, leg, derived_seed(execute.seed, "turns"))


def _lane(plan: Plan, target: Target, place: tuple[int, int]) -> Lane:
    """One target's trials in order, warm-up first, with intended starts for an open loop."""
    execute = plan.spec.execute
    ways = ways_of(plan.spec)
    units = [(prompt, way) for prompt in plan.prompts.values() for way in ways]
    load = plan.load
    count = execute.trials if load.count is None else load.count
    order = _shuffled(plan, target, "warmup", _codes(len(units), range(execute.warmup)))
    warmup = len(order)
    if count is None:
        order += _shuffled(plan, target, "measured", _codes(len(units), range(execute.repetitions)))
    elif _as_recorded(plan, len(units)):
        order.extend(range(count))
    else:
        order += _cycled(plan, target, len(units), count)

    def make(unit: int, phase: str, repetition: int, position: int, offset_ns: int | None) -> PlannedTrial:
        prompt, way = units[unit]
        return _trial(plan, (prompt, target, way, phase, repetition), position, offset_ns)

    seed = derived_seed(execute.seed, "arrivals", _own(plan, target))
    offsets = starts_ns(load, warmup, len(order) - warmup, seed)
    return Lane(target.name, make, max(1, len(units)), order, warmup, offsets, *place)


def _as_recorded(plan: Plan, units: int) -> bool:
    """Whether each request of the load's trace has a test case made to its length: then it goes to its own."""
    trace = plan.spec.trace
    of_it = [dataset.synthetic.get("trace_sha256") == trace.sha256 for dataset in plan.datasets] if trace else []
    return of_it == [True] and trace is not None and units == len(trace.at_ns)


def _codes(units: int, repetitions: Sequence[int]) -> list[int]:
    """A number for each (unit, repetition), unit by unit."""
    return [repetition * units + unit for unit in range(units) for repetition in repetitions]


def _shuffled(plan: Plan, target: Target, phase: str, codes: list[int], *purpose: int) -> array[int]:
    """The trials of those codes, in an order of their own seed."""
    seed = derived_seed(plan.spec.execute.seed, "order", _own(plan, target), phase, *purpose)
    random.Random(seed).shuffle(codes)  # noqa: S311
    return array("q", codes)


def _own(plan: Plan, target: Target) -> str:
    """What a target's order and arrivals are drawn for: itself, or all targets that take turns alike."""
    return target.name if plan.spec.execute.order == "interleaved" else ""


def _cycled(plan: Plan, target: Target, units: int, count: int) -> array[int]:
    """`count` measured trials: passes over all cases, each a repetition in an order of its own, the last one cut."""
    if count > MOST_TRIALS:
        raise PlanError(
            plan.spec.source, f"the load holds {count:,} trials a target", f"at most {MOST_TRIALS:,}: shorten it"
        )
    order = array("q")
    for repetition in range(-(-count // units) if units else 0):
        order += _shuffled(plan, target, "measured", _codes(units, [repetition]), repetition)
    return order[:count]


def _trial(
    plan: Plan, unit: tuple[Prompt, Target, tuple[str, str], str, int], position: int, offset_ns: int | None
) -> PlannedTrial:
    prompt, target, (workload, team), phase, repetition = unit
    identity: tuple[object, ...] = (prompt.dataset.name, prompt.case.id, target.name, workload, phase, repetition)
    if team:
        identity = (*identity, team)
    return PlannedTrial(
        trial_id=digest(identity)[:16],
        position=position,
        dataset=prompt.dataset.name,
        dataset_version=prompt.dataset.version,
        test_id=prompt.case.id,
        category=prompt.case.category,
        target=target.name,
        workload=workload,
        repetition=repetition,
        phase=phase,
        prompt_sha256=prompt.rendered.prompt_sha256,
        seed=derived_seed(plan.spec.execute.seed, *identity),
        intended_offset_ns=offset_ns,
        team=team,
    )
