"""Teams at work against the simulator: supervisor, graph and swarm, side by side, in turns, at their limits.

One run measures them all: a case, a team each, and a script that says what every member answers.
"""

from __future__ import annotations

import logging
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchbook.records import Span, Trial
from benchbook.results import journal
from benchbook.runner.stored import stored_plan
from benchbook.stages.execute import execute
from tests.conftest import Bench

TASK = "Count the herons of the marsh."


def member(name: str, *tools: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "role": f"a {name}", "goal": "count", "tools": list(tools), **fields}


def team(name: str, kind: str, *members: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"name": name, "kind": kind, "entry": members[0]["name"], "members": list(members), **fields}


def edges(*ways: str) -> list[dict[str, str]]:
    """`a>b` or `a>b:condition`."""
    found = []
    for way in ways:
        ends, _, when = way.partition(":")
        source, _, to = ends.partition(">")
        found.append({"from": source, "to": to, **({"when": when} if when else {})})
    return found


def told(to: str) -> dict[str, str]:
    """A handoff that names the task."""
    return {"to": to, "message": "{{ case }} You count."}


TEAMS = [
    team("supervised", "supervisor", member("lead"), member("finder", "search"), member("adder")),
    team(
        "branches",
        "graph",
        member("scout"),
        member("left", "search"),
        member("right"),
        member("join"),
        member("never"),
        edges=edges("scout>left", "scout>right", "left>join", "right>join", "join>never:contains unsure"),
    ),
    team(
        "reviewed",
        "graph",
        member("writer"),
        member("critic"),
        edges=edges("writer>critic", "critic>writer:contains REVISE"),
        limits={"handoffs": 9},
    ),
    team(
        "endless-graph",
        "graph",
        member("ping"),
        member("pong"),
        edges=edges("ping>pong", "pong>ping"),
        limits={"handoffs": 4, "steps": 99},
    ),
    team("passing", "swarm", member("first", "search"), member("second"), member("third")),
    team("endless-swarm", "swarm", member("tick"), member("tock"), limits={"handoffs": 3, "steps": 99}),
    team("stepless", "swarm", member("up"), member("down"), limits={"handoffs": 99, "steps": 5}),
    team("broken-worker", "supervisor", member("boss"), member("wreck"), retries={"base_s": 0}),
    team("broken-node", "graph", member("start"), member("wrecked"), edges=edges("start>wrecked")),
    team("broken-turn", "swarm", member("giver"), member("wrecker")),
    team("lazy", "supervisor", member("chief"), member("talker", "search", limits={"steps": 2})),
    team(
        "stuck", "graph", member("opener"), member("stuck", "search", limits={"steps": 1}), edges=edges("opener>stuck")
    ),
]
SEARCH = {"name": "search", "arguments": {"query": "heron"}}
AGENTS: dict[str, Any] = {
    "lead": [
        {"say": "Both.", "handoffs": [told("finder"), told("adder")]},
        {"say": "Heard {{ observation 1 ~ \\d+ }} and {{ observation 2 ~ \\d+ }}."},
    ],
    "finder": [{"calls": [SEARCH]}, {"say": "12 found", "ttft_ms": 30}],
    "adder": [{"say": "30 added", "ttft_ms": 40}],
    "scout": [{"say": "go"}],
    "left": [{"calls": [SEARCH]}, {"say": "left 1"}],
    "right": [{"say": "right 2"}],
    "join": [{"say": "sure: 3"}],
    "never": [{"say": "not me"}],
    "writer": [{"say": "a draft"}],
    "critic": [{"say": "please revise"}],
    "ping": [{"say": "ping"}],
    "pong": [{"say": "pong"}],
    "first": [{"calls": [SEARCH]}, {"handoffs": [told("second")]}, {"say": "passed on"}],
    "second": [{"handoffs": [{"to": "third", "context": {"seen": 7}}]}, {"say": "passed too"}],
    "third": [{"say": "7 herons"}],
    "tick": [{"handoffs": [{"to": "tock"}]}, {"say": "over"}],
    "tock": [{"handoffs": [{"to": "tick"}]}, {"say": "out"}],
    "up": [{"handoffs": [told("down")]}, {"say": "over"}],
    "down": [{"handoffs": [{"to": "up"}]}, {"say": "out"}],
    "boss": [{"handoffs": [{"to": "wreck"}]}, {"say": "Without it then."}],
    "start": [{"say": "started"}],
    "giver": [{"handoffs": [{"to": "wrecker"}]}, {"say": "given"}],
    "chief": [{"handoffs": [told("talker")]}, {"say": "It said: {{ observation }}"}],
    "talker": [{"calls": [SEARCH]}, {"calls": [SEARCH]}, {"calls": [SEARCH]}, {"say": "found"}],
    "pusher": [{"handoffs": [told("slow")]}, {"say": "never said"}],
    "slow": [{"say": "at last", "ttft_ms": 5000}],
    "late": [{"say": "never said"}],
    "careless": [{"calls": [{"name": "search", "arguments": {"where": "heron"}}]}, {"say": "never mind"}],
    "opener": [{"say": "open"}],
    "stuck": [{"calls": [SEARCH]}, {"say": "found"}],
}


