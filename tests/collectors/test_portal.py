"""A Client Portal gateway on loopback.

What it lists, every way in which it fails, and the fence before it.
"""

from __future__ import annotations

import json
import string
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from detector.clients.connection import Deadline, NetworkPolicy
from detector.clients.portal_api import ALLOWED_PATHS, Portal, check_request
from detector.formats import errors
from detector.formats.errors import ExternalError
from tests.support.loopback import hangs, reply, serving
from tests.support.program import Answer, answer

STATUS = {"authenticated": True, "competing": False, "connected": True, "message": "", "MAC": "x"}
OPTION = {
    "acctId": "U1234567", "conid": 700, "contractDesc": "SPX JUN2026 6000 C", "position": 2.0, "mktPrice": 11.0,
    "avgCost": 1250.5, "avgPrice": 12.505, "currency": "USD", "assetClass": "OPT", "expiry": "20260619",
    "putOrCall": "C", "strike": "6000", "multiplier": 100.0, "ticker": "SPX", "model": "", "pageSize": 100,
}  # fmt: skip
SHARE = {**OPTION, "conid": "756733", "contractDesc": "SPY", "ticker": None, "assetClass": "STK", "expiry": None,
         "putOrCall": None, "strike": "0", "multiplier": 0.0, "position": 0.0}  # fmt: skip
ORDER = {
    "acct": "U1234567", "account": "U1234567", "conid": 700, "conidex": "700", "orderId": 2, "ticker": "SPX",
    "secType": "OPT", "side": "SELL", "orderType": "Limit", "price": "25.00", "totalSize": 2.0,
    "filledQuantity": 0.0, "remainingQuantity": 2.0, "status": "Submitted", "timeInForce": "GTC",
}  # fmt: skip
TRADE = {
    "execution_id": "0000e.1.01.01", "symbol": "SPX", "side": "S", "trade_time": "20260602-14:40:00",
    "trade_time_r": 1780411200000, "size": 2.0, "price": "6.46", "account": "U1234567", "sec_type": "OPT",
    "conid": "700", "order_id": 2, "liquidation_trade": "1",
}  # fmt: skip
PRE_FLIGHT = {"orders": [], "snapshot": False}


class Gateway:
    """The gateway: answers by path, the last of a list from then on; a pair is a status and a body."""

    def __init__(self, account: str = "U1234567", **paths: Any) -> None:
        self.account = account
        self.answers: dict[str, Any] = {
            "/iserver/auth/status": STATUS,
            "/iserver/accounts": {"accounts": [account, "All"], "selectedAccount": account},
            "/portfolio/accounts": [{"id": account, "accountId": account}],
            "/iserver/account/orders": {"orders": [], "snapshot": True},
            "/iserver/account/trades": [],
            f"/portfolio/{account}/positions/0": [{**OPTION, "acctId": account}],
            f"/portfolio2/{account}/positions": [{"conid": "700", "position": 2.0}],
        }
        self.requests: list[str] = []

    def serve(self, served, conn, request) -> None:
        method, target, _ = request.split(b"\r\n")[0].decode().split(" ")
        path = target.removeprefix("/v1/api")
        self.requests.append(f"{method} {path}")
        answers = self.answers.get(path, (404, {"error": "no path"}))
        if isinstance(answers, list) and answers and isinstance(answers[0], tuple):
            chosen = answers.pop(0) if len(answers) > 1 else answers[0]
        else:
            chosen = answers
        if callable(chosen):
            chosen(served, conn, request)
            return
        status, body = chosen if isinstance(chosen, tuple) else (200, chosen)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        conn.sendall(reply(status, data, {"location": "/sso/Login"} if status == 302 else None))


@contextmanager
def gateway_on_loopback(gateway: Gateway):
    with serving(gateway.serve) as server:
        yield f"{server.url}/v1/api"


def collected(gateway, tmp_path, seconds="2"):
    with gateway_on_loopback(gateway) as url:
        ran = answer("collect", environ=environ(url, tmp_path, seconds))
    assert ran.code == 0, ran.err
    assert b"1234567" not in ran.out
    for request in gateway.requests:
        check_request(*request.split(" ", 1))
    return ran.document


