"""Reads a Client Portal gateway that already runs and is logged in: GET, and seven paths only.

Some GETs of that API change state (`/tickle`, `/logout`, `/iserver/marketdata/unsubscribeall`, ibeam's
`/activate`), so that the fence is a list of verbs and paths. No redirect is followed, for it leads to a
login, and nothing is tried twice: above its limits IBKR blocks the address of this machine.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx
from msgspec import Struct

from detector.clients.connection import NetworkPolicy
from detector.clients.http_client import Page, send_request
from detector.formats import errors
from detector.formats.errors import ExternalError, InputError
from detector.formats.patterns import build_pattern
from detector.formats.strict_json import parse_value

_ACCOUNT = r"[A-Z]{1,4}[0-9]{4,10}"
ALLOWED_PATHS: Final = tuple(
    build_pattern(path, re.ASCII)
    for path in (
        "/iserver/auth/status",
        "/iserver/accounts",
        "/iserver/account/orders",
        "/iserver/account/trades",
        "/portfolio/accounts",
        rf"/portfolio/{_ACCOUNT}/positions/[0-9]{{1,3}}",
        rf"/portfolio2/{_ACCOUNT}/positions",
    )
)
_ACCOUNT_ID = build_pattern(_ACCOUNT, re.ASCII)
_OK, _REDIRECTS, _UNAUTHORIZED, _NOT_FOUND, _TOO_MANY = 200, range(300, 400), 401, (404, 405), 429
_SERVER_ERRORS = range(500, 600)
_ORDERS_PAUSE_SEC = 5.0  # the limit of /iserver/account/orders, and what its first call needs
_MAX_PAGES = 100
_MAX_ACCOUNTS = 50


class PortalAnswer(Struct, frozen=True):
    """The gateway's rows; `is_cached` where positions come from its cache, whose age it does not give."""

    accounts: tuple[str, ...]
    positions: list[dict[str, Any]]
    orders: list[dict[str, Any]]
    trades: list[dict[str, Any]]
    is_cached: bool


def check_request(method: str, path: str) -> None:
    """Return where the request is one of the allowed ones; raises ExternalError."""
    if method != "GET" or not any(allowed.fullmatch(path) for allowed in ALLOWED_PATHS):
        raise ExternalError(f"{method} {path[:80]} is never sent to Client Portal", reason=errors.FORBIDDEN)


