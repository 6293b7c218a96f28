"""Sends HTTP requests: pages of sources, whole and bounded in size, and the dead-man's ping.

A redirect is followed within its origin only, and credentials go to their own origin only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime

import httpcore
import httpx
from msgspec import Struct, field

from detector import __version__
from detector.clients.connection import NetworkPolicy
from detector.clients.httpx_transport import Transport, read_body
from detector.formats import errors
from detector.formats.errors import ExternalError, retry
from detector.formats.strict_json import redact_excerpt
from detector.formats.times import parse_http_date

_MAX_REDIRECTS = 3
_OK, _REDIRECTS, _TOO_MANY, _SERVER_ERROR = range(200, 300), (301, 302, 303, 307, 308), 429, 500
_PARTIAL = 206
_REASONS = {
    401: errors.CREDENTIALS,
    403: errors.DENIED,
    404: errors.MISSING,
    407: errors.DENIED,
    410: errors.MISSING,
    _TOO_MANY: errors.THROTTLED,
}
_PING_IGNORED = b"OK ("
_MAX_PING_BYTES = 10_000  # what healthchecks.io keeps of a ping's body

Origin = tuple[str, str, int | None]
_NO_HEADERS: Mapping[str, str] = {}


class Page(Struct, frozen=True):
    """A response: its status, its headers by lower-case names, its decompressed body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return self.status in _OK


def _keep_none(page: Page) -> bool:  # noqa: ARG001 - the signature of `should_keep`
    return False


