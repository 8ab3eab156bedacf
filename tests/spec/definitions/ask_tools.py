"""Ask load generators what they make of fixed requests, and write their answers: an oracle made of their own code.

    uv run --no-project --with guidellm==0.8.1 python -m tests.spec.definitions.ask_tools guidellm
    uv run --no-project --with aiperf==0.13.0 python -m tests.spec.definitions.ask_tools aiperf
    uv run --no-project --with llmeter==0.2.0,openai,httpx python -m tests.spec.definitions.ask_tools llmeter
    uv run --no-project --with inference-perf==0.7.0 python -m tests.spec.definitions.ask_tools inference-perf
    PYTHONPATH=WHEEL uv run --no-project --with aiohttp,numpy,regex,tqdm \\
        python -m tests.spec.definitions.ask_tools vllm

Each tool reads the same events from a source that only hands over bytes and turns the clock that the tool reads; its
reader, its metrics and its statistics are its own. Of vLLM the unpacked wheel (vllm 0.33.0) at WHEEL is enough: of
`serve.py` only `calculate_metrics` is run. Nothing of ours is imported.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from tests.spec.definitions.asking.events import SLOS, drawn

ANSWERS = Path(__file__).with_name("tool_answers.json")
TOOLS = {name: name.replace("-", "_") for name in ("guidellm", "aiperf", "vllm", "llmeter", "inference-perf")}


def main() -> None:
    """Ask one tool and write its row into the table."""
    name, requests = sys.argv[1], drawn()
    answers = import_module(f"tests.spec.definitions.asking.{TOOLS[name]}").answers(requests)
    known = json.loads(ANSWERS.read_text(encoding="utf-8"))["tools"] if ANSWERS.exists() else {}
    known[name] = {"asked": f"{name} {version(name)}", "answers": answers}
    rows = ",\n".join(json.dumps(request) for request in requests)
    tools = ",\n".join(f"{json.dumps(tool)}: {json.dumps(known[tool])}" for tool in TOOLS if tool in known)
    slos = json.dumps(SLOS)
    ANSWERS.write_text(f'{{"slos": {slos}, "requests": [\n{rows}\n], "tools": {{\n{tools}\n}}}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