def environ(url, tmp_path, seconds="2"):
    return {
        "AEGIS_PT_PORTAL_URL": url,
        "AEGIS_PT_SOURCE_TIMEOUT_SEC": seconds,
        "XDG_STATE_HOME": str(tmp_path),
    }


def test_all_lists_are_read_under_our_names(tmp_path):
    gateway = Gateway()
    gateway.answers |= {
        "/portfolio/U1234567/positions/0": [OPTION, SHARE],
        "/portfolio2/U1234567/positions": [{"conid": 700, "position": 2}, {"conid": 756733, "position": 0}],
        "/iserver/account/orders": {
            "orders": [ORDER, {**ORDER, "orderId": 3, "status": "Filled"}],
            "snapshot": True,
        },
        "/iserver/account/trades": [TRADE],
    }
    broker = collected(gateway, tmp_path)["broker"]
    assert broker["positions"] == [
        {
            "con_id": 700, "symbol": "SPX", "sec_type": "OPT", "expiry": "20260619", "strike": 6000, "right": "C",
            "multiplier": 100, "currency": "USD", "account": "live-1", "quantity": 2, "avg_price": 12.505,
            "avg_cost": 1250.5,
        },
        {
            "con_id": 756733, "symbol": "SPY", "sec_type": "STK", "currency": "USD", "account": "live-1", "quantity": 0,
            "avg_price": 12.505, "avg_cost": 1250.5,
        },
    ]  # fmt: skip
    assert [
        (row["order_id"], row["quantity"], row["remaining"], row["filled"]) for row in broker["open_orders"]
    ] == [(2, 2, 2, 0)]
    (fill,) = broker["executions"]
    assert fill["liquidation"] == "1"
    assert (fill["at"], fill["price"], fill["side"]) == ("2026-06-02T14:40:00+00:00", 6.46, "S")
    assert (broker["account"], broker["mode"], broker["open_orders_scope"]) == ("live-1", "live", "all")


def test_each_path_is_asked_once_and_only_with_get(tmp_path):
    gateway = Gateway()
    collected(gateway, tmp_path)
    assert len(gateway.requests) == len(set(gateway.requests))
    assert {request.split(" ")[0] for request in gateway.requests} == {"GET"}


@pytest.mark.parametrize("size", [30, 100])
def test_pages_are_read_until_a_short_one(size, tmp_path):
    rows = [{**OPTION, "conid": number, "pageSize": size} for number in range(size + 3)]
    gateway = Gateway()
    gateway.answers |= {
        "/portfolio/U1234567/positions/0": rows[:size],
        "/portfolio/U1234567/positions/1": rows[size:],
        "/portfolio2/U1234567/positions": [{"conid": row["conid"], "position": 1} for row in rows],
    }
    assert len(collected(gateway, tmp_path)["broker"]["positions"]) == size + 3
    assert "GET /portfolio/U1234567/positions/2" not in gateway.requests


def test_a_page_without_its_size_is_followed_until_an_empty_one(tmp_path):
    row = {key: value for key, value in OPTION.items() if key != "pageSize"}
    gateway = Gateway()
    gateway.answers |= {
        "/portfolio/U1234567/positions/0": [row],
        "/portfolio/U1234567/positions/1": [],
    }
    collected(gateway, tmp_path)
    assert "GET /portfolio/U1234567/positions/1" in gateway.requests


def test_a_gateway_that_repeats_its_page_is_not_read_on(tmp_path):
    row = {key: value for key, value in OPTION.items() if key != "pageSize"}
    gateway = Gateway()
    gateway.answers |= {f"/portfolio/U1234567/positions/{number}": [row] for number in range(3)}
    assert collected(gateway, tmp_path)["sources"]["broker"]["reason"] == errors.UNREADABLE


def test_what_the_cache_alone_still_shows_is_closed(tmp_path):
    gateway = Gateway()
    gateway.answers["/portfolio2/U1234567/positions"] = []
    (row,) = collected(gateway, tmp_path)["broker"]["positions"]
    assert (row["symbol"], row["quantity"]) == ("SPX", 0)


class Clock:
    def __init__(self) -> None:
        self.paused: list[float] = []

    def pause(self, seconds: float) -> None:
        self.paused.append(seconds)


