"""From each source of broker truth to `can-close` and `plan`.

A paper account, a live one, an advisor with models.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.program import answer
from tests.support.tws_server import (
    SPXW,
    SPY,
    Gateway,
    account_value,
    commission,
    execution,
    gateway_on_loopback,
    open_order,
    order_status,
    position,
)

PAPER, LIVE, ADVISOR = "DU1234567", "U7654321", "F1111111,U2222222,U3333333"
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
ALLOW, REFUSE, UNKNOWN = 0, 1, 3
STORED = {
    "symbol": "SPX",
    "expiry": "2026-06-19",
    "strike": 6000,
    "right": "C",
    "sec_type": "OPT",
    "con_id": 700,
}


@contextmanager
def tws(tmp_path, gateway):
    with gateway_on_loopback(gateway):
        yield {"AEGIS_PT_TWS_ADDRESS": gateway.address, "XDG_STATE_HOME": str(tmp_path)}


def held(account: str, quantity: float = 2) -> Gateway:
    return Gateway(accounts=account, positions=[position(account, SPXW, quantity, 1250.5)])


def exit_order(**more: Any):
    return [open_order(178, SPXW, quantity=2, **more), order_status(remaining=2)]


def two_clients(account: str) -> Gateway:
    return Gateway(
        accounts=account,
        positions=[position(account, SPXW, 2, 1250.5)],
        orders=[
            open_order(178, SPXW, quantity=1, account=account, client=3, perm=11),
            open_order(178, SPXW, quantity=1, account=account, client=4, perm=12),
            order_status(client=3, perm=11, remaining=1),
            order_status(client=4, perm=12, remaining=1),
        ],
    )


def advisor(**more: object) -> Gateway:
    rows = [position("U2222222", SPXW, 2, 1250.5), position("U3333333", SPXW, 1, 1250.5)]
    return Gateway(accounts=ADVISOR, positions=rows, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("gateway", "words", "code", "why"),
    [
        pytest.param(held(PAPER), (), ALLOW, "SELL 2 closes", id="paper: held"),
        pytest.param(held(LIVE), (), ALLOW, "SELL 2 closes", id="live: held"),
        pytest.param(Gateway(accounts=LIVE), (), REFUSE, "flat", id="live: flat"),
        pytest.param(held(LIVE, -2), ("--side", "SELL"), REFUSE, "", id="live: the other side"),
        pytest.param(two_clients(PAPER), (), REFUSE, "2 exit orders", id="paper: exits of two clients, both order 5"),
        pytest.param(
            Gateway(accounts=LIVE, values=[account_value(LIVE, "GrossPositionValue", "2200")]),
            (), UNKNOWN, "GrossPositionValue", id="live: an empty list beside a position value",
        ),
        pytest.param(
            Gateway(accounts=LIVE, silent=frozenset({16})), (), UNKNOWN, "open orders", id="live: the orders hang"
        ),
        pytest.param(
            Gateway(accounts=LIVE, before={16: [[4, 2, -1, 1100, "lost", ""]]}),
            (), UNKNOWN, "link", id="live: the link is lost in the middle",
        ),
        pytest.param(advisor(), (), UNKNOWN, "--account", id="advisor: no account named"),
        pytest.param(advisor(), ("--account", "U2222222"), ALLOW, "SELL 2 closes", id="advisor: an account named"),
        pytest.param(advisor(), ("--account", "U3333333"), REFUSE, "", id="advisor: more than that account holds"),
        pytest.param(
            advisor(orders=exit_order(group="all", account="")),
            ("--account", "U2222222"), UNKNOWN, "", id="advisor: an exit of all accounts works",
        ),
    ],
)  # fmt: skip
def test_can_close_from_tws(gateway, words, code, why, tmp_path):
    with tws(tmp_path, gateway) as environ:
        environ["AEGIS_PT_SOURCE_TIMEOUT_SEC"] = "1"
        ran = answer("can-close", "--collect", *CLOSE, *words, environ=environ)
    assert ran.code == code, ran.out
    assert why in ran.out.decode()


@pytest.mark.parametrize("account", [PAPER, LIVE])
def test_a_plan_from_tws_names_the_fill_and_its_price(account, tmp_path):
    """The store shows two contracts open that the broker sold; the plan names the fill and its price."""
    stores = tmp_path / "stores.json"
    row = {**STORED, "trade_id": "7", "is_open": True, "contracts_remaining": 2, "entry_price": 5.5}
    stores.write_text(json.dumps({"as_of": "2026-06-02T14:59:50Z", "position_state": [row], "trades": []}))
    gateway = Gateway(
        accounts=account,
        executions=[execution(178, contract=SPXW, account=account, shares=2), commission()],
    )
    with tws(tmp_path, gateway) as environ:
        ran = answer("plan", "--collect", environ={**environ, "AEGIS_PT_SECTIONS": f"stores={stores}"})
    text = ran.out.decode()
    assert ran.code == 1, text
    assert "broker: flat" in text
    assert "sold 2 at 6.46 at 2026-06-02 14:40:00 UTC" in text


def test_plan_from_an_advisor_names_no_account_by_itself(tmp_path):
    stores = tmp_path / "stores.json"
    row = {**STORED, "trade_id": "7", "is_open": True, "contracts_remaining": 5}
    stores.write_text(json.dumps({"as_of": "2026-06-02T14:59:50Z", "position_state": [row], "trades": []}))
    with tws(tmp_path, advisor()) as environ:
        ran = answer("plan", "--collect", environ={**environ, "AEGIS_PT_SECTIONS": f"stores={stores}"})
    assert ran.code in (REFUSE, UNKNOWN)
    assert "set " not in ran.out.decode()


def test_a_share_is_no_option(tmp_path):
    gateway = Gateway(accounts=LIVE, positions=[position(LIVE, SPY, 2, 500.0)])
    with tws(tmp_path, gateway) as environ:
        ran = answer("can-close", "--collect", *CLOSE, environ=environ)
    assert ran.code == REFUSE
