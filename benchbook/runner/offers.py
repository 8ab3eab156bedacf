"""What the providers of a plan's targets offer, asked now."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from benchbook.clock import monotonic_ns
from benchbook.config import CASSETTE, SIMULATOR, PlanSpec
from benchbook.errors import BenchbookError, ProviderError
from benchbook.providers import open_provider
from benchbook.providers.transport import Transport
from benchbook.records import Target
from benchbook.runner.preflight import LISTING_NS, offers
from benchbook.runner.simulated import addressed, stand_ins


def offers_of(spec: PlanSpec) -> list[dict[str, Any]]:
    """A row a target: its address, whether its model is available (None: not known), and all models offered.

    Raises UserError for an unknown provider; a provider that does not answer is a row with a note.
    """
    with stand_ins(spec) as found:
        return asyncio.run(_ask_all(spec, found.addresses))


async def _ask_all(spec: PlanSpec, addresses: Mapping[str, str]) -> list[dict[str, Any]]:
    transport = Transport()
    try:
        return list(await asyncio.gather(*(_ask(target, addresses, transport) for target in spec.targets())))
    finally:
        await transport.close()


async def _ask(target: Target, addresses: Mapping[str, str], transport: Transport) -> dict[str, Any]:
    row: dict[str, Any] = {"target": target.name, "provider": target.provider, "model": target.model}
    row |= {"address": target.base_url or "the provider's own", "available": None, "models": [], "note": ""}
    provider = open_provider(addressed(target, addresses))
    try:
        provider.check()
        found = await provider.list_models(transport, monotonic_ns() + LISTING_NS)
    except (ProviderError, BenchbookError) as error:
        return row | {"note": str(error)}
    models = [{"id": model.id, "detail": model.detail} for model in found]
    available = offers(target, {model.id for model in found}) if found else None
    note = "from the simulator" if target.base_url == SIMULATOR else ""
    note = "from a cassette" if (target.base_url or "").startswith(CASSETTE) else note
    return row | {"models": models, "available": available, "note": note}
