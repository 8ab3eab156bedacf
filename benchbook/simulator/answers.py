"""What the simulated model says: a script's line, an echo, texts, or a dataset's expected answer; and its tool calls.

Whether a looked-up answer is right depends on (seed, model, prompt) alone, so a repetition gets the same
answer, as from a model at temperature 0; a script lapses anew each time. A wrong answer holds no expected text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchbook.datasets.nonce import without
from benchbook.records import Case, Dataset, ModelRequest, ToolCall
from benchbook.simulator.laws import chance, last_question
from benchbook.simulator.profile import Law, Lookup, Profile, Scripted
from benchbook.simulator.scripts import Line, Scripts

_OPENINGS = (
    "Let me go through this carefully before I commit to a result.",
    "Taking the question step by step and checking each step on the way, I get to one result.",
    "There are a few ways to look at this, and they agree once the details are worked out with care.",
    "I read the task twice, set the distractions aside, and worked from what is actually given.",
)
_EVASIONS = (
    "I am sorry, but I cannot say that with any confidence.",
    "I would have to guess here, and a guess would not help you.",
    "That is hard to tell from what is given, so I leave it open.",
)
_EXACT_SCORERS = frozenset({"exact", "json_schema", "references"})


@dataclass(frozen=True, slots=True)
class Reply:
    """What is to be said. `case` and `correct` only where it was looked up."""

    text: str
    calls: tuple[ToolCall, ...] = ()
    case: str | None = None
    correct: bool | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A dataset case, as far as answering it goes."""

    case: str
    right: str
    banned: tuple[str, ...]
    verbatim: bool


class Speaker:
    """Holds the looked-up datasets of a profile; `reply` is a pure function of profile and request."""

    def __init__(self, profile: Profile) -> None:
        self._seed = profile.seed
        self._scripts = {law.scripts: Scripts(law.scripts, profile.folder) for law in profile.laws() if law.scripts}
        self._books = {
            law.answers.datasets: read_book(law.answers.datasets, profile.folder)
            for law in profile.laws()
            if isinstance(law.answers, Lookup)
        }

    def line(self, law: Law, request: ModelRequest, prompt: str) -> Line | None:
        """What the law's scripts have for a request: the same whenever it is asked."""
        return self._scripts[law.scripts].line(request, prompt) if law.scripts else None

    def recite(self, law: Law, line: Line, key: tuple[str, str, int]) -> Reply:
        """A script's line, or an evasion in its place where (model, prompt, nth) is one of the law's lapses."""
        if line.sure or chance(self._seed, "lapse", *key).random() >= law.lapses:
            return Reply(line.text, line.calls, case=line.case)
        return Reply(chance(self._seed, "evasion", *key).choice(_EVASIONS), case=line.case, correct=False)

    def reply(self, law: Law, request: ModelRequest, prompt: str, nth: int) -> Reply:
        """The reply to a request without a script; `nth` counts how often its prompt was seen, from 0."""
        calling = _tool_turn(law, request, prompt)
        if calling is not None:
            return calling
        question = last_question(request)
        if isinstance(law.answers, Scripted):
            return Reply(_scripted(law.answers, question, nth))
        if isinstance(law.answers, Lookup):
            book = self._books[law.answers.datasets]
            entry = book.get(question) or book.get(without(question))
            if entry is not None:
                return self._looked_up(law.answers, entry, (request.model, prompt))
        return Reply(question)

    def _looked_up(self, lookup: Lookup, entry: Entry, key: tuple[str, str]) -> Reply:
        random = chance(self._seed, "answer", *key)
        correct = random.random() < lookup.accuracy
        if not correct:
            wrong = [text for text in _EVASIONS if not any(b.casefold() in text.casefold() for b in entry.banned)]
            return Reply(random.choice(wrong or ["?"]), case=entry.case, correct=False)
        alone = entry.verbatim if lookup.verbatim == "auto" else lookup.verbatim == "always"
        text = entry.right if alone else f"{random.choice(_OPENINGS)} The answer is {entry.right}"
        return Reply(text, case=entry.case, correct=True)


def carried(reply: Reply, wire: str, *, streamed: bool) -> Reply:
    """The reply as the wire can carry it: where a call's arguments are an object, a text that is none becomes one."""
    if wire == "openai_chat" or (streamed and wire != "ollama_chat"):
        return reply
    return replace(reply, calls=tuple(replace(call, arguments=_object_text(call.arguments)) for call in reply.calls))


def _object_text(arguments: str) -> str:
    try:
        whole = isinstance(json.loads(arguments or "{}"), dict)
    except json.JSONDecodeError:
        whole = False
    return arguments if whole else json.dumps({"broken": arguments})


def _scripted(script: Scripted, question: str, nth: int) -> str:
    lowered = question.casefold()
    for rule in script.rules:
        if rule.match.casefold() in lowered:
            return rule.answer
    return script.texts[nth % len(script.texts)] if script.texts else question


def _tool_turn(law: Law, request: ModelRequest, prompt: str) -> Reply | None:
    """The scripted round that fits: every tool it calls is on offer, and the conversation has come that far."""
    if not law.tool_calls or not request.tools:
        return None
    offered = {tool.name for tool in request.tools}
    question, turn = last_question(request).casefold(), _rounds(request) + 1
    for step in law.tool_calls:
        if step.turn == turn and step.match.casefold() in question and {call.name for call in step.calls} <= offered:
            calls = tuple(
                ToolCall(f"call_{prompt[:12]}{turn:02d}{index:02d}", call.name, json.dumps(call.arguments))
                for index, call in enumerate(step.calls)
            )
            return Reply(step.text, calls)
    return None


def _rounds(request: ModelRequest) -> int:
    """How many times the model has called tools since the last user message. Calls in a row are one time: some wires
    send each in a message of its own."""
    rounds, inside = 0, False
    for message in reversed(request.messages):
        if message.role == "user":
            break
        rounds += bool(message.tool_calls) and not inside
        inside = bool(message.tool_calls)
    return rounds


def read_book(paths: Sequence[str], folder: str) -> Mapping[str, Entry]:
    """Rendered last user message -> entry, over all cases of the datasets. Raises DatasetError."""
    from benchbook.datasets import read, render

    book: dict[str, Entry] = {}
    for path in paths:
        dataset = read(Path(folder) / path).dataset
        for case in dataset.cases:
            question = next(m.content for m in reversed(render(dataset, case).messages) if m.role == "user")
            book.setdefault(question, entry(dataset, case))
    return book


def entry(dataset: Dataset, case: Case) -> Entry:
    """How a case is to be answered: by its expected text, else its first reference."""
    texts = tuple(text for text in (case.expected, *case.references) if text)
    config = {**dataset.defaults, **case.config}
    scorer = config.get("scorer")
    if isinstance(scorer, list):  # the first of several judges the text, by habit
        scorer = scorer[0]
    kind = scorer.get("kind") if isinstance(scorer, Mapping) else scorer
    by_reference = kind is None and bool(case.references)
    alone = kind in _EXACT_SCORERS or by_reference
    right = texts[0] if texts else ""
    if case.references and (by_reference or kind == "references"):
        right = case.references[0]
    return Entry(case.id, right, texts, alone)