class Portal(Struct, frozen=True):
    """A gateway, by the address of its API such as https://localhost:5000/v1/api."""

    network: NetworkPolicy
    url: str
    pause: Callable[[float], None] = time.sleep

    def read(self) -> PortalAnswer:
        """Return all rows; raises ExternalError, also where a list is not known yet."""
        self._check_session()
        accounts = self._list_accounts()
        first = self._get_object("/iserver/account/orders")
        asked_at = time.monotonic()
        positions, is_cached = self._list_positions(accounts)
        trades = self._get_rows("/iserver/account/trades")
        orders = self._list_orders(first, asked_at)
        return PortalAnswer(accounts, positions, orders, trades, is_cached)

    def _check_session(self) -> None:
        """Raise ExternalError where nobody is logged in, or someone else is with the same username."""
        status = self._find_value("/iserver/auth/status")
        if status is None:  # a gateway has it as POST only: its lists then say that there is no session
            return
        if not isinstance(status, dict):
            raise ExternalError("its session status is no object", reason=errors.UNREADABLE)
        if status.get("authenticated") is not True:
            raise ExternalError("nobody is logged in to the gateway", reason=errors.NO_SESSION)
        if status.get("connected") is False:
            raise ExternalError("the gateway has no link to IBKR", reason=errors.LINK_DOWN)

    def _list_accounts(self) -> tuple[str, ...]:
        brokerage = self._get_object("/iserver/accounts").get("accounts")
        if not isinstance(brokerage, list):
            raise ExternalError("it lists no accounts", reason=errors.UNREADABLE)
        portfolio = [row.get("accountId") or row.get("id") for row in self._get_rows("/portfolio/accounts")]
        accounts = tuple(dict.fromkeys(str(name) for name in (*portfolio, *brokerage) if name != "All"))
        if not accounts or len(accounts) > _MAX_ACCOUNTS:
            raise ExternalError(f"it lists {len(accounts)} accounts", reason=errors.UNREADABLE)
        if not all(_ACCOUNT_ID.fullmatch(account) for account in accounts):
            raise ExternalError("it lists an account that has no account's form", reason=errors.UNREADABLE)
        return accounts

    def _list_positions(self, accounts: tuple[str, ...]) -> tuple[list[dict[str, Any]], bool]:
        """Return the rows of all accounts, and whether some are of the cache alone, of unknown age."""
        rows: list[dict[str, Any]] = []
        is_cached = False
        for account in accounts:
            described = list(self._iter_pages(account))
            current = self._find_value(f"/portfolio2/{account}/positions")
            if current is None:
                is_cached = True
                rows += described
            else:
                rows += _update_quantities(described, _check_rows(current, "positions"), account)
        return rows, is_cached

    def _iter_pages(self, account: str) -> Iterator[dict[str, Any]]:
        previous: list[dict[str, Any]] | None = None
        for number in range(_MAX_PAGES):
            page = self._get_rows(f"/portfolio/{account}/positions/{number}")
            if not page:
                return
            if page == previous:
                raise ExternalError("it repeats a page of its positions", reason=errors.UNREADABLE)
            yield from ({"acctId": account, **row} for row in page)
            previous, size = page, page[0].get("pageSize")
            if isinstance(size, int) and len(page) < size:
                return
        raise ExternalError(f"it lists over {_MAX_PAGES} pages of positions", reason=errors.TOO_LARGE)

    def _list_orders(self, answer: dict[str, Any], asked_at: float) -> list[dict[str, Any]]:
        """Return the orders once the gateway has them: its first answer may be empty without a snapshot."""
        while answer.get("snapshot") is not True:
            wait = max(0.0, asked_at + _ORDERS_PAUSE_SEC - time.monotonic())
            if wait >= self.network.deadline.get_remaining():
                raise ExternalError("its orders are not known yet (no snapshot)", reason=errors.NOT_READY)
            self.pause(wait)
            answer, asked_at = self._get_object("/iserver/account/orders"), time.monotonic()
        return _check_rows(answer.get("orders"), "orders")

    def _get_object(self, path: str) -> dict[str, Any]:
        value = self._get_value(path)
        if not isinstance(value, dict):
            raise ExternalError(f"{path} is no object", reason=errors.UNREADABLE)
        return value

    def _get_rows(self, path: str) -> list[dict[str, Any]]:
        return _check_rows(self._get_value(path), path)

    def _find_value(self, path: str) -> Any:
        """Return the JSON value at a path, None where the gateway does not have the path."""
        try:
            return self._get_value(path)
        except ExternalError as error:
            if error.reason == errors.MISSING:
                return None
            raise

    def _get_value(self, path: str) -> Any:
        check_request("GET", path)
        request = httpx.Request(
            "GET",
            f"{self.url.rstrip('/')}{path}",
            headers={
                "accept": "application/json",
                "accept-encoding": "gzip, deflate",
                "user-agent": "detector",
            },
        )
        page = send_request(self.network, request)
        _check_page(page, path)
        try:
            value = parse_value(page.body)
        except InputError as error:
            raise ExternalError(f"{path} is not JSON: {error}", reason=errors.NOT_JSON) from None
        _check_body(value, path)
        return value


def _check_page(page: Page, path: str) -> None:
    """Raise ExternalError for every answer that is no JSON of this API."""
    if page.status in _REDIRECTS or page.status == _UNAUTHORIZED:
        raise ExternalError(f"nobody is logged in to the gateway ({page.status})", reason=errors.NO_SESSION)
    if page.status in _NOT_FOUND:
        raise ExternalError(f"it does not have {path} ({page.status})", reason=errors.MISSING)
    if page.status == _TOO_MANY:
        raise ExternalError("it was asked too often (429), and is not asked again", reason=errors.THROTTLED)
    if b"no session" in page.body[:1000]:
        raise ExternalError("the gateway has no session", reason=errors.NO_SESSION)
    if page.status in _SERVER_ERRORS:
        raise ExternalError(
            f"it answered {page.status}: IBKR or the gateway restarts", reason=errors.HTTP_STATUS
        )
    if page.status != _OK:
        raise ExternalError(f"it answered {page.status}", reason=errors.HTTP_STATUS)
    if page.body[:64].lstrip().startswith(b"<"):
        raise ExternalError("it answered with a page for people", reason=errors.HTML)


def _check_body(value: Any, path: str) -> None:
    """Raise ExternalError for what any path may say: that another session took over, or an error."""
    if not isinstance(value, dict):
        return
    if value.get("competing") is True:
        raise ExternalError(
            "another session of the same username took over (competing)", reason=errors.COMPETING
        )
    if value.get("error"):
        raise ExternalError(f"{path} answered with an error", reason=errors.UNREADABLE)


def _check_rows(value: Any, title: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise ExternalError(f"{title} is no list of objects", reason=errors.UNREADABLE)
    return value


def _update_quantities(
    described: list[dict[str, Any]], current: list[dict[str, Any]], account: str
) -> list[dict[str, Any]]:
    """Return the positions of now, described by the cache; what the cache alone has is closed."""
    by_key = {_get_key(row): row for row in described}
    rows = [{**by_key.pop(_get_key(row), {}), **row, "acctId": account} for row in current]
    return [*rows, *({**row, "position": 0.0} for row in by_key.values())]


def _get_key(row: dict[str, Any]) -> tuple[str, str]:
    return str(row.get("conid")), str(row.get("model") or "")
