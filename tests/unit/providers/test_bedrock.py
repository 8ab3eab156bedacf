"""Bedrock: credentials, region, and a signature that is the one boto3 itself makes."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import boto3
import orjson
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, RefreshableCredentials

from benchbook.errors import CredentialError, ProviderError
from benchbook.providers import open_provider
from benchbook.providers.bedrock import Bedrock, Signer
from benchbook.providers.calls import Asked, Outbox, attempt
from benchbook.providers.transport import Transport
from benchbook.records import Message, ModelRequest, Target
from tests.unit.providers.scripted_server import ScriptedServer, answer, serving, soon

MODEL = "anthropic.claude-3-haiku-20240307-v1:0"
ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0"
ASK = ModelRequest(MODEL, (Message("user", "hi"),), stream=False)
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
OK = answer(b'{"output":{"message":{"role":"assistant","content":[{"text":"hi"}]}},"stopReason":"end_turn"}')


def target(base: str | None = None, model: str = MODEL, **more: str) -> Target:
    return Target("mine", "bedrock", model, base_url=base, **more)  # type: ignore[arg-type]


@pytest.fixture
def _aws_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session-token-1234")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")


def signature_again(received: bytes, port: int, region: str) -> str:
    """The Authorization that botocore makes of the request as it was received: same time, same signed headers."""
    head, _, body = received.partition(b"\r\n\r\n")
    request_line, *lines = head.decode().split("\r\n")
    method, path, _ = request_line.split(" ")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    found = re.search(r"SignedHeaders=([^,]+)", headers["authorization"])
    assert found is not None
    kept = {name: headers[name] for name in found[1].split(";") if name not in ("x-amz-date", "x-amz-security-token")}
    request = AWSRequest(method, f"http://127.0.0.1:{port}{path}", data=body, headers=kept)
    signer = SigV4Auth(Credentials("AKIDEXAMPLE", SECRET, "session-token-1234"), "bedrock", region)
    request.context["timestamp"] = headers["x-amz-date"]
    request.headers["X-Amz-Date"] = headers["x-amz-date"]
    request.headers["X-Amz-Security-Token"] = "session-token-1234"
    string = signer.string_to_sign(request, signer.canonical_request(request))
    signature = signer.signature(string, request)
    return f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders={found[1]}, Signature={signature}"


def sent_authorization(received: bytes) -> str:
    found = re.search(rb"(?im)^authorization: (.*)\r$", received)
    assert found is not None
    return found[1].decode()


class Recorder(BaseHTTPRequestHandler):
    """A blocking server for boto3: keeps one request as it came."""

    received: bytes = b""

    def do_POST(self) -> None:
        size = int(self.headers["content-length"])
        head = f"{self.requestline}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        type(self).received = head.encode() + b"\r\n" + self.rfile.read(size)
        self.wfile.write(OK)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.usefixtures("_aws_keys")
@pytest.mark.parametrize("model", [MODEL, ARN])
async def test_our_signature_is_the_one_boto3_would_make(transport: Transport, model: str) -> None:
    """boto3's own request verifies under the same check as ours, and both go to the same path."""
    theirs = HTTPServer(("127.0.0.1", 0), Recorder)
    serving_once = threading.Thread(target=theirs.handle_request)
    serving_once.start()
    client = boto3.client(
        "bedrock-runtime", region_name="eu-central-1", endpoint_url=f"http://127.0.0.1:{theirs.server_port}"
    )
    reply = await asyncio.to_thread(
        client.converse, modelId=model, messages=[{"role": "user", "content": [{"text": "hi"}]}]
    )
    serving_once.join()
    theirs.server_close()
    client.close()
    assert reply["stopReason"] == "end_turn"
    assert sent_authorization(Recorder.received) == signature_again(
        Recorder.received, theirs.server_port, "eu-central-1"
    )

    async with ScriptedServer(serving(OK)) as server:
        provider = open_provider(target(f"http://127.0.0.1:{server.port}", model))
        ask = ModelRequest(model, ASK.messages, stream=False)
        raw = await attempt(provider, Outbox(transport), ask, Asked("c", 1, 0, 0, soon()))
        ours = server.requests[0]
        assert raw.exchange.status == 200
        assert sent_authorization(ours) == signature_again(ours, server.port, "eu-central-1")
    assert ours.split(b" ")[1] == Recorder.received.split(b" ")[1]
    assert b"x-amz-security-token: session-token-1234\r\n" in ours
    assert b"Credential=AKIDEXAMPLE/" in ours


