"""openai, anthropic and ollama: addresses, keys, requests, listings."""

from __future__ import annotations

import orjson
import pytest

from benchbook.errors import CredentialError, PlanError, ProviderError, UserError
from benchbook.providers import PROVIDERS, ModelInfo, open_provider
from benchbook.providers.calls import Asked, Outbox, attempt
from benchbook.providers.decoding import decode
from benchbook.providers.keyed import deadline_in
from benchbook.providers.ollama import base_url
from benchbook.providers.transport import Transport
from benchbook.records import Message, ModelRequest, Target
from tests.unit.providers.scripted_server import ScriptedServer, answer, chunked, serving, soon

ASK = ModelRequest("m", (Message("user", "hi"),))
KEY = "sk-very-secret-1234567890"


def target(provider: str, base: str | None = None, **more: str) -> Target:
    return Target("mine", provider, "m", base_url=base, **more)  # type: ignore[arg-type]


def asked(seconds: float = 20.0) -> Asked:
    return Asked("c-1", 1, 0, 0, soon(seconds))


# ---------------------------------------------------------------- opening


def test_an_unknown_provider_is_one_clear_line() -> None:
    with pytest.raises(PlanError) as caught:
        open_provider(target("opnai"))
    assert str(caught.value) == (
        "target mine: unknown provider 'opnai'; known ones: anthropic, bedrock, ollama, openai"
    )


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_a_wire_that_a_provider_does_not_speak_is_refused(name: str) -> None:
    with pytest.raises(PlanError, match="does not speak the wire 'morse'"):
        open_provider(target(name, wire="morse"))


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_an_address_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="no address"):
        open_provider(target(name, "localhost:8000"))


@pytest.mark.parametrize(
    ("name", "url", "header"),
    [
        ("openai", "https://api.openai.com/v1/chat/completions", {"authorization": f"Bearer {KEY}"}),
        ("anthropic", "https://api.anthropic.com/v1/messages", {"x-api-key": KEY, "anthropic-version": "2023-06-01"}),
        ("ollama", "http://localhost:11434/api/chat", {"authorization": f"Bearer {KEY}"}),
    ],
)
def test_each_has_its_own_address_and_header(
    monkeypatch: pytest.MonkeyPatch, name: str, url: str, header: dict[str, str]
) -> None:
    monkeypatch.setenv(f"{name.upper()}_API_KEY", f"{KEY}\n")
    provider = open_provider(target(name))
    provider.check()
    request = provider.prepare(ASK)
    assert request.url == url
    assert request.headers == {"content-type": "application/json", **header}
    assert provider.secrets == (KEY,)
    assert KEY not in repr(provider)
    assert KEY not in repr(request)
    assert provider.capabilities().stream


@pytest.mark.parametrize(("name", "variable"), [("openai", "OPENAI_API_KEY"), ("anthropic", "ANTHROPIC_API_KEY")])
def test_a_missing_key_is_named_by_its_variable(name: str, variable: str) -> None:
    with pytest.raises(CredentialError) as caught:
        open_provider(target(name)).check()
    assert str(caught.value) == f"target mine: no key: ${variable} is not set; export {variable}=..."


def test_the_provider_s_own_address_written_out_needs_its_key_as_well() -> None:
    with pytest.raises(CredentialError):
        open_provider(target("openai", "https://api.openai.com/v1/")).check()


def test_a_named_variable_must_be_set() -> None:
    with pytest.raises(CredentialError, match=r"\$MY_KEY is not set"):
        open_provider(target("openai", "https://llm.example.test/v1", api_key_env="MY_KEY")).check()


def test_other_servers_need_no_key_and_the_loopback_never_does() -> None:
    elsewhere = open_provider(target("openai", "https://llm.example.test/v1"))
    elsewhere.check()
    assert "authorization" not in elsewhere.prepare(ASK).headers
    local = open_provider(target("anthropic", "http://127.0.0.1:9", api_key_env="MY_KEY"))
    local.check()
    assert local.prepare(ASK).headers["x-api-key"]
    assert local.secrets == ()


def test_a_key_that_no_header_can_carry_is_refused_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk\u2028sesame")
    with pytest.raises(CredentialError) as caught:
        open_provider(target("openai")).check()
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        (":8080", "http://127.0.0.1:8080"),
        ("gpu-box", "http://gpu-box:11434"),
        ("gpu-box:80", "http://gpu-box:80"),
        ("http://gpu-box", "http://gpu-box:80"),
        ("https://gpu-box", "https://gpu-box:443"),
        ("https://gpu-box/ollama/", "https://gpu-box:443/ollama"),
        ("[::1]:9", "http://[::1]:9"),
        ("[::]", "http://[::1]:11434"),
        ('"gpu-box"', "http://gpu-box:11434"),
    ],
)
def test_ollama_host_in_every_form(monkeypatch: pytest.MonkeyPatch, host: str, url: str) -> None:
    assert base_url(host) == url
    monkeypatch.setenv("OLLAMA_HOST", host)
    assert open_provider(target("ollama")).prepare(ASK).url == f"{url}/api/chat"


