"""The official SDKs work against the simulator unchanged: their own clients, real sockets, retries off."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import anthropic
import ollama
import openai
import pytest
from openai.types.chat import ChatCompletionMessage

from benchbook.simulator import start_process
from tests.end_to_end.sdk_talk import (
    BOTH,
    COMPARE,
    HELLO,
    SAID,
    SCHEMA,
    SCOUT,
    TOKENS,
    WEATHER,
    WEATHERS,
    asked,
    playing,
)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with playing(tmp_path_factory.mktemp("simulator")) as address:
        yield address


# ---------------------------------------------------------------- openai


@pytest.fixture(scope="module")
def openai_client(address: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{address}/v1", api_key="any", max_retries=0) as client:
        yield client


OPENAI_TOOL = {"type": "function", "function": {"name": "get_weather", "description": "w", "parameters": SCHEMA}}


def test_openai_answers_whole(openai_client: openai.OpenAI) -> None:
    answer = openai_client.chat.completions.create(model="sim-openai", messages=asked(HELLO))
    assert answer.choices[0].message.content == HELLO
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (TOKENS, TOKENS)
    assert (answer._request_id or "").startswith("req_")


def test_openai_answers_streamed(openai_client: openai.OpenAI) -> None:
    stream = openai_client.chat.completions.create(
        model="sim-openai", messages=asked(HELLO), stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    deltas = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert "".join(delta or "" for delta in deltas) == HELLO
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 2 * TOKENS


def test_openai_max_tokens_and_stop(openai_client: openai.OpenAI) -> None:
    short = openai_client.chat.completions.create(model="sim-openai", messages=asked(HELLO), max_completion_tokens=2)
    assert (short.choices[0].message.content, short.choices[0].finish_reason) == (HELLO[:8], "length")
    stopped = openai_client.chat.completions.create(model="sim-openai", messages=asked(HELLO), stop=["how"])
    assert stopped.choices[0].message.content == "Grüezi, "


@pytest.mark.parametrize("stream", [False, True])
def test_openai_calls_a_tool_and_then_answers(openai_client: openai.OpenAI, stream: bool) -> None:
    messages = asked(WEATHER)
    if stream:
        with openai_client.chat.completions.stream(
            model="sim-openai", messages=messages, tools=[OPENAI_TOOL]
        ) as events:
            choice = events.get_final_completion().choices[0]
    else:
        answer = openai_client.chat.completions.create(model="sim-openai", messages=messages, tools=[OPENAI_TOOL])
        choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls"
    (call,) = choice.message.tool_calls or []
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"city": "Zürich"}
    turn = {"role": "assistant", "content": None, "tool_calls": [call.model_dump(include={"id", "type", "function"})]}
    result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    final = openai_client.chat.completions.create(
        model="sim-openai", messages=[*messages, turn, result], tools=[OPENAI_TOOL]
    )
    assert (final.choices[0].message.content, final.choices[0].finish_reason) == (WEATHER, "stop")


@pytest.mark.parametrize("stream", [False, True])
def test_openai_plays_a_script_with_calls_side_by_side(openai_client: openai.OpenAI, stream: bool) -> None:
    def said(*messages: object) -> ChatCompletionMessage:
        talk = [{"role": "system", "content": SCOUT}, *asked(COMPARE), *messages]
        asking = {"model": "sim-openai", "messages": talk, "tools": [OPENAI_TOOL]}
        if not stream:
            return openai_client.chat.completions.create(**asking).choices[0].message
        with openai_client.chat.completions.stream(**asking) as events:
            return events.get_final_completion().choices[0].message

    first = said()
    calls = first.tool_calls or []
    assert (first.content, [json.loads(call.function.arguments) for call in calls]) == ("Both at once.", BOTH)
    turn = {"role": "assistant", "content": first.content, "tool_calls": [call.model_dump() for call in calls]}
    weather = [{"role": "tool", "tool_call_id": c.id, "content": w} for c, w in zip(calls, WEATHERS, strict=True)]
    assert said(turn, *weather).content == SAID


def test_openai_lists_models_that_are_there(openai_client: openai.OpenAI) -> None:
    names = [model.id for model in openai_client.models.list()]
    assert "sim-openai" in names
    assert "gone" not in names


def test_openai_errors(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        openai_client.chat.completions.create(model="gone", messages=asked(HELLO))
    with pytest.raises(openai.RateLimitError) as limited:
        openai_client.chat.completions.create(model="busy", messages=asked(HELLO))
    assert limited.value.response.headers["retry-after"] == "1"
    with pytest.raises(openai.APIError, match="told to fail"):
        list(openai_client.chat.completions.create(model="breaking", messages=asked(HELLO), stream=True))


# ---------------------------------------------------------------- anthropic


@pytest.fixture(scope="module")
def claude(address: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=address, api_key="any", max_retries=0) as client:
        yield client


CLAUDE_TOOL = {"name": "get_weather", "description": "w", "input_schema": SCHEMA}


def test_anthropic_answers_whole(claude: anthropic.Anthropic) -> None:
    answer = claude.messages.create(model="sim-anthropic", max_tokens=64, messages=asked(HELLO), system="Be kind.")
    assert [block.text for block in answer.content if block.type == "text"] == [HELLO]
    assert answer.stop_reason == "end_turn"
    assert answer.usage.output_tokens == TOKENS
    assert answer.usage.input_tokens == TOKENS + 2
    assert (answer._request_id or "").startswith("req_")


def test_anthropic_answers_streamed(claude: anthropic.Anthropic) -> None:
    with claude.messages.stream(model="sim-anthropic", max_tokens=64, messages=asked(HELLO)) as stream:
        assert "".join(stream.text_stream) == HELLO
        final = stream.get_final_message()
    assert final.stop_reason == "end_turn"
    assert (final.usage.input_tokens, final.usage.output_tokens) == (TOKENS, TOKENS)
    cut = claude.messages.create(model="sim-anthropic", max_tokens=3, messages=asked(HELLO))
    assert cut.stop_reason == "max_tokens"


@pytest.mark.parametrize("stream", [False, True])
def test_anthropic_calls_a_tool(claude: anthropic.Anthropic, stream: bool) -> None:
    asking = {"model": "sim-anthropic", "max_tokens": 64, "messages": asked(WEATHER), "tools": [CLAUDE_TOOL]}
    if stream:
        with claude.messages.stream(**asking) as events:
            answer = events.get_final_message()
    else:
        answer = claude.messages.create(**asking)
    assert answer.stop_reason == "tool_use"
    (use,) = [block for block in answer.content if block.type == "tool_use"]
    assert (use.name, use.input) == ("get_weather", {"city": "Zürich"})


@pytest.mark.parametrize("stream", [False, True])
def test_anthropic_plays_a_script_with_calls_side_by_side(claude: anthropic.Anthropic, stream: bool) -> None:
    def said(*messages: object) -> list[anthropic.types.ContentBlock]:
        talk = [*asked(COMPARE), *messages]
        asking = {"model": "sim-anthropic", "max_tokens": 64, "messages": talk, "tools": [CLAUDE_TOOL], "system": SCOUT}
        if not stream:
            return claude.messages.create(**asking).content
        with claude.messages.stream(**asking) as events:
            return events.get_final_message().content

    first = said()
    uses = [block for block in first if block.type == "tool_use"]
    assert [use.input for use in uses] == BOTH
    weather = [{"type": "tool_result", "tool_use_id": u.id, "content": w} for u, w in zip(uses, WEATHERS, strict=True)]
    turn = {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in first]}
    (last,) = said(turn, {"role": "user", "content": weather})
    assert (last.type, last.text) == ("text", SAID)


def test_anthropic_thinks_first(claude: anthropic.Anthropic) -> None:
    with claude.messages.stream(model="thinker", max_tokens=64, messages=asked(HELLO)) as stream:
        answer = stream.get_final_message()
    assert [block.type for block in answer.content] == ["thinking", "text"]
    assert answer.usage.output_tokens == TOKENS + 5


def test_anthropic_lists_and_errors(claude: anthropic.Anthropic) -> None:
    assert "sim-anthropic" in [model.id for model in claude.models.list()]
    with pytest.raises(anthropic.NotFoundError):
        claude.messages.create(model="gone", max_tokens=9, messages=asked(HELLO))
    with pytest.raises(anthropic.RateLimitError):
        claude.messages.create(model="busy", max_tokens=9, messages=asked(HELLO))
    with (
        pytest.raises(anthropic.APIError, match="told to fail"),
        claude.messages.stream(model="breaking", max_tokens=64, messages=asked(HELLO)) as stream,
    ):
        stream.get_final_message()


# ---------------------------------------------------------------- ollama


@pytest.fixture(scope="module")
def llama(address: str) -> Iterator[ollama.Client]:
    client = ollama.Client(host=address)
    yield client
    client._client.close()


def test_ollama_answers_whole(llama: ollama.Client) -> None:
    answer = llama.chat(model="sim-llama", messages=asked(HELLO))
    assert answer.message.content == HELLO
    assert (answer.done, answer.done_reason) == (True, "stop")
    assert (answer.prompt_eval_count, answer.eval_count) == (TOKENS, TOKENS)
    assert answer.total_duration is not None


def test_ollama_answers_streamed(llama: ollama.Client) -> None:
    parts = list(llama.chat(model="sim-llama", messages=asked(HELLO), stream=True))
    assert "".join(part.message.content or "" for part in parts) == HELLO
    assert len(parts) == TOKENS + 1
    assert parts[-1].done
    assert parts[-1].eval_count == TOKENS


@pytest.mark.parametrize("stream", [False, True])
def test_ollama_calls_a_tool(llama: ollama.Client, stream: bool) -> None:
    if stream:
        parts = list(llama.chat(model="sim-llama", messages=asked(WEATHER), tools=[OPENAI_TOOL], stream=True))
    else:
        parts = [llama.chat(model="sim-llama", messages=asked(WEATHER), tools=[OPENAI_TOOL])]
    (call,) = [call for part in parts for call in part.message.tool_calls or ()]
    assert (call.function.name, call.function.arguments) == ("get_weather", {"city": "Zürich"})


@pytest.mark.parametrize("stream", [False, True])
def test_ollama_plays_a_script_with_calls_side_by_side(llama: ollama.Client, stream: bool) -> None:
    def said(*messages: object) -> list[ollama.Message]:
        talk = [{"role": "system", "content": SCOUT}, *asked(COMPARE), *messages]
        answer = llama.chat(model="sim-llama", messages=talk, tools=[OPENAI_TOOL], stream=stream)
        return [part.message for part in answer] if stream else [answer.message]

    calls = [call for message in said() for call in message.tool_calls or ()]
    assert [call.function.arguments for call in calls] == BOTH
    turns = [{"role": "assistant", "content": "", "tool_calls": [call.model_dump()]} for call in calls]
    weather = [{"role": "tool", "content": text} for text in WEATHERS]
    assert "".join(message.content or "" for message in said(*turns, *weather)) == SAID


def test_ollama_lists_and_errors(llama: ollama.Client) -> None:
    assert "sim-llama" in [model.model for model in llama.list().models]
    with pytest.raises(ollama.ResponseError) as gone:
        llama.chat(model="gone", messages=asked(HELLO))
    assert gone.value.status_code == 404
    with pytest.raises(ollama.ResponseError, match="told to fail"):
        list(llama.chat(model="breaking", messages=asked(HELLO), stream=True))


def test_the_simulator_needs_nothing_but_its_own_data() -> None:
    profile = Path(__file__).parents[2] / "datasets/simulator/provider-like.yaml"
    with (
        start_process(profile) as address,
        openai.OpenAI(base_url=f"{address}/v1", api_key="any", max_retries=0) as client,
    ):
        assert next(model.id for model in client.models.list()) == "sim-openai"