@pytest.mark.usefixtures("_aws_keys")
def test_a_changed_request_has_another_signature() -> None:
    signer = Signer(Credentials("AKIDEXAMPLE", SECRET), "us-east-1")
    one = signer.signed("POST", "https://h/x", {"content-type": "application/json"}, b"1")
    two = signer.signed("POST", "https://h/x", {"content-type": "application/json"}, b"2")
    assert one["Authorization"] != two["Authorization"]
    assert one["content-type"] == "application/json"


@pytest.mark.usefixtures("_aws_keys")
def test_region_and_endpoint_come_from_target_or_environment() -> None:
    provider = Bedrock(target(region="us-west-2"))
    assert provider.endpoint == "https://bedrock-runtime.us-west-2.amazonaws.com"
    assert Bedrock(target()).endpoint == "https://bedrock-runtime.eu-central-1.amazonaws.com"
    assert Bedrock(target("https://vpce.example.test")).endpoint == "https://vpce.example.test"
    provider.check()
    assert provider.prepare(ASK).url == (
        "https://bedrock-runtime.us-west-2.amazonaws.com/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse"
    )
    assert set(provider.secrets) == {SECRET, "session-token-1234", "AKIDEXAMPLE"}
    assert SECRET not in repr(provider)
    assert SECRET not in repr(provider.prepare(ASK))
    assert SECRET not in repr(vars(provider))


def test_no_region_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    with pytest.raises(CredentialError) as caught:
        Bedrock(target()).check()
    assert str(caught.value) == "target mine: no AWS region; set `region` in the target, or $AWS_REGION"


def test_no_credentials_are_one_clear_line() -> None:
    with pytest.raises(CredentialError, match="no AWS credentials; set"):
        Bedrock(target(region="us-east-1")).check()


def test_the_loopback_needs_neither() -> None:
    provider = Bedrock(target("http://127.0.0.1:9"))
    provider.check()
    assert "Credential=benchbook/" in provider.prepare(ASK).headers["Authorization"]
    assert provider.secrets == ()


def test_an_unknown_profile_is_the_user_s_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(CredentialError, match="nobody"):
        Bedrock(target(region="us-east-1")).check()


def test_an_unknown_profile_does_not_keep_anybody_from_the_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "Credential=benchbook/" in Bedrock(target("http://127.0.0.1:9")).prepare(ASK).headers["Authorization"]


def test_a_profile_s_credentials_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "c").write_text(f"[lab]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = {SECRET}\n")
    (tmp_path / "f").write_text("[profile lab]\nregion = ap-south-1\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "c"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "f"))
    monkeypatch.setenv("AWS_PROFILE", "lab")
    request = Bedrock(target()).prepare(ASK)
    assert "Credential=AKIDPROFILE/" in request.headers["Authorization"]
    assert "ap-south-1" in request.url


def test_a_bearer_token_takes_the_signature_s_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "bedrock-api-key-123")
    provider = Bedrock(target(region="us-east-1"))
    assert provider.prepare(ASK).headers["authorization"] == "Bearer bedrock-api-key-123"
    assert provider.secrets == ("bedrock-api-key-123",)
    with pytest.raises(CredentialError, match=r"\$OTHER_KEY is not set"):
        Bedrock(target(region="us-east-1", api_key_env="OTHER_KEY")).check()


def test_streams_and_invoke_have_their_own_paths() -> None:
    streamed = ModelRequest(MODEL, ASK.messages)
    base = "http://127.0.0.1:9"
    assert Bedrock(target(base)).prepare(streamed).url.endswith("/converse-stream")
    assert Bedrock(target(base, wire="bedrock_invoke")).prepare(ASK).url.endswith("/invoke")
    assert Bedrock(target(base, wire="bedrock_invoke")).prepare(streamed).url.endswith("/invoke-with-response-stream")


