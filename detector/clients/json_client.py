"""Posts JSON to the API of a channel within one deadline; what may have arrived is not repeated."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import httpx
from msgspec import Struct

from detector import __version__
from detector.clients.http_client import Page, build_status_error, send_request
from detector.formats import errors
from detector.formats.errors import ExternalError, InputError, retry
from detector.formats.strict_json import parse_document

if TYPE_CHECKING:
    from detector.clients.connection import NetworkPolicy

_NO_HEADERS: Final[Mapping[str, str]] = {}
_REASONS: Final[Mapping[int, str]] = {
    401: errors.LOGIN, 403: errors.NOT_ALLOWED, 404: errors.NO_PLACE, 410: errors.NO_PLACE,
    429: errors.THROTTLED,
    **dict.fromkeys(range(300, 400), errors.REDIRECTED),
}  # fmt: skip


def _find_none(page: Page) -> ExternalError | None:  # noqa: ARG001 - the signature of `find_refusal`
    return None


class JsonClient(Struct, frozen=True):
    """Sends requests with a JSON body, or without any, within one deadline.

    No error contains the URL, the headers or the body of a response: each may hold a secret.
    """

    network: NetworkPolicy
    clock: Callable[[], datetime]
    pause: Callable[[float], None] = time.sleep

    def send_post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str] = _NO_HEADERS,
        find_refusal: Callable[[Page], ExternalError | None] = _find_none,
    ) -> Page:
        """Return the response, which is 2xx; 429, 5xx and refused connections are retried.

        `find_refusal` returns the error of a response whose status alone does not show it. Raises
        ExternalError; with the reason NO_ANSWER the message may have arrived.
        """
        return retry(
            lambda: self._send_once("POST", url, body, headers, find_refusal),
            self.network.deadline,
            self.pause,
        )

    def send_get(self, url: str, headers: Mapping[str, str]) -> Page:
        """Return the response to a GET, which is 2xx; raises ExternalError."""
        return retry(
            lambda: self._send_once("GET", url, b"", headers, _find_none), self.network.deadline, self.pause
        )

    def _send_once(
        self,
        method: str,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        find_refusal: Callable[[Page], ExternalError | None],
    ) -> Page:
        request = httpx.Request(
            method,
            url,
            headers={
                "content-type": "application/json",
                "accept-encoding": "identity",
                "user-agent": f"pt-health-detector/{__version__}",
                **headers,
            },
            content=body or None,
        )
        try:
            page = send_request(self.network, request, methods=("GET", "POST"))
        except ExternalError as error:
            raise mark_as_possibly_sent(error) from None
        refusal = find_refusal(page) or (None if page.is_success else build_refusal(page, self.clock))
        if refusal is not None:
            raise refusal
        return page


def read_answer(page: Page) -> Mapping[str, Any]:
    """Return the JSON object of a response, empty where it is none."""
    try:
        return parse_document(page.body)
    except InputError:
        return {}


def build_refusal(page: Page, clock: Callable[[], datetime]) -> ExternalError:
    """Return the error of an unsuccessful response of a channel."""
    return build_status_error(page, clock, _REASONS, errors.REJECTED)


def mark_as_possibly_sent(error: ExternalError) -> ExternalError:
    """Return the error of a request; one that may have been delivered is marked so, and is not retried."""
    if error.permanent and error.reason in (errors.TIMEOUT, errors.RESET, errors.UNREADABLE):
        return ExternalError(f"{error}; it may have been taken", reason=errors.NO_ANSWER)
    return error
