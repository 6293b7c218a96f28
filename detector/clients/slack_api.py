"""Slack's SDK over the program's own wire: its clients build and read, every byte passes the deadline and the fence.

The SDK itself has timeouts per operation only, follows a redirect with its token, and takes proxies from the
process. Measured with slack_sdk 3.47.0: a webhook never raises for a status, the Web API raises for `ok: false`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.request import Request

import httpx
from slack_sdk.errors import SlackApiError
from slack_sdk.web import WebClient
from slack_sdk.webhook import WebhookClient, WebhookResponse

from detector.clients.http_client import Page, parse_retry_after, send_request
from detector.clients.slack_errors import build_slack_error, convert_send_error
from detector.formats.errors import ExternalError, retry

if TYPE_CHECKING:
    from detector.clients.connection import NetworkPolicy

_OK, _TOO_MANY = 200, 429
# The SDK writes what it cannot send to a log of its own, whose last resort is standard error.
_SILENT_LOGGER = logging.Logger("pt-health-detector.slack", logging.CRITICAL + 1)


@dataclass(frozen=True, slots=True)
class Slack:
    """Posts to Slack within one deadline; raises EdgeError for everything but Slack's own yes."""

    network: NetworkPolicy
    clock: Callable[[], datetime]
    pause: Callable[[float], None] = time.sleep

    def send_webhook(self, url: str, payload: Mapping[str, Any]) -> None:
        """Post to an incoming webhook; its yes is status 200 and the body `ok`."""
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
        """Call one method of the Web API, such as `chat.postMessage`, and return its answer, which says `ok`."""
        client = _WebApiSender(token, base_url=api, logger=_SILENT_LOGGER, retry_handlers=[])
        client.network = self.network

        def send_once() -> Mapping[str, Any]:
            try:
                data = client.api_call(method, json=dict(payload)).data
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
    """The SDK's client of a webhook; what it sends goes over this wire."""

    network: NetworkPolicy

    def _perform_http_request_internal(self, url: str, req: Request) -> WebhookResponse:
        page = _send_sdk_request(self.network, url, req)
        return WebhookResponse(
            url=url, status_code=page.status, body=_decode_body(page), headers=dict(page.headers)
        )


class _WebApiSender(WebClient):
    """The SDK's client of the Web API; what it sends goes over this wire."""

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
        raise convert_send_error(error) from None


def _decode_body(page: Page) -> str:
    return page.body.decode("utf-8", "replace")


__all__ = ["Slack"]
