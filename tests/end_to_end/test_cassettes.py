"""Cassettes end to end: what is recorded is what is played back, through real sockets and processes."""

from __future__ import annotations

from pathlib import Path

import openai

from benchbook.proxy.cassette import read_cassette
from benchbook.proxy.process import start_recording, start_replay
from benchbook.proxy.recorder import Order
from benchbook.proxy.replayer import MAX, How
from benchbook.simulator import start_process

KEY = "sk-not-on-any-cassette-0123456789"


def said(address: str) -> str:
    with openai.OpenAI(base_url=f"{address}/v1", api_key=KEY, max_retries=0) as client:
        messages = [{"role": "user", "content": "Grüezi, wie geht's?"}]
        stream = client.chat.completions.create(model="m", messages=messages, stream=True)
        return "".join(part.choices[0].delta.content or "" for part in stream if part.choices)


def test_an_sdk_hears_from_the_cassette_what_it_heard_from_the_provider(tmp_path: Path) -> None:
    path = tmp_path / "tape.ndjson"
    with start_process() as simulator, start_recording(Order(path, {"simulator": simulator})) as addresses:
        heard = said(addresses["simulator"])
    assert KEY not in path.read_text()
    assert len(read_cassette(path).exchanges) == 1
    with start_replay(str(path), How(MAX)) as serving:
        assert said(serving.address) == heard == "Grüezi, wie geht's?"
