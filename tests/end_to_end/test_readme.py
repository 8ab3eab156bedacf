"""The documentation's commands, run: in page order, in a folder with the repository's data, against the simulator.

What differs from the page, and why: `benchbook run` gets `--no-flow` (the flow has tests of its own, and a server of
its own takes its time); where the mark says `simulator`, a provider's address is the simulator's, its key is a dummy,
one repetition without warm-up stands for many, and no page is drawn. Whatever is not run says so in its own mark.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import duckdb
import pytest
import yaml

from benchbook.cli import main
from benchbook.config import SIMULATOR
from benchbook.history import query
from benchbook.simulator import start_process
from tests.documented import PAGES, PLANS, ROOT, Block, Command, blocks, commands, plan_commands

pytestmark = pytest.mark.filterwarnings("ignore")  # a command line lets its libraries warn

README = ROOT / "README.md"
DUMMY = "dummy-key-of-the-documentation"
Run = Callable[[Sequence[str]], tuple[int, str]]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A simulator that answers any model at once."""
    with start_process() as found:
        yield found


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with what the commands name."""
    for name in ("datasets", "plans"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    for variable in ("BENCHBOOK_RESULTS", "BENCHBOOK_AGAIN", "OLLAMA_HOST", "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `benchbook` in this process; its exit code and what it printed."""

    def call(arguments: Sequence[str]) -> tuple[int, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = capsys.readouterr()
        allowed = (0, 3, 4) if arguments[0] == "compare" else (0,)  # "got worse" and "can't tell" are answers
        assert ended.value.code in allowed, f"{arguments}\n{said.out}\n{said.err}"
        return 0, said.out

    return call


def test_readme_from_top_to_bottom(desk: Path, run: Run, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _readdress(desk / "plans", address)
    done = 0
    for block in blocks(README):
        if block.mark == "run: python":
            _python(["-c", block.text])
        elif block.mark in ("run", "run: simulator"):
            for command in commands(block):
                _do(command, run, address if block.mark == "run: simulator" else "", monkeypatch)
                done += 1
    assert done >= 20
    assert (desk / "trials.csv").read_text().startswith("run_id,trial_id")
    assert (desk / "latency.csv").read_text().startswith("run_id,")
    _, rows = query("results", "select count(*), count(*) filter (where status = 'success') from trials")
    assert rows[0][0] == rows[0][1] > 150
    _open_in_a_shell()


def test_commands_at_the_head_of_plans(desk: Path, run: Run) -> None:
    """Those that the README does not hold as well; `run` as `plan`, which reads all the same and sends nothing."""
    known = {command.words for block in blocks(README) for command in commands(block)}
    found = [command for plan in PLANS for command in plan_commands(plan) if command.words not in known]
    assert {command.page.name for command in found} >= {"params.yaml", "openai-compatible.yaml"}
    for command in found:
        assert command.words[:2] in (("benchbook", "run"), ("benchbook", "plan")), command
        shared = [word for word in re.sub(r" --budget-usd \S+", "", " ".join(command.words[2:])).split(" ") if word]
        _, printed = run(["plan", *shared])
        assert "trials" in printed


@pytest.mark.parametrize("block", [b for p in PAGES for b in blocks(p) if b.mark == "run: output"], ids=str)
def test_printed_output_is_what_the_command_prints(block: Block) -> None:
    printed = "".join(line + "\n" for line in block.text.splitlines() if not line.startswith("$ "))
    found = [_python(command.words[1:]) for command in commands(block) if command.words[0] == "python"]
    assert "".join(found) == printed


SERVERS = [
    command
    for page in PAGES
    for block in blocks(page)
    for command in commands(block)
    if command.words[:2] == ("benchbook", "simulate") or command.words[:3] == ("python", "-m", "benchbook.simulator")
]


@pytest.mark.parametrize("command", SERVERS, ids=str)
def test_documented_simulator_listens(command: Command, desk: Path) -> None:
    words = [
        "0" if before == "--port" else word for before, word in zip(("", *command.words), command.words, strict=False)
    ]
    start = [sys.executable, "-m", "benchbook", *words[1:]] if words[0] == "benchbook" else [sys.executable, *words[1:]]
    process = subprocess.Popen(start, stdout=subprocess.PIPE, text=True, env=_environment())
    try:
        assert process.stdout is not None
        assert re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
    finally:
        process.terminate()
        assert process.wait(60) == 0
        process.stdout.close()


# ---------------------------------------------------------------- doing what a page says


def _do(command: Command, run: Run, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run one command; with an address, against the simulator there."""
    tool, *arguments = command.words
    if tool == "export":
        for assignment in arguments:
            name, _, value = assignment.partition("=")
            monkeypatch.setenv(name, DUMMY if value == "..." else value)
        return
    assert tool == "benchbook", f"{command}: how is this run?"
    if address:
        arguments = _against(arguments, address)
    if arguments[0] == "run":
        arguments += ["--no-flow"]
    _, printed = run(arguments)
    if command.target:
        Path(command.target).write_text(printed)


def _against(arguments: Sequence[str], address: str) -> list[str]:
    """The same command with the simulator's address in its targets, and one repetition."""
    changed = [
        _target(word, address) if before == "--target" else word.replace("http://localhost:8000", address)
        for before, word in zip(("", *arguments), arguments, strict=False)
    ]
    if arguments[0] != "run":
        return changed
    once = ["-S", "execute.repetitions=1", "-S", "execute.warmup=0", "-S", "report.formats=[console]"]
    return [*changed, *once]


def _target(text: str, address: str) -> str:
    name = text.partition("@")[0]
    return f"{name}@{address}/v1" if name.startswith("openai:") else f"{name}@{address}"


def _readdress(folder: Path, address: str) -> None:
    """Give every target of the plans there the simulator's address, unless it has asked for the simulator itself."""
    for file in folder.glob("*.yaml"):
        plan = yaml.safe_load(file.read_text())
        for target in plan["execute"]["targets"]:
            if target.get("base_url") != SIMULATOR:
                target["base_url"] = address + ("/v1" if target["provider"] == "openai" else "")
        file.write_text(yaml.safe_dump(plan))


def _python(arguments: Sequence[str]) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, env=_environment(), timeout=180
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def _open_in_a_shell() -> None:
    """What `duckdb -init results/history.sql` does: the file is run, then questions are asked."""
    with duckdb.connect(":memory:") as shell:
        shell.execute(Path("results/history.sql").read_text())
        assert shell.execute("select count(*) from answers.latency").fetchall()[0][0] > 0
