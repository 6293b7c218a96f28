"""GitHub's REST API: JSON read page by page, an artifact downloaded, one event dispatched.

Paths and shapes: GitHub's OpenAPI description, version 2022-11-28. Only `dispatch` changes anything.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any, TypeVar

import httpx
from msgspec import Struct
from msgspec.structs import replace

from detector import __version__
from detector.clients.connection import Deadline, NetworkPolicy
from detector.clients.http_client import (
    Page,
    build_status_error,
    fetch_following_redirects,
    parse_origin,
    send_request,
)
from detector.formats import errors
from detector.formats.errors import ExternalError, InputError, retry
from detector.formats.redaction import redact_text
from detector.formats.strict_json import parse_document, to_one_line

API = "https://api.github.com"
_PER_PAGE = 100  # the API's maximum
_OK, _REDIRECTS = range(200, 300), (301, 302, 307, 308)
_UNPROCESSABLE, _FORBIDDEN, _TOO_MANY = 422, 403, 429
_MAX_MESSAGE, _TIME_DIGITS = 200, 11
_NO_CONTENT, _SERVER_ERROR = 204, 500
_ATTEMPT_SEC = 10.0  # of one dispatch: one that hangs must leave time for a retry
_NETWORK_REASONS = (
    errors.TIMEOUT,
    errors.REFUSED,
    errors.UNREACHABLE,
    errors.RESET,
    errors.DNS,
    errors.PROXY,
)

Params = Mapping[str, str | int]
T = TypeVar("T")


class GitHub(Struct, frozen=True):
    """One repository's API within one deadline; the token is sent to the API's own origin only.

    `repository` is `owner/name`. Without a token a public repository can still be read.
    """

    repository: str
    network: NetworkPolicy
    clock: Callable[[], datetime]
    token: str = ""
    api: str = API
    pause: Callable[[float], None] = time.sleep

    def get(self, path: str, params: Params | None = None) -> Any:
        """Return the JSON response of `/repos/{repository}{path}`; raises ExternalError."""
        url = self._build_url(path, params)

        def fetch_once() -> Page:
            page = _mark_resets_retryable(lambda: self._send_once("GET", url))
            if page.status not in _OK:
                raise self._build_refusal(page)
            return page

        page = retry(fetch_once, self.network.deadline, self.pause)
        try:
            return parse_document(page.body)
        except InputError as error:
            raise ExternalError(f"its answer cannot be read: {error}", reason=errors.NOT_JSON) from None

    def list_pages(
        self, path: str, key: str, params: Params | None = None
    ) -> Iterator[tuple[int, list[Any]]]:
        """Yield `(total_count, items)` for each page of a list, to the end; raises ExternalError.

        A list with fewer items than GitHub's `total_count` was cut, and the caller must report that.
        """
        read = 0
        for page in count(1):
            answer = self.get(path, {**(params or {}), "per_page": _PER_PAGE, "page": page})
            items, total = answer.get(key), answer.get("total_count")
            if not isinstance(items, list) or not isinstance(total, int):
                raise ExternalError(f"its answer has no list {key!r}", reason=errors.UNREADABLE)
            yield total, items
            read += len(items)
            if not items or read >= total:
                return

    def fetch_file(self, path: str) -> bytes:
        """Return the file that a path redirects to, such as an artifact's zip; raises ExternalError.

        The second request, to another host, carries no credentials, and uses TLS where the API does.
        """
        return retry(
            lambda: _mark_resets_retryable(lambda: self._fetch_following_redirects(self._build_url(path))),
            self.network.deadline,
            self.pause,
        )

    def dispatch(self, event_type: str, payload: Mapping[str, Any]) -> None:
        """Create a `repository_dispatch` event; raises ExternalError where GitHub does not answer 204.

        Retried only after a network error or a 5xx. A failed attempt may have created the event, so that it
        can exist twice.
        """
        body = json.dumps({"event_type": event_type, "client_payload": dict(payload)}).encode()

        def send_once_retryable() -> None:
            seconds = min(_ATTEMPT_SEC, self.network.deadline.check_remaining("dispatching"))
            network = replace(self.network, deadline=Deadline(seconds))
            try:
                page = self._send_once("POST", self._build_url("/dispatches"), body, network)
            except ExternalError as error:
                retryable = error.reason in _NETWORK_REASONS
                raise ExternalError(str(error), reason=error.reason, permanent=not retryable) from None
            if page.status >= _SERVER_ERROR:
                raise build_status_error(page, self.clock)
            if page.status != _NO_CONTENT:
                refusal = self._build_refusal(page)
                raise ExternalError(str(refusal), reason=refusal.reason)

        retry(send_once_retryable, self.network.deadline, self.pause)

    def _build_url(self, path: str, params: Params | None = None) -> str:
        url = httpx.URL(f"{self.api.rstrip('/')}/repos/{self.repository}{path}")
        return str(url.copy_merge_params(dict(params)) if params else url)

    def _send_once(
        self, method: str, url: str, body: bytes | None = None, network: NetworkPolicy | None = None
    ) -> Page:
        headers = {
            "accept": "application/vnd.github+json",
            "accept-encoding": "gzip, deflate",
            "user-agent": f"pt-health-detector/{__version__}",  # GitHub answers 403 without one
        }
        if parse_origin(url) == parse_origin(self.api):
            headers["x-github-api-version"] = "2022-11-28"
            if self.token:
                headers["authorization"] = f"Bearer {self.token}"
        if body is not None:
            headers["content-type"] = "application/json"
        request = httpx.Request(method, url, headers=headers, content=body)
        return send_request(network or self.network, request, methods=("GET", "POST"))

    def _fetch_following_redirects(self, url: str) -> bytes:
        page = fetch_following_redirects(
            url, lambda address: self._send_once("GET", address), self._check_redirect
        )
        if page.status not in _OK:
            raise self._build_refusal(page)
        return page.body

    def _check_redirect(self, target: httpx.URL, _: httpx.URL) -> None:
        if target.scheme != httpx.URL(self.api).scheme or not target.host:
            raise ExternalError("it redirects out of TLS", reason=errors.REDIRECTED)

    def _build_refusal(self, page: Page) -> ExternalError:
        """Return the error of GitHub's refusal; a 403 may be a rate limit."""
        if page.status in _REDIRECTS:
            text = f"it answered {page.status}: the repository was renamed or moved"
            return ExternalError(text, reason=errors.REDIRECTED)
        error = build_status_error(page, self.clock)
        message = _extract_message(page, self.token)
        if page.status in (_FORBIDDEN, _TOO_MANY) and page.headers.get("x-ratelimit-remaining") == "0":
            reset_at = _get_rate_limit_reset(page)
            suffix = f" until {reset_at:%H:%M:%S} UTC" if reset_at else ""
            return ExternalError(f"its rate limit is used up{suffix}", reason=errors.THROTTLED)
        if page.status == _FORBIDDEN and "rate limit" in message.lower():
            return ExternalError("its secondary rate limit was reached", reason=errors.THROTTLED)
        if page.status == _UNPROCESSABLE:
            text = f"it answered 422: {message or 'not processable'}"
            return ExternalError(text, reason=errors.UNREADABLE)
        if error.reason in (errors.CREDENTIALS, errors.DENIED) and message:
            return ExternalError(f"it answered {page.status}: {message}", reason=error.reason)
        return error


def _mark_resets_retryable(read: Callable[[], T]) -> T:
    """Return the result of a read; an interrupted connection is raised as retryable, as reads are safe."""
    try:
        return read()
    except ExternalError as error:
        raise ExternalError(
            str(error),
            reason=error.reason,
            permanent=error.permanent and error.reason != errors.RESET,
            wait_sec=error.wait_sec,
        ) from None


def _extract_message(page: Page, token: str) -> str:
    """Return GitHub's message as one line: redacted before it is cut, so that no part of a token is left."""
    try:
        message = parse_document(page.body).get("message")
    except InputError:
        return ""
    if not isinstance(message, str):
        return ""
    return " ".join(to_one_line(redact_text(message, (token,))).split())[:_MAX_MESSAGE]


def _get_rate_limit_reset(page: Page) -> datetime | None:
    text = page.headers.get("x-ratelimit-reset", "")
    return datetime.fromtimestamp(int(text), UTC) if text.isdigit() and len(text) <= _TIME_DIGITS else None
