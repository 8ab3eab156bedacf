"""Teams' runs as OpenTelemetry traces: agents, tools and calls in the conventions' words, each where it is stored."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from opentelemetry.trace import SpanKind
from opentelemetry.trace.status import StatusCode

from benchbook.records import Span, Trial
from benchbook.reports.telemetry import Telling
from benchbook.results import journal
from benchbook.stages.execute import execute
from tests.end_to_end.test_teams import TASK, benched, edges, member, team

TEAMS = [
    team("mixed", "supervisor", member("lead"), member("finder", "search", target="ollama-sim"), member("adder")),
    team("passing", "swarm", member("first", "search"), member("second"), member("third")),
    team("sloppy", "graph", member("scout"), member("careless", "search"), edges=edges("scout>careless")),
]
Told = tuple[Trial, dict[int, Any], int]
"""A trial, what was told of it (its spans by their ids), and its session's offset to wall time."""


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    """One trial of each team, by name."""
    targets = ("openai", "ollama")
    bench = benched(tmp_path_factory.mktemp("traces"), TEAMS, {"prompt": TASK}, targets=targets)
    run = journal.read_run(bench.results, execute(bench.job()).run_id)
    told: dict[int, dict[int, Any]] = {}
    for span in Telling(run).spans():
        told.setdefault(span.context.trace_id, {})[span.context.span_id] = span
    by_trial = {next(iter(spans.values())).attributes["benchbook.trial_id"]: spans for spans in told.values()}
    offset_ns = run.segments[0].start["wall_offset_ns"]
    return {
        trial.planned.team: (trial, by_trial[trial.planned.trial_id], offset_ns)
        for trial in bench.trials()
        if trial.planned.target == "openai-sim"
    }


def names(told: Told) -> Counter[str]:
    return Counter(span.name for span in told[1].values())


def of_operation(told: Told, operation: str) -> list[Any]:
    return [span for span in told[1].values() if span.attributes.get("gen_ai.operation.name") == operation]


def above(told: Told, span: Any) -> list[str]:
    """Names of the spans around it, from the inside out."""
    found = []
    while span.parent is not None:
        span = told[1][span.parent.span_id]
        found.append(span.name)
    return found


@pytest.mark.parametrize("team", [one["name"] for one in TEAMS])
def test_every_stored_span_is_told_once_under_its_stored_parent(traces: dict[str, Told], team: str) -> None:
    trial, told, offset_ns = traces[team]
    ours: dict[str, Any] = {}
    for span in told.values():
        ours[span.attributes.get("benchbook.span_id") or span.attributes.get("benchbook.call_id")] = span
    root = ours.pop(None)
    assert (root.parent, root.attributes["benchbook.team"]) == (None, team)
    assert set(ours) == {span.span_id for span in trial.spans}
    assert {call.call_id for call in trial.calls} < set(ours)
    for stored in trial.spans:
        span, around = ours[stored.span_id], root if stored.parent_id is None else ours[stored.parent_id]
        assert span.parent == around.context
        assert (span.start_time - offset_ns, span.end_time - offset_ns) == (stored.started_ns, stored.ended_ns)
        assert span.kind is (SpanKind.CLIENT if stored.kind == "model" else SpanKind.INTERNAL)
        assert span.attributes.get("gen_ai.agent.name", "") == stored.agent


def test_a_supervisors_worker_is_a_tool_that_runs_an_agent(traces: dict[str, Told]) -> None:
    told = traces["mixed"]
    agents = [f"invoke_agent {name}" for name in ("lead", "finder", "adder")]
    tools = [f"execute_tool {name}" for name in ("finder", "adder", "search")]
    calls = [*["chat sim-openai"] * 3, *["chat sim-llama"] * 2]
    assert names(told) == Counter(["trial c", *agents, *tools, "round", "round", *calls])
    (search,) = (span for span in of_operation(told, "execute_tool") if span.attributes["gen_ai.tool.name"] == "search")
    assert above(told, search) == [
        *("round", "invoke_agent finder", "execute_tool finder", "round", "invoke_agent lead", "trial c")
    ]
    wished = {wish.id for answer in told[0].answers for wish in answer.tool_calls}
    ids = {span.attributes["gen_ai.tool.call.id"] for span in of_operation(told, "execute_tool") if span is not search}
    assert (len(ids), ids <= wished) == (2, True)
    assert search.attributes["gen_ai.tool.call.id"]  # the SDK's own: Ollama gives none
    assert search.attributes["gen_ai.tool.type"] == "function"
    asked = {
        span.attributes["gen_ai.agent.name"]: (span.attributes[PROVIDER], span.attributes[MODEL])
        for operation in ("invoke_agent", "chat")
        for span in of_operation(told, operation)
    }
    openai = ("openai", "sim-openai")
    assert asked == {"lead": openai, "adder": openai, "finder": ("ollama", "sim-llama")}


PROVIDER, MODEL = "gen_ai.provider.name", "gen_ai.request.model"


def test_what_the_conventions_have_no_word_for_keeps_ours(traces: dict[str, Told]) -> None:
    told = traces["passing"]
    assert {name for name in names(told) if name.startswith("handoff ")} == {"handoff second", "handoff third"}
    assert [span.attributes["benchbook.kind"] for span in told[1].values() if span.name == "node third"] == ["node"]
    assert not any(
        "gen_ai.tool.name" in span.attributes for span in told[1].values() if span.name.startswith("handoff")
    )


def test_a_tool_that_failed_says_how_and_not_what(traces: dict[str, Told]) -> None:
    told = traces["sloppy"]
    (tool,) = of_operation(told, "execute_tool")
    stored: Span = next(span for span in told[0].spans if span.kind == "tool")
    assert (tool.attributes["error.type"], tool.status.description) == ("bad_arguments", "bad_arguments")
    assert tool.status.status_code is StatusCode.ERROR
    assert stored.error
    said = repr([(span.name, dict(span.attributes), span.status.description) for span in told[1].values()])
    assert TASK not in said
    assert stored.error not in said
