"""Team files: what is read, and what is refused, each with its line, its field and what would be right."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from benchbook.cli import main
from benchbook.config import build_plan, load_plan, read_team, thaw
from benchbook.config.teams import team_fields, team_of
from benchbook.errors import EXIT_BAD_INPUT, EXIT_DONE, PlanError, RecordError
from benchbook.records import Edge, Limits, Member, Step, Team, ToolUse
from tests.documented import ROOT

READY = sorted((ROOT / "datasets" / "teams").glob("*.yaml"))
A = {"name": "a", "role": "a writer", "goal": "write", "tools": ["search"]}
B = {"name": "b", "role": "a reader", "goal": "read", "tools": [{"name": "sql", "settings": {}}]}
GRAPH: dict[str, Any] = {
    "name": "pair",
    "kind": "graph",
    "entry": "a",
    "members": [A, B],
    "edges": [{"from": "a", "to": "b", "when": "contains draft"}],
}
WORKFLOW: dict[str, Any] = {
    "name": "line",
    "kind": "workflow",
    "members": [A, B],
    "steps": [
        {"name": "one", "agent": "a"},
        {"name": "two", "agent": "b", "needs": ["one"], "task": "{{ steps.one }}"},
    ],
}
SOLO: dict[str, Any] = {"name": "solo", "kind": "agent", "members": [A]}

Change = Callable[[dict[str, Any]], Any]


def at(*path: str | int, value: Any) -> Change:
    """Sets the value at that place."""

    def change(document: Any) -> None:
        for part in path[:-1]:
            document = document[part]
        document[path[-1]] = value

    return change


def without(name: str) -> Change:
    return lambda document: document.pop(name)


BACK = [{"from": "a", "to": "b"}, {"from": "b", "to": "a"}]
WRONG: list[tuple[dict[str, Any], Change, str]] = [
    (GRAPH, at("members", 0, "tools", value=["serch"]), "member a: no tool 'serch'; tools are sql, search"),
    (SOLO, at("members", 0, "tools", value=[{"name": "sql", "settings": {"nope": 1}}]), "member a, tool sql, settings"),
    (GRAPH, at("members", 0, "tools", value=["sql", "sql"]), "members.0.tools.1: 'sql' is used twice"),
    (GRAPH, at("members", 1, "name", value="a"), "members.1: 'a' is used twice; names of members must be unique"),
    (GRAPH, at("members", 1, "name", value="b c"), "members.1.name: 'b c' is no name; a letter, then letters, digits"),
    (GRAPH, at("members", 0, "target", value="gpt"), "member a: no target 'gpt'; targets of the plan are t"),
    (GRAPH, at("members", 0, "role", value="x\ny"), "members.0.role: a role is one line"),
    (GRAPH, at("members", 0, "gaol", value="x"), "members.0.gaol: unknown field; known fields: name, role, goal"),
    (GRAPH, at("members", 0, value={"name": "a", "role": "r"}), "members.0.goal: is missing"),
    (GRAPH, at("edges", 0, "to", value="c"), "edges.0.to: no member 'c'; members are a, b"),
    (GRAPH, at("edges", 0, "from", value="c"), "edges.0.from: no member 'c'"),
    (GRAPH, at("edges", 0, "when", value="has x"), "edges.0.when: 'has x' is no condition: contains TEXT or lacks"),
    (GRAPH, at("edges", value=BACK), "edges: a -> b -> a is a cycle, and no limit ends it; add limits: {handoffs: N}"),
    (GRAPH, at("edges", value=[*BACK[:1], *BACK[:1]]), "edges.1: a to b is there twice"),
    (GRAPH, at("edges", value=[]), "kind: a graph needs edges"),
    (GRAPH, at("entry", value="b"), "members.0: no edge leads to 'a' from b"),
    (GRAPH, at("entry", value="c"), "entry: no member 'c'; members are a, b"),
    (GRAPH, without("entry"), "kind: a graph needs an entry"),
    (
        GRAPH,
        at("kind", value="swarm"),
        "edges: a team of kind swarm has no edges; leave it out, or make it kind: graph",
    ),
    (GRAPH, at("kind", value="crowd"), "kind: Input should be 'agent', 'supervisor', 'graph', 'swarm' or 'workflow'"),
    (GRAPH, at("limits", value={"steps": 0}), "limits.steps: Input should be greater than or equal to 1"),
    (GRAPH, at("limits", value={"step": 1}), "limits.step: unknown field; known fields: steps, tokens, time_s, usd"),
    (GRAPH, at("limits", value={"usd": 1}), "limits.usd: a limit in usd, and target t has no price to count by"),
    (GRAPH, at("members", 0, "limits", value={"usd": 1}), "limits.usd: a limit in usd, and target t has no price"),
    (WORKFLOW, at("steps", 1, "agent", value="c"), "steps.1.agent: no member 'c'"),
    (WORKFLOW, at("steps", 1, "needs", value=["nil"]), "steps.1.needs: no step 'nil'; steps are one, two"),
    (WORKFLOW, at("steps", 0, "needs", value=["two"]), "steps: one needs two needs one: a cycle, so none of them can"),
    (WORKFLOW, at("steps", 1, "name", value="one"), "steps.1: 'one' is used twice; names of steps must be unique"),
    (WORKFLOW, at("steps", 0, "task", value="{{ steps.two }}"), "steps.0.task: uses the answer of step 'two', which"),
    (WORKFLOW, at("steps", 1, "task", value="{{ steps['x'] }}"), "steps.1.task: uses the answer of step 'x', which"),
    (WORKFLOW, without("steps"), "kind: a workflow needs steps, or a planner that makes them"),
    (WORKFLOW, at("planner", value="c"), "planner: no member 'c'; members are a, b"),
    (WORKFLOW, at("aggregator", value="c"), "aggregator: no member 'c'"),
    (WORKFLOW, at("entry", value="a"), "entry: a workflow begins with the steps that need none; leave entry out"),
    (SOLO, at("members", value=[A, B]), "members: kind agent is one agent, here are 2"),
    (SOLO, at("kind", value="supervisor"), "members: a supervisor of one member has nobody to hand work to"),
    (SOLO, at("planner", value="a"), "planner: a team of kind agent has no planner"),
]
FITS = {"graph": "multi_agent", "swarm": "multi_agent", "supervisor": "multi_agent", "workflow": "workflow"}


def written(folder: Path, team: dict[str, Any] | str | None, workload: str, **execute: Any) -> Path:
    """A plan of one target, one case and that team, as files; the plan's path."""
    if team is not None:
        text = team if isinstance(team, str) else yaml.safe_dump(team, sort_keys=False)
        (folder / "team.yaml").write_text(text)
    (folder / "one.yaml").write_text("name: one\ntest_cases: [{id: c, prompt: hello}]\n")
    target = {"name": "t", "provider": "openai", "model": "m", "base_url": "simulator"}
    fields = {"targets": [target], "workloads": [workload], "teams": {workload: str(folder / "team.yaml")}}
    document = {"validate": {"datasets": [str(folder / "one.yaml")]}, "execute": {**fields, **execute}}
    (folder / "plan.yaml").write_text(yaml.safe_dump(document))
    return folder / "plan.yaml"


