"""What is checked before the first request: that addresses answer, and what each target can do.

A target that can't do what a trial needs is not tried: its trials are recorded as skipped, with the reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from benchbook.clock import monotonic_ns
from benchbook.errors import BenchbookError, PlanError
from benchbook.providers import Provider, proxy_env
from benchbook.providers.capabilities import Capabilities
from benchbook.providers.http import split_url
from benchbook.providers.transport import Transport
from benchbook.records import PlannedTrial, Target
from benchbook.runner.plan import Plan, Prompt
from benchbook.runner.teams import team_named, unable, ways_of

_CONNECT_S = 5.0
LISTING_NS = 10_000_000_000


async def reachable(addresses: Mapping[str, str]) -> None:
    """Raise PlanError if not one target's address accepts a connection (one down among several is a result).

    addresses: URL by target name. Behind a proxy only the proxy could tell, so there nothing is tried.
    """
    problems = await asyncio.gather(*(_connect_problem(url) for url in addresses.values()))
    if addresses and all(problems):
        name, problem = next(zip(addresses, problems, strict=True))
        raise PlanError(f"target {name}", f"unreachable: {problem}", "start the server, or mend base_url")


async def _connect_problem(url: str) -> str | None:
    """Why the address can't be reached, None if it can."""
    origin, _ = split_url(url)
    if proxy_env.choose(origin, proxy_env.from_environment()) is not None:
        return None
    try:
        async with asyncio.timeout(_CONNECT_S):
            _, writer = await asyncio.open_connection(origin.host, origin.port)
    except TimeoutError:
        return f"{origin.address} does not answer within {_CONNECT_S:.0f} s"
    except OSError as error:
        return f"{origin.address} ({error.strerror or error})"
    writer.close()
    return None


Unit = tuple[str, str, str, str, str]
"""What trials of one kind have in common: target, dataset, test id, workload, team."""


def unit_of(trial: PlannedTrial) -> Unit:
    return trial.target, trial.dataset, trial.test_id, trial.workload, trial.team


async def skip_reasons(
    plan: Plan, providers: Mapping[str, Provider], transport: Transport
) -> tuple[Mapping[Unit, str], tuple[str, ...]]:
    """What a target can't do, with the reason, and the warnings to print (one a target and reason)."""
    unavailable = await asyncio.gather(
        *(_unavailable(target, providers[name], transport) for name, target in plan.targets.items())
    )
    missing = dict(zip(plan.targets, unavailable, strict=True))
    can = {name: providers[name].capabilities() for name in plan.targets}
    reasons: dict[Unit, str] = {}
    notes: dict[str, None] = {}
    for name, target in plan.targets.items():
        for way in ways_of(plan.spec):
            unfit = missing[name] or _unfit(plan, name, way, (missing, can))
            for key, prompt in plan.prompts.items():
                reason = unfit or incapable(plan, target, prompt, can[name])
                if reason:
                    reasons[name, *key, *way] = reason
                    notes[f"{name}: skipped, {reason}"] = None
    return reasons, tuple(notes)


def _unfit(
    plan: Plan, name: str, way: tuple[str, str], known: tuple[Mapping[str, str | None], Mapping[str, Capabilities]]
) -> str | None:
    """Why the way's team can't work with that target and those that its members name, or None. known: by target, what
    is not offered, and what each can do."""
    team = team_named(plan.spec.teams, *way)
    if team is None:
        return None
    missing, can = known
    for member in team.members:
        used = member.target or name
        reason = missing[used] or unable(team, plan.targets[used], can[used])
        if reason:
            return reason if used == name else f"{member.name} asks {used}: {reason}"
    return None


def incapable(plan: Plan, target: Target, prompt: Prompt, can: Capabilities) -> str | None:
    """Why `target` can't be asked this, or None."""
    request = plan.request_to(target, prompt)
    if request.stream and not can.stream:
        return f"{target.model} does not stream"
    if request.tools and not can.tools:
        return f"{target.model} takes no tools"
    if request.system and not can.system:
        return f"{target.model} takes no system prompt"
    wanted = request.params.max_tokens
    if wanted is not None and can.max_tokens is not None and wanted > can.max_tokens:
        return f"{target.model} gives at most {can.max_tokens} tokens, {wanted} are asked"
    return None


async def _unavailable(target: Target, provider: Provider, transport: Transport) -> str | None:
    """Why the provider does not offer the model; None if it does, or does not say."""
    try:
        offered = await provider.list_models(transport, monotonic_ns() + LISTING_NS)
    except BenchbookError:
        return None
    ids = {model.id for model in offered}
    if not ids or offers(target, ids):
        return None
    return f"the provider does not offer {target.model} (models listed: {len(ids)})"


def offers(target: Target, ids: Iterable[str]) -> bool:
    """Whether a listing holds the target's model, allowing for what its provider lets one write differently.

    Ollama's `llama3` is `llama3:latest`; an Anthropic alias is a listed id without its date; a Bedrock inference
    profile or ARN is a listed id behind a prefix.
    """
    model = target.model
    if target.provider == "ollama":
        return any(model in (listed, listed.removesuffix(":latest")) for listed in ids)
    if target.provider == "anthropic":
        alias = model.removesuffix("-latest").removesuffix("-0")
        return any(listed == model or listed.startswith(alias + "-") for listed in ids)
    if target.provider == "bedrock":
        return any(model == listed or model.endswith(("." + listed, "/" + listed)) for listed in ids) or "arn:" in model
    return model in ids
