"""AWS, read-only: every operation passes an allow-list, every byte the program's own wire.

Formats and error codes: botocore's service models, the Amazon ECS, CloudWatch Logs and STS API references.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import boto3
import botocore.loaders
import botocore.session
import httpx
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from detector import __version__
from detector.clients.aws_faults import as_edge_error
from detector.clients.web import exchanged
from detector.clients.wire import Reach
from detector.formats.edge_error import (
    CREDENTIALS,
    FORBIDDEN,
    UNREADABLE,
    WRONG_ACCOUNT,
    EdgeError,
    persistent,
)
from detector.formats.strict_json import clean

Operation = tuple[str, str]

# All that is ever asked of AWS, in the words of IAM; policies/iam-read-only.json grants exactly this.
READS: frozenset[Operation] = frozenset(
    {
        ("ecs", "DescribeServices"),
        ("ecs", "DescribeTasks"),
        ("ecs", "ListTasks"),
        ("logs", "FilterLogEvents"),
        ("sts", "GetCallerIdentity"),
    }
)
# What turns a profile into credentials, in a session of its own that reads nothing else.
IDENTITY: frozenset[Operation] = frozenset(
    {
        ("sts", "AssumeRole"),
        ("sts", "AssumeRoleWithWebIdentity"),
        ("sso", "GetRoleCredentials"),
        ("sso-oidc", "CreateToken"),
        ("signin", "CreateOAuth2Token"),
    }
)
# Providers of botocore that take whatever the machine happens to have; the last asks the metadata address.
_OF_THE_MACHINE = ("boto-config", "ec2-credentials-file", "container-role")
_METADATA = "iam-role"


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom AWS is read: a named profile, or with `ambient` the environment's credentials."""

    profile: str = ""
    ambient: bool = False
    region: str = ""
    account: str = ""


class Aws:
    """Reads AWS for one source, within its deadline."""

    def __init__(self, reach: Reach, who: Identity, pause: Callable[[float], None] = time.sleep) -> None:
        self._reach = reach
        self._who = who
        self._pause = pause
        self._clients: dict[str, Any] = {}

    def call(self, service: str, operation: str, holds: str, **params: Any) -> dict[str, Any]:
        """Return AWS's answer to one operation, e.g. `call("ecs", "list_tasks", "taskArns", …)`; raises EdgeError.

        `holds` is a key that the answer always has: a page that botocore read as an empty answer has none.
        """
        client = self.client(service)
        method = client.meta.method_to_api_mapping[operation]

        def attempt() -> dict[str, Any]:
            with as_edge_error(f"{service}:{method}"):
                answer: dict[str, Any] = getattr(client, operation)(**params)
            if holds not in answer:
                raise EdgeError(f"what answered {service}:{method} is not AWS", reason=UNREADABLE)
            clean_answer: dict[str, Any] = _encodable(answer)
            return clean_answer

        return persistent(attempt, self._reach.until, self._pause)

    def check_account(self) -> None:
        """Raise EdgeError where the credentials belong to another account than the one that is named."""
        if self._who.account:
            found = self.call("sts", "get_caller_identity", "Account")["Account"]
            if found != self._who.account:
                raise EdgeError(
                    "the credentials belong to another account than AEGIS_PT_AWS_ACCOUNT",
                    reason=WRONG_ACCOUNT,
                )

    def client(self, service: str) -> Any:
        """Return the fenced client of one service; raises EdgeError where there are no credentials."""
        if service not in self._clients:
            with as_edge_error(f"a client of {service}"):
                self._clients[service] = self._session.client(service, config=_config())
        return self._clients[service]

    @cached_property
    def _session(self) -> boto3.Session:
        """A session that holds nothing but the credentials and the allow-list of reads."""
        who = self._who
        if not who.profile and not who.ambient:
            raise EdgeError(
                "no credentials are named: neither AEGIS_PT_AWS_PROFILE nor AEGIS_PT_AWS_AMBIENT=1",
                reason=CREDENTIALS,
            )
        with as_edge_error("the credentials"):
            core = self._fenced(IDENTITY)
            chain = core.get_component("credential_provider")
            for name in (_METADATA, *(_OF_THE_MACHINE if who.profile else ())):
                chain.remove(name)
            held = core.get_credentials()
            if held is None:
                raise EdgeError(f"{self._whose} holds no credentials", reason=CREDENTIALS)
            frozen = held.get_frozen_credentials()
            reading = self._fenced(READS)
            reading.set_credentials(frozen.access_key, frozen.secret_key, frozen.token)
            session = boto3.Session(botocore_session=reading, region_name=who.region or None)
            _models().search_paths[:] = dict.fromkeys(_models().search_paths)  # boto3 adds its own every time
            return session

    @property
    def _whose(self) -> str:
        return f"the profile {self._who.profile!r}" if self._who.profile else "the environment"

    def _fenced(self, allowed: Collection[Operation]) -> botocore.session.Session:
        core = botocore.session.Session(profile=self._who.profile or None)
        core.register_component("data_loader", _models())

        def guard(model: Any, **_: Any) -> None:
            asked = (model.service_model.service_name, model.name)
            if asked not in allowed:
                raise EdgeError(f"{':'.join(asked)} is never asked of AWS", reason=FORBIDDEN)

        events = core.get_component("event_emitter")
        for moment in ("provide-client-params", "before-call"):
            events.register_first(f"{moment}.*.*", guard)
        events.register_first("before-send.*.*", self._send)
        return core

    def _send(self, request: Any, **_: Any) -> AWSResponse:
        """Answer botocore in the place of its own HTTP client."""
        headers = {name: _text(value) for name, value in request.headers.items()}
        page = exchanged(
            self._reach,
            httpx.Request(request.method, request.url, headers=headers, content=request.body),
            methods=("GET", "POST"),
        )
        return AWSResponse(request.url, page.status, dict(page.headers), _Raw(page.body))


def _encodable(value: Any) -> Any:
    """Return the value with every lone surrogate replaced: JSON can spell one, and no output can carry it."""
    if isinstance(value, str):
        return value if value.isascii() else clean(value)
    if isinstance(value, dict):
        return {key: _encodable(item) for key, item in value.items()}
    return [_encodable(item) for item in value] if isinstance(value, list) else value


@cache
def _models() -> Any:
    """Return the loader of AWS's service models, which every session shares: they are large."""
    return botocore.loaders.create_loader()


def _config() -> Config:
    return Config(
        retries={"total_max_attempts": 1, "mode": "standard"},
        user_agent_extra=f"pt-health-detector/{__version__}",
        parameter_validation=True,
    )


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


@dataclass(frozen=True, slots=True)
class _Raw:
    """A body that was read, as botocore asks for one that was not."""

    body: bytes

    def stream(self) -> Iterator[bytes]:
        yield self.body
