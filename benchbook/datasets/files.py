"""Dataset files: found, read, judged, written. The only file of this room that touches a disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from benchbook.datasets.documents import to_dict
from benchbook.datasets.notes import Note, Parsed, place, problem
from benchbook.datasets.rendering import template_notes, undefined, undefined_note
from benchbook.errors import DatasetError
from benchbook.records import Dataset

FORMATS: Mapping[str, str] = {
    ".json": "benchbook.datasets.json_file",
    ".jsonl": "benchbook.datasets.jsonl_file",
    ".yaml": "benchbook.datasets.yaml_file",
    ".yml": "benchbook.datasets.yaml_file",
}
"""A file's extension -> the module that parses and dumps it."""


class Format(Protocol):
    """What a format's module offers."""

    def parse(self, text: str, path: str) -> Parsed: ...

    def dump(self, document: Mapping[str, object]) -> str: ...


@dataclass(frozen=True, slots=True)
class Reading:
    """A dataset that can be used, and what its file should hear about."""

    dataset: Dataset
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class Examined:
    """A file as far as it could be read. dataset holds the cases that are whole (None: nothing could be made of
    the file), lines where each of them starts, numbers its place in the file's list (from 1); problems make the
    file unusable, notes do not."""

    path: str
    dataset: Dataset | None
    lines: tuple[int | None, ...]
    numbers: tuple[int, ...]
    problems: tuple[Note, ...]
    notes: tuple[Note, ...]


def files(paths: Sequence[str | Path]) -> list[Path]:
    """The dataset files that `paths` name; a folder stands for its top-level ones, sorted, each file once.

    Raises DatasetError for a path that is not there, a folder without datasets, an extension without a format.
    """
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        found.update(dict.fromkeys(_in_folder(path) if path.is_dir() else [_file(path)]))
    return list(found)


def read(path: str | Path) -> Reading:
    """The dataset of a file. Raises DatasetError with every problem, undefined variables among them."""
    seen = examine(path)
    problems = [*seen.problems, *(note for note in undefined_notes(seen))]
    if problems or seen.dataset is None:
        first = problems[0]
        raise DatasetError(first.where, first.what, first.right, tuple(str(note) for note in problems))
    return Reading(seen.dataset, seen.notes)


def examine(path: str | Path) -> Examined:
    """Everything that can be said about a file; raises DatasetError only if it can't be opened."""
    from benchbook.datasets.schema import judge_document

    file, name = _file(Path(path)), str(path)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DatasetError(name, error.strerror or str(error), "name a file that can be read") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return Examined(name, None, (), (), (_encoding(name, data, error),), ())
    judged = judge_document(_format(file).parse(text, name), name, sha256(data).hexdigest())
    notes = [*judged.notes]
    for case, line in zip(judged.dataset.cases if judged.dataset else (), judged.lines, strict=True):
        notes += template_notes(case, name, line)
    return Examined(name, judged.dataset, judged.lines, judged.numbers, judged.problems, tuple(notes))


def undefined_notes(seen: Examined) -> list[Note]:
    """The problem of each variable that is used and not defined."""
    if seen.dataset is None:
        return []
    return [
        undefined_note(place(seen.path, line, case.id, field), name, case.variables)
        for case, line in zip(seen.dataset.cases, seen.lines, strict=True)
        for field, name in undefined(case)
    ]


def write(dataset: Dataset, path: str | Path) -> None:
    """Write a dataset in the format of `path`'s extension. Raises DatasetError if it can't be written there."""
    file = Path(path)
    text = _format(file).dump(to_dict(dataset))
    try:
        file.write_bytes(text.encode())
    except UnicodeEncodeError as error:
        raise DatasetError(str(path), f"holds a lone surrogate (character {error.start})", "mend the text") from None
    except OSError as error:
        raise DatasetError(str(path), error.strerror or str(error), "name a file that can be written") from None


def _file(path: Path) -> Path:
    if not path.exists():
        raise DatasetError(str(path), "no such file or folder", "name a dataset file, or a folder that holds some")
    if path.is_dir():
        raise DatasetError(str(path), "is a folder", "name a dataset file")
    _format(path)
    return path


def _in_folder(folder: Path) -> list[Path]:
    try:
        found = sorted(p for p in folder.iterdir() if p.suffix.lower() in FORMATS and p.is_file())
    except OSError as error:
        raise DatasetError(str(folder), error.strerror or str(error), "name a folder that can be read") from None
    if not found:
        raise DatasetError(str(folder), "holds no dataset", f"put a file there that ends in {', '.join(FORMATS)}")
    return found


def _format(path: Path) -> Format:
    name = FORMATS.get(path.suffix.lower())
    if name is None:
        what = f"has the extension {path.suffix!r}" if path.suffix else "has no extension"
        raise DatasetError(str(path), what, f"a dataset ends in {', '.join(FORMATS)}")
    return cast("Format", import_module(name))


def _encoding(name: str, data: bytes, error: UnicodeDecodeError) -> Note:
    bom = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    at = error.start + bom
    return problem(name, f"byte {at} (0x{data[at]:02x}) is no UTF-8", "save the file as UTF-8")
