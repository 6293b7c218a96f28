"""Reads AWS: every operation must be in an allow-list, and every request uses this program's connections.

Every exception of botocore becomes an ExternalError with a reason, and whether a retry can help.
Formats and error codes: botocore's service models, the Amazon ECS, CloudWatch Logs and STS API references.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.exceptions as faults
import botocore.loaders
import botocore.session
import httpx
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.parsers import ResponseParserError
from msgspec import Struct

from detector import __version__
from detector.clients.connection import NetworkPolicy
from detector.clients.http_client import send_request
from detector.formats import errors
from detector.formats.errors import ExternalError, retry
from detector.formats.strict_json import redact_excerpt, replace_surrogates

Operation = tuple[str, str]

# All operations that this program calls, by IAM name; policies/iam-read-only.json grants exactly these.
READ_OPERATIONS: frozenset[Operation] = frozenset(
    {
        ("ecs", "DescribeServices"),
        ("ecs", "DescribeTasks"),
        ("ecs", "ListTasks"),
        ("logs", "FilterLogEvents"),
        ("sts", "GetCallerIdentity"),
    }
)
# The operations that turn a profile into credentials, in a session that reads nothing else.
CREDENTIAL_OPERATIONS: frozenset[Operation] = frozenset(
    {
        ("sts", "AssumeRole"),
        ("sts", "AssumeRoleWithWebIdentity"),
        ("sso", "GetRoleCredentials"),
        ("sso-oidc", "CreateToken"),
        ("signin", "CreateOAuth2Token"),
    }
)
# Providers of botocore that use any credentials of the machine; the last one reads the metadata address.
_MACHINE_PROVIDERS = ("boto-config", "ec2-credentials-file", "container-role")
_METADATA_PROVIDER = "iam-role"
_SERVER_ERROR = 500
# Error codes of AWS (API references, "Common Errors"), by what they mean here.
_CODES: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(
        ("ExpiredToken", "ExpiredTokenException", "RequestExpired"),
        (errors.EXPIRED, "the credentials have expired"),
    ),
    **dict.fromkeys(
        ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized"),
        (errors.DENIED, "the credentials are denied {}"),
    ),
    **dict.fromkeys(
        (
            "UnrecognizedClientException",
            "InvalidClientTokenId",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "IncompleteSignature",
        ),
        (errors.CREDENTIALS, "AWS does not know the credentials"),
    ),
    **dict.fromkeys(
        ("InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed"),
        (
            errors.CREDENTIALS,
            "AWS does not accept the credentials' signature: is the secret key right, and this clock?",
        ),
    ),
    "ClusterNotFoundException": (
        errors.MISSING,
        "there is no such cluster in this region (AEGIS_PT_ECS_CLUSTER)",
    ),
    "ResourceNotFoundException": (
        errors.MISSING,
        "there is no such log group in this region (AEGIS_PT_LOG_GROUP)",
    ),
}
# What botocore raises for a body that is not of AWS's shape, such as a list, UTF-16 or a time of no year.
_GARBAGE_ERRORS = (AttributeError, TypeError, ValueError, RuntimeError)
# botocore takes the status for the code of an error without one: 429 is a proxy's.
_THROTTLED = ("429", "RequestLimitExceeded", "TooManyRequestsException", "LimitExceededException", "SlowDown")
_ERROR_KINDS: tuple[tuple[tuple[type[Exception], ...], str, str], ...] = (
    (
        (faults.ProfileNotFound,),
        errors.PROFILE_MISSING,
        "the AWS configuration of this machine has no such profile (AEGIS_PT_AWS_PROFILE)",
    ),
    (
        (
            faults.SSOTokenLoadError,
            faults.UnauthorizedSSOTokenError,
            faults.TokenRetrievalError,
            faults.LoginError,
        ),
        errors.EXPIRED,
        "the profile's session has expired or was never begun: its credentials need a new login",
    ),
    (
        (
            faults.NoCredentialsError,
            faults.PartialCredentialsError,
            faults.CredentialRetrievalError,
            faults.InvalidConfigError,
            faults.UnknownCredentialError,
            faults.ConfigParseError,
            faults.ConfigNotFound,
        ),
        errors.CREDENTIALS,
        "the credentials cannot be loaded from the AWS configuration",
    ),
    ((faults.NoRegionError,), errors.MISSING, "no region is named (AEGIS_PT_AWS_REGION)"),
    ((faults.InvalidRegionError,), errors.MISSING, "there is no such region (AEGIS_PT_AWS_REGION)"),
    ((ResponseParserError,), errors.UNREADABLE, "what answered is not AWS: its answer cannot be parsed"),
)

_KNOWN_ERRORS = (faults.ClientError, ExternalError, *(kind for row in _ERROR_KINDS for kind in row[0]))


class AwsIdentity(Struct, frozen=True):
    """The credentials that AWS is read with: a named profile, or with `ambient` those of the environment."""

    profile: str = ""
    ambient: bool = False
    region: str = ""
    account: str = ""


class Aws:
    """Reads AWS for one source, within its deadline."""

    def __init__(
        self, network: NetworkPolicy, identity: AwsIdentity, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._network = network
        self._identity = identity
        self._pause = pause
        self._clients: dict[str, Any] = {}

    def fetch(self, service: str, operation: str, required_key: str, **params: Any) -> dict[str, Any]:
        """Return the response of one operation, e.g. `fetch("ecs", "list_tasks", "taskArns", …)`.

        `required_key` is a key that every response has; a foreign page that botocore parses as an empty
        response lacks it. Raises ExternalError.
        """
        client = self.get_client(service)
        api_name = client.meta.method_to_api_mapping[operation]

        def fetch_once() -> dict[str, Any]:
            with _convert_errors(f"{service}:{api_name}"):
                answer: dict[str, Any] = getattr(client, operation)(**params)
            if required_key not in answer:
                raise ExternalError(
                    f"what answered {service}:{api_name} is not AWS", reason=errors.UNREADABLE
                )
            clean_answer: dict[str, Any] = _replace_surrogates(answer)
            return clean_answer

        return retry(fetch_once, self._network.deadline, self._pause)

    def check_account(self) -> None:
        """Raise ExternalError where the credentials belong to another account than the configured one."""
        if self._identity.account:
            account = self.fetch("sts", "get_caller_identity", "Account")["Account"]
            if account != self._identity.account:
                raise ExternalError(
                    "the credentials belong to another account than AEGIS_PT_AWS_ACCOUNT",
                    reason=errors.WRONG_ACCOUNT,
                )

    def get_client(self, service: str) -> Any:
        """Return the restricted client of one service; raises ExternalError without credentials."""
        if service not in self._clients:
            with _convert_errors(f"a client of {service}"):
                self._clients[service] = self._session.client(service, config=_build_config())
        return self._clients[service]

    @cached_property
    def _session(self) -> boto3.Session:
        """A session with the credentials and the allow-list of read operations only."""
        identity = self._identity
        if not identity.profile and not identity.ambient:
            raise ExternalError(
                "no credentials are named: neither AEGIS_PT_AWS_PROFILE nor AEGIS_PT_AWS_AMBIENT=1",
                reason=errors.CREDENTIALS,
            )
        with _convert_errors("the credentials"):
            frozen = self._load_credentials()
            read_session = self._build_session(READ_OPERATIONS)
            read_session.set_credentials(frozen.access_key, frozen.secret_key, frozen.token)
            session = boto3.Session(botocore_session=read_session, region_name=identity.region or None)
            _get_model_loader().search_paths[:] = dict.fromkeys(
                _get_model_loader().search_paths
            )  # boto3 adds its own every time
            return session

    def _load_credentials(self) -> Any:
        """Return the credentials as they are now; raises ExternalError, whatever breaks on the way."""
        core = self._build_session(CREDENTIAL_OPERATIONS)
        chain = core.get_component("credential_provider")
        for name in (_METADATA_PROVIDER, *(_MACHINE_PROVIDERS if self._identity.profile else ())):
            chain.remove(name)
        for provider in chain.providers:
            if hasattr(provider, "_prompter"):  # else botocore asks at the terminal for a second factor
                provider._prompter = _raise_for_prompt  # noqa: SLF001 - it has no other way
        try:
            credentials = core.get_credentials()
            frozen = credentials.get_frozen_credentials() if credentials else None
        except _KNOWN_ERRORS:
            raise
        except Exception as error:  # noqa: BLE001 - a cache, a process or an endpoint may hold anything
            raise self._convert_provider_error(error) from None
        if frozen is None:
            raise ExternalError(f"{self._credentials_source} holds no credentials", reason=errors.CREDENTIALS)
        if not all(
            _is_sendable(part) for part in (frozen.access_key, frozen.secret_key, frozen.token or "x")
        ):
            raise ExternalError(
                f"a credential of {self._credentials_source} is empty, or has a space, a line end or a"
                " letter that no credential has",
                reason=errors.CREDENTIALS,
            )
        return frozen

    def _convert_provider_error(self, error: Exception) -> ExternalError:
        if isinstance(error, RuntimeError) and "expired" in str(error):
            return ExternalError("its provider gave expired credentials", reason=errors.EXPIRED)
        where = f"{self._credentials_source} ({type(error).__name__})"
        return ExternalError(f"the credentials cannot be loaded from {where}", reason=errors.CREDENTIALS)

    @property
    def _credentials_source(self) -> str:
        return f"the profile {self._identity.profile!r}" if self._identity.profile else "the environment"

    def _build_session(self, allowed: Collection[Operation]) -> botocore.session.Session:
        core = botocore.session.Session(profile=self._identity.profile or None)
        if self._identity.region:  # a role is assumed in it, too
            core.set_config_variable("region", self._identity.region)
        core.register_component("data_loader", _get_model_loader())

        def check_allowed(model: Any, **_: Any) -> None:
            operation = (model.service_model.service_name, model.name)
            if operation not in allowed:
                raise ExternalError(f"{':'.join(operation)} is never asked of AWS", reason=errors.FORBIDDEN)

        events = core.get_component("event_emitter")
        for event_name in ("provide-client-params", "before-call"):
            events.register_first(f"{event_name}.*.*", check_allowed)
        events.register_first("before-send.*.*", self._send)
        return core

    def _send(self, request: Any, **_: Any) -> AWSResponse:
        """Send botocore's request, instead of its own HTTP client; raises ExternalError over plain HTTP."""
        if urlsplit(request.url).scheme != "https" and not _is_loopback(urlsplit(request.url).hostname or ""):
            raise ExternalError("AWS is never asked over plain HTTP", reason=errors.FORBIDDEN)
        headers = {
            name: value.decode("latin-1") if isinstance(value, bytes) else value
            for name, value in request.headers.items()
        }
        page = send_request(
            self._network,
            httpx.Request(request.method, request.url, headers=headers, content=request.body),
            methods=("GET", "POST"),
        )
        return AWSResponse(request.url, page.status, dict(page.headers), _RawBody(page.body))


