"""A profile is read whole or refused in one line that names file, line, what is wrong and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchbook.errors import PlanError
from benchbook.simulator.profile import Fixed, Lookup, Profile, Uniform, load_profile

READY = sorted((Path(__file__).parents[3] / "datasets/simulator").glob("*.yaml"))


def load(folder: Path, text: str) -> Profile:
    path = folder / "p.yaml"
    path.write_text(text, encoding="utf-8")
    return load_profile(path)


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_the_ready_profiles_load(path: Path) -> None:
    of_all_wires = {"sim-openai", "sim-anthropic", "anthropic.sim-claude-v1:0", "sim-llama"}
    models = {"sim-openai"} if path.stem == "serving" else of_all_wires
    assert models <= set(load_profile(path).listed())


def test_no_profile_is_an_instant_echo() -> None:
    law = load_profile(None).law("any")
    assert (law.ttft_ms, law.answers.kind, law.tokens_out) == (Fixed(value=0), "echo", "answer")


def test_an_empty_file_is_the_default(tmp_path: Path) -> None:
    assert load(tmp_path, "# nothing yet\n").models == {}


def test_a_law_takes_what_it_leaves_out_from_default(tmp_path: Path) -> None:
    models = "models:\n  'a*': {token_ms: 1}\n  ab: {ttft_ms: {kind: uniform, low: 1, high: 2}}\n"
    text = f"default: {{ttft_ms: 5, usage: false}}\n{models}"
    profile = load(tmp_path, text)
    assert (profile.law("ax").ttft_ms, profile.law("ax").token_ms, profile.law("ax").usage) == (
        Fixed(value=5),
        Fixed(value=1),
        False,
    )
    assert profile.law("ab").ttft_ms == Uniform(kind="uniform", low=1, high=2)
    assert profile.law("ab").token_ms == Fixed(value=0)
    assert profile.law("other").ttft_ms == Fixed(value=5)
    assert profile.listed() == ("ab",)


def test_anchors_and_merges_are_yaml_s_own(tmp_path: Path) -> None:
    text = (
        "default:\n  answers: &a {kind: lookup, datasets: [x.json]}\nmodels:\n  m: {answers: {<<: *a, accuracy: 0.5}}\n"
    )
    answers = load(tmp_path, text).law("m").answers
    assert isinstance(answers, Lookup)
    assert (answers.datasets, answers.accuracy) == (("x.json",), 0.5)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("seed: 1\nsed: 2\n", 2, ("sed: unknown field", "known here: seed, require_key")),
        ("default:\n  ttft: 3\n", 2, ("default.ttft: unknown field", "ttft_ms")),
        ("models:\n  m:\n    ttft_ms: {kind: fixed, valu: 1, value: 1}\n", 3, ("models.m.ttft_ms.valu", "kind, value")),
        ("models:\n  m:\n    token_ms: {kind: normal, mean: 4}\n", 3, ("models.m.token_ms", "unknown kind 'normal'")),
        ("models:\n  m:\n    token_ms: {kind: lognormal, median: 4, sigma: 1, max: 3}\n", 3, ("enclose the median",)),
        ("models:\n  m:\n    token_ms: {kind: uniform, low: 4, high: 1}\n", 3, ("above high",)),
        ("default:\n  token_ms: -1\n", 2, ("default.token_ms", "greater than or equal to 0")),
        ("default:\n  token_ms: quick\n", 2, ("default.token_ms",)),
        ("faults:\n  - kind: reset\n", 2, ("exactly one of rate, script and every, not none",)),
        ("faults:\n  - kind: reset\n    rate: 0.1\n    every: 2\n", 2, ("not rate and every",)),
        ("faults:\n  - {kind: refused, rate: 0.1, after_requests: 2}\n", 2, ("exactly one of",)),
        ("faults:\n  - kind: explode\n    every: 1\n", 2, ("unknown kind 'explode'",)),
        ("faults:\n  - kind: stall\n    every: 1\n    seconds: 3\n", 4, ("faults.0.seconds: unknown field", "for_s")),
        ("default:\n  answers: {kind: lookup, datasets: [a.json], accuracy: 2}\n", 2, ("less than or equal to 1",)),
        ("default:\n  reasoning: {tokenz: 3}\n", 2, ("default.reasoning",)),
        ("folder: /tmp\n", 1, ("folder: unknown field",)),
        ("default: {a: [\n", 2, ("not valid YAML",)),
    ],
)  # fmt: skip
def test_a_bad_profile_is_one_line(tmp_path: Path, text: str, line: int, words: tuple[str, ...]) -> None:
    with pytest.raises(PlanError) as caught:
        load(tmp_path, text)
    message = str(caught.value)
    assert f"p.yaml:{line}: " in message
    assert "\n" not in message
    for word in words:
        assert word in message


def test_what_is_no_profile_at_all(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="no such profile"):
        load_profile(tmp_path / "none.yaml")
    with pytest.raises(PlanError, match="is not a mapping"):
        load(tmp_path, "- a\n- b\n")
    (tmp_path / "latin.yaml").write_bytes(b"seed: \xff\xfe")
    with pytest.raises(PlanError, match="can't be read"):
        load_profile(tmp_path / "latin.yaml")
