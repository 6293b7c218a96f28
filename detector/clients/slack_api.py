"""Slack's SDK over this program's connections: the SDK builds requests and parses responses.

The SDK itself has timeouts per operation only, follows a redirect with its token, and takes proxies from the
process. Measured with slack_sdk 3.47.0: a webhook never raises for a status, the Web API raises for
`ok: false`. Error codes: docs.slack.dev, errors of incoming webhooks, chat.postMessage and chat.update.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.request import Request

import httpx
from msgspec import Struct
from slack_sdk.errors import SlackApiError
from slack_sdk.web import WebClient
from slack_sdk.webhook import WebhookClient, WebhookResponse

from detector.clients.http_client import Page, parse_retry_after, send_request
from detector.clients.json_client import mark_as_possibly_sent
from detector.formats import errors
from detector.formats.errors import ExternalError, retry
from detector.formats.patterns import build_pattern

if TYPE_CHECKING:
    from detector.clients.connection import NetworkPolicy

_OK, _TOO_MANY, _SERVER_ERROR = 200, 429, 500
# The SDK logs failed requests, by default to standard error.
_SILENT_LOGGER = logging.Logger("pt-health-detector.slack", logging.CRITICAL + 1)
_REDIRECTS = range(300, 400)
_CODE = build_pattern(r"[a-z][a-z_]{1,50}", re.ASCII)
_TRANSIENT = ("internal_error", "fatal_error", "service_unavailable", "request_timeout", "rollup_error")
_REASONS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired",
            "invalid_token", "no_service", "no_service_id", "no_team", "no_active_hooks", "team_disabled",
        ),
        errors.LOGIN,
    ),
    **dict.fromkeys(
        (
            "missing_scope", "not_allowed_token_type", "access_denied", "no_permission", "action_prohibited",
            "posting_to_general_channel_denied", "restricted_action", "ekm_access_denied",
            "org_login_required",
        ),
        errors.NOT_ALLOWED,
    ),
    **dict.fromkeys(
        (
            "channel_not_found", "not_in_channel", "is_archived", "channel_is_archived", "user_not_found",
            "messages_tab_disabled",
        ),
        errors.NO_PLACE,
    ),
}  # fmt: skip
# Errors that the same message as plain text may avoid.
INVALID_FORM_CODES: Final = (
    "invalid_blocks", "invalid_blocks_format", "invalid_attachments", "invalid_payload",
    "too_many_attachments", "msg_too_long", "msg_blocks_too_long", "attachment_payload_limit_exceeded",
)  # fmt: skip


class SlackError(ExternalError):
    """An unsuccessful response of Slack; `code` is Slack's error code, or empty."""

    code: str = ""


class Slack(Struct, frozen=True):
    """Posts to Slack within one deadline; raises ExternalError unless Slack confirms success."""

    network: NetworkPolicy
    clock: Callable[[], datetime]
    pause: Callable[[float], None] = time.sleep

    def send_webhook(self, url: str, payload: Mapping[str, Any]) -> None:
        """Post to an incoming webhook; success is status 200 with the body `ok`."""
        client = _WebhookSender(url, logger=_SILENT_LOGGER, retry_handlers=[])
        client.network = self.network

        def send_once() -> None:
            answer = client.send_dict(dict(payload))
            if answer.status_code != _OK or answer.body != "ok":
                raise build_slack_error(
                    answer.status_code, str(answer.body), self._get_wait_sec(answer.headers)
                )

        retry(send_once, self.network.deadline, self.pause)

    def send_api_call(
        self, api: str, token: str, method: str, payload: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Call one method of the Web API, such as `chat.postMessage`, and return its successful response."""
        return self._send_call(api, token, method, {"json": dict(payload)})

    def read_api_call(self, api: str, token: str, method: str, query: Mapping[str, str]) -> Mapping[str, Any]:
        """Call a method that reads, such as `reactions.get`: these take a form and no JSON."""
        return self._send_call(api, token, method, {"data": dict(query)})

    def _send_call(
        self, api: str, token: str, method: str, arguments: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        client = _WebApiSender(token, base_url=api, logger=_SILENT_LOGGER, retry_handlers=[])
        client.network = self.network

        def send_once() -> Mapping[str, Any]:
            try:
                data = client.api_call(method, **arguments).data
            except SlackApiError as error:
                response: Any = error.response
                error_code = response.get("error", "") if isinstance(response.data, dict) else ""
                raise build_slack_error(
                    response.status_code, str(error_code), self._get_wait_sec(response.headers)
                ) from None
            return data if isinstance(data, dict) else {}

        return retry(send_once, self.network.deadline, self.pause)

    def _get_wait_sec(self, headers: Mapping[str, str]) -> float | None:
        page = Page(_TOO_MANY, {name.lower(): str(text) for name, text in headers.items()}, b"")
        return parse_retry_after(page, self.clock)


class _WebhookSender(WebhookClient):
    """The SDK's webhook client over this program's connections."""

    network: NetworkPolicy

    def _perform_http_request_internal(self, url: str, req: Request) -> WebhookResponse:
        page = _send_sdk_request(self.network, url, req)
        return WebhookResponse(
            url=url, status_code=page.status, body=_decode_body(page), headers=dict(page.headers)
        )


class _WebApiSender(WebClient):
    """The SDK's Web API client over this program's connections."""

    network: NetworkPolicy

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:
        page = _send_sdk_request(self.network, url, req)
        return {"status": page.status, "headers": dict(page.headers), "body": _decode_body(page)}


def _send_sdk_request(network: NetworkPolicy, url: str, req: Request) -> Page:
    body = req.data if isinstance(req.data, bytes) else b""
    headers = {**dict(req.header_items()), "accept-encoding": "identity"}
    try:
        return send_request(
            network, httpx.Request("POST", url, headers=headers, content=body), methods=("POST",)
        )
    except ExternalError as error:
        raise mark_as_possibly_sent(error) from None


def _decode_body(page: Page) -> str:
    return page.body.decode("utf-8", "replace")


def build_slack_error(status: int, answer: str, wait_sec: float | None) -> SlackError:
    """Return the error of a response; the message contains Slack's error code, never other text of it."""
    code = answer if _CODE.fullmatch(answer) else ""
    message = f"it answered {status}" + (
        f" ({code})" if code else " and not `ok`" if status < _TOO_MANY else ""
    )
    throttled = status == _TOO_MANY or code in ("ratelimited", "rate_limited", "message_limit_exceeded")
    retryable = throttled or status >= _SERVER_ERROR or code in _TRANSIENT
    refused = errors.REDIRECTED if status in _REDIRECTS else _REASONS.get(code, errors.REJECTED)
    reason = errors.THROTTLED if throttled else refused
    error = SlackError(
        message, reason=reason, permanent=not retryable, wait_sec=wait_sec if retryable else None
    )
    error.code = code
    return error