def _raise_for_prompt(*_: Any) -> str:
    raise ExternalError(
        "the profile asks for a second factor, and nobody is here to enter it", reason=errors.CREDENTIALS
    )


def _is_sendable(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _replace_surrogates(value: Any) -> Any:
    """Return the value with every lone surrogate replaced: JSON can contain one, no output can encode it."""
    if isinstance(value, str):
        return value if value.isascii() else replace_surrogates(value)
    if isinstance(value, dict):
        return {key: _replace_surrogates(item) for key, item in value.items()}
    return [_replace_surrogates(item) for item in value] if isinstance(value, list) else value


@cache
def _get_model_loader() -> Any:
    """Return the loader of AWS's service models, which every session shares: they are large."""
    return botocore.loaders.create_loader()


def _build_config() -> Config:
    return Config(
        retries={"total_max_attempts": 1, "mode": "standard"},
        user_agent_extra=f"pt-health-detector/{__version__}",
        parameter_validation=True,
    )


class _RawBody(Struct, frozen=True):
    """A complete body with the streaming interface that botocore expects."""

    body: bytes

    def stream(self) -> Iterator[bytes]:
        yield self.body


@contextmanager
def _convert_errors(operation: str) -> Iterator[None]:
    """Convert any exception of botocore during `operation` (`ecs:ListTasks`) to ExternalError.

    The message never contains AWS's own text, which names accounts, roles and requests.
    """
    try:
        yield
    except faults.ClientError as error:
        raise _convert_client_error(error.response, operation) from None
    except (faults.BotoCoreError, ResponseParserError, *_GARBAGE_ERRORS) as error:
        for kinds, reason, message in _ERROR_KINDS:
            if isinstance(error, kinds):
                raise ExternalError(message, reason=reason) from None
        is_shape = isinstance(error, AttributeError | TypeError)
        message = f"what answered {operation} is not AWS: its answer has another shape"
        raise ExternalError(
            message if is_shape else f"{operation} failed ({type(error).__name__})", reason=errors.UNREADABLE
        ) from None


def _convert_client_error(response: Mapping[str, Any], operation: str) -> ExternalError:
    code = str(response.get("Error", {}).get("Code", ""))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _CODES:
        reason, message = _CODES[code]
        return ExternalError(message.format(operation), reason=reason)
    if "throttl" in code.lower() or code in _THROTTLED:
        return ExternalError(f"AWS throttles {operation}", reason=errors.THROTTLED, permanent=False)
    code_text = redact_excerpt(code) or "no code"
    return ExternalError(
        f"{operation} was answered with {status} ({code_text})",
        reason=errors.HTTP_STATUS,
        permanent=status < _SERVER_ERROR,
    )
