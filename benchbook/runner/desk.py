"""What workloads use: requests, providers, the transport, the decoder, the retry policy, the targets' gates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar, cast

from benchbook.providers import Provider
from benchbook.providers.calls import Asked, Outbox, RawCall, attempt
from benchbook.providers.retry import RetryPolicy
from benchbook.providers.transport import Transport
from benchbook.records import Answer, Call, ModelRequest, PlannedTrial, Team, Turn
from benchbook.runner.decoder import Decoder
from benchbook.runner.gate import Gate
from benchbook.runner.lanes import Share
from benchbook.runner.plan import Plan
from benchbook.runner.services import Service, Services
from benchbook.runner.teams import ready_tools
from benchbook.runner.warming import warm
from benchbook.workloads import ready
from benchbook.workloads.approvers import Approver, approver

T = TypeVar("T")


class Desk:
    """One process's desk: all of its trials share it. files: where the trials' tools may write, a folder a trial."""

    def __init__(
        self, plan: Plan, providers: Mapping[str, Provider], transport: Transport, files: Path | None = None
    ) -> None:
        execute = plan.spec.execute
        self._plan, self._providers = plan, providers
        self.transport = transport
        self._outbox = Outbox(transport)
        self._files = files
        self._shared: dict[str, Any] = {}
        self._at_close: list[Callable[[], None]] = []
        self.decoder = Decoder(plan.spec.store.bodies)
        self.gates: Mapping[str, Gate] = {}
        self.services = Services(execute.breaker, lambda _event: None)
        self._asking: dict[str, Gate] = {}
        self.timeout_s = execute.timeout_s
        self.retries = RetryPolicy(execute.retries.attempts, execute.retries.base_s, execute.retries.cap_s)

    async def warm(self, share: Share) -> None:
        """Have at hand what the load will use: the workloads' code, their tools' processes, and connections where the
        plan asks for them."""
        for kind in self._plan.spec.execute.workloads:
            await ready(kind, self, self._providers)
        await ready_tools(self._plan.spec)
        await warm(self._plan, self._providers, self._outbox.transport, share)

    def request(self, trial: PlannedTrial) -> ModelRequest:
        return self._plan.request(trial)

    def later(self, trial: PlannedTrial) -> tuple[Turn, ...]:
        return self._plan.prompts[trial.dataset, trial.test_id].rendered.later

    def team(self, trial: PlannedTrial) -> Team:
        return self._plan.team(trial)

    def scratch(self, trial: PlannedTrial) -> Path:
        folder = self.folder / "files" / trial.trial_id
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def folder(self) -> Path:
        """The run's own folder, where its journal lies."""
        if self._files is None:
            self._files = Path(mkdtemp(prefix="benchbook-files-")) / "files"
        return self._files.parent

    @property
    def approver(self) -> Approver:
        """Who decides about what this run's workflows want approved."""
        spec = self._plan.spec.execute.approver
        fields = None if spec is None else spec.model_dump()
        return self.shared("approver", lambda: approver(fields, self.folder / "approvals"))

    def leave_waiting(self) -> None:
        """Trials that wait for a person are left to a resume."""
        if self._plan.spec.execute.approver is not None:
            self.approver.leave()

    def service(self, name: str) -> Service | None:
        """The breaker of a service; None of a target whose calls a gate of the plan holds back already."""
        return None if name in self.gates else self.services.service(name)

    def shared(self, name: str, make: Callable[[], T]) -> T:
        if name not in self._shared:
            self._shared[name] = make()
        return cast("T", self._shared[name])

    def at_close(self, call: Callable[[], None]) -> None:
        self._at_close.append(call)

    def provider(self, target: str) -> Provider:
        return self._providers[target]

    def gate(self, target: str) -> Gate | None:
        """Where the target's calls wait while its breaker is open; None where the plan has no breaker."""
        return self.gates.get(target)

    def holds(self, target: str) -> bool:
        gate = self.gate(target)
        return gate is not None and gate.holds

    async def admitted(self, target: str, deadline_ns: int) -> bool:
        """Wait until a retry may begin; False if its trial's time is up before."""
        gate = self.gate(target)
        return gate is None or await gate.admitted(deadline_ns)

    async def attempt(self, provider: Provider, request: ModelRequest, asked: Asked) -> RawCall:
        if (gate := self.gate(provider.target.name)) is not None:
            self._asking[asked.call_id] = gate
        return await attempt(provider, self._outbox, request, asked)

    def hear(self, target: str, call: Call) -> None:
        if (gate := self.gate(target)) is not None:
            gate.hear(call)

    async def close(self) -> None:
        """Close the connections: what is written at the end may need their descriptors."""
        while self._at_close:
            self._at_close.pop()()
        await self._outbox.transport.close()

    async def decode(self, raw: RawCall) -> tuple[Call, Answer]:
        call, answer = await self.decoder.decode(raw)
        if (gate := self._asking.pop(call.call_id, None)) is not None:
            gate.hear(call)
        return call, answer
