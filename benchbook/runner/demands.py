"""What a plan asks of each target, by arithmetic alone, and whether that is within what it may ask. Pure.

Prompts are counted at four characters a token (a generated one at its declared size), answers as long as `max_tokens`
allows; a conversation's turn holds everything before it; agents go as far as their team's limits let them. So all are
upper bounds but for what another vocabulary, the provider's own framing and retries add. What a target can do is static
knowledge: nothing is asked of it here.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from benchbook.errors import PlanError
from benchbook.providers import capabilities
from benchbook.records import Price, Target, Team
from benchbook.runner.bounds import Bounds, bounds
from benchbook.runner.plan import Plan, Prompt
from benchbook.runner.teams import team_named
from benchbook.runner.trials import Lane

CHARACTERS_PER_TOKEN = 4
_SECOND_NS = 1_000_000_000
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Demands:
    """Of one target, warm-up included. None: not known (an answer without `max_tokens`, a price that is not there) or,
    for requests_per_s and in_flight, set by no plan but by how fast the target is, or by nothing.

    context_tokens and output_tokens are of the largest single call; tokens_in, tokens_out and cost_usd of all.
    requests_per_s: the most trials that begin within one second of the schedule.
    """

    calls: int
    context_tokens: int | None
    output_tokens: int | None
    tokens_in: int | None
    tokens_out: int | None
    cost_usd: float | None
    requests_per_s: int | None
    in_flight: int | None
    streaming: bool


@dataclass(frozen=True, slots=True)
class _Asked:
    """One trial: its calls' prompts and answers together, and its last and largest call."""

    calls: int
    tokens_in: int | None
    tokens_out: int | None
    context_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None


def demands(plan: Plan) -> dict[str, Demands]:
    """Target name -> what is asked of it."""
    return {lane.target: _demands(plan, plan.targets[lane.target], lane) for lane in plan.trials.lanes}


def unmet(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """Where, what and what would be right, of every demand that the plan's `requires` does not allow, or that a
    target is known not to meet. Nothing where the plan has no `requires`."""
    limits = plan.spec.requires
    if limits is None:
        return
    for name, asked in demands(plan).items():
        can = capabilities.of(plan.targets[name])
        where = f"{plan.spec.source}: target {name}"
        if limits.streaming and not (asked.streaming and can.stream):
            what = "asked without streaming" if not asked.streaming else f"{plan.targets[name].model} does not stream"
            yield where, what, "this plan is about streams"
        for field in ("context_tokens", "output_tokens", "requests_per_s", "in_flight", "tokens", "cost_usd"):
            limit, value = getattr(limits, field), _value(asked, field)
            if limit is not None and value is not None and value > limit:
                words = field.replace("_", " ")
                right = f"requires.{field} allows {limit:,.9g}: raise it if the target may be asked this, or ask less"
                yield where, f"would be asked {words} {value:,.9g}", right
        for field, most in (("context_tokens", can.context_tokens), ("output_tokens", can.max_tokens)):
            value = _value(asked, field)
            if most is not None and value is not None and value > most:
                what = (
                    f"{plan.targets[name].model} takes {field.replace('_', ' ')} up to {most:,}, {value:,g} are asked"
                )
                yield where, what, "take another model, or smaller prompts and answers"


def team_bounds(plan: Plan, team: Team, target: Target, prompt: Prompt) -> Bounds:
    """How far one trial of the team may go with that prompt on that target."""
    used = {member.target or target.name for member in team.members}
    max_tokens = plan.request_to(target, prompt).params.max_tokens
    prices = [plan.targets[name].price for name in sorted(used)]
    return bounds(team, plan.spec.execute.timeout_s, max_tokens, prices)


def require_met(plan: Plan) -> None:
    """Raise PlanError with the first demand that is not met."""
    for where, what, right in unmet(plan):
        raise PlanError(where, what, right)


def _value(asked: Demands, field: str) -> float | None:
    if field == "tokens":
        known = asked.tokens_in is not None and asked.tokens_out is not None
        return (asked.tokens_in or 0) + (asked.tokens_out or 0) if known else None
    value: float | None = getattr(asked, field)
    return value


def _demands(plan: Plan, target: Target, lane: Lane) -> Demands:
    counted: Counter[_Key] = Counter((t.dataset, t.test_id, t.workload, t.team) for t in lane)
    trials = [(_asked(plan, target, key), count) for key, count in counted.items()]
    tokens_in = _sum([(one.tokens_in, count) for one, count in trials])
    tokens_out = _sum([(one.tokens_out, count) for one, count in trials])
    calls = sum(one.calls * count for one, count in trials)
    offsets = lane.offsets_ns
    return Demands(
        calls=calls,
        context_tokens=_most([one.context_tokens for one, _ in trials]),
        output_tokens=_most([one.output_tokens for one, _ in trials]),
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        cost_usd=_total([(one.cost_usd, count) for one, count in trials]),
        requests_per_s=None if offsets is None else _busiest_second(offsets),
        in_flight=max((level.slots for level in plan.load.levels), default=plan.spec.execute.max_in_flight),
        streaming=target.stream,
    )


_Key = tuple[str, str, str, str]
"""Dataset, test id, workload, team."""


def _asked(plan: Plan, target: Target, key: _Key) -> _Asked:
    dataset, test_id, workload, named = key
    prompt = plan.prompts[dataset, test_id]
    output = plan.request_to(target, prompt).params.max_tokens
    team = team_named(plan.spec.teams, workload, named)
    if team is not None:
        most = team_bounds(plan, team, target, prompt)
        return _Asked(most.calls, most.tokens_in, most.tokens_out, None, output, most.cost_usd)
    opening = _opening_tokens(prompt)
    said = [_tokens(turn.content) for turn in prompt.rendered.later] if workload == "session" else []
    if said and output is None:
        return _Asked(1 + len(said), None, None, None, None, None)
    prompts, size = [opening], opening
    for tokens in said:
        size += (output or 0) + tokens
        prompts.append(size)
    calls, tokens_out = len(prompts), None if output is None else len(prompts) * output
    return _Asked(
        calls,
        sum(prompts),
        tokens_out,
        None if output is None else size + output,
        output,
        _cost(target.price, (sum(prompts), tokens_out, calls)),
    )


def _opening_tokens(prompt: Prompt) -> int:
    made = prompt.case.generated
    rendered = prompt.rendered
    said = sum(len(message.content) for message in rendered.messages)
    system = 0 if rendered.system is None else _tokens(rendered.system)
    return system + (math.ceil(said / CHARACTERS_PER_TOKEN) if made is None else made.prompt_tokens)


def _tokens(text: str) -> int:
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


def _cost(price: Price | None, spent: tuple[int | None, int | None, int]) -> float | None:
    tokens_in, tokens_out, calls = spent
    if price is None or price.input is None or price.output is None or tokens_in is None or tokens_out is None:
        return None
    return (tokens_in * price.input + tokens_out * price.output) / _MILLION + (price.request or 0) * calls


def _busiest_second(offsets: array[int]) -> int:
    """The most starts within any second; `offsets` ascend."""
    most = first = 0
    for index, at in enumerate(offsets):
        while at - offsets[first] >= _SECOND_NS:
            first += 1
        most = max(most, index - first + 1)
    return most


def _total(values: list[tuple[float | None, int]]) -> float | None:
    known = [value * count for value, count in values if value is not None]
    return math.fsum(known) if len(known) == len(values) else None


def _sum(values: list[tuple[int | None, int]]) -> int | None:
    known = [value * count for value, count in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _most(values: list[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return max(known, default=None) if len(known) == len(values) else None
