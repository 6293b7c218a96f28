"""What Slack answers in the place of a yes, as EdgeError: whose fault it is and whether trying again can mend it.

Codes: docs.slack.dev, errors of incoming webhooks, chat.postMessage and chat.update.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from detector.formats.errors import (
    LOGIN,
    NO_ANSWER,
    NO_PLACE,
    NOT_ALLOWED,
    REDIRECTED,
    REJECTED,
    RESET,
    THROTTLED,
    TIMEOUT,
    UNREADABLE,
    ExternalError,
)

_TOO_MANY, _SERVER_ERROR = 429, 500
_REDIRECTS = range(300, 400)
_CODE = re.compile(r"[a-z][a-z_]{1,50}", re.ASCII)
_TRANSIENT = ("internal_error", "fatal_error", "service_unavailable", "request_timeout", "rollup_error")
_REASONS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "invalid_token",
            "no_service", "no_service_id", "no_team", "no_active_hooks", "team_disabled",
        ),
        LOGIN,
    ),
    **dict.fromkeys(
        (
            "missing_scope", "not_allowed_token_type", "access_denied", "no_permission", "action_prohibited",
            "posting_to_general_channel_denied", "restricted_action", "ekm_access_denied", "org_login_required",
        ),
        NOT_ALLOWED,
    ),
    **dict.fromkeys(
        (
            "channel_not_found", "not_in_channel", "is_archived", "channel_is_archived", "user_not_found",
            "messages_tab_disabled",
        ),
        NO_PLACE,
    ),
}  # fmt: skip
# What another form of the same message may mend.
INVALID_FORM_CODES: Final = (
    "invalid_blocks", "invalid_blocks_format", "invalid_attachments", "invalid_payload", "too_many_attachments",
    "msg_too_long", "msg_blocks_too_long", "attachment_payload_limit_exceeded",
)  # fmt: skip


class SlackError(ExternalError):
    """An answer of Slack that is no yes; `code` is Slack's own word for it, or empty."""

    code: str = ""


def build_slack_error(status: int, answer: str, wait_sec: float | None) -> SlackError:
    """Return the error of an answer; of what it said only a code is passed on, never its text."""
    code = answer if _CODE.fullmatch(answer) else ""
    message = f"it answered {status}" + (
        f" ({code})" if code else " and not `ok`" if status < _TOO_MANY else ""
    )
    throttled = status == _TOO_MANY or code in ("ratelimited", "rate_limited", "message_limit_exceeded")
    retryable = throttled or status >= _SERVER_ERROR or code in _TRANSIENT
    reason = THROTTLED if throttled else REDIRECTED if status in _REDIRECTS else _REASONS.get(code, REJECTED)
    error = SlackError(
        message, reason=reason, permanent=not retryable, wait_sec=wait_sec if retryable else None
    )
    error.code = code
    return error


def convert_send_error(error: ExternalError) -> ExternalError:
    """Return the error of a wire; what broke off after something was sent may have been taken, and is not repeated."""
    if error.permanent and error.reason in (TIMEOUT, RESET, UNREADABLE):
        return ExternalError(f"{error}; it may have been taken", reason=NO_ANSWER)
    return error
