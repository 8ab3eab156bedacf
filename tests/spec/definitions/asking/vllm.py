"""vLLM's client: `async_request_openai_chat_completions`, then `calculate_metrics`, without the rest of the package."""

from __future__ import annotations

import ast
import asyncio
import dataclasses
import importlib.util
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

from tests.spec.definitions.asking.events import SLOS, Clock, Row, arriving, first_attempts


def answers(requests: list[Row]) -> Row:
    """Through `async_request_openai_chat_completions` and `calculate_metrics`, without the rest of the package."""
    import numpy as np

    spec = importlib.util.find_spec("vllm")
    assert spec is not None
    folder = Path(next(iter(spec.submodule_search_locations or ()))) / "benchmarks"
    asking = importlib.util.spec_from_file_location("endpoint_request_func", folder / "lib/endpoint_request_func.py")
    assert asking is not None
    assert asking.loader is not None
    client = importlib.util.module_from_spec(asking)
    sys.modules[asking.name] = client
    asking.loader.exec_module(client)
    client.time = clock = Clock()
    wanted = ("calculate_metrics", "BenchmarkMetrics")
    tree = ast.parse((folder / "serve.py").read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if getattr(node, "name", None) in wanted]
    names: Row = {
        "SampleRequest": Any,
        "TokenizerLike": Any,
        "RequestFuncOutput": client.RequestFuncOutput,
        "dataclass": dataclasses.dataclass,
        "np": np,
        "warnings": warnings,
        "MILLISECONDS_TO_SECONDS_CONVERSION": 1000,
        "TERM_PLOTLIB_AVAILABLE": False,
    }
    exec(compile(tree, "serve.py", "exec"), names)

    class Session:
        def __init__(self, attempt: Row) -> None:
            self.attempt, self.reason = attempt, "Too Many Requests"
            self.status = 200 if attempt["events"] else 429
            self.content = SimpleNamespace(iter_any=lambda: arriving(attempt, clock))

        def post(self, **_: object) -> Self:
            return self

        async def __aenter__(self) -> Self:
            return self

        async def __aexit__(self, *_: object) -> None:
            clock.us = self.attempt["end"]

    async def run(attempt: Row) -> Any:
        clock.us = attempt["start"]
        given = client.RequestFuncInput("p", "http://h/v1/chat/completions", 5, 50, "m")
        return await client.async_request_openai_chat_completions(given, Session(attempt))

    attempts = first_attempts(requests)
    outputs = [asyncio.run(run(attempt)) for attempt in attempts]
    lasts_s = (max(a["end"] for a in attempts) - min(r["started"] for r in requests)) / 1e6
    limits = {"ttft": SLOS["ttft_ms"], "tpot": SLOS["decode_ms_per_token"], "e2el": SLOS["e2e_ms"]}
    found, _ = names["calculate_metrics"]([None] * len(outputs), outputs, lasts_s, None, [99], limits)

    def latencies(name: str) -> Row:
        (_, p99), *_ = getattr(found, f"percentiles_{name}_ms")
        return {"mean": getattr(found, f"mean_{name}_ms"), "p50": getattr(found, f"median_{name}_ms"), "p99": p99}

    return {
        "first_token_ms": latencies("ttft"),
        "per_token_ms": latencies("tpot"),
        "gap_ms": latencies("itl"),
        "end_to_end_ms": latencies("e2el"),
        "requests_per_s": {"rate": found.request_throughput},
        "output_tokens_per_s": {"rate": found.output_throughput},
        "goodput_per_s": {"rate": found.request_goodput},
    }
