"""Files in, datasets or problems out; every problem with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchbook.datasets import FORMATS, examine, files, params, read, render, rendered_case
from benchbook.datasets.notes import Note, in_short, place
from benchbook.errors import DatasetError
from benchbook.records import Message

BENCH_FORMAT = {
    "name": "coding",
    "description": None,
    "version": "1.0.0",
    "defaults": {"temperature": 0.7, "max_tokens": 500, "top_p": None, "stop": None},
    "metadata": {"author": "somebody"},
    "test_cases": [
        {
            "id": "one",
            "category": "code",
            "prompt": "Write {{what}} in {{lang}}",
            "variables": {"what": "a loop", "lang": "Rust"},
            "expected": None,
            "references": None,
            "config": {"temperature": 0.0},
            "metadata": {"difficulty": "easy"},
        },
        {"id": "two", "prompt": "Hi", "category": None, "variables": None, "config": None},
    ],
}


def put(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def problems(path: Path) -> list[str]:
    with pytest.raises(DatasetError) as caught:
        read(path)
    assert str(caught.value) == caught.value.problems[0]
    return [line.replace(str(path), "F") for line in caught.value.problems]


def of_cases(*cases: Any, **header: Any) -> str:
    return json.dumps({"name": "d", **header, "test_cases": list(cases)})


def test_what_holds_of_many_cases_is_said_once_and_counted() -> None:
    notes = [
        *(Note(place("a:b.yaml", 4 + n, f"c{n}", "expected"), "nothing to judge by", "write one") for n in range(3)),
        Note(place("a:b.yaml", 9, "c5", "prompt"), "is not used"),
        *(Note(place("d.json", None, f"c{n}", "expected"), "nothing to judge by", "write one") for n in range(2)),
    ]
    assert list(in_short(map(str, notes))) == [
        "a:b.yaml:4, case c0, field expected: nothing to judge by; write one (and 2 more cases: benchbook validate)",
        "a:b.yaml:9, case c5, field prompt: is not used",
        "d.json, case c0, field expected: nothing to judge by; write one (and 1 more case)",
    ]


def test_the_public_bench_format_loads_as_it_is(tmp_path: Path) -> None:
    reading = read(put(tmp_path, "a.json", json.dumps(BENCH_FORMAT)))
    dataset = reading.dataset
    assert reading.notes == ()
    assert (dataset.name, dataset.version, dataset.schema_version) == ("coding", "1.0.0", "")
    assert params(dataset, dataset.cases[0]) == {"temperature": 0.0, "max_tokens": 500}
    assert render(dataset, dataset.cases[0]).messages == (Message("user", "Write a loop in Rust"),)
    assert dataset.cases[1].category == ""


def test_the_hash_is_of_the_bytes_and_the_path_as_named(tmp_path: Path) -> None:
    from hashlib import sha256

    path = put(tmp_path, "a.json", b"\xef\xbb\xbf" + of_cases({"id": "1", "prompt": "x"}).encode())
    dataset = read(path).dataset
    assert (dataset.sha256, dataset.path) == (sha256(path.read_bytes()).hexdigest(), str(path))


def test_a_json_lines_file_has_a_header_or_the_files_name(tmp_path: Path) -> None:
    case = '{"id": "1", "prompt": "x"}\n'
    bare = read(put(tmp_path, "bare.jsonl", case + "\n" + case)).dataset
    assert (bare.name, len(bare.cases)) == ("bare", 2)
    headed = read(put(tmp_path, "b.jsonl", '{"name": "n", "version": 2, "defaults": {"seed": 1}}\n' + case)).dataset
    assert (headed.name, headed.version, headed.defaults, len(headed.cases)) == ("n", "2", {"seed": 1}, 1)


YAML = """\
name: y
version: 1.10
defaults: &d {temperature: 0, stop: END}
test_cases:
  - id: 007
    prompt: >-
      Hello {{name}}
      there
    variables: {name: no, when: 2026-11-21, at: 3:40, n: 12, f: -1.5, t: true, z: ~}
    expected: yes
    config: {<<: *d, max_tokens: 5}
  - {id: b, prompt: "1", expected: true, references: [1.50, a], metadata: {k: [1, {x: 2}]}}