def parse_origin(url: str) -> Origin:
    """Return scheme, host and port, to which credentials belong; raises ExternalError for an invalid URL."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise ExternalError("its address cannot be read", reason=errors.UNREADABLE) from None
    return parsed.scheme, parsed.host, parsed.port


class HttpClient(Struct, frozen=True):
    """Reads pages within one deadline; `credentials` holds an `Authorization` header by origin."""

    network: NetworkPolicy
    clock: Callable[[], datetime]
    credentials: Mapping[Origin, str] = field(default_factory=dict)
    pause: Callable[[float], None] = time.sleep

    def get(
        self,
        url: str,
        should_keep: Callable[[Page], bool] = _keep_none,
        socket_path: str | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> Page:
        """Return the page at `url`; raises ExternalError for every status but 2xx.

        A page for which `should_keep` is true is returned whatever its status. `socket_path` is that of the
        unix socket that the server listens on, if it does.
        """
        return retry(
            lambda: self._fetch_following_redirects(url, should_keep, socket_path, headers),
            self.network.deadline,
            self.pause,
        )

    def _fetch_following_redirects(
        self,
        url: str,
        should_keep: Callable[[Page], bool],
        socket_path: str | None,
        own_headers: Mapping[str, str],
    ) -> Page:
        def send(address: str) -> Page:
            headers = {"accept": "application/json", "accept-encoding": "gzip, deflate", **own_headers}
            credential = self.credentials.get(parse_origin(address))
            if credential:
                headers["authorization"] = credential
            return send_request(self.network, httpx.Request("GET", address, headers=headers), socket_path)

        page = fetch_following_redirects(url, send, _check_same_origin)
        if page.is_success or should_keep(page):
            return page
        raise build_status_error(page, self.clock)


def build_status_error(
    page: Page,
    clock: Callable[[], datetime],
    reasons: Mapping[int, str] = _REASONS,
    other: str = errors.HTTP_STATUS,
) -> ExternalError:
    """Return the error of an unsuccessful response; 429 and 5xx are worth a retry.

    `reasons` are by status, `other` is that of any other one.
    """
    retryable = page.status == _TOO_MANY or page.status >= _SERVER_ERROR
    return ExternalError(
        f"it answered {page.status}",
        reason=reasons.get(page.status, other),
        permanent=not retryable,
        wait_sec=parse_retry_after(page, clock) if retryable else None,
    )


def parse_retry_after(page: Page, clock: Callable[[], datetime]) -> float | None:
    """Return the seconds of `Retry-After` (RFC 9110 10.2.3), or None where it is absent or invalid."""
    text = page.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    moment = parse_http_date(text)
    return None if moment is None else max(0.0, (moment - clock()).total_seconds())


def fetch_following_redirects(
    url: str, send: Callable[[str], Page], check: Callable[[httpx.URL, httpx.URL], None]
) -> Page:
    """Return the first page that redirects no further; raises ExternalError, also after the third one.

    `check` raises ExternalError for an address that is not followed, and for the address it came from.
    """
    for _ in range(_MAX_REDIRECTS + 1):
        page = send(url)
        if page.status not in _REDIRECTS:
            return page
        try:
            target = httpx.URL(url).join(page.headers.get("location", ""))
        except httpx.InvalidURL:
            raise ExternalError("it redirects to what is no address", reason=errors.REDIRECTED) from None
        check(target, httpx.URL(url))
        url = str(target)
    raise ExternalError("it redirects in a circle", reason=errors.REDIRECTED)


def _check_same_origin(target: httpx.URL, source: httpx.URL) -> None:
    """Raise ExternalError where a redirect leaves the origin."""
    if (target.scheme, target.host, target.port) != (source.scheme, source.host, source.port):
        netloc = target.netloc.decode("ascii", "replace").rpartition("@")[2]
        origin = redact_excerpt(f"{target.scheme}://{netloc}")
        raise ExternalError(f"it redirects to {origin}, which is not followed", reason=errors.REDIRECTED)


def send_request(
    network: NetworkPolicy,
    request: httpx.Request,
    socket_path: str | None = None,
    methods: tuple[str, ...] = ("GET",),
) -> Page:
    """Return the response to one request, its body whole and at most MAX_BYTES; raises ExternalError.

    Only `methods` are allowed.
    """
    if request.method not in methods:
        raise ExternalError(f"{request.method} is never sent to a source", reason=errors.FORBIDDEN)
    try:
        with Transport(network, socket_path) as transport:
            response = transport.handle_request(request)
            if response.status_code == _PARTIAL and "range" not in request.headers:
                raise ExternalError(
                    "it answered with a part (206), which nobody asked for", reason=errors.UNREADABLE
                )
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Page(response.status_code, headers, read_body(response, headers))
    except httpcore.ProxyError as error:
        raise ExternalError(f"the proxy answered {redact_excerpt(str(error))}", reason=errors.PROXY) from None
    except (httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
        raise _convert_protocol_error(error) from None


def send_ping(network: NetworkPolicy, url: str, succeeded: bool, message: str) -> None:
    """POST the result of a run to the dead-man's switch at `url` (healthchecks.io); raises ExternalError.

    A failed run goes to the path `/fail`; the switch stores `message`. For a check that it does not know, and
    beyond its rate, it answers 200 with the reason: `OK (not found)`, `OK (rate limited)`.
    """
    address = httpx.URL(url)
    if not succeeded:
        address = address.copy_with(path=f"{address.path.rstrip('/')}/fail")
    request = httpx.Request(
        "POST",
        address,
        headers={
            "user-agent": f"pt-health-detector/{__version__}",
            "content-type": "text/plain; charset=utf-8",
        },
        content=message.encode()[:_MAX_PING_BYTES],
    )
    page = send_request(network, request, methods=("POST",))
    if not page.is_success:
        raise ExternalError(f"it answered {page.status}", reason=errors.HTTP_STATUS)
    if page.body.strip().startswith(_PING_IGNORED):
        answer = redact_excerpt(page.body.decode("utf-8", "replace"))
        raise ExternalError(f"it answered {answer}, so that it will miss no run", reason=errors.REJECTED)


def _convert_protocol_error(error: Exception) -> ExternalError:
    text = str(error)
    if "closed" in text or "disconnected" in text or "incomplete" in text:
        return ExternalError("the connection broke off in the middle of the answer", reason=errors.RESET)
    return ExternalError("what it answered is not HTTP", reason=errors.UNREADABLE)
