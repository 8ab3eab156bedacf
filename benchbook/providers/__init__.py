"""Who we talk to. One provider, one file, one line in `PROVIDERS`; all of them over `transport`.

A provider turns a `ModelRequest` into an `HttpRequest` (address, credentials, signature) and names the wire that
reads the answer. It opens no connection of its own, except that Bedrock lists its models through boto3. Keys
come from the environment only, and `Provider.secrets` is what has to be scrubbed from whatever is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from benchbook.errors import PlanError
from benchbook.records import ModelRequest, Target
from benchbook.wire import Wire

if TYPE_CHECKING:
    from benchbook.providers.capabilities import Capabilities
    from benchbook.providers.http import HttpRequest
    from benchbook.providers.transport import Transport

PROVIDERS: Mapping[str, str] = {
    "openai": "benchbook.providers.openai",
    "anthropic": "benchbook.providers.anthropic",
    "bedrock": "benchbook.providers.bedrock",
    "ollama": "benchbook.providers.ollama",
}


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that a provider offers; `detail` is what the provider says of it, in one line."""

    id: str
    detail: str = ""


class Provider(Protocol):
    """One target's provider. Built without a network; `check` before the first `prepare`."""

    target: Target
    wire_name: str
    wire: Wire
    repeatable: bool
    """Whether a prepared request may be sent again as it is: not where each one is signed for its moment."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must appear in no message, table or report."""
        ...

    def check(self) -> None:
        """Raises CredentialError, naming what is missing, and PlanError for a target that can't be spoken to."""
        ...

    def prepare(self, request: ModelRequest) -> HttpRequest:
        """The request as it is sent, signed. Raises WireError where the wire can't say it."""
        ...

    def capabilities(self) -> Capabilities: ...

    async def list_models(self, transport: Transport, deadline_ns: int) -> tuple[ModelInfo, ...]:
        """What the provider offers. Raises ProviderError."""
        ...


def open_provider(target: Target) -> Provider:
    """The target's provider. Raises PlanError for a name that is not in `PROVIDERS`, or a wire it does not speak."""
    require_known(target)
    module = import_module(PROVIDERS[target.provider])
    return cast("Provider", module.provider(target))


def require_known(target: Target) -> None:
    """Raises PlanError for a provider that is not in `PROVIDERS`."""
    if target.provider not in PROVIDERS:
        known = ", ".join(sorted(PROVIDERS))
        raise PlanError(f"target {target.name}", f"unknown provider {target.provider!r}", f"known ones: {known}")
