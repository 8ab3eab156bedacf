"""Generated cases: sized as declared, shared as declared, and the same bytes forever."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from benchbook.checks import check_datasets
from benchbook.datasets import examine, from_dict, generated_sizes, read, render, to_dict
from benchbook.datasets.synthetic import ASK, TOKEN_CHARS, WORDS, Synthetic, estimated_tokens, generate
from benchbook.records import Case, Params
from benchbook.runner.plan import merged_params


def declared(**fields: Any) -> list[Case]:
    return list(generate(Synthetic.model_validate({"cases": 3, "prompt_tokens": 200, **fields})))


def put(folder: Path, synthetic: Any, name: str = "made.yaml", **header: Any) -> Path:
    path = folder / name
    document = {"name": "made", "version": "1", "synthetic": synthetic, **header}
    path.write_text(json.dumps(document) if "json" in name else yaml.safe_dump(document))
    return path


def prompts(cases: list[Case]) -> list[str]:
    return [case.prompt or "" for case in cases]


def common(texts: list[str]) -> int:
    """Characters with which all texts begin."""
    return next((n for n, signs in enumerate(zip(*texts, strict=False)) if len(set(signs)) > 1), min(map(len, texts)))


def test_law_1_is_pinned() -> None:
    """These bytes may never change: results of different years were asked them. A new rule is a new law."""
    sizes = {"kind": "lognormal", "median": 300, "sigma": 0.5, "max": 4000}
    made = declared(cases=5, prompt_tokens=sizes, output_tokens=[8, 99], shared_prefix_share=0.4, seed=7)
    assert prompts(made)[0][:47] == "old mud cut kid did pop are buy big put tip put"
    assert sha256("\0".join(prompts(made)).encode()).hexdigest()[:16] == "2b72675d91be6258"
    assert [(case.generated.prompt_tokens, case.config["max_tokens"]) for case in made if case.generated] == [
        (400, 34), (422, 77), (435, 71), (234, 12), (174, 40),
    ]  # fmt: skip
    assert sha256(" ".join(WORDS).encode()).hexdigest()[:16] == "9004039c7d724edc"


@settings(deadline=None, max_examples=60)
@given(tokens=st.integers(1, 3000), share=st.floats(0, 1), seed=st.integers(-5, 5), ask=st.text("ab c", max_size=90))
def test_a_prompt_has_its_size_and_its_share(tokens: int, share: float, seed: int, ask: str) -> None:
    made = declared(prompt_tokens=tokens, shared_prefix_share=share, seed=seed, ask=ask)
    assert {estimated_tokens(prompt) for prompt in prompts(made)} == {tokens}
    shared = made[0].generated
    assert shared is not None
    assert common(prompts(made)) >= shared.shared_chars
    assert shared.shared_tokens <= round(share * tokens)
    assert shared.shared_tokens >= min(round(share * tokens), tokens - estimated_tokens("\n" + ask))


def test_what_is_not_shared_differs_from_its_first_word_on() -> None:
    made = declared(cases=40, prompt_tokens=1000, shared_prefix_share=0.5)
    beginnings = {prompt[2000:2020] for prompt in prompts(made)}
    assert common(prompts(made)) == 2000
    assert len(beginnings) == 40
    assert all(prompt.endswith(ASK) for prompt in prompts(made))


def test_another_seed_is_another_text_and_a_longer_prompt_goes_on() -> None:
    one, two, longer = declared(), declared(seed=1), declared(prompt_tokens=300)
    assert prompts(one) != prompts(two)
    assert prompts(longer)[0].startswith(prompts(one)[0][: -len(ASK) - 2])


def test_sizes_are_drawn_within_their_law() -> None:
    even = [c.generated.prompt_tokens for c in declared(cases=400, prompt_tokens=[10, 19]) if c.generated]
    assert set(even) == set(range(10, 20))
    law = {"kind": "lognormal", "median": 100, "sigma": 1.0, "min": 50, "max": 400}
    skewed = sorted(c.generated.prompt_tokens for c in declared(cases=401, prompt_tokens=law) if c.generated)
    assert (skewed[0], skewed[-1]) == (50, 400)
    assert 85 < skewed[200] < 115


def test_calibration_makes_a_prompt_that_the_provider_counts_as_asked() -> None:
    made = declared(prompt_tokens=1000, calibration=1.25, shared_prefix_share=0.5)
    assert {estimated_tokens(prompt) for prompt in prompts(made)} == {800}
    assert made[0].generated is not None
    assert (made[0].generated.prompt_tokens, made[0].generated.shared_tokens) == (1000, 500)


def test_a_file_of_generated_cases_is_a_dataset_like_any(tmp_path: Path) -> None:
    path = put(tmp_path, {"cases": 3, "prompt_tokens": 50_000, "output_tokens": 10, "shared_prefix_share": 0.25})
    found = check_datasets([path])
    assert (found.problems, found.notes) == ((), ())
    dataset = read(path).dataset
    assert [case.id for case in dataset.cases] == ["synthetic-0001", "synthetic-0002", "synthetic-0003"]
    assert len(render(dataset, dataset.cases[0]).messages[0].content) == 50_000 * TOKEN_CHARS
    assert generated_sizes(dataset) == {
        "cases": 3, "prompt_tokens_min": 50_000, "prompt_tokens_mean": 50_000, "prompt_tokens_max": 50_000,
        "shared_tokens": 12_500, "shared_share": 0.25,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["made.yaml", "made.json", "made.jsonl"])
def test_the_journal_keeps_the_declaration_and_not_the_text(tmp_path: Path, name: str) -> None:
    written = [{"id": "w", "prompt": "Hi", "expected": "Hi"}]
    header = {} if name.endswith("jsonl") else {"test_cases": written}
    dataset = read(put(tmp_path, {"cases": 4, "prompt_tokens": [20, 900]}, name, **header)).dataset
    assert [case.generated is None for case in dataset.cases] == [bool(header)] * len(header) + [False] * 4
    kept = to_dict(dataset)
    assert len(json.dumps(kept)) < 300
    assert from_dict(kept, dataset.path, dataset.sha256) == dataset


def test_extra_fields_go_into_the_body_by_rising_precedence() -> None:
    case = declared(output_tokens=70, extra={"ignore_eos": True, "min_tokens": "{{output_tokens}}"})[0]
    assert case.config == {"max_tokens": 70, "extra": {"ignore_eos": True, "min_tokens": 70}}
    merged = merged_params({"extra": {"a": 1, "b": 1, "ignore_eos": 0}}, Params(extra={"b": 2}), case.config)
    assert merged.extra == {"a": 1, "b": 2, "ignore_eos": True, "min_tokens": 70}


@pytest.mark.parametrize(
    ("synthetic", "said"),
    [
        ([], "field synthetic: is no mapping"),
        ({"prompt_tokens": 5}, "field synthetic.cases: is missing"),
        ({"cases": 0, "prompt_tokens": 5}, "field synthetic.cases: Input should be greater than or equal to 1"),
        ({"cases": 1, "prompt_tokens": "many"}, "field synthetic.prompt_tokens.value"),
        ({"cases": 1, "prompt_tokens": [9, 5]}, "low 9 is above high 5; write a number of tokens, [low, high]"),
        ({"cases": 1, "prompt_tokens": 600_000}, "less than or equal to 500000"),
        ({"cases": 1000, "prompt_tokens": 50_000}, "asks for 50,000,000 tokens of prompts; keep to 25,000,000"),
        ({"cases": 1, "prompt_tokens": 5, "shared_prefix_share": 1.5}, "shared_prefix_share: Input should be less"),
        ({"cases": 1, "prompt_tokens": 5, "sed": 4}, "field synthetic.sed: unknown field; known: cases, prompt_tokens"),
        ({"cases": 1, "prompt_tokens": 5, "law": 2}, "field synthetic.law: Input should be 1"),
    ],
)
def test_a_wrong_declaration_is_told_with_its_place(tmp_path: Path, synthetic: Any, said: str) -> None:
    problems = [str(note) for note in examine(put(tmp_path, synthetic)).problems]
    assert len(problems) == 1
    assert said in problems[0]


def test_a_trace_gives_each_case_the_length_of_its_request(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("timestamp_s,input_tokens,output_tokens\n7,30,5\n2,400,9\n2.5,80,1\n")
    dataset = read(put(tmp_path, {"trace": "t.csv"})).dataset
    sizes = [(case.generated.prompt_tokens, case.config["max_tokens"]) for case in dataset.cases if case.generated]
    assert sizes == [(400, 9), (80, 1), (30, 5)]
    assert [estimated_tokens(prompt) for prompt in prompts(list(dataset.cases))] == [400, 80, 30]
    (tmp_path / "t.csv").unlink()
    assert from_dict(to_dict(dataset)).cases == dataset.cases


@pytest.mark.parametrize(
    ("text", "more", "said"),
    [
        ("timestamp_s,input_tokens\n1,5\n2,\n", {}, "request 2 in order of time has no input_tokens"),
        ("timestamp_s,input_tokens\n1,5\n", {"cases": 3}, "says cases, and so does the declaration"),
        ("at,input_tokens\n1,5\n", {}, "has no column timestamp_s"),
        (None, {}, "no trace t.csv"),
    ],
)
def test_a_trace_that_gives_no_lengths(tmp_path: Path, text: str | None, more: dict[str, int], said: str) -> None:
    if text is not None:
        (tmp_path / "t.csv").write_text(text)
    problems = examine(put(tmp_path, {"trace": "t.csv", **more})).problems
    assert len(problems) == 1
    assert said in str(problems[0])
