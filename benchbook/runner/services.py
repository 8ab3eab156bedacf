"""A breaker for each service that agents use beside or through their targets: a tool's remote service, a target.

Of one process, made when a service is first asked for. The rule is the plan's `execute.breaker`, else one of its own:
a workflow recovers from failures whether or not its plan has breakers. A target that has a gate of the plan keeps that.
Changes are events of kind `service`: they hold single uses back, not the load.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from benchbook.clock import monotonic_ns
from benchbook.config import BreakerSpec
from benchbook.records import Event
from benchbook.runner.breaker import CLOSED, Breaker, Heard
from benchbook.runner.gate import Gate, rule_of

OWN_RULE = BreakerSpec(failure_share=0.5, window=10, min_calls=3, open_s=1.0, cap_s=30.0)
"""Where the plan has no breaker: services are used seldom, and a pause of one lasts as long as a few tries."""


class Service:
    """One service's breaker, as workloads see it."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    @property
    def state(self) -> str:
        """`closed`, `open` or `half_open`."""
        return self._gate.state

    @property
    def closed(self) -> bool:
        """Whether nobody has to wait."""
        return self._gate.state == CLOSED

    async def admitted(self, deadline_ns: int) -> bool:
        """Wait until a use may begin; False if `deadline_ns` comes first."""
        return await self._gate.admitted(deadline_ns)

    def heard(self, began_ns: int, ended_ns: int, error_kind: str | None) -> None:
        """A use has ended."""
        self._gate.heard(Heard(began_ns, ended_ns, error_kind))


class Services:
    """All services of one process, by name."""

    def __init__(self, spec: BreakerSpec | None, tell: Callable[[Event], None]) -> None:
        self._rule, self._tell = rule_of(spec or OWN_RULE), tell
        self._known: dict[str, Service] = {}

    def service(self, name: str) -> Service:
        if name not in self._known:
            breaker = Breaker(self._rule, name, monotonic_ns(), self._changed)
            self._known[name] = Service(Gate(breaker))
        return self._known[name]

    def _changed(self, event: Event) -> None:
        self._tell(replace(event, kind="service"))
