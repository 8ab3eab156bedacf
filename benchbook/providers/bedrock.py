"""Amazon Bedrock. boto3 finds credentials and region and lists models; botocore signs; our transport carries.

The only door to boto3 in this room, and imported late. Signing happens in `prepare`, before the call is stamped as
sent. Credentials that expire are refreshed in a thread before they do, so that a refresh holds no loop.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import boto3
import botocore.session
from botocore import UNSIGNED
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError

from benchbook.clock import monotonic_ns
from benchbook.errors import CredentialError, PlanError, ProviderError
from benchbook.providers import ModelInfo, Provider, address, capabilities, keys
from benchbook.providers.http import HttpRequest
from benchbook.providers.transport import Transport
from benchbook.records import ModelRequest, Target
from benchbook.wire import Wire, wire

WIRES = ("bedrock_converse", "bedrock_invoke")
SERVICE = "bedrock"
BEARER_VARIABLE = "AWS_BEARER_TOKEN_BEDROCK"
_DUMMY = ReadOnlyCredentials("benchbook", keys.DUMMY, None)
_LOOPBACK_REGION = "us-east-1"
_LOOK_AGAIN_NS = 60 * 1_000_000_000
_TOO_OLD_NS = 300 * 1_000_000_000


class Bedrock:
    """A `Provider` for one Bedrock target."""

    repeatable = False

    def __init__(self, target: Target) -> None:
        self.target = target
        self.wire_name = target.wire or WIRES[0]
        if self.wire_name not in WIRES:
            right = f"known ones: {', '.join(WIRES)}"
            raise PlanError(f"target {target.name}", f"bedrock does not speak the wire {self.wire_name!r}", right)
        if target.base_url is not None:
            address.checked(target, target.base_url)
        self.wire: Wire = wire(self.wire_name)
        self._local = address.on_loopback(target.base_url)
        self._signer: Signer | None = None
        self._bearer: str | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        signing = self._signer.secrets if self._signer else ()
        return (*signing, self._bearer) if self._bearer else signing

    @property
    def region(self) -> str:
        """From the target, else $AWS_REGION, else what boto3 finds. Raises CredentialError."""
        region = self.target.region or os.environ.get("AWS_REGION") or self._session.region_name
        if not region and not self._local:
            right = "set `region` in the target, or $AWS_REGION"
            raise CredentialError(f"target {self.target.name}", "no AWS region", right)
        return str(region or _LOOPBACK_REGION)

    @property
    def endpoint(self) -> str:
        return self.target.base_url or f"https://bedrock-runtime.{self.region}.amazonaws.com"

    def check(self) -> None:
        if self._signer is not None or self._bearer is not None:
            return
        region, variable = self.region, self.target.api_key_env or BEARER_VARIABLE
        self._bearer = keys.read(variable)
        if self._bearer is None and self.target.api_key_env and not self._local:
            raise keys.missing(self.target.name, variable)
        if self._bearer is None:
            self._signer = Signer(self.credentials(), region)

    def prepare(self, request: ModelRequest) -> HttpRequest:
        self.check()
        asked = self.wire.encode_request(request)
        url = address.join(self.endpoint, asked.path)
        headers = {"content-type": "application/json", **asked.headers}
        if self._bearer is not None:
            headers["authorization"] = f"Bearer {self._bearer}"
        elif self._signer is not None:
            headers = self._signer.signed("POST", url, headers, asked.body)
        return HttpRequest(url, headers, asked.body)

    def capabilities(self) -> capabilities.Capabilities:
        return capabilities.of(self.target)

    async def list_models(self, transport: Transport, deadline_ns: int) -> tuple[ModelInfo, ...]:  # noqa: ARG002
        """Foundation models and inference profiles, through boto3 in a thread; `transport` is not used."""
        self.check()
        left_s = max(0.1, (deadline_ns - monotonic_ns()) / 1e9)
        try:
            return await asyncio.to_thread(lambda: tuple(self._list(left_s)))
        except (BotoCoreError, ClientError) as error:
            raise _listing_failed(error, self.secrets) from None

    def runtime_client(self, *, connections: int, timeout_s: float) -> Any:
        """boto3's client of the runtime, for an SDK that speaks through it: no retries of its own, so many kept
        connections, so long a wait for each read. Raises CredentialError."""
        self.check()
        config: dict[str, Any] = {
            "retries": {"total_max_attempts": 1},
            "max_pool_connections": connections,
            "read_timeout": timeout_s,
            "connect_timeout": timeout_s,
        }
        if self._local:
            config["proxies"] = {}
        explicit: dict[str, Any] = {}
        if self._bearer is not None:
            config["signature_version"] = UNSIGNED
        elif self._local and self._signer is not None:
            explicit = _explicit(self._signer.current())
        client = self._session.client(
            "bedrock-runtime",
            region_name=self.region,
            endpoint_url=self.target.base_url,
            config=Config(**config),
            **explicit,
        )
        if (bearer := self._bearer) is not None:

            def authorize(request: Any, **_: Any) -> None:
                request.headers["Authorization"] = f"Bearer {bearer}"

            client.meta.events.register("before-send.bedrock-runtime.*", authorize)
        return client

    # ------------------------------------------------------------ boto3

    @cached_property
    def _session(self) -> Any:
        """boto3's session. Nobody asks a profile, a login or a cloud's metadata in order to reach this machine."""
        alone = {"profile": (None, None, None, None)} if self._local else None
        try:
            return boto3.Session(botocore_session=botocore.session.Session(session_vars=alone))
        except BotoCoreError as error:
            raise CredentialError(f"target {self.target.name}", f"AWS configuration: {error}") from None

    def credentials(self) -> Any:
        """As boto3 finds them; towards this machine the environment's, or dummies. Raises CredentialError."""
        if self._local:
            return _from_environment() or Credentials(_DUMMY.access_key, _DUMMY.secret_key)
        try:
            found = self._session.get_credentials()
        except BotoCoreError as error:
            raise CredentialError(f"target {self.target.name}", f"AWS credentials: {error}") from None
        if found is None:
            right = "set $AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY, or $AWS_PROFILE"
            raise CredentialError(f"target {self.target.name}", "no AWS credentials", right)
        return found

    def _list(self, left_s: float) -> Iterator[ModelInfo]:
        client = self._client(left_s)
        for row in client.list_foundation_models()["modelSummaries"]:
            kinds = ", ".join(row.get("inferenceTypesSupported") or [])
            yield ModelInfo(row["modelId"], " ".join(filter(None, (row.get("modelName"), kinds and f"({kinds})"))))
        for page in client.get_paginator("list_inference_profiles").paginate():
            for row in page["inferenceProfileSummaries"]:
                yield ModelInfo(row["inferenceProfileId"], f"{row.get('inferenceProfileName', '')} (profile)".strip())

    def _client(self, left_s: float) -> Any:
        config = Config(retries={"total_max_attempts": 1}, connect_timeout=left_s, read_timeout=left_s)
        explicit = _explicit(self._signer.current()) if self._signer is not None else {}
        return self._session.client(
            "bedrock", region_name=self.region, endpoint_url=self.target.base_url, config=config, **explicit
        )


