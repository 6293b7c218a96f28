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

from detector.clients.slack_faults import answered, as_sent
from detector.clients.web import Page, asked_to_wait, exchanged
from detector.formats.edge_error import EdgeError, persistent

if TYPE_CHECKING:
    from detector.clients.wire import Reach

_OK, _TOO_MANY = 200, 429
# The SDK writes what it cannot send to a log of its own, whose last resort is standard error.
_SILENT = logging.Logger("pt-health-detector.slack", logging.CRITICAL + 1)


@dataclass(frozen=True, slots=True)
class Slack:
    """Posts to Slack within one deadline; raises EdgeError for everything but Slack's own yes."""

    reach: Reach
    clock: Callable[[], datetime]
    pause: Callable[[float], None] = time.sleep

    def hook(self, url: str, payload: Mapping[str, Any]) -> None:
        """Post to an incoming webhook; its yes is status 200 and the body `ok`."""
        client = _Hook(url, logger=_SILENT, retry_handlers=[])
        client.reach = self.reach

        def attempt() -> None:
            answer = client.send_dict(dict(payload))
            if answer.status_code != _OK or answer.body != "ok":
                raise answered(answer.status_code, str(answer.body), self._wait(answer.headers))

        persistent(attempt, self.reach.until, self.pause)

    def call(self, api: str, token: str, method: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call one method of the Web API, such as `chat.postMessage`, and return its answer, which says `ok`."""
        client = _Web(token, base_url=api, logger=_SILENT, retry_handlers=[])
        client.reach = self.reach

        def attempt() -> Mapping[str, Any]:
            try:
                found = client.api_call(method, json=dict(payload)).data
            except SlackApiError as error:
                response: Any = error.response
                said = response.get("error", "") if isinstance(response.data, dict) else ""
                raise answered(response.status_code, str(said), self._wait(response.headers)) from None
            return found if isinstance(found, dict) else {}

        return persistent(attempt, self.reach.until, self.pause)

    def _wait(self, headers: Mapping[str, str]) -> float | None:
        page = Page(_TOO_MANY, {name.lower(): str(text) for name, text in headers.items()}, b"")
        return asked_to_wait(page, self.clock)


class _Hook(WebhookClient):
    """The SDK's client of a webhook; what it sends goes over this wire."""

    reach: Reach

    def _perform_http_request_internal(self, url: str, req: Request) -> WebhookResponse:
        page = _sent(self.reach, url, req)
        return WebhookResponse(url=url, status_code=page.status, body=_text(page), headers=dict(page.headers))


class _Web(WebClient):
    """The SDK's client of the Web API; what it sends goes over this wire."""

    reach: Reach

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:
        page = _sent(self.reach, url, req)
        return {"status": page.status, "headers": dict(page.headers), "body": _text(page)}


def _sent(reach: Reach, url: str, req: Request) -> Page:
    body = req.data if isinstance(req.data, bytes) else b""
    headers = {**dict(req.header_items()), "accept-encoding": "identity"}
    try:
        return exchanged(reach, httpx.Request("POST", url, headers=headers, content=body), methods=("POST",))
    except EdgeError as error:
        raise as_sent(error) from None


def _text(page: Page) -> str:
    return page.body.decode("utf-8", "replace")


__all__ = ["Slack"]