def benched(folder: Path, teams: list[dict[str, Any]], case: dict[str, Any], **fields: Any) -> Bench:
    """A bench of that one case, whose teams and script are files in that folder."""
    script = {"entries": [{"match": TASK, "agents": AGENTS}]}
    (folder / "script.yaml").write_text(yaml.safe_dump(script))
    (folder / "case.yaml").write_text(yaml.safe_dump({"name": "case", "test_cases": [{"id": "c", **case}]}))
    for one in teams:
        (folder / f"{one['name']}.yaml").write_text(yaml.safe_dump(one))
    execute = {
        "workloads": ["multi_agent"],
        "teams": {"multi_agent": [str(folder / f"{one['name']}.yaml") for one in teams]},
        "repetitions": 1,
        "warmup": 0,
        "load": {"kind": "closed", "concurrency": 6},
        "retries": {"attempts": 2, "base_s": 0.001},
    }
    datasets = {"validate": {"datasets": [str(folder / "case.yaml")]}}
    law = {"scripts": ["script.yaml"]}
    return Bench(folder, law=law, execute=execute, sections=datasets, **fields)


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trial]:
    """The first repetition of each team, by name; the second came to the same."""
    faults = [{"kind": "server_error", "agent": name, "rate": 1} for name in ("wreck", "wrecked", "wrecker")]
    bench = benched(tmp_path_factory.mktemp("teams"), TEAMS, {"prompt": TASK}, faults=faults)
    bench.execute["repetitions"] = 2
    execute(bench.job())
    found = bench.trials()
    assert len(found) == 2 * len(TEAMS)
    first = {trial.planned.team: trial for trial in found if trial.planned.repetition == 0}
    again = {trial.planned.team: trial for trial in found if trial.planned.repetition == 1}
    for name, trial in first.items():
        assert (trial.status, trial.output, trial.end_state["steps"]) == (
            again[name].status,
            again[name].output,
            again[name].end_state["steps"],
        )
    return first


def of(trial: Trial, kind: str, agent: str | None = None) -> list[Span]:
    return [span for span in trial.spans if span.kind == kind and agent in (None, span.agent)]


def around(trial: Trial, span: Span) -> list[str]:
    """Kinds of the spans around it, from the inside out."""
    by_id = {one.span_id: one for one in trial.spans}
    found = []
    while span.parent_id is not None:
        span = by_id[span.parent_id]
        found.append(span.kind)
    return found


def overlap(one: Span, other: Span) -> bool:
    return one.started_ns < other.ended_ns and other.started_ns < one.ended_ns


def test_a_supervisors_workers_are_handoffs_side_by_side(trials: dict[str, Trial]) -> None:
    trial = trials["supervised"]
    assert (trial.status, trial.output) == ("success", "Heard 12 and 30.")
    handoffs = of(trial, "handoff")
    assert [(span.agent, span.name, span.detail["from"], span.detail["to"]) for span in handoffs] == [
        ("lead", "finder", "lead", "finder"),
        ("lead", "adder", "lead", "adder"),
    ]
    assert overlap(*handoffs)
    finder, adder = of(trial, "agent", "finder")[0], of(trial, "agent", "adder")[0]
    assert {finder.parent_id, adder.parent_id} == {span.span_id for span in handoffs}
    assert around(trial, of(trial, "tool")[0]) == ["round", "agent", "handoff", "round", "agent"]
    assert [call.agent for call in trial.calls].count("finder") == 2
    assert trial.end_state["worked"] == ["lead", "finder", "adder"]
    assert trial.end_state["handoffs"] == ["lead -> finder", "lead -> adder"]
    assert trial.end_state["answered_by"] == ["lead"]
    assert trial.reported["sdk_tokens_out"] == sum(call.usage.output or 0 for call in trial.calls)