def read(gateway: Gateway, seconds: float = 20) -> tuple[Any, Clock]:
    clock = Clock()
    with gateway_on_loopback(gateway) as url:
        return Portal(NetworkPolicy(Deadline(seconds)), url, clock.pause).read(), clock


@pytest.mark.parametrize("moment", [None, "x", True, -1, 10**30])
def test_a_trade_without_a_readable_time_is_no_trade_of_1970(moment, tmp_path):
    gateway = Gateway()
    gateway.answers["/iserver/account/trades"] = [{**TRADE, "trade_time_r": moment}]
    entry = collected(gateway, tmp_path)["sources"]["broker"]
    assert (entry["state"], entry["detail"]) == ("failed", "a trade has no time in milliseconds")


def test_an_empty_pre_flight_is_asked_again_after_5_seconds():
    gateway = Gateway()
    gateway.answers["/iserver/account/orders"] = [
        (200, PRE_FLIGHT),
        (200, {"orders": [ORDER], "snapshot": True}),
    ]
    result, clock = read(gateway)
    assert [row["orderId"] for row in result.orders] == [2]
    assert len(clock.paused) == 1
    assert 4 < clock.paused[0] <= 5


@pytest.mark.parametrize("body", [PRE_FLIGHT, {"orders": []}, {"orders": [ORDER], "snapshot": False}, {}])
def test_orders_without_a_snapshot_are_not_known(body, tmp_path):
    gateway = Gateway()
    gateway.answers["/iserver/account/orders"] = body
    document = collected(gateway, tmp_path)
    assert document["sources"]["broker"]["reason"] == errors.NOT_READY
    assert "broker" not in document


PATHS = (
    "/iserver/auth/status", "/iserver/accounts", "/portfolio/accounts", "/iserver/account/orders",
    "/iserver/account/trades", "/portfolio/U1234567/positions/0", "/portfolio2/U1234567/positions",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("response", "reason"),
    [
        pytest.param((401, b""), errors.NO_SESSION, id="401"),
        pytest.param((302, b""), errors.NO_SESSION, id="a redirect to the login"),
        pytest.param((500, {"error": "no session"}), errors.NO_SESSION, id="no session"),
        pytest.param((200, {"error": "no session"}), errors.NO_SESSION, id="no session with 200"),
        pytest.param((503, b"Service Unavailable"), errors.HTTP_STATUS, id="503"),
        pytest.param((429, b""), errors.THROTTLED, id="429"),
        pytest.param((200, {"competing": True, "authenticated": True}), errors.COMPETING, id="competing"),
        pytest.param((200, {"error": "something"}), errors.UNREADABLE, id="an error with 200"),
        pytest.param((200, b"<html>Access Denied</html>"), errors.HTML, id="a page"),
        pytest.param((200, b'[{"conid": '), errors.NOT_JSON, id="cut JSON"),
        pytest.param((200, [1, 2]), errors.UNREADABLE, id="a list of numbers"),
        pytest.param((200, b"null"), None, id="null"),
    ],
)
def test_no_failure_at_any_path_is_an_empty_list_or_is_tried_twice(path, response, reason, tmp_path):
    gateway = Gateway()
    gateway.answers[path] = response
    document = collected(gateway, tmp_path)
    entry = document["sources"]["broker"]
    if reason is None and entry["state"] == "ok":  # a status or a cache that is missing
        assert path in ("/iserver/auth/status", "/portfolio2/U1234567/positions")
        return
    assert entry["state"] == "failed"
    assert reason is None or entry["reason"] == reason
    assert "broker" not in document
    assert gateway.requests.count(f"GET {path}") == 1


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({**STATUS, "authenticated": False}, errors.NO_SESSION),
        ({**STATUS, "competing": True}, errors.COMPETING),
        ({"message": "x"}, errors.NO_SESSION),
    ],
)
def test_a_session_that_is_none_ends_it_before_anything_else_is_asked(status, reason, tmp_path):
    gateway = Gateway()
    gateway.answers["/iserver/auth/status"] = status
    assert collected(gateway, tmp_path)["sources"]["broker"]["reason"] == reason
    assert gateway.requests == ["GET /iserver/auth/status"]