"""


def test_yaml_keeps_what_was_written(tmp_path: Path) -> None:
    seen = examine(put(tmp_path, "a.yml", YAML))
    dataset = seen.dataset
    assert dataset is not None
    assert (dataset.version, seen.lines, seen.numbers) == ("1.10", (5, 12), (1, 2))
    first, second = dataset.cases
    assert (first.id, first.prompt, first.expected) == ("007", "Hello {{name}} there", "yes")
    assert first.variables == {
        "name": "no", "when": "2026-11-21", "at": "3:40", "n": 12, "f": -1.5, "t": True, "z": None,
    }  # fmt: skip
    assert first.config == {"temperature": 0, "stop": "END", "max_tokens": 5}
    assert (second.expected, second.references, second.metadata) == ("true", ("1.5", "a"), {"k": [1, {"x": 2}]})


def test_fields_are_templates_and_a_rendered_case_has_none(tmp_path: Path) -> None:
    case = {
        "id": "m",
        "messages": [
            {"role": "user", "content": "{{a}}?"},
            {"role": "assistant", "content": "", "tool_calls": [{"id": "c", "name": "t", "arguments": "{}"}]},
            {"role": "tool", "content": "{{b}}", "tool_call_id": "c"},
        ],
        "system": "S {{a}}",
        "variables": {"a": "x", "b": [1]},
        "expected": "E {{a}}",
        "references": ["R {{ b }}"],
    }
    dataset = read(put(tmp_path, "a.json", of_cases(case))).dataset
    made = rendered_case(dataset, dataset.cases[0])
    assert [message.content for message in made.messages] == ["x?", "", "[1]"]
    assert (made.system, made.expected, made.references, made.variables) == ("S x", "E x", ("R [1]",), {})
    assert render(dataset, dataset.cases[0]).messages == made.messages


def test_the_prompt_hash_tells_prompts_apart(tmp_path: Path) -> None:
    cases = [{"id": "1", "prompt": "x"}, {"id": "2", "prompt": "x"}, {"id": "3", "prompt": "x", "system": ""}]
    dataset = read(put(tmp_path, "a.json", of_cases(*cases))).dataset
    first, same, other = (render(dataset, case).prompt_sha256 for case in dataset.cases)
    assert first == same != other


def test_an_undefined_variable_names_case_variable_and_file(tmp_path: Path) -> None:
    path = put(
        tmp_path, "a.json", of_cases({"id": "c1", "prompt": "{{x}}{{y}}", "system": "{{x}}", "variables": {"z": 1}})
    )
    right = r"; define it under variables (there: z), or write \{{ for plain braces"
    assert problems(path) == [
        f"F, case c1, field prompt: the variable 'x' is not defined{right}",
        f"F, case c1, field prompt: the variable 'y' is not defined{right}",
        f"F, case c1, field system: the variable 'x' is not defined{right}",
    ]
    dataset = examine(path).dataset
    assert dataset is not None
    with pytest.raises(DatasetError, match=r"a\.json, case c1, field prompt: the variable 'x' is not defined"):
        render(dataset, dataset.cases[0])


def test_what_nothing_uses_is_noted(tmp_path: Path) -> None:
    case = {"id": "c", "prompt": "{{a b}}", "variables": {"v": 1}, "top_k": 1, "config": {"topk": 2}}
    turns = {"id": "m", "messages": [{"role": "user", "content": "x", "name": "me"}]}
    notes = read(put(tmp_path, "a.json", of_cases(case, turns, owner="me", defaults={"tools": []}))).notes
    assert [(note.where.partition(", ")[2], note.severity) for note in notes] == [
        (where, "warning")
        for where in (
            "field owner", "field defaults.tools", "case c, field top_k", "case c, field config.topk",
            "case m, field messages.0.name", "case c, field prompt", "case c, field variables.v",
        )
    ]  # fmt: skip


BAD: list[tuple[str, str, list[str]]] = [
    ("a.json", "", ["F:1:1: no valid JSON: Expecting value; mend the syntax"]),
    ("a.json", '{"name": "x",\n  oops}', ["F:2:3: no valid JSON: "]),
    ("a.json", "[]", ["F: holds a list; write an object with name and test_cases"]),
    ("a.json", "{}", ["F, field name: is missing", "F, field test_cases: is missing"]),
    ("a.json", '{"name": "", "test_cases": []}', ["F, field name: is empty", "F, field test_cases: is empty"]),
    ("a.json", '{"name": "x", "test_cases": {}}', ["F, field test_cases: is an object; write a list"]),
    ("a.json", of_cases(3), ["F, case number 1: is a whole number (3); write an object"]),
    ("a.json", of_cases({"prompt": "x"}), ["F, case number 1, field id: is missing; it is required"]),
    ("a.json", of_cases({"id": "a"}), ["F, case a, field prompt: neither prompt nor messages nor turns is there"]),
    (
        "a.json",
        of_cases({"id": "a", "prompt": "x", "messages": [{"role": "user", "content": "x"}]}),
        ["F, case a, field messages: both prompt and messages are there; keep one of them"],
    ),
    (
        "a.json",
        of_cases({"id": "a", "messages": [{"role": "assistant", "content": "x"}]}),
        ["F, case a, field messages: the conversation ends with the assistant"],
    ),
    (
        "a.json",
        of_cases({"id": "a", "messages": [{"role": "system", "content": "x"}]}),
        ["F, case a, field messages.0.role: is 'system', not one of"],
    ),
    (
        "a.json",
        of_cases({"id": "a", "prompt": ["x"], "expected": True, "references": "r", "config": {"max_tokens": 1.5}}),
        [
            "F, case a, field prompt: is a list; write text, in quotes",
            "F, case a, field expected: is a boolean (True); write text",
            "F, case a, field references: is text (r); write a list",
            "F, case a, field config.max_tokens: is a number (1.5); write a whole number",
        ],
    ),
    (
        "a.json",
        of_cases({"id": "a", "prompt": "x", "config": {"stop": [1], "scorer": 3, "tools": [{}]}}),
        [
            "F, case a, field config.stop.0: is a whole number (1); write text",
            "F, case a, field config.scorer: is no scorer; write a name, a mapping",
            "F, case a, field config.tools.0.name: is missing",
        ],
    ),
    (
        "a.json",
        of_cases({"id": "a", "prompt": "x"}, defaults={"temperature": "hot"}),
        ["F, field defaults.temperature: is text (hot); write a number"],
    ),
    (
        "a.json",
        '{"name": "x", "name": "y", "test_cases": [{"id": "a", "prompt": "x", "prompt": "y"}]}',
        ["F: the key 'prompt' stands more than once in the object with id 'a'", "F: the key 'name' stands more"],
    ),
    (
        "a.json",
        '{"name": "x", "metadata": [NaN, 9223372036854775808, -9223372036854775808], "test_cases": [{"id": "a"}]}',
        [
            "F: NaN is no JSON value",
            "F: the integer 9223372036854775808 is beyond 64 bits",
            "F, field metadata: is a list; write an object",
            "F, case a, field prompt: neither",
        ],
    ),
    ("a.json", "[" * 100_000, ["F: nested too deeply"]),
    ("a.json", b"\xff\xfe{\x00}\x00", ["F: byte 0 (0xff) is no UTF-8; save the file as UTF-8"]),
    ("a.json", b"\xef\xbb\xbf{\xe9}", ["F: byte 4 (0xe9) is no UTF-8"]),
    (
        "a.jsonl",
        '{"id": "a", "prompt": "x"}\n{oops\n{"id": 5}\n7\n',
        [
            "F:2:2: no valid JSON: ",
            "F:4, case number 3: is a whole number (7); write an object",
            "F:3, case 5, field prompt: neither prompt nor messages",
        ],
    ),
    ("a.jsonl", '{"name": "x", "test_cases": []}\n{"id": "a", "prompt": "x"}', ["F:1: test_cases stands in"]),
    ("a.jsonl", "", ["F, field test_cases: is empty"]),
    ("a.yaml", "", ["F: is empty; write an object"]),
    ("a.yaml", "- a", ["F: holds a list"]),
    ("a.yaml", "name: x\ntest_cases: [\n", ["F:3:1: no valid YAML: "]),
    ("a.yaml", "name: x\n\tb: 1\n", ["F:2:1: no valid YAML: "]),
    ("a.yaml", "name: 'a\x07'", ["F: "]),
    ("a.yaml", "name: x\nname: y\ntest_cases:\n- {id: a, prompt: x}\n", ["F:2: the key 'name' stands more than once"]),
    ("a.yaml", "name: x\n---\nname: y\n", ["F:2: a second document starts here"]),
    ("a.yaml", "name: !!python/name:os.system x\ntest_cases:\n- {id: a, prompt: x}\n", ["F:1: the tag "]),
    ("a.yaml", "name: *who\ntest_cases:\n- {id: a, prompt: x}\n", ["F:1: *who stands for", "F, field name: is null"]),
    ("a.yaml", "? [a]\n: b\n", ["F:1: a key is not text"]),
    ("a.yaml", "name: x\n<<: 3\ntest_cases:\n- {id: a, prompt: x}\n", ["F:1: << merges something that is no mapping"]),
    ("a.yaml", "a: " + "[" * 300, ["F:1: nested too deeply"]),
    ("a.yaml", "name: x\ntest_cases:\n- {id: a}\n-\n", ["F:4, case number 2: is null", "F:3, case a, field prompt"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "expected"), BAD, ids=range(len(BAD)))
def test_every_problem_is_listed_with_its_place(
    tmp_path: Path, name: str, text: str | bytes, expected: list[str]
) -> None:
    found = problems(put(tmp_path, name, text))
    assert len(found) == len(expected), found
    for line, start in zip(found, expected, strict=True):
        assert line.startswith(start)


def test_good_cases_of_a_bad_file_are_still_there(tmp_path: Path) -> None:
    seen = examine(put(tmp_path, "a.jsonl", '{"id": "a"}\n{"id": "b", "prompt": "x"}\n'))
    assert seen.dataset is not None
    assert ([case.id for case in seen.dataset.cases], seen.lines, seen.numbers) == (["b"], (2,), (2,))


def test_a_folder_means_its_top_level_datasets(tmp_path: Path) -> None:
    for name in ("b.json", "a.YAML", "c.jsonl", "d.yml", "README.md", "x.txt"):
        put(tmp_path, name, "")
    (tmp_path / "deep.json").mkdir()
    put(tmp_path / "deep.json", "e.json", "")
    found = files([tmp_path, tmp_path / "b.json"])
    assert [path.name for path in found] == ["a.YAML", "b.json", "c.jsonl", "d.yml"]


def test_what_is_no_dataset_file_says_so(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", "")
    put(tmp_path, "noext", "")
    for path, what in (
        ("gone.json", "no such file or folder"),
        (".", "holds no dataset"),
        ("a.csv", "has the extension '.csv'"),
        ("noext", "has no extension"),
    ):
        with pytest.raises(DatasetError, match=what):
            files([tmp_path / path])
    with pytest.raises(DatasetError, match="is a folder"):
        read(tmp_path)
    assert set(FORMATS) == {".json", ".jsonl", ".yaml", ".yml"}