def test_a_graphs_branches_run_side_by_side_and_a_closed_way_is_not_taken(trials: dict[str, Trial]) -> None:
    trial = trials["branches"]
    assert (trial.status, trial.output) == ("success", "sure: 3")
    nodes = {span.name: span for span in of(trial, "node")}
    assert list(nodes) in (["scout", "left", "right", "join"], ["scout", "right", "left", "join"])
    assert overlap(nodes["left"], nodes["right"])
    assert nodes["join"].started_ns >= max(nodes["left"].ended_ns, nodes["right"].ended_ns)
    handoffs = {(span.detail["from"], span.detail["to"]): span for span in of(trial, "handoff")}
    assert set(handoffs) == {("scout", "left"), ("scout", "right"), ("left", "join"), ("right", "join")}
    for (source, to), span in handoffs.items():
        batch = [nodes["scout"]] if source == "scout" else [nodes["left"], nodes["right"]]
        assert (span.started_ns, span.ended_ns) == (max(node.ended_ns for node in batch), nodes[to].started_ns)
    for name, node in nodes.items():
        assert [span.parent_id for span in of(trial, "agent", name)] == [node.span_id]
    assert trial.end_state["answered_by"] == ["join"]
    assert trial.reported["sdk_nodes"] == 4
    assert trial.reported["sdk_team_ms"] >= 0


def test_a_review_sends_work_back_until_the_limit(trials: dict[str, Trial]) -> None:
    trial = trials["reviewed"]
    assert (trial.status, trial.error_kind) == ("failure", "limit")
    assert [span.name for span in of(trial, "node")] == ["writer", "critic"] * 5
    assert [span.detail["run"] for span in of(trial, "node")] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


@pytest.mark.parametrize(
    ("name", "by", "how"),
    [
        ("endless-graph", "handoffs", "stopped: the limit of 4 handoffs of the team is reached"),
        ("endless-swarm", "handoffs", "stopped: the limit of 3 handoffs of the team is reached"),
        ("stepless", "steps", "stopped: the limit of 5 steps of the team is reached"),
        ("stuck", "steps", "stopped: the limit of 1 steps of stuck is reached"),
    ],
)
def test_what_never_ends_stops_at_its_limit(trials: dict[str, Trial], name: str, by: str, how: str) -> None:
    trial = trials[name]
    assert (trial.status, trial.error_kind, trial.error_message) == ("failure", "limit", how)
    assert trial.end_state["stopped_by"] == by
    done = [span for span in of(trial, "handoff") if span.status == "ok"]
    if by == "handoffs":
        assert len(done) == int(how.split()[4])
    else:
        assert len(trial.calls) == len(of(trial, "model"))
        assert trial.end_state["steps"] == (5 if name == "stepless" else 2)


def test_a_swarms_handoffs_are_tool_calls_from_turn_to_turn(trials: dict[str, Trial]) -> None:
    trial = trials["passing"]
    assert (trial.status, trial.output) == ("success", "7 herons")
    assert [span.name for span in of(trial, "node")] == ["first", "second", "third"]
    for one, other in pairwise(of(trial, "node")):
        assert one.ended_ns <= other.started_ns
    handoffs = of(trial, "handoff")
    assert [(span.detail["from"], span.detail["to"]) for span in handoffs] == [("first", "second"), ("second", "third")]
    assert around(trial, handoffs[0]) == ["round", "agent", "node"]
    assert f"{TASK} You count." in of(trial, "agent", "second")[0].input
    assert trial.end_state["answered_by"] == ["third"]


def test_a_worker_that_fails_is_told_to_its_supervisor(trials: dict[str, Trial]) -> None:
    trial = trials["broken-worker"]
    assert (trial.status, trial.output) == ("success", "Without it then.")
    (handoff,) = of(trial, "handoff")
    assert handoff.status == "error"
    assert [call.error_kind for call in trial.calls if call.agent == "wreck"] == ["server_error"] * 2
    assert len(of(trial, "rate_limit_wait")) == 1
    assert trial.end_state["handoffs"] == []


@pytest.mark.parametrize(("name", "who"), [("broken-node", "wrecked"), ("broken-turn", "wrecker")])
def test_a_node_that_fails_ends_graph_and_swarm(trials: dict[str, Trial], name: str, who: str) -> None:
    trial = trials[name]
    assert (trial.status, trial.error_kind) == ("failure", "server_error")
    failed = [span.name for span in of(trial, "node") if span.status == "error"]
    assert failed == [who]
    assert trial.output == ""
    assert trial.end_state["answered_by"] == []


def test_a_members_limit_ends_its_turn_and_not_the_team(trials: dict[str, Trial]) -> None:
    trial = trials["lazy"]
    assert trial.status == "success"
    assert str(trial.output).strip() == "It said: Stopped: the limit of 2 steps of talker is reached."
    (talker,) = of(trial, "agent", "talker")
    assert (talker.status, talker.error) == ("error", "the limit of 2 steps of talker is reached")
    assert "stopped_by" not in trial.end_state


