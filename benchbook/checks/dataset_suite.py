"""The dataset suite: what must hold of test cases before anything is measured with them.

`schema` is what the border found (`datasets`); the rest are expectations over one frame of all files. Every failure
is a line: file, case, field, what is wrong, what would be right.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbook.checks import DatasetChecks, Reviewer
from benchbook.checks.apart import evaluator
from benchbook.checks.dataset_frame import build
from benchbook.checks.engine import Outcome, Rule, unhurried_gc
from benchbook.checks.rows import Row
from benchbook.datasets import Examined, Note, examine
from benchbook.datasets.files import undefined_notes
from benchbook.datasets.notes import CRITICAL, problem
from benchbook.errors import DatasetError
from benchbook.records import Check

if TYPE_CHECKING:
    import pandas as pd

MAX_PROMPT_CHARS = 2_000_000
RANGES: Mapping[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "max_tokens": (1, 1_000_000),
    "seed": (0, 2**63 - 1),
}
"""Sampling parameter -> least and greatest sensible value."""

_ID = r"^\S(?:[^\n\r]{0,198}\S)?$"
_CATEGORY = r"^\w(?:[^\n\r\t]{0,98}[^\s])?$"
_VERSION = r"^(?:v?\d+(?:\.\d+){0,3}(?:[-+.][0-9A-Za-z.+-]+)?|\d{4}-\d{2}-\d{2})$"
_SCHEMA_VERSION = r"^1(?:\.\d+)*$"

Finding = Iterator[tuple[str, str, str]]
"""Field, what is wrong there, what would be right."""


def check(paths: Sequence[str | Path], review: Reviewer | None = None) -> DatasetChecks:
    """See `benchbook.checks.check_datasets`."""
    with evaluator(paths) as suite, unhurried_gc():
        examined = [_examine(path) for path in paths]
        frame, rows = build(examined, review)
        outcomes = suite.outcomes(frame, rows) if rows else {}
    made = rules(frame, rows)
    checks = tuple(one for seen in examined for one in _checks(seen, (frame, rows), made, outcomes))
    failed = [one for one in checks if not one.success]
    return DatasetChecks(
        checks,
        tuple(seen.dataset for seen in examined if seen.dataset is not None),
        tuple(line for one in failed if one.severity == CRITICAL for line in one.failures),
        tuple(line for one in failed if one.severity != CRITICAL for line in one.failures),
    )


def rules(frame: pd.DataFrame, rows: Sequence[Row]) -> list[Rule]:
    """The suite over a frame of `dataset_frame.build`."""
    texts = _Texts(frame, rows)
    return [
        Rule("id_well_formed", "id", _regex("id", _ID), texts.lines(texts.bad_id)),
        Rule("id_unique", "id", _unique("id"), texts.lines(texts.same_id)),
        Rule("category_well_formed", "category", _regex("category", _CATEGORY), texts.lines(texts.bad_category)),
        Rule("version_well_formed", "version", _regex("version", _VERSION), texts.lines(texts.bad_version)),
        Rule(
            "schema_version_known",
            "schema_version",
            _regex("schema_version", _SCHEMA_VERSION),
            texts.lines(texts.bad_schema_version),
        ),
        Rule("templates_resolvable", "templates", _resolvable, texts.undefined),
        Rule(
            "prompt_length",
            "prompt_chars",
            _between("prompt_chars", (1, MAX_PROMPT_CHARS)),
            texts.lines(texts.bad_length),
        ),
        *(
            Rule(f"{name}_in_range", name, _between(name, limits), texts.lines(texts.out_of_range(name, limits)))
            for name, limits in RANGES.items()
        ),
        Rule("text_clean", "text", lambda x: x.ExpectTextToBeClean(column="text"), texts.lines(texts.foul)),
        Rule("scorer_ready", "scorer", _null("scorer_fault"), texts.lines(texts.scorer_fault)),
        Rule("judgeable", "judgeable", _between("judgeable", (1, 1)), texts.lines(texts.not_judgeable), "warning"),
        Rule("prompt_unique", "rendered", _unique("rendered"), texts.lines(texts.same_prompt), "warning"),
    ]


def _examine(path: str | Path) -> Examined:
    try:
        return examine(path)
    except DatasetError as error:
        return Examined(str(path), None, (), (), (problem(error.where, error.what, error.right),), ())


def _checks(
    seen: Examined, table: tuple[pd.DataFrame, Sequence[Row]], made: Sequence[Rule], outcomes: Mapping[str, Outcome]
) -> Iterator[Check]:
    cases = len(seen.dataset.cases) if seen.dataset else 0
    yield _noted("schema", seen.path, (cases, seen.problems), CRITICAL)
    yield _noted("nothing_unused", seen.path, (cases, seen.notes), "warning")
    if seen.dataset is None:
        return
    frame, rows = table
    own = frame["file"] == seen.path
    for rule in made:
        outcome = outcomes[rule.name]
        broken = [row for row in outcome.rows if rows[row].seen is seen]
        lines = [line for row in broken for line in rule.explain(row)]
        if outcome.fault is not None:
            lines.append(f"{seen.path}: the check {rule.name} could not be made: {outcome.fault}")
        observed = int((own & frame[rule.column].notna()).sum())
        yield _check(rule.name, seen.path, (observed, len(broken), lines), rule.severity)


def _noted(name: str, path: str, found: tuple[int, Sequence[Note]], severity: str) -> Check:
    observed, notes = found
    return _check(name, path, (observed, len(notes), [str(note) for note in notes]), severity)


def _check(name: str, path: str, found: tuple[int, int, Sequence[str]], severity: str) -> Check:
    observed, unexpected, lines = found
    return Check("dataset", path, name, not lines, severity, observed, unexpected, tuple(map(printable, lines)))


def printable(line: str) -> str:
    """One line that any encoder and terminal takes: controls and lone surrogates as escapes."""
    from benchbook.checks.expectations import FOUL

    line = line.replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t")
    return FOUL.sub(lambda match: f"\\u{ord(match.group()):04x}", line)


# ---------------------------------------------------------------- expectations


def _regex(column: str, pattern: str) -> Callable[[Any], Any]:
    return lambda x: x.ExpectColumnValuesToMatchRegex(column=column, regex=pattern)


def _between(column: str, limits: tuple[float, float]) -> Callable[[Any], Any]:
    return lambda x: x.ExpectColumnValuesToBeBetween(column=column, min_value=limits[0], max_value=limits[1])


def _null(column: str) -> Callable[[Any], Any]:
    return lambda x: x.ExpectColumnValuesToBeNull(column=column)


def _unique(column: str) -> Callable[[Any], Any]:
    """Within a file."""
    return lambda x: x.ExpectCompoundColumnsToBeUnique(
        column_list=["file", column], ignore_row_if="any_value_is_missing"
    )


def _resolvable(x: Any) -> Any:
    return x.ExpectTemplatesToBeResolvable(
        column_A="templates", column_B="variables", ignore_row_if="either_value_is_missing"
    )


# ---------------------------------------------------------------- words


class _Texts:
    """What to say about a row that breaks a rule."""

    def __init__(self, frame: pd.DataFrame, rows: Sequence[Row]) -> None:
        self.frame, self.rows = frame, rows
        self.groups: dict[str, Mapping[tuple[str, Any], list[int]]] = {}

    def lines(self, words: Callable[[int], Finding]) -> Callable[[int], Iterator[str]]:
        def explain(row: int) -> Iterator[str]:
            for field, what, right in words(row):
                yield str(Note(self.rows[row].place(*([field] if field else [])), what, right))

        return explain

    def value(self, row: int, column: str) -> Any:
        return self.frame.at[row, column]

    def undefined(self, row: int) -> Iterator[str]:
        place = self.rows[row]
        case, seen = place.case, place.seen
        if case is None or seen.dataset is None or place.index is None:
            return
        from dataclasses import replace

        alone = replace(seen, dataset=replace(seen.dataset, cases=(case,)), lines=(seen.lines[place.index],))
        yield from map(str, undefined_notes(alone))

    def bad_id(self, row: int) -> Finding:
        value = self.value(row, "id")
        what = "is empty" if not value.strip() else f"is {value[:80]!r}"
        yield "id", what, "write 1 to 200 characters on one line, without spaces around them"

    def same_id(self, row: int) -> Finding:
        yield (
            "id",
            f"case number {self.rows[row].number} has the id of {self.others(row, 'id')}",
            "give it an id of its own",
        )

    def same_prompt(self, row: int) -> Finding:
        others = self.others(row, "rendered")
        yield "", f"what is sent is the same as in {others}", "change one, or raise the repetitions instead"

    def others(self, row: int, column: str) -> str:
        """The other cases of the file with the same value."""
        if column not in self.groups:
            groups: dict[tuple[str, Any], list[int]] = defaultdict(list)
            for index, key in enumerate(zip(self.frame["file"], self.frame[column], strict=True)):
                groups[key].append(index)
            self.groups[column] = groups
        same = self.groups[column][self.value(row, "file"), self.value(row, column)]
        named = [self.rows[other] for other in same[:6] if other != row][:5]
        shown = ", ".join(f"number {other.number}" if column == "id" else f"case {other.name}" for other in named)
        return shown if len(same) <= 6 else f"{shown} and {len(same) - 1 - len(named)} more"

    def bad_category(self, row: int) -> Finding:
        value = self.value(row, "category")
        yield (
            "category",
            f"is {value[:80]!r}",
            "write up to 100 characters on one line that begin with a letter or digit",
        )

    def bad_version(self, row: int) -> Finding:
        yield "version", f"is {self.value(row, 'version')[:80]!r}", "write it like 1, 1.0, 1.2.3 or 2026-11-21"

    def bad_schema_version(self, row: int) -> Finding:
        yield "schema_version", f"is {self.value(row, 'schema_version')[:80]!r}", "this release reads version 1"

    def bad_length(self, row: int) -> Finding:
        chars = int(self.value(row, "prompt_chars"))
        case = self.rows[row].case
        field = "prompt" if case is None or case.prompt is not None else "turns" if case.turns else "messages"
        what = "is blank once rendered" if chars == 0 else f"has {chars:,} characters once rendered"
        yield field, what, f"write 1 to {MAX_PROMPT_CHARS:,} characters"

    def out_of_range(self, name: str, limits: tuple[float, float]) -> Callable[[int], Finding]:
        def words(row: int) -> Finding:
            section = "defaults" if self.rows[row].index is None else "config"
            yield f"{section}.{name}", f"is {_plain(self.value(row, name))}", f"write {limits[0]:,} to {limits[1]:,}"

        return words

    def foul(self, row: int) -> Finding:
        from benchbook.checks.expectations import FOUL

        for field, text in _fields(self.rows[row]):
            found = list(dict.fromkeys(FOUL.findall(text)))
            if found:
                signs = ", ".join(f"U+{ord(sign):04X} ({_sign_kind(sign)})" for sign in found)
                yield field, f"holds {signs}, first at character {text.index(found[0])}", "write the text that is meant"

    def scorer_fault(self, row: int) -> Finding:
        section = "defaults" if self.rows[row].index is None else "config"
        yield f"{section}.scorer", self.value(row, "scorer_fault"), ""

    def not_judgeable(self, _row: int) -> Finding:
        yield "expected", "neither expected nor references is there", "write one of them, or answers are not scored"


def _fields(row: Row) -> Iterator[tuple[str, str]]:
    """Every text of a row by its field."""
    from benchbook.datasets.rendering import templates
    from benchbook.datasets.template import text

    case, dataset = row.case, row.seen.dataset
    if case is None:
        if dataset is not None:
            yield from (("name", dataset.name), ("description", dataset.description), ("version", dataset.version))
        return
    yield from (("id", case.id), ("category", case.category))
    yield from templates(case)
    for name, value in case.variables.items():
        yield f"variables.{name}", f"{name} {text(value)}"


def _plain(number: float) -> str:
    return f"{int(number):,}" if number == int(number) else f"{number:g}"


def _sign_kind(sign: str) -> str:
    if sign == "\ufffd":
        return "a replacement character: text was damaged before"
    return "a lone surrogate" if "\ud800" <= sign <= "\udfff" else "a control character"
