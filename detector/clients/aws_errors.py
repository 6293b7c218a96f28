"""Converts the exceptions of botocore to ExternalError: with a reason, and whether a retry can help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import botocore.exceptions as faults
from botocore.parsers import ResponseParserError

from detector.formats.errors import (
    CREDENTIALS,
    DENIED,
    EXPIRED,
    HTTP_STATUS,
    MISSING,
    PROFILE_MISSING,
    THROTTLED,
    UNREADABLE,
    ExternalError,
)
from detector.formats.strict_json import redact_excerpt

_SERVER_ERROR = 500
# Error codes of AWS (API references, "Common Errors"), by what they mean here.
_CODES: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(
        ("ExpiredToken", "ExpiredTokenException", "RequestExpired"), (EXPIRED, "the credentials have expired")
    ),
    **dict.fromkeys(
        ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized"),
        (DENIED, "the credentials are denied {}"),
    ),
    **dict.fromkeys(
        (
            "UnrecognizedClientException",
            "InvalidClientTokenId",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "IncompleteSignature",
        ),
        (CREDENTIALS, "AWS does not know the credentials"),
    ),
    **dict.fromkeys(
        ("InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed"),
        (
            CREDENTIALS,
            "AWS does not accept the credentials' signature: is the secret key right, and this clock?",
        ),
    ),
    "ClusterNotFoundException": (MISSING, "there is no such cluster in this region (AEGIS_PT_ECS_CLUSTER)"),
    "ResourceNotFoundException": (MISSING, "there is no such log group in this region (AEGIS_PT_LOG_GROUP)"),
}
_THROTTLED = ("RequestLimitExceeded", "TooManyRequestsException", "LimitExceededException", "SlowDown")
_ERROR_KINDS: tuple[tuple[tuple[type[Exception], ...], str, str], ...] = (
    (
        (faults.ProfileNotFound,),
        PROFILE_MISSING,
        "the AWS configuration of this machine has no such profile (AEGIS_PT_AWS_PROFILE)",
    ),
    (
        (
            faults.SSOTokenLoadError,
            faults.UnauthorizedSSOTokenError,
            faults.TokenRetrievalError,
            faults.LoginError,
        ),
        EXPIRED,
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
        CREDENTIALS,
        "the credentials cannot be loaded from the AWS configuration",
    ),
    ((faults.NoRegionError,), MISSING, "no region is named (AEGIS_PT_AWS_REGION)"),
    ((faults.InvalidRegionError,), MISSING, "there is no such region (AEGIS_PT_AWS_REGION)"),
    ((ResponseParserError,), UNREADABLE, "what answered is not AWS: its answer cannot be parsed"),
)


@contextmanager
def convert_aws_errors(operation: str) -> Iterator[None]:
    """Convert any exception of botocore during `operation` (`ecs:ListTasks`) to ExternalError.

    The message never contains AWS's own text, which names accounts, roles and requests.
    """
    try:
        yield
    except faults.ClientError as error:
        raise _convert_client_error(error.response, operation) from None
    except (faults.BotoCoreError, ResponseParserError) as error:
        for kinds, reason, message in _ERROR_KINDS:
            if isinstance(error, kinds):
                raise ExternalError(message, reason=reason) from None
        raise ExternalError(f"{operation} failed ({type(error).__name__})", reason=UNREADABLE) from None


def _convert_client_error(response: Mapping[str, Any], operation: str) -> ExternalError:
    code = str(response.get("Error", {}).get("Code", ""))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _CODES:
        reason, message = _CODES[code]
        return ExternalError(message.format(operation), reason=reason)
    if "throttl" in code.lower() or code in _THROTTLED:
        return ExternalError(f"AWS throttles {operation}", reason=THROTTLED, permanent=False)
    code_text = redact_excerpt(code) or "no code"
    return ExternalError(
        f"{operation} was answered with {status} ({code_text})",
        reason=HTTP_STATUS,
        permanent=status < _SERVER_ERROR,
    )
