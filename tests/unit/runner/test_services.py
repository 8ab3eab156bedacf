"""A breaker for each service: the plan's rule or one of its own, changes as events of kind `service`."""

from __future__ import annotations

import pytest

from benchbook.clock import monotonic_ns
from benchbook.config import BreakerSpec
from benchbook.records import Event
from benchbook.runner.services import Services

MS = 1_000_000


def failing(services: Services, name: str, times: int, kind: str | None = "server_error") -> None:
    service = services.service(name)
    for _ in range(times):
        now_ns = monotonic_ns()
        service.heard(now_ns, now_ns, kind)


@pytest.mark.parametrize(
    ("spec", "failures", "kind", "state"),
    [
        (None, 2, "server_error", "closed"),
        (None, 3, "server_error", "open"),
        (None, 9, "bad_request", "closed"),
        (BreakerSpec(min_calls=5), 4, "server_error", "closed"),
        (BreakerSpec(min_calls=5), 5, "server_error", "open"),
    ],
)
async def test_when_it_opens(spec: BreakerSpec | None, failures: int, kind: str, state: str) -> None:
    services = Services(spec, lambda _event: None)
    failing(services, "tavily", failures, kind)
    assert services.service("tavily").state == state
    assert services.service("tavily").closed is (state == "closed")
    assert services.service("github").closed


async def test_nobody_waits_beyond_a_deadline_and_a_probe_closes_it() -> None:
    told: list[Event] = []
    services = Services(BreakerSpec(min_calls=1, open_s=0.05, cap_s=0.05), told.append)
    failing(services, "tavily", 1)
    service = services.service("tavily")
    assert not await service.admitted(monotonic_ns() + MS)
    assert await service.admitted(monotonic_ns() + 10_000 * MS)
    failing(services, "tavily", 1, None)
    assert service.closed
    assert [(event.kind, event.name, event.target) for event in told] == [
        ("service", state, "tavily") for state in ("closed", "open", "half_open", "closed")
    ]