def test_a_gateway_without_a_link_is_not_connected(tmp_path):
    gateway = Gateway()
    gateway.answers["/iserver/auth/status"] = {**STATUS, "connected": False}
    broker = collected(gateway, tmp_path)["broker"]
    assert (broker["connected"], "positions" in broker) == (False, False)


def test_silence_ends_at_the_deadline(tmp_path):
    gateway = Gateway()
    gateway.answers["/portfolio/accounts"] = hangs()
    assert collected(gateway, tmp_path, "0.6")["sources"]["broker"]["reason"] == errors.TIMEOUT


NEVER = [
    ("POST", "/iserver/auth/status"), ("POST", "/tickle"), ("GET", "/tickle"), ("GET", "/logout"),
    ("POST", "/iserver/auth/ssodh/init"), ("GET", "/iserver/auth/ssodh/init"), ("POST", "/iserver/reauthenticate"),
    ("GET", "/iserver/reauthenticate"), ("POST", "/iserver/account"), ("POST", "/iserver/dynaccount"),
    ("POST", "/iserver/account/U1234567/orders"), ("DELETE", "/iserver/account/U1234567/order/1"),
    ("POST", "/iserver/account/U1234567/orders/whatif"), ("POST", "/iserver/reply/1"),
    ("POST", "/iserver/questions/suppress"), ("POST", "/portfolio/U1234567/positions/invalidate"),
    ("GET", "/portfolio/U1234567/positions/invalidate"), ("GET", "/iserver/marketdata/unsubscribeall"),
    ("GET", "/iserver/account/orders?force=true"), ("GET", "/iserver/account/orders?filters=x"),
    ("GET", "/portfolio/U1234567/positions/../../../logout"), ("GET", "/portfolio/U1234567/positions/0/"),
    ("GET", "/portfolio/U1234567/positions/0\n"), ("GET", "//iserver/accounts"), ("GET", "/fa/model/list"),
    ("GET", "/activate"), ("GET", "/deactivate"), ("HEAD", "/iserver/accounts"), ("get", "/iserver/accounts"),
    ("PUT", "/portfolio/accounts"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), NEVER)
def test_what_could_change_anything_is_never_sent(method, path):
    with pytest.raises(ExternalError) as raised:
        check_request(method, path)
    assert raised.value.reason == errors.FORBIDDEN


@given(
    st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]),
    st.text(string.ascii_letters + string.digits + "/._?=%&-\n", max_size=60) | st.sampled_from(PATHS),
)
@example("GET", "/portfolio/U1234567/positions/1000")
def test_a_request_passes_only_as_one_of_seven_paths(method, path):
    is_allowed = method == "GET" and any(allowed.fullmatch(path) for allowed in ALLOWED_PATHS)
    try:
        check_request(method, path)
    except ExternalError:
        assert not is_allowed
    else:
        assert is_allowed
        assert not set(path) & set("?.%&\n")


@pytest.mark.parametrize("account", ["../../logout", "U1/orders", "", "U1234567?x=1", "All accounts"])
def test_an_account_of_another_form_never_becomes_a_path(account, tmp_path):
    gateway = Gateway()
    gateway.answers["/iserver/accounts"] = {"accounts": [account]}
    gateway.answers["/portfolio/accounts"] = []
    assert collected(gateway, tmp_path)["sources"]["broker"]["reason"] == errors.UNREADABLE
    assert len(gateway.requests) == 3


CLOSE = (
    "--symbol",
    "SPX",
    "--expiry",
    "2026-06-19",
    "--strike",
    "6000",
    "--right",
    "C",
    "--quantity",
    "2",
    "--con-id",
    "700",
)


def two_accounts() -> Gateway:
    gateway = Gateway()
    gateway.answers |= {
        "/iserver/accounts": {"accounts": ["U1234567", "U7654321", "All"]},
        "/portfolio/accounts": [{"accountId": "U1234567"}, {"accountId": "U7654321"}],
        "/portfolio/U7654321/positions/0": [{**OPTION, "acctId": "U7654321", "position": 1.0}],
        "/portfolio2/U7654321/positions": [{"conid": 700, "position": 1.0}],
    }
    return gateway