def _explicit(frozen: ReadOnlyCredentials) -> dict[str, Any]:
    """Credentials as a client's arguments."""
    return {
        "aws_access_key_id": frozen.access_key,
        "aws_secret_access_key": frozen.secret_key,
        "aws_session_token": frozen.token,
    }


def signer(base_url: str, region: str) -> Signer:
    """Signs with this environment's credentials, for whoever passes on what somebody else asked.

    Raises CredentialError where there are none."""
    return Signer(Bedrock(Target("recorder", "bedrock", "any", base_url=base_url, region=region)).credentials(), region)


class Signer:
    """SigV4 over credentials that may expire.

    A frozen copy signs. Once it is a minute old, a thread looks whether fresher ones are due (botocore asks for
    them a quarter of an hour ahead); only a copy that is five minutes old (this process slept) is renewed in line.
    """

    def __init__(self, credentials: Any, region: str) -> None:
        self._credentials = credentials
        self._region = region
        self._renewing = threading.Lock()
        self._frozen, self._frozen_ns = self._renewed(), monotonic_ns()

    @property
    def secrets(self) -> tuple[str, ...]:
        frozen = self._frozen
        if frozen.secret_key == _DUMMY.secret_key:
            return ()
        return tuple(filter(None, (frozen.secret_key, frozen.token, frozen.access_key)))

    def current(self) -> ReadOnlyCredentials:
        """Credentials that are valid now. Raises CredentialError."""
        frozen, age_ns = self._frozen, monotonic_ns() - self._frozen_ns
        if age_ns >= _TOO_OLD_NS:
            frozen = self._frozen = self._renewed()
            self._frozen_ns = monotonic_ns()
        elif age_ns >= _LOOK_AGAIN_NS and self._renewing.acquire(blocking=False):
            threading.Thread(target=self._renew, daemon=True).start()
        return frozen

    def signed(self, method: str, url: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
        """The header fields with the signature's among them."""
        request = AWSRequest(method, url, data=body, headers=headers)
        SigV4Auth(self.current(), SERVICE, self._region).add_auth(request)
        return dict(request.headers.items())

    def _renew(self) -> None:
        try:
            self._frozen, self._frozen_ns = self._renewed(), monotonic_ns()
        except CredentialError:
            return  # the copy at hand is still good; when it no longer is, `current` says so
        finally:
            self._renewing.release()

    def _renewed(self) -> ReadOnlyCredentials:
        try:
            return self._credentials.get_frozen_credentials()
        except (BotoCoreError, ClientError, RuntimeError, ValueError, OSError) as error:
            raise CredentialError("AWS credentials", keys.scrub(str(error))) from None


def _from_environment() -> Credentials | None:
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    return Credentials(key, secret, os.environ.get("AWS_SESSION_TOKEN")) if key and secret else None


def _listing_failed(error: Exception, secrets: tuple[str, ...]) -> ProviderError:
    said = keys.scrub(str(error), secrets)
    if isinstance(error, ClientError):
        code = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return ProviderError("auth" if code in (401, 403) else "http_error", said, http_status=code)
    return ProviderError("refused", said)


def provider(target: Target) -> Provider:
    return Bedrock(target)
