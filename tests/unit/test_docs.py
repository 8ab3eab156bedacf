"""The documentation held against the code: commands parse, links and paths are there, every format is described."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, get_args

import click
import pytest
import yaml
from dvc.cli import DvcParserError
from dvc.cli.parser import get_main_parser
from pydantic import BaseModel

from benchbook import errors
from benchbook.cli import VERBS, options, root
from benchbook.cli.pipeline import RUN_FIELDS
from benchbook.config import approvals, loads
from benchbook.config import sections as config
from benchbook.datasets.schema import _CASE_FIELDS, _HEADER_FIELDS
from benchbook.history.views import question_texts
from benchbook.records import ERROR_KINDS, EVENT_KINDS, RETRYABLE, Price
from benchbook.reports.prometheus import families
from benchbook.results.schemas import SCHEMA_VERSION, TABLES
from benchbook.runner.progress import Progress
from benchbook.schedules import LOADS
from benchbook.schedules.think import THINK
from benchbook.scoring import SCORERS, scorer
from benchbook.stages.verdicts import CODES
from benchbook.tools import TOOLS, tool
from benchbook.workloads.approvers import APPROVERS
from tests.documented import (
    OURS,
    PAGES,
    PLANS,
    ROOT,
    Block,
    Command,
    anchors,
    blocks,
    commands,
    first_column,
    in_line,
    inline,
    plan_commands,
    rows,
    section,
)

README = ROOT / "README.md"
FORMATS = ROOT / "docs" / "FORMATS.md"
BLOCKS = [block for page in PAGES for block in blocks(page)]
COMMANDS = [command for block in BLOCKS for command in commands(block)]
COMMANDS += [command for plan in (*PLANS, ROOT / "dvc.yaml") for command in plan_commands(plan)]


# ---------------------------------------------------------------- commands


def parse(words: tuple[str, ...]) -> None:
    """Parse a command with the real parser, without running it. Raises what that raises."""
    tool, *arguments = words
    if tool == "benchbook":
        _parse_benchbook(arguments)
    elif tool == "dvc":
        get_main_parser().parse_args(arguments)
    elif tool == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert set(arguments) <= set(targets)


def _parse_benchbook(arguments: list[str]) -> None:
    with suppress(click.exceptions.Exit):  # --help and --version end the parsing
        context = root.make_context("benchbook", list(arguments))
        while isinstance(context.command, click.Group):
            group, rest = context.command, [*context._protected_args, *context.args]
            name, command, rest = group.resolve_command(context, rest)
            assert command is not None
            context = command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_documented_command_parses(command: Command) -> None:
    parse(command.words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_running_text_parse(page: Any) -> None:
    """`benchbook sql` only names its verb; VERB and NAME stand for one of several words."""
    for text in inline(page):
        for command in in_line(page, text):
            if len(command.words) > 1 and not {"VERB", "NAME"} & set(command.words):
                with suppress(click.MissingParameter):
                    parse(command.words)


def test_a_wrong_command_does_not_parse() -> None:
    with pytest.raises(click.UsageError):
        parse(("benchbook", "run", "--concurency", "3"))
    with pytest.raises(errors.UserError):
        parse(("benchbook", "rum"))
    with pytest.raises(DvcParserError):
        parse(("dvc", "reproduce"))
    with pytest.raises(AssertionError):
        parse(("make", "tset"))


def test_commands_were_found() -> None:
    pages = {command.page.name for command in COMMANDS}
    assert {"README.md", "SIMULATOR.md", "params.yaml", "bedrock-latency.yaml"} <= pages
    assert len(COMMANDS) > 40


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.page in OURS and b.kind in ("sh", "console")], ids=str)
def test_block_of_commands_says_whether_it_is_run(block: Block) -> None:
    assert re.match(r"run(: (simulator|output))?$|not run here: .{20}", block.mark), f"{block}: {block.mark!r}"
    for named in re.findall(r"tests/[\w/]+(?:\.py)?", block.mark):
        assert (ROOT / named).exists(), f"{block}: {named} is not there"


def test_every_verb_is_documented() -> None:
    assert first_column(section(FORMATS, "## Command line").split("Options that")[0]) == list(VERBS)
    named = {command.words[1] for command in COMMANDS if command.words[0] == "benchbook"}
    assert set(VERBS) - named <= {"stage", "completion"}  # one is for DVC, one prints a script for the shell


def test_every_shared_option_is_documented() -> None:
    @options.plan_options
    @options.results_option
    @options.json_option
    @options.quiet_option
    @click.command()
    def command() -> None: ...

    shared = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    documented = first_column(section(FORMATS, "## Command line").split("Options that")[1])
    assert set(documented) == shared


# ---------------------------------------------------------------- links and paths


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Any) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in anchors(file), f"{page.name}: no heading for {target}"


_PATH = re.compile(
    r"(?<![\w/.-])(?:benchbook|docs|plans|datasets|tests|benchmarks|flows|tasks)/[\w./-]*\w"
    r"|(?<![\w/.-])(?:params|dvc)\.yaml|(?<![\w/.-])requirements\.lock"
)
_EXAMPLES = {"datasets/my-questions.yaml"}
_ELSEWHERE = re.compile(r"docs/metrics-reference\.md|docs/en/guides/metrics\.md|docs/metrics\.md|vllm/benchmarks/")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_named_paths_exist(page: Any) -> None:
    text = _ELSEWHERE.sub("", page.read_text(encoding="utf-8"))
    for path in set(_PATH.findall(text)) - _EXAMPLES:
        assert (ROOT / path).exists(), f"{page.name} names {path}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_names_a_machine_or_an_open_place(page: Any) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.:/])/(?:home|root|work|tmp|Users|var|opt|mnt|srv)/", text)
    assert not re.search(r"GOES_HERE|TODO|FIXME|XXX|_NOTE\b|_TEST\b", text)


# ---------------------------------------------------------------- formats


@pytest.mark.parametrize("table", TABLES)
def test_every_column_is_documented_in_its_order(table: str) -> None:
    described = [(row[0].strip("`"), row[1]) for row in rows(section(FORMATS, f"### `{table}`"))]
    schema = [
        (field.name, re.sub(r"item: |element: ", "", str(field.type)).replace("tz=", "")) for field in TABLES[table]
    ]
    assert described == schema
    assert all(row[2] for row in rows(section(FORMATS, f"### `{table}`")))


def test_no_table_is_described_that_is_not_there() -> None:
    headings = re.findall(r"^### `(\w+)`$", section(FORMATS, "## Tables"), re.MULTILINE)
    assert headings == list(TABLES)
    assert f"Schema version {SCHEMA_VERSION}." in section(FORMATS, "## Tables")


@pytest.mark.parametrize("name", TOOLS)
def test_every_argument_and_setting_of_a_tool_is_documented(name: str) -> None:
    module = tool(name)
    documented = first_column(section(ROOT / "docs" / "TOOLS.md", f"## `{name}`"))
    assert sorted(documented) == sorted([*module.Input.model_fields, *module.Settings.model_fields])


def test_every_benchmark_is_documented() -> None:
    page = ROOT / "benchmarks" / "README.md"
    assert sorted(first_column(page.read_text(encoding="utf-8"))) == sorted(
        file.name for file in page.parent.glob("*.py")
    )


def test_every_question_is_documented() -> None:
    assert first_column(section(FORMATS, "## Views and questions")) == list(question_texts())


SECTIONS: Mapping[str, type[BaseModel]] = {
    "validate": config.ValidateSection,
    "execute": config.ExecuteSection,
    "execute.targets": config.TargetSpec,
    "execute.targets.params": config.ParamsSpec,
    "execute.retries": config.RetriesSpec,
    "execute.breaker": config.BreakerSpec,
    "execute.replay": config.ReplaySpec,
    "store": config.StoreSection,
    "store.verdict": config.VerdictSpec,
    "aggregate": config.AggregateSection,
    "report": config.ReportSection,
    "report.alerts": config.AlertsSpec,
    "requires": config.RequiresSection,
}
_SPOKEN = {
    "required": ...,
    "none": None,
    "none sent": {},
    "`execute.stream`": None,
    "`store.verdict`": config.VerdictSpec().model_dump(),
}


@pytest.mark.parametrize("name", SECTIONS)
def test_every_field_of_a_plan_is_documented_with_its_default(name: str) -> None:
    described = {row[0].strip("`"): row[1] for row in rows(section(FORMATS, f"### `{name}`"))}
    model = SECTIONS[name]
    assert list(described) == list(model.model_fields)
    for field, cell in described.items():
        info = model.model_fields[field]
        default = ... if info.is_required() else _plain(info.get_default(call_default_factory=True))
        said = _SPOKEN[cell] if cell in _SPOKEN else yaml.safe_load(cell.strip("`"))
        assert said == default or (not said and not default and default is not False), f"{name}.{field}: {cell}"


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        dumped = value.model_dump(mode="json")
        return {} if isinstance(value, config.ParamsSpec) else dumped
    return list(value) if isinstance(value, tuple) else value


def test_every_section_and_load_is_documented() -> None:
    headings = re.findall(r"^### `([\w.]+)`$", section(FORMATS, "## Plan file"), re.MULTILINE)
    assert set(headings) == {*SECTIONS, "execute.load", "execute.think_s", "execute.approver"}
    sections = {field.alias or name for name, field in config.PlanSpec.model_fields.items() if not field.exclude}
    assert sections == {heading for heading in headings if "." not in heading}
    shapes = [row for row in rows(section(FORMATS, "### `execute.load`")) if len(row) == 3]
    assert [row[0].strip("`") for row in shapes] == list(LOADS)
    assert _documented_fields(shapes) == _fields_by_kind(loads.LoadSpec)
    laws = rows(section(FORMATS, "### `execute.think_s`"))
    assert _documented_fields(laws) == _fields_by_kind(loads.ThinkSpec)
    assert [row[0].strip("`") for row in laws] == list(THINK)
    approvers = rows(section(FORMATS, "### `execute.approver`"))
    assert {row[0].strip("`") for row in approvers} == set(APPROVERS) == set(approvals.APPROVERS)
    named = {kind: {*model.model_fields} - {"kind"} for kind, model in approvals.APPROVERS.items()}
    assert all(named[kind] <= fields for kind, fields in _documented_fields(approvers).items())


def _documented_fields(table: list[list[str]]) -> dict[str, set[str]]:
    return {row[0].strip("`"): set(re.findall(r"`([a-z_]+)`", row[1])) for row in table}


def _fields_by_kind(union: Any) -> dict[str, set[str]]:
    models = get_args(get_args(union)[0])
    return {get_args(model.model_fields["kind"].annotation)[0]: {*model.model_fields} - {"kind"} for model in models}


def test_every_field_of_a_dataset_is_documented() -> None:
    text = section(FORMATS, "## Dataset files").split("### Scorers")[0]
    header, case = text.split("| field of a case |")
    assert set(first_column(header)) == _HEADER_FIELDS
    assert set(first_column("|" + case.split("\n", 2)[2])) == _CASE_FIELDS


def test_every_scorer_is_documented_with_its_settings() -> None:
    described = {row[0].strip("`"): row[2] for row in rows(section(FORMATS, "### Scorers"))}
    assert list(described) == list(SCORERS)
    for kind, text in described.items():
        assert set(scorer(kind).OPTIONS) <= set(re.findall(r"`([a-z_]+)`", text))


def test_every_kind_of_price_is_documented() -> None:
    assert {*first_column(section(FORMATS, "## Price files")), "date"} == set(Price.__slots__)


def test_every_error_kind_is_documented() -> None:
    described = {row[0].strip("`"): (row[1], row[2] == "yes") for row in rows(section(FORMATS, "## Error kinds"))}
    assert described == {kind: (text, kind in RETRYABLE) for kind, text in ERROR_KINDS.items()}


def test_every_event_kind_is_documented() -> None:
    described = {row[0].strip("`"): row[1] for row in rows(section(FORMATS, "## Event kinds"))}
    assert described == EVENT_KINDS


def test_exit_codes_are_documented() -> None:
    codes = {getattr(errors, name) for name in dir(errors) if name.startswith("EXIT_")}
    assert {int(code) for code in first_column(section(FORMATS, "## Exit codes"))} == codes


def test_json_of_a_run_is_documented() -> None:
    described = next(row for row in rows(section(FORMATS, "## JSON on stdout")) if row[0] == "`run`")
    assert re.findall(r"`(\w+)`", described[1]) == [*RUN_FIELDS, "results"]


def test_every_verb_with_json_is_documented() -> None:
    with_json = set()
    for verb in VERBS:
        command = root.get_command(click.Context(root), verb)
        assert command is not None
        parts = command.commands.values() if isinstance(command, click.Group) else [command]
        if any("--json" in option.opts for part in parts for option in part.params):
            with_json.add(verb)
    documented = {name.split()[0] for name in first_column(section(FORMATS, "## JSON on stdout"))}
    assert with_json <= documented <= {*with_json, "sql"}


@pytest.mark.parametrize(
    ("suite", "pattern"),
    [("result_suite.py", r'_rule\("(\w+)"'), ("dataset_suite.py", r'(?:Rule\(\s*|_noted\()"(\w+)"')],
)
def test_every_check_is_documented(suite: str, pattern: str) -> None:
    names = re.findall(pattern, (ROOT / "benchbook" / "checks" / suite).read_text(encoding="utf-8"))
    documented = set(first_column(section(ROOT / "docs" / "METHODOLOGY.md", CHECKS)))
    assert len(names) > 8
    assert set(names) <= documented


CHECKS = "## 15. Checks and the verdict of a run"


def test_every_metric_of_a_run_is_documented() -> None:
    progress = Progress("r", planned=1)
    progress.tally("t").call_errors["reset"] = 1
    served = {family.name: set(family.samples[0].labels) for family in families(progress.report())}
    described = {}
    for row in rows(section(FORMATS, "## Metrics of a run that is going on")):
        for name in re.findall(r"benchbook_(\w+)", row[0]):
            described[f"benchbook_{name}".removesuffix("_total")] = set(re.findall(r"`(\w+)`", row[2]))
    del described["benchbook_build_info"]
    assert {name: labels - {"le"} for name, labels in served.items()} == described


def test_every_code_of_a_verdict_is_documented_in_its_order() -> None:
    text = section(ROOT / "docs" / "METHODOLOGY.md", CHECKS).split("| code | holds when |")[1].split("\n\n")[0]
    assert first_column("| code | holds when |" + text) == list(CODES)
    limits = set(re.findall(r"\| `(?:store\.)?(\w+)` \| [^|]+\|$", text, re.MULTILINE))
    assert limits | {"invalid_factor"} == {*config.VerdictSpec.model_fields, "max_failure_share"}


def test_every_environment_variable_that_we_read_is_documented() -> None:
    documented = set(first_column(section(FORMATS, "## Environment variables")))
    pattern = re.compile(
        r"environ(?:\.get)?[\[(]\"([A-Z_]+)\"|envvar=\"([A-Z_]+)\"|(?:key_variable|_VARIABLE)\s*=\s*\"([A-Z_]+)\""
    )
    for folder in ("benchbook", "flows", "tasks"):
        for file in (ROOT / folder).rglob("*.py"):
            read = {name for found in pattern.findall(file.read_text(encoding="utf-8")) for name in found if name}
            unexplained = {name for name in read if not name.startswith("PREFECT_LOGGING")} - documented
            assert not unexplained, f"{file.name} reads {unexplained}"


def test_a_command_is_split_as_a_shell_would() -> None:
    line = "BENCHBOOK_AGAIN=1 dvc repro -f -s execute && dvc repro > 'a b.txt'   # twice"
    first, second = in_line(README, line)
    assert (first.words, first.environment) == (("dvc", "repro", "-f", "-s", "execute"), ("BENCHBOOK_AGAIN=1",))
    assert (second.words, second.target) == (("dvc", "repro"), "a b.txt")
    assert shlex.join(second.words) == "dvc repro"