@pytest.mark.parametrize("host", ["host:port", "http://[::1"])
def test_an_ollama_host_that_is_none_is_the_user_s_error(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("OLLAMA_HOST", host)
    with pytest.raises(PlanError, match="OLLAMA_HOST"):
        open_provider(target("ollama"))


# ---------------------------------------------------------------- listings


@pytest.mark.parametrize(
    ("name", "pages", "models"),
    [
        (
            "openai",
            [{"data": [{"id": "a", "owned_by": "x"}, {"id": "b"}, {"odd": 1}]}],
            (ModelInfo("a", "x"), ModelInfo("b")),
        ),
        (
            "anthropic",
            [
                {"data": [{"id": "a", "display_name": "A"}], "has_more": True, "last_id": "a"},
                {"data": [{"id": "b"}], "has_more": False, "last_id": "b"},
            ],
            (ModelInfo("a", "A"), ModelInfo("b")),
        ),
        (
            "ollama",
            [{"models": [{"name": "a:1b", "details": {"family": "llama", "parameter_size": "1B"}}, {"name": "b"}]}],
            (ModelInfo("a:1b", "llama 1B"), ModelInfo("b")),
        ),
    ],
)
async def test_models_are_listed(
    transport: Transport, name: str, pages: list[object], models: tuple[ModelInfo, ...]
) -> None:
    script = tuple(step for page in pages for step in ("request", answer(orjson.dumps(page))))
    async with ScriptedServer(script) as server:
        provider = open_provider(target(name, f"http://127.0.0.1:{server.port}"))
        assert await provider.list_models(transport, deadline_in(20)) == models
    assert server.requests[0].startswith(b"GET ")
    if len(pages) == 2:
        assert b"after_id=a" in server.requests[1]


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (answer(b'{"error":{"message":"bad key sk-very-secret-1234567890"}}', "401 Unauthorized"), "auth"),
        (answer(b"<html>", "200 OK"), "protocol"),
        (answer(b"[[]]", "200 OK"), "protocol"),
        (answer(b'"odd"', "200 OK"), "protocol"),
        (b"nonsense", "protocol"),
    ],
)
async def test_a_listing_that_fails_is_a_provider_s_error(
    transport: Transport, monkeypatch: pytest.MonkeyPatch, response: bytes, kind: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    async with ScriptedServer(serving(response)) as server:
        with pytest.raises(ProviderError) as caught:
            await open_provider(target("openai", server.url)).list_models(transport, soon())
    assert caught.value.kind == kind
    assert KEY not in str(caught.value)


# ---------------------------------------------------------------- attempts


async def test_an_attempt_over_a_socket(transport: Transport) -> None:
    pieces = (
        b'data: {"id":"a","model":"m-1","choices":[{"index":0,"delta":{"content":"Hello"}}]}\n\n',
        b"data: [DONE]\n\n",
    )
    async with ScriptedServer(serving(chunked(*pieces))) as server:
        provider = open_provider(target("openai", server.url))
        raw = await attempt(provider, Outbox(transport), ASK, asked())
    call, said = decode(raw)
    assert (call.error_kind, said.text, call.model_requested, call.model_served) == (None, "Hello", "m", "m-1")
    assert call.cold
    assert call.sent_ns is not None
    assert call.first_byte_ns is not None
    assert call.sent_ns <= call.first_byte_ns <= call.chunks[0].at_ns <= call.closed_ns
    assert raw.received == sum(map(len, pieces))


async def test_a_key_is_in_no_part_of_what_is_kept(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    body = orjson.dumps({"error": {"message": f"Incorrect API key provided: {KEY}", "type": "auth"}})
    async with ScriptedServer(serving(answer(body, "401 Unauthorized"))) as server:
        raw = await attempt(open_provider(target("openai", server.url)), Outbox(transport), ASK, asked())
        assert KEY.encode() in server.requests[0]
    call, said = decode(raw)
    assert call.error_kind == "auth"
    assert KEY not in repr((call, said))
    assert KEY not in repr(raw)
    assert "Incorrect API key provided: [key]" in (call.error_message or "")


async def test_what_can_t_be_prepared_is_a_failed_call_that_was_never_sent(transport: Transport) -> None:
    call, _ = decode(await attempt(open_provider(target("openai")), Outbox(transport), ASK, asked()))
    assert (call.error_kind, call.sent_ns) == ("auth", None)
    assert "$OPENAI_API_KEY" in (call.error_message or "")
    odd = target("bedrock", "http://127.0.0.1:9", wire="bedrock_invoke")
    call, _ = decode(await attempt(open_provider(odd), Outbox(transport), ASK, asked()))
    assert (call.error_kind, call.sent_ns) == ("bad_request", None)
    assert "InvokeModel" in (call.error_message or "")
