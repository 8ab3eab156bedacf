"""The terminal door: every verb helps, nothing heavy is imported for it, bad input is one line and code 2."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchbook.cli import VERBS

HEAVY = (
    "numpy",
    "pandas",
    "pyarrow",
    "duckdb",
    "prefect",
    "great_expectations",
    "boto3",
    "rich",
    "matplotlib",
    "pydantic",
    "strands",
    "openai",
    "anthropic",
    "ollama",
)


def benchbook(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchbook", *words], capture_output=True, text=True, cwd=cwd, check=False
    )


def test_help_lists_every_verb_and_says_where_to_start() -> None:
    done = benchbook("--help")
    assert done.returncode == 0
    assert all(f"\n  {verb} " in done.stdout for verb in VERBS)
    assert "benchbook run" in done.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_helps_with_an_example(verb: str) -> None:
    from click.testing import CliRunner

    from benchbook.cli import root

    done = CliRunner().invoke(root, [verb, "--help"])
    assert done.exit_code == 0
    assert f"benchbook {verb}" in done.output.partition("Example")[2]


def test_help_imports_nothing_heavy() -> None:
    code = f"""
import sys
from benchbook.cli import main
try:
    main(['--help'])
except SystemExit:
    pass
loaded = set({HEAVY!r}) & set(sys.modules)
assert not loaded, loaded
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("rnu",), "did you mean `benchbook run`"),
        (("run", "--plan", "none.yaml"), "no such plan file"),
        (("run", "--target", "openai"), "--dataset"),
        (("run", "--target", "openai", "--dataset", "x.json"), "write PROVIDER:MODEL"),
        (("plan", "--plan", "bad.yaml"), "bad.yaml:4"),
        (("plan", "--plan", "unknown.yaml"), "known ones: anthropic, bedrock, ollama, openai"),
        (("validate", "none.json"), "none.json"),
        (("show", "20990101"), "20990101"),
        (("sql", "select nothing from nowhere"), "nowhere"),
        (("schedule",), "--cron"),
        (("run", "--results", "file/under/a/file", "--plan", "good.yaml", "--no-flow"), "file/under/a/file"),
    ],
)
def test_bad_input_is_one_line_and_code_2(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "d.json").write_text(
        '{"name": "d", "version": "1", "test_cases": [{"id": "a", "category": "c", "prompt": "p", "expected": "e"}]}'
    )
    head = "validate: {datasets: [d.json]}\nexecute:\n  targets:\n"
    (tmp_path / "bad.yaml").write_text(head + "    - {name: a, provider: openai, model: m, colour: red}\n")
    (tmp_path / "unknown.yaml").write_text(head + "    - {name: a, provider: acme, model: m}\n")
    (tmp_path / "good.yaml").write_text(head + "    - {name: a, provider: openai, model: m, base_url: simulator}\n")
    done = benchbook(*words, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1, done.stderr
    assert says in lines[0]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_command(shell: str) -> None:
    done = benchbook("completion", shell)
    assert done.returncode == 0
    assert "_BENCHBOOK_COMPLETE" in done.stdout
