"""What is checked before the first request: that addresses answer, and what each target can do.

A target that can't do what a trial needs is not tried: its trials are recorded as skipped, with the reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

from benchbook.errors import BenchbookError, PlanError
from benchbook.providers import Capabilities, Provider
from benchbook.providers.transport import Transport
from benchbook.records import PlannedTrial, Target
from benchbook.runner.plan import Plan, Prompt

_CONNECT_S = 5.0


async def reachable(providers: Mapping[str, Provider]) -> None:
    """Raise PlanError if not one target's address accepts a connection (one down among several is a result)."""
    problems = await asyncio.gather(*(_connect_problem(provider) for provider in providers.values()))
    if providers and all(problems):
        name, problem = next(zip(providers, problems, strict=True))
        raise PlanError(f"target {name}", f"unreachable: {problem}", "start the server, or mend base_url")


async def _connect_problem(provider: Provider) -> str | None:
    """Why the provider's address can't be reached, None if it can (behind a proxy: the proxy will tell)."""
    address = urlsplit(provider.address)
    if provider.proxied:
        return None
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        async with asyncio.timeout(_CONNECT_S):
            _, writer = await asyncio.open_connection(address.hostname, port)
    except TimeoutError:
        return f"{provider.address} does not answer within {_CONNECT_S:.0f} s"
    except OSError as error:
        return f"{provider.address} ({error.strerror or error})"
    writer.close()
    return None


async def skip_reasons(
    plan: Plan, providers: Mapping[str, Provider], transport: Transport
) -> tuple[Mapping[PlannedTrial, str], tuple[str, ...]]:
    """Trials that a target can't do, with the reason, and the warnings to print (one a target and reason)."""
    unavailable = await asyncio.gather(
        *(_unavailable(target, providers[name], transport) for name, target in plan.targets.items())
    )
    missing = dict(zip(plan.targets, unavailable, strict=True))
    reasons: dict[PlannedTrial, str] = {}
    for trial in plan.trials:
        target = plan.targets[trial.target]
        prompt = plan.prompts[trial.dataset, trial.test_id]
        reason = missing[trial.target] or incapable(plan, target, prompt, providers[trial.target].capabilities())
        if reason:
            reasons[trial] = reason
    notes = dict.fromkeys(f"{trial.target}: skipped, {reason}" for trial, reason in reasons.items())
    return reasons, tuple(notes)


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
        offered = await provider.list_models(transport)
    except BenchbookError:
        return None
    ids = {model.id for model in offered}
    if not ids or provider.offers(target.model, ids):
        return None
    return f"{target.model} is not among the {len(ids)} models that the provider offers"