def refused(verb: str, plan: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that the verb ends with, its code being 2."""
    with pytest.raises(SystemExit) as stopped:
        main([verb, "--plan", str(plan), "--results", str(plan.parent / "results")])
    said = capsys.readouterr()
    assert stopped.value.code == EXIT_BAD_INPUT, said
    assert said.err.count("\n") == 1, said.err
    return said.err


@pytest.mark.parametrize(("team", "change", "line"), WRONG, ids=[line[:40] for _, _, line in WRONG])
def test_a_wrong_team_is_one_line_and_code_2(
    team: dict[str, Any], change: Change, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = copy.deepcopy(team)
    change(document)
    plan = written(tmp_path, document, FITS.get(document["kind"], "multi_agent" if team is GRAPH else "agent"))
    for verb in ("plan", "validate"):
        said = refused(verb, plan, capsys)
        assert f"{tmp_path}/team.yaml" in said
        assert line in said


def test_both_verbs_say_the_line_of_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "name: solo\nkind: agent\nmembers:\n  - name: a\n    role: r\n    goal: g\n    gaol: g\n"
    plan = written(tmp_path, text, "agent")
    assert f"{tmp_path}/team.yaml:7: members.0.gaol: unknown field" in refused("plan", plan, capsys)
    assert f"{tmp_path}/team.yaml:7: members.0.gaol: unknown field" in refused("validate", plan, capsys)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (None, "plan.yaml: execute.teams.agent: no team file {folder}/team.yaml; teams lie in datasets/teams/"),
        ("a: [", "team.yaml:1: not valid YAML"),
        ("- a", "team.yaml: is not a mapping; a team has name, kind and members"),
        ("", "team.yaml: name: is missing"),
        (yaml.safe_dump(GRAPH), "team.yaml:"),
    ],
)
def test_a_file_that_is_none(text: str | None, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert line.format(folder=tmp_path) in refused("plan", written(tmp_path, text, "agent"), capsys)


def test_a_kind_has_its_workload(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused("validate", written(tmp_path, GRAPH, "agent"), capsys)
    assert "kind graph does not fit the workload agent; name it under execute.teams.multi_agent" in said


def test_a_workloads_teams_have_names_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    twice = [str(tmp_path / "team.yaml"), str(tmp_path / "team.yaml")]
    plan = written(tmp_path, SOLO, "agent", teams={"agent": twice})
    assert "team 'solo' is declared in" in refused("plan", plan, capsys)


def test_members_that_are_called_by_name_are_no_tools_of_that_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    team = {"name": "s", "kind": "swarm", "entry": "a", "members": [A, {**B, "name": "search"}]}
    said = refused("plan", written(tmp_path, team, "multi_agent"), capsys)
    assert "member a: has a tool search, and a member is called search as well; rename the member" in said


def test_a_conversation_is_not_for_agents(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = written(tmp_path, SOLO, "agent")
    turns = "name: one\ntest_cases: [{id: c, turns: [{content: a}, {content: b}]}]\n"
    (tmp_path / "one.yaml").write_text(turns)
    assert "case c has 2 turns, and the workload agent asks once" in refused("plan", plan, capsys)


@pytest.mark.parametrize("limits", [{"handoffs": 3}, {"steps": 9}])
def test_a_cycle_that_ends_is_welcome(limits: dict[str, int], tmp_path: Path) -> None:
    (tmp_path / "team.yaml").write_text(yaml.safe_dump({**GRAPH, "edges": BACK, "limits": limits}))
    assert len(read_team(tmp_path / "team.yaml").edges) == 2


def test_a_team_as_read(tmp_path: Path) -> None:
    (tmp_path / "team.yaml").write_text(yaml.safe_dump(WORKFLOW))
    team = read_team(tmp_path / "team.yaml")
    assert team.members == (
        Member("a", "a writer", "write", (ToolUse("search"),)),
        Member("b", "a reader", "read", (ToolUse("sql"),)),
    )
    assert team.steps == (Step("one", "a"), Step("two", "b", "{{ steps.one }}", ("one",)))
    assert team.member("b").system == "You are b, a reader.\nYour goal: read"
    assert team.workload == "workflow"


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_ready_teams_are_whole_and_survive_freezing(path: Path) -> None:
    team = read_team(path)
    assert team.name == path.stem
    assert team_of(orjson.loads(orjson.dumps(team_fields(team)))) == team
    assert team.limits.tokens is not None
    if team.name != "assistant":
        assert {"researcher", "analyst", "coder", "reviewer"} <= {member.name for member in team.members}
    for member in team.members:
        assert member.goal
        assert member.tools or (team.kind, team.entry) == ("supervisor", member.name)


def test_every_arrangement_is_there_ready() -> None:
    assert {read_team(path).kind for path in READY} == {"agent", "supervisor", "graph", "swarm", "workflow"}


def test_the_default_plan_takes_the_ready_teams() -> None:
    spec = load_plan(ROOT / "params.yaml", ["execute.workloads=[api, agent, multi_agent, workflow]"])
    names = {workload: [team.name for team in teams] for workload, teams in spec.teams.items()}
    assert names == {"agent": ["assistant"], "multi_agent": ["research-supervisor"], "workflow": ["research-workflow"]}


def test_a_members_limits_leave_to_the_teams_what_they_do_not_say(tmp_path: Path) -> None:
    limits = {"steps": 40, "tool_timeout_s": 1, "tokens": 9000}
    members = [{**A, "limits": {"tokens": 500}}, {**B, "limits": {"steps": 3}}]
    (tmp_path / "team.yaml").write_text(yaml.safe_dump({**GRAPH, "limits": limits, "members": members}))
    first, second = (member.limits for member in read_team(tmp_path / "team.yaml").members)
    assert first == Limits(steps=40, tokens=500, tool_timeout_s=1)
    assert second == Limits(steps=3, tokens=None, tool_timeout_s=1)


def test_a_frozen_plan_needs_no_team_file(tmp_path: Path) -> None:
    spec = load_plan(written(tmp_path, GRAPH, "multi_agent"))
    frozen = orjson.loads(orjson.dumps(spec.frozen()))
    (tmp_path / "team.yaml").unlink()
    again = thaw(frozen)
    assert again.teams == spec.teams
    assert again.measured() == spec.measured()


def test_a_plan_without_agents_says_nothing_of_teams() -> None:
    target = {"name": "t", "provider": "openai", "model": "m"}
    plain = build_plan({"validate": {"datasets": ["d"]}, "execute": {"targets": [target]}}, "p")
    named = build_plan(
        {"validate": {"datasets": ["d"]}, "execute": {"targets": [target], "teams": {"agent": "nowhere.yaml"}}}, "p"
    )
    assert plain.measured() == named.measured()
    assert not {"teams"} & (plain.measured().keys() | plain.measured()["execute"].keys() | plain.frozen().keys())


@pytest.mark.parametrize(
    ("when", "output", "holds"),
    [
        (None, "", True),
        ("contains REVISE", "revise: the sum", True),
        ("contains REVISE", "fine", False),
        ("lacks REVISE", "fine", True),
        ("lacks REVISE", "Revise it", False),
    ],
)
def test_conditions(when: str | None, output: str, *, holds: bool) -> None:
    assert Edge("a", "b", when).holds(output) is holds


def test_records_that_contradict_themselves_can_not_be_built() -> None:
    with pytest.raises(RecordError, match="no condition"):
        Edge("a", "b", "contains ")
    with pytest.raises(RecordError, match="no member"):
        Team("t", "agent", ())
    with pytest.raises(RecordError, match="team kind"):
        Team("t", "crowd", (Member("a", "r", "g"),))


def test_plan_shows_teams_and_how_far_they_may_go(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    team = {**GRAPH, "limits": {"steps": 7, "tokens": 1000, "time_s": 9, "handoffs": 2}}
    price = "date: '2026-11-21'\nprices: {m: {input: 1.0, output: 10.0, request: 0.001}}\n"
    (tmp_path / "price.yaml").write_text(price)
    plan = written(tmp_path, team, "multi_agent")
    document = yaml.safe_load(plan.read_text())
    priced = {"price": f"{tmp_path}/price.yaml#m", "params": {"max_tokens": 50}}
    document["execute"]["targets"][0] |= priced
    plan.write_text(yaml.safe_dump(document))
    with pytest.raises(SystemExit) as done:
        main(["plan", "--plan", str(plan), "--results", str(tmp_path / "results")])
    said = capsys.readouterr().out
    assert done.value.code == EXIT_DONE
    assert "multi_agent by team pair (graph: a, b)" in said
    cost = (650 * 1.0 + 350 * 10.0) / 1e6 + 7 * 0.001  # answers of 50 tokens in 7 calls, the other tokens are prompts
    assert f"a trial on t at most: 7 model calls, 2 handoffs, 1,000 tokens, 9 s, ${cost:.4f}" in said


def test_units_are_multiplied_by_teams(tmp_path: Path) -> None:
    from benchbook.datasets import files, read
    from benchbook.runner.plan import freeze

    (tmp_path / "other.yaml").write_text(yaml.safe_dump({**GRAPH, "name": "other"}))
    named = {"multi_agent": [str(tmp_path / "team.yaml"), str(tmp_path / "other.yaml")]}
    path = written(
        tmp_path, GRAPH, "multi_agent", workloads=["api", "multi_agent"], teams=named, repetitions=2, warmup=0
    )
    spec = load_plan(path)
    plan = freeze(spec, [read(file).dataset for file in files(spec.validate_.datasets)])
    found = sorted((trial.workload, trial.team, trial.repetition) for trial in plan.trials)
    teams = [("multi_agent", team, n) for team in ("other", "pair") for n in (0, 1)]
    assert found == [("api", "", 0), ("api", "", 1), *teams]
    assert len({trial.trial_id for trial in plan.trials}) == 6
    assert {plan.team(trial).name for trial in plan.trials if trial.team} == {"other", "pair"}
    (tmp_path / "other.yaml").write_text(yaml.safe_dump({**GRAPH, "name": "other", "description": "changed"}))
    changed = freeze(load_plan(path), plan.datasets)
    assert changed.plan_hash != plan.plan_hash
    assert changed.workload_hash != plan.workload_hash


def test_read_team_by_itself_names_the_file() -> None:
    with pytest.raises(PlanError, match=r"nowhere\.yaml: no such team file"):
        read_team("nowhere.yaml")
