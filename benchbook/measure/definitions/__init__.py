"""What other load generators would print for the same run, each by its own definitions. Pure.

One tool, one file, one line in `TOOLS` and one in `RELEASES`. A file holds SOURCE (the files of that release that were
read), RULES (what it counts and how it takes percentiles), FORMULAS by quantity, STATISTICS, and `figures`, which makes
numbers of the stored facts. The formulas are theirs, in our own words; none of their code is here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

from benchbook.measure.definitions.facts import Figure, Observed

TOOLS: Mapping[str, str] = {
    "guidellm": "benchbook.measure.definitions.guidellm",
    "aiperf": "benchbook.measure.definitions.aiperf",
    "vllm": "benchbook.measure.definitions.vllm",
    "llmeter": "benchbook.measure.definitions.llmeter",
    "inference-perf": "benchbook.measure.definitions.inference_perf",
}

RELEASES: Mapping[str, str] = {
    "guidellm": "0.8.1",
    "aiperf": "0.13.0",
    "vllm": "0.33.0",
    "llmeter": "0.2.0",
    "inference-perf": "0.7.0",
}
"""Tool -> the release on PyPI that its column was held to, its own code asked about fixed requests."""

QUANTITIES: Mapping[str, str] = {
    "first_token_ms": "time to the first token",
    "per_token_ms": "time per token after the first",
    "per_token_whole_ms": "time per token, the wait for the first included",
    "gap_ms": "gaps between pieces",
    "end_to_end_ms": "the whole answer",
    "requests_per_s": "requests a second",
    "output_tokens_per_s": "output tokens a second",
    "goodput_per_s": "requests that met every limit a second",
    "goodput_share": "their share",
}
"""Quantity -> what it is about, in the order in which it is printed."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool's definitions as words."""

    name: str
    release: str
    source: str
    rules: str
    formulas: Mapping[str, str]


def tool(name: str) -> Tool:
    """The definitions of one of TOOLS."""
    module = import_module(TOOLS[name])
    return Tool(name, RELEASES[name], module.SOURCE, module.RULES, module.FORMULAS)


def figures(name: str, observed: Observed) -> list[Figure]:
    """What one of TOOLS would print for this target."""
    found: list[Figure] = import_module(TOOLS[name]).figures(observed)
    return found
