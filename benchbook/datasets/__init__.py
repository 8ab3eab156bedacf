"""Reads dataset files: named, versioned lists of test cases in JSON, JSONL or YAML.

A format is one file with `parse` and `dump`, and one line in `FORMATS`; `schema` judges what they parsed, with
every problem and its place; `template` fills `{{variables}}` in. Nothing is repaired silently: what can't be
used is a problem, what looks like a slip is a note. Whether cases make sense together is for `checks` to say.
"""

from __future__ import annotations

from benchbook.datasets.documents import from_dict, to_dict
from benchbook.datasets.files import FORMATS, Examined, Reading, examine, files, read, write
from benchbook.datasets.notes import Note
from benchbook.datasets.rendering import Rendered, generated_sizes, params, render, rendered_case, variables

__all__ = [
    "FORMATS",
    "Examined",
    "Note",
    "Reading",
    "Rendered",
    "examine",
    "files",
    "from_dict",
    "generated_sizes",
    "params",
    "read",
    "render",
    "rendered_case",
    "to_dict",
    "variables",
    "write",
]
