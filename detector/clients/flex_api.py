"""IBKR's Flex Web Service, version 3: a query is requested, and its statement is fetched when it is ready.

Both are GET, and the token is in their query: no address of them is ever shown. Answers are told apart by
their root element and their ErrorCode; `Status` is not reliable. Source: IBKR Campus, Flex Web Service.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlencode, urlsplit

from msgspec import Struct

from detector.domain.statement_tables import parse_flex_xml
from detector.formats import errors
from detector.formats.errors import ExternalError
from detector.formats.strict_json import redact_excerpt

if TYPE_CHECKING:
    from detector.clients.connection import Deadline
    from detector.clients.http_client import Page

_VERSION: Final = "3"  # without it the service answers in version 2
_USER_AGENT: Final = "Java"  # required; the older guide accepts only this and Blackberry
_HOST_SUFFIX: Final = ".interactivebrokers.com"
_MAX_REQUESTS: Final = 8  # the service allows 10 a minute and 1 a second
_PAUSE_SEC: Final = 1.0
_SEND, _GET = "SendRequest", "GetStatement"
_GENERATING, _TOO_MANY, _REFERENCE_GONE = 1019, 1018, 1017
_WAIT_SEC: Final = {_GENERATING: 5.0, _TOO_MANY: 10.0, 1001: 5.0, 1009: 5.0, 1021: 5.0}
_REASONS: Final = {
    **dict.fromkeys((1001, 1004, 1005, 1006, 1007, 1008, 1009, 1019, 1021), errors.NOT_READY),
    1003: errors.MISSING,
    **dict.fromkeys((1010, 1014, 1020), errors.QUERY),
    **dict.fromkeys((1011, 1012, 1015, 1016), errors.LOGIN),
    1013: errors.DENIED,
    1017: errors.NOT_READY,
    1018: errors.THROTTLED,
}
_MEANINGS: Final = {
    1003: "the statement is not available, also where its period holds nothing",
    1010: "the query is of an old type", 1011: "the service account is inactive",
    1012: "the token has expired",
    1013: "this machine's address is not allowed for the token", 1014: "the query is invalid",
    1015: "the token is invalid", 1016: "the account is invalid", 1017: "the reference code is not valid",
    1018: "too many requests", 1019: "the statement is still being generated", 1020: "the request is invalid",
    **dict.fromkeys((1001, 1009, 1021), "the statement cannot be generated now"),
    **dict.fromkeys((1004, 1005, 1006, 1007, 1008), "the statement is not complete yet"),
}  # fmt: skip


class GetFlexPage(Protocol):
    """Reads one page over HTTP; raises ExternalError."""

    def __call__(
        self, url: str, should_keep: Callable[[Page], bool] = ..., *, headers: dict[str, str]
    ) -> Page: ...


class Flex(Struct):
    """The service with one token; `pause` waits, and no request is sent within a second of another."""

    get_page: GetFlexPage
    deadline: Deadline
    url: str
    token: str
    pause: Callable[[float], None] = time.sleep
    requests: int = 0

    def fetch_statement(self, query: str) -> bytes:
        """Return the statement of a query, XML or CSV; raises ExternalError."""
        for _ in range(2):  # a reference code that is gone is asked for once more
            envelope, _ = self._fetch_until_ready(self.url, _SEND, query)
            code = envelope.get("ReferenceCode", "") if envelope else ""
            if not code.isalnum():
                raise ExternalError("its answer holds no reference code", reason=errors.UNREADABLE)
            base = _choose_base(envelope.get("Url", "") if envelope else "", self.url)
            try:
                envelope, body = self._fetch_until_ready(base, _GET, code)
            except _ReferenceError:
                continue
            if envelope is not None:
                raise ExternalError("it answered with an envelope and no statement", reason=errors.UNREADABLE)
            return body
        raise build_code_error(_REFERENCE_GONE, "")

    def _fetch_until_ready(self, base: str, step: str, query: str) -> tuple[dict[str, str] | None, bytes]:
        """Return the envelope, None for a statement, and the body; a code that asks to wait is waited for."""
        while True:
            envelope, body = self._fetch(base, step, query)
            code = _parse_code(envelope)
            if code is None:
                return envelope, body
            if code == _REFERENCE_GONE and step == _GET:
                raise _ReferenceError
            error = build_code_error(code, (envelope or {}).get("ErrorMessage", ""))
            wait = _WAIT_SEC.get(code)
            if wait is None or self.requests >= _MAX_REQUESTS or wait >= self.deadline.get_remaining():
                raise error
            self.pause(wait)

    def _fetch(self, base: str, step: str, query: str) -> tuple[dict[str, str] | None, bytes]:
        if self.requests:
            if self.deadline.get_remaining() <= _PAUSE_SEC:
                raise ExternalError(f"no statement within {self.deadline.seconds:g} s", reason=errors.TIMEOUT)
            self.pause(_PAUSE_SEC)
        self.requests += 1
        parameters = urlencode({"t": self.token, "q": query, "v": _VERSION})
        page = self.get_page(
            f"{base.rstrip('/')}/{step}?{parameters}",
            lambda page: True,  # without a retry, which would break the service's pace
            headers={"user-agent": _USER_AGENT, "accept": "application/xml, text/csv, */*"},
        )
        if page.status != 200:  # noqa: PLR2004 - HTTP's OK
            reason = errors.THROTTLED if page.status == 429 else errors.HTTP_STATUS  # noqa: PLR2004 - HTTP's
            raise ExternalError(f"it answered {page.status}", reason=reason)
        return _parse_envelope(page), page.body


class _ReferenceError(Exception):
    """The reference code is not valid any more (1017)."""


def build_code_error(code: int, message: str) -> ExternalError:
    """Return the error of an ErrorCode; an unknown one is unknown."""
    meaning = _MEANINGS.get(code) or f"an unknown code: {redact_excerpt(message) or 'no message'}"
    return ExternalError(f"{meaning} ({code})", reason=_REASONS.get(code, errors.UNREADABLE))


def _parse_envelope(page: Page) -> dict[str, str] | None:
    """Return the fields of a FlexStatementResponse, None where the body is a statement."""
    body = page.body.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not body.startswith(b"<"):
        return None
    if body[:15].lower().startswith((b"<!doctype html", b"<html")):
        raise ExternalError("it answered with a page for people", reason=errors.HTML)
    root = parse_flex_xml(page.body)
    if root.tag == "FlexQueryResponse":
        return None
    if root.tag != "FlexStatementResponse":
        raise ExternalError(f"its answer is a {redact_excerpt(root.tag)}", reason=errors.UNREADABLE)
    return {child.tag: (child.text or "").strip() for child in root}


def _parse_code(envelope: dict[str, str] | None) -> int | None:
    """Return the ErrorCode of an envelope, None without one; 0 for one that is no number."""
    text = (envelope or {}).get("ErrorCode", "")
    if not text:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0  # noqa: PLR2004 - 32 bits


def _choose_base(url: str, configured: str) -> str:
    """Return the address that the answer names where its host is IBKR's or ours, else the configured one.

    The token goes to no other host. The answer's address ends in the name of the second call.
    """
    parts, own = urlsplit(url), urlsplit(configured)
    is_own = (parts.scheme, parts.netloc) == (own.scheme, own.netloc)
    is_ibkr = (
        parts.scheme == "https" and (parts.hostname or "").endswith(_HOST_SUFFIX) and "@" not in parts.netloc
    )
    if not (is_own or is_ibkr):
        return configured
    path = parts.path.removesuffix("/GetStatement")
    return f"{parts.scheme}://{parts.netloc}{path}"