def test_every_trial_keeps_its_whole_timeline(trials: dict[str, Trial]) -> None:
    for trial in trials.values():
        by_id = {span.span_id: span for span in trial.spans}
        assert {span.call_id for span in of(trial, "model")} == {call.call_id for call in trial.calls}
        for span in trial.spans:
            assert trial.started_ns <= span.started_ns <= span.ended_ns <= trial.ended_ns
            assert span.parent_id is None or span.parent_id in by_id
            if span.parent_id is not None:
                outer = by_id[span.parent_id]
                assert outer.started_ns <= span.started_ns
                assert span.ended_ns <= outer.ended_ns


class Heard(logging.Handler):
    """What the SDK and its tracing say aloud."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith(("strands", "opentelemetry")):
            self.said.append(record.getMessage())


ELSEWHERE = [
    *(one for one in TEAMS if one["name"] in ("supervised", "passing")),
    team("mixed", "supervisor", member("lead"), member("finder", "search", target="ollama-sim"), member("adder")),
    team("costly", "swarm", member("up"), member("down"), limits={"handoffs": 99, "steps": 99, "tokens": 150}),
    team("hasty", "graph", member("slow"), member("late"), edges=edges("slow>late"), limits={"time_s": 0.15}),
    team("hurried", "supervisor", member("pusher"), member("slow"), limits={"time_s": 0.3}),
    team("spender", "supervisor", member("chief"), member("talker", "search", limits={"tokens": 1})),
    team("dawdler", "supervisor", member("chief"), member("talker", "search", limits={"time_s": 0.000001})),
]


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Trial]:
    """Teams on every provider, by team and target; their files are gone before anything is read again.

    The task stands in what was said before: only who is told of that, and whom those tell, plays by the script."""
    said = [("user", TASK), ("assistant", "Which one?"), ("user", "The northern one.")]
    case = {"messages": [{"role": role, "content": content} for role, content in said]}
    targets = ("openai", "anthropic", "bedrock", "ollama")
    bench = benched(tmp_path_factory.mktemp("elsewhere"), ELSEWHERE, case, targets=targets)
    job, heard = bench.job(), Heard()
    logging.getLogger().addHandler(heard)
    run_id = execute(job).run_id
    logging.getLogger().removeHandler(heard)
    assert not heard.said  # an agent that is cut off, or fails, is a row and not a traceback on the screen
    for path in bench.folder.glob("*.yaml"):
        path.unlink()
    stored = stored_plan(journal.read_run(bench.results, run_id))
    found = bench.trials()
    assert {trial.trial_id for trial in stored.trials} == {trial.planned.trial_id for trial in found}
    assert stored.team(found[0].planned).name == found[0].planned.team
    return {(trial.planned.team, trial.planned.target): trial for trial in found}


@pytest.mark.parametrize("target", ["openai-sim", "anthropic-sim", "bedrock-sim", "ollama-sim"])
def test_teams_work_on_every_provider(elsewhere: dict[tuple[str, str], Trial], target: str) -> None:
    for name, answer in (("supervised", "Heard 12 and 30."), ("passing", "7 herons"), ("mixed", "Heard 12 and 30.")):
        trial = elsewhere[name, target]
        assert (trial.status, trial.output) == ("success", answer), trial.error_message
        assert all(span.status == "ok" for span in trial.spans)


def test_a_member_may_have_a_target_of_its_own(elsewhere: dict[tuple[str, str], Trial]) -> None:
    trial = elsewhere["mixed", "openai-sim"]
    asked = {(call.agent, call.target, call.model_requested) for call in trial.calls}
    assert asked == {("lead", "", "sim-openai"), ("adder", "", "sim-openai"), ("finder", "ollama-sim", "sim-llama")}
    assert {call.target for call in elsewhere["mixed", "ollama-sim"].calls} == {""}


TEAM_LIMITS = [("costly", "tokens", "150 tokens"), ("hasty", "time", "0.15 s"), ("hurried", "time", "0.3 s")]


@pytest.mark.parametrize(("name", "by", "said"), TEAM_LIMITS)
def test_tokens_and_time_end_a_team(elsewhere: dict[tuple[str, str], Trial], name: str, by: str, said: str) -> None:
    trial = elsewhere[name, "openai-sim"]
    assert (trial.status, trial.error_kind, trial.end_state["stopped_by"]) == ("failure", "limit", by)
    assert said in str(trial.error_message)
    if by == "tokens":
        *before, last = [(call.usage.input or 0) + (call.usage.output or 0) for call in trial.calls]
        assert sum(before) < 150 <= sum(before) + last


@pytest.mark.parametrize(("name", "said"), [("spender", "1 tokens"), ("dawdler", "1e-06 s")])
def test_tokens_and_time_end_a_members_turn(elsewhere: dict[tuple[str, str], Trial], name: str, said: str) -> None:
    trial = elsewhere[name, "openai-sim"]
    assert trial.status == "success"
    assert f"limit of {said}" in str(trial.output)
    assert "of talker is reached" in str(trial.output)