def cached() -> Gateway:
    gateway = Gateway()
    del gateway.answers["/portfolio2/U1234567/positions"]
    return gateway


def closed() -> Gateway:
    gateway = Gateway()
    gateway.answers["/portfolio2/U1234567/positions"] = [{"conid": 700, "position": 0.0}]
    return gateway


def with_exit() -> Gateway:
    gateway = Gateway()
    gateway.answers["/iserver/account/orders"] = {"orders": [ORDER], "snapshot": True}
    return gateway


def in_a_model() -> Gateway:
    gateway = Gateway()
    gateway.answers["/portfolio/U1234567/positions/0"] = [{**OPTION, "model": "Growth"}]
    return gateway


@pytest.mark.parametrize(
    ("gateway", "words", "code"),
    [
        pytest.param(Gateway("DU1234567"), (), 0, id="paper: held"),
        pytest.param(Gateway(), (), 0, id="live: held"),
        pytest.param(closed(), (), 1, id="live: closed, and still listed at 0.0"),
        pytest.param(with_exit(), (), 1, id="live: an exit works"),
        pytest.param(cached(), (), 3, id="live: positions from a cache of unknown age"),
        pytest.param(two_accounts(), (), 3, id="advisor: no account named"),
        pytest.param(
            two_accounts(), ("--account", "U1234567"), 3, id="advisor: whose orders are listed is unknown"
        ),
        pytest.param(in_a_model(), (), 3, id="advisor: a position of a model"),
    ],
)
def test_can_close_from_client_portal(gateway, words, code, tmp_path):
    with gateway_on_loopback(gateway) as url:
        ran = answer("can-close", "--collect", *CLOSE, *words, environ=environ(url, tmp_path))
    assert ran.code == code, ran.out


STORED = {
    "symbol": "SPX", "expiry": "2026-06-19", "strike": 6000, "right": "C", "sec_type": "OPT", "con_id": 700,
    "trade_id": "7", "is_open": True, "contracts_remaining": 2, "entry_price": 5.5,
}  # fmt: skip


def plan(gateway: Gateway, tmp_path: Path, row: dict[str, Any]) -> Answer:
    stores = tmp_path / "stores.json"
    stores.write_text(json.dumps({"as_of": "2026-06-02T14:59:50Z", "position_state": [row], "trades": []}))
    with gateway_on_loopback(gateway) as url:
        more = {**environ(url, tmp_path), "AEGIS_PT_SECTIONS": f"stores={stores}"}
        return answer("plan", "--collect", environ=more)


@pytest.mark.parametrize("account", ["DU1234567", "U1234567"])
def test_a_plan_from_client_portal_names_the_fill_and_its_price(account, tmp_path):
    gateway = Gateway(account)
    gateway.answers[f"/portfolio2/{account}/positions"] = []
    gateway.answers["/iserver/account/trades"] = [{**TRADE, "account": account}]
    ran = plan(gateway, tmp_path, STORED)
    assert (ran.code, "broker: flat" in ran.out.decode()) == (1, True), ran.out
    assert "sold 2 at 6.46 at 2026-06-02 14:40:00 UTC" in ran.out.decode()


def test_a_plan_from_an_advisor_cannot_tell(tmp_path):
    ran = plan(two_accounts(), tmp_path, {**STORED, "contracts_remaining": 5})
    assert (ran.code, "The broker's side is not used" in ran.out.decode()) == (3, True), ran.out


def test_it_and_tws_are_two_places_for_one_section(tmp_path):
    more = {"AEGIS_PT_TWS_ADDRESS": "127.0.0.1:4002"}
    ran = answer("collect", environ={**environ("http://127.0.0.1:1/v1/api", tmp_path), **more})
    assert (ran.code, "two places" in ran.err) == (2, True)


def test_doctor_names_what_is_missing(tmp_path):
    gateway = Gateway()
    gateway.answers["/iserver/auth/status"] = (401, b"")
    with gateway_on_loopback(gateway) as url:
        text = answer("doctor", environ=environ(url, tmp_path)).out.decode()
    assert "no_session" in text
    assert "this program never logs in" in text