# ---------------------------------------------------------------- credentials that expire


class Metadata:
    """Hands out credentials that live for so long; counts how often it is asked."""

    def __init__(self, lifetime_s: float) -> None:
        self.lifetime_s = lifetime_s
        self.asked = 0
        self.broken = False

    def __call__(self) -> dict[str, str]:
        if self.broken:
            raise RuntimeError("the metadata service is away")
        self.asked += 1
        expiry = datetime.fromtimestamp(time.time() + self.lifetime_s, UTC)
        return {
            "access_key": f"AKID{self.asked}",
            "secret_key": "s" * 40,
            "token": "t" * 40,
            "expiry_time": expiry.isoformat(),
        }


def expiring(source: Metadata) -> RefreshableCredentials:
    return RefreshableCredentials.create_from_metadata(source(), source, "test")


def test_credentials_are_renewed_before_they_expire() -> None:
    source = Metadata(lifetime_s=60)  # within botocore's advisory quarter of an hour: every look renews
    signer = Signer(expiring(source), "us-east-1")
    first = signer.current().access_key
    assert signer.current().access_key == first
    signer._frozen_ns -= 61 * 10**9  # a minute later
    assert signer.current().access_key == first, "the copy at hand signs while a thread looks"
    for _ in range(2000):
        if signer.current().access_key != first:
            break
        time.sleep(0.001)
    assert signer.current().access_key != first


def test_a_process_that_slept_renews_in_line_and_says_when_it_can_t() -> None:
    source = Metadata(lifetime_s=1)
    signer = Signer(expiring(source), "us-east-1")
    first = signer.current().access_key
    signer._frozen_ns -= 301 * 10**9
    assert signer.current().access_key != first
    source.broken = True
    signer._frozen_ns -= 301 * 10**9
    with pytest.raises(CredentialError, match="the metadata service is away"):
        signer.current()


def test_a_look_ahead_that_fails_leaves_the_copy_at_hand() -> None:
    source = Metadata(lifetime_s=60)
    signer = Signer(expiring(source), "us-east-1")
    first = signer.current().access_key
    source.broken = True
    signer._frozen_ns -= 61 * 10**9
    assert signer.current().access_key == first
    with signer._renewing:  # the look has ended
        assert signer.current().access_key == first


# ---------------------------------------------------------------- listing


class Listing(BaseHTTPRequestHandler):
    """Answers Bedrock's two listings, or refuses them."""

    status = 200

    def do_GET(self) -> None:
        body = {
            "modelSummaries": [
                {"modelArn": "a", "modelId": MODEL, "modelName": "Haiku", "inferenceTypesSupported": ["ON_DEMAND"]}
            ],
            "inferenceProfileSummaries": [{"inferenceProfileId": f"us.{MODEL}", "inferenceProfileName": "US Haiku"}],
        }
        raw = orjson.dumps(body if self.status == 200 else {"message": "not allowed"})
        self.send_response(self.status)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("status", [200, 403])
async def test_models_and_profiles_are_listed_through_boto3(
    transport: Transport, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(Listing, "status", status)
    server = HTTPServer(("127.0.0.1", 0), Listing)
    serving_two = threading.Thread(target=lambda: [server.handle_request() for _ in range(2 if status == 200 else 1)])
    serving_two.start()
    provider = open_provider(target(f"http://127.0.0.1:{server.server_port}"))
    try:
        if status == 200:
            models = await provider.list_models(transport, soon(20))
            assert [model.id for model in models] == [MODEL, f"us.{MODEL}"]
            assert models[0].detail == "Haiku (ON_DEMAND)"
        else:
            with pytest.raises(ProviderError) as caught:
                await provider.list_models(transport, soon(20))
            assert (caught.value.kind, caught.value.http_status) == ("auth", 403)
    finally:
        serving_two.join()
        server.server_close()


async def test_a_listing_without_a_server_is_refused(transport: Transport) -> None:
    with pytest.raises(ProviderError) as caught:
        await open_provider(target("http://127.0.0.1:9")).list_models(transport, soon(5))
    assert caught.value.kind == "refused"
