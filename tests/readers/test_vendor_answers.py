"""Answers of IBKR's other interfaces, re-made from their published fields, and freqtrade's own table."""

from __future__ import annotations

import json
import re
import sqlite3
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from detector.domain.profile import parse_profile
from detector.profiles import load_builtin_profile
from detector.settings import PROFILE
from tests.support.activity_statement import write_activity_statement
from tests.support.broker_shapes import reading
from tests.support.program import answer
from tests.support.snapshots import evaluated, named, settings_of
from tests.support.written_lists import UNREAD, WRITTEN

AT = "2026-06-02T14:59:50Z"
PORTAL_POSITION = {
    "acctId": "DU1234567", "conid": 811, "contractDesc": "SPY JUN2026 727 C", "position": 39.0,
    "mktPrice": 17.5,
    "mktValue": 68406.0, "avgCost": 550.0, "avgPrice": 5.5, "realizedPnl": 0.0, "unrealizedPnl": 301.0,
    "currency": "USD", "assetClass": "OPT", "expiry": "20260619", "putOrCall": "C", "strike": "727",
    "multiplier": 100.0, "undConid": 1, "ticker": "SPY", "listingExchange": None, "model": "",
    "pageSize": 100,
    "baseMktValue": 68406.0,
}  # fmt: skip
PORTAL_ORDERS = {
    "orders": [
        {"acct": "DU1234567", "account": "DU1234567", "conid": 811, "conidex": "811", "orderId": 2,
         "ticker": "SPY",
         "secType": "OPT", "side": "SELL", "orderType": "Limit", "origOrderType": "LIMIT", "price": "25.00",
         "totalSize": 16.0, "filledQuantity": 4.0, "remainingQuantity": 12.0, "status": "Submitted",
         "order_ccp_status": "Submitted", "timeInForce": "GTC", "lastExecutionTime": "260918140000",
         "lastExecutionTime_r": 1789740000000, "order_ref": "r", "cashCcy": "USD"},
    ],
    "snapshot": True,
}  # fmt: skip
PORTAL_TRADES = [
    {"execution_id": "0000e.1", "symbol": "SPY", "side": "B", "trade_time": "20260602-14:00:00",
     "trade_time_r": 1780408800000, "size": 5.0, "price": "192.2", "exchange": "ISLAND", "commission": "1.01",
     "net_amount": 961.0, "account": "DU1234567", "sec_type": "STK", "conid": "756733", "conidex": "756733",
     "order_id": 2, "order_ref": "r"},
]  # fmt: skip
IBAPI_POSITION: dict[str, Any] = {
    "account": "DU1234567", "contract": {"conId": 811, "symbol": "SPY", "secType": "OPT", "strike": 727.0,
    "lastTradeDateOrContractMonth": "20260619", "right": "C", "multiplier": "100", "currency": "USD",
    "localSymbol": "SPY   260619C00727000", "tradingClass": "SPY", "comboLegs": None},
    "position": "39", "avgCost": 550.0,
}  # fmt: skip
FLEX_HEADER = (
    "ClientAccountID,CurrencyPrimary,AssetClass,Symbol,UnderlyingSymbol,Conid,Multiplier,Strike,Expiry,"
    "Put/Call,ReportDate,Quantity,CostBasisPrice,LevelOfDetail"
)
FLEX_ROW = "DU1234567,USD,OPT,SPY   260619C00727000,SPY,811,100,727,2026-06-19,C,2026-06-01,39,5.5,SUMMARY"
_XML_POSITION = (
    '<FlexQueryResponse><FlexStatements><FlexStatement accountId="DU1234567" whenGenerated="20260602;100501">'
    '<OpenPositions><OpenPosition assetCategory="OPT" symbol="SPY   260619C00727000" underlyingSymbol="SPY"'
    ' conid="811" multiplier="100" strike="727" expiry="20260619" putCall="C" position="{}" costBasisPrice="5.5"'
    ' levelOfDetail="SUMMARY"/></OpenPositions></FlexStatement></FlexStatements></FlexQueryResponse>'
)
POSITIONS: dict[str, dict[str, Any]] = {
    "Flex in XML": {"flex": {"positions_csv": _XML_POSITION.format("39")}},
    "the activity statement": {"flex": {"positions_csv": write_activity_statement()}},
    "Client Portal": {"positions": [PORTAL_POSITION]},
    "ibapi's callback": {"positions": [IBAPI_POSITION]},
    "ibapi's callback as an array": {"positions": [list(IBAPI_POSITION.values())]},
    **{f"as people write: {way}": {"positions": listed} for way, listed in WRITTEN.items()},
    "an advisor's callback": {
        "positions": [{"accountOrGroup": "DU1234567", **IBAPI_POSITION, "account": None}]
    },
    "a local symbol alone": {
        "positions": [{"account": "DU1234567", "localSymbol": "SPY   260619C00727000", "position": 39}]
    },
    "an option's type": {
        "positions": [
            {
                "symbol": "SPY",
                "expirationDate": "2026-06-19",
                "strike": 727,
                "optionType": "call",
                "position": 39,
                "account": "DU1234567",
            }
        ]
    },
    "by symbol": {"positions": {"SPY   260619C00727000": {"position": 39, "acctNumber": "DU1234567"}}},
    "by account": {"positions": {"DU1234567": [{**IBAPI_POSITION, "account": None}]}},
    **{
        f"Flex with {mark!r}": {"flex": {"positions_csv": f"{FLEX_HEADER}\n{FLEX_ROW}".replace(",", mark)}}
        for mark in (",", ";", "|", "\t")
    },
}
OPTION = {
    "trade_id": 162,
    "symbol": "SPY",
    "sec_type": "OPT",
    "expiry": "20260619",
    "strike": 727,
    "right": "C",
}
DRIFT = ["critical open_positions_drift:SPY 2026-06-19 727C"]


def document(lists: dict[str, Any], quantity: float) -> dict[str, Any]:
    return {
        "taken_at": "2026-06-02T15:00:00Z",
        "broker": {"as_of": AT, "connected": True, "open_orders": [], "executions": [], **lists},
        "stores": {"as_of": AT, "position_state": [{**OPTION, "quantity": quantity}]},
    }


@pytest.mark.parametrize(
    ("quantity", "events"), [(39, []), (40, DRIFT), (-39, DRIFT)], ids=["agreement", "quantity", "side"]
)
@pytest.mark.parametrize("vendor", POSITIONS)
def test_a_difference_is_reported_and_agreement_is_silent(vendor, quantity, events):
    assert named(evaluated(document(POSITIONS[vendor], quantity))) == events


@pytest.mark.parametrize(("quantity", "events"), [(39, []), (40, DRIFT)], ids=["agreement", "quantity"])
@pytest.mark.parametrize("side", ["status_v3", "stores"])
def test_a_row_of_the_runtime_may_have_nothing_but_its_local_symbol(side, quantity, events):
    row = {"local_symbol": "SPY   260619C00727000", "quantity": quantity}
    own = {"status_v3": {"open_positions": [row]}, "stores": {"as_of": AT, "position_state": [row]}}
    given = document(POSITIONS["ibapi's callback"], 39) | {"stores": {"as_of": AT}, side: own[side]}
    assert named(evaluated(given)) == events


@pytest.mark.parametrize("vendor", POSITIONS)
def test_a_position_that_only_the_runtime_holds_is_a_phantom(vendor):
    given = document(POSITIONS[vendor], 39)
    given["stores"]["position_state"].append({**OPTION, "trade_id": 163, "strike": 728, "quantity": 5})
    (event,) = evaluated(given).events
    assert (event.type, event.subject) == ("open_positions_drift", "SPY 2026-06-19 728C")
    assert "phantom" in str(event.observed)


@pytest.mark.parametrize(
    "listed",
    [
        pytest.param([PORTAL_POSITION | {"pageSize": 1}], id="one full page"),
        pytest.param({"data": [PORTAL_POSITION], "page": 0, "pageSize": 1}, id="the page of an answer"),
        pytest.param({"positions": [PORTAL_POSITION], "count": 2}, id="an answer that counts more"),
    ],
)
def test_a_list_that_may_go_on_does_not_prove_that_the_rest_is_flat(listed):
    given = document({"positions": listed}, 39)
    given["stores"]["position_state"].append({**OPTION, "trade_id": 163, "strike": 728, "quantity": 5})
    assert {event.type for event in evaluated(given).events} == {"reading_invalid"}
    words = ("--symbol", "SPY", "--expiry", "2026-06-19", "--strike", "728", "--right", "C")
    ran = answer("can-close", *words, "--quantity", "5", "--json", stdin=given)
    assert ran.document["verdict"] == "cannot_tell", ran.document
    assert answer("plan", stdin=given).code == 3


@pytest.mark.parametrize(
    ("key", "account"), [("account", "All"), ("accountOrGroup", "All"), ("accountOrGroup", "Group1")]
)
def test_a_sum_of_several_accounts_is_of_none_of_them(key, account):
    lists = {"positions": [{**IBAPI_POSITION, "account": None, key: account}]}
    assert named(evaluated(document(lists, 39))) == []
    assert named(evaluated(document(lists, 40))) == ["warning comparison_unclear:SPY 2026-06-19 727C"]
    ran = answer("can-close", "--con-id", "811", "--quantity", "39", "--json", stdin=document(lists, 39))
    assert ran.document["verdict"] == "cannot_tell", ran.document


@pytest.mark.parametrize("vendor", [name for name in POSITIONS if name != "ibapi's callback as an array"])
def test_a_field_by_a_name_that_is_nearly_its_own_is_reported(vendor):
    written = json.dumps(POSITIONS[vendor])
    wrong = re.sub(r"(posit)i(on)\b", r"\1\2", written, flags=re.IGNORECASE).replace("Quantity", "Quantitty")
    assert wrong != written
    report = evaluated(document(json.loads(wrong), 39))
    assert "reading_invalid" in {event.type for event in report.events}, named(report)


@pytest.mark.parametrize("vendor", POSITIONS)
@pytest.mark.parametrize(("quantity", "verdict"), [("39", "allow"), ("40", "refuse")])
def test_can_close_reads_the_position(vendor, quantity, verdict):
    words = ("--symbol", "SPY", "--expiry", "2026-06-19", "--strike", "727", "--right", "C")
    ran = answer("can-close", *words, "--quantity", quantity, "--json", stdin=document(POSITIONS[vendor], 39))
    assert ran.document["verdict"] == verdict, ran.document


@pytest.mark.parametrize("way", UNREAD)
def test_what_is_not_read_is_reported_with_what_it_looks_like(way):
    listed, problem = UNREAD[way]
    for quantity in (39, 40):
        report = evaluated(document({"positions": listed}, quantity))
        assert {event.type for event in report.events} == {"reading_invalid"}, named(report)
        assert problem in report.events[0].summary


def test_the_portal_s_orders_and_trades_are_read_whole():
    made = reading({"open_orders": PORTAL_ORDERS, "trades": PORTAL_TRADES})
    assert made.invalid == []
    (order,), (execution,) = made.values["broker_orders"], made.values["broker_executions"]
    assert (order.order_id, order.side, order.quantity, order.filled, order.remaining) == (
        "2",
        "SELL",
        16,
        4,
        12,
    )
    assert (execution.exec_id, execution.side, execution.quantity, execution.price) == (
        "0000e.1",
        "B",
        5,
        192.2,
    )
    assert execution.at is not None
    assert execution.at.isoformat() == "2026-06-02T14:00:00+00:00"


def test_a_correction_of_an_execution_replaces_it():
    fills = [
        {**PORTAL_TRADES[0], "execution_id": f"0000e0d5.69fb5dd0.01.0{part}", "size": part} for part in (1, 2)
    ]
    (execution,) = reading({"executions": fills}).values["broker_executions"]
    assert (execution.exec_id, execution.quantity) == ("0000e0d5.69fb5dd0.01.02", 2)


# --- a store in freqtrade's table ------------------------------------------------------------------------

FREQTRADE = """
    CREATE TABLE trades (id INTEGER PRIMARY KEY, exchange TEXT, pair TEXT, base_currency TEXT,
    stake_currency TEXT,
    is_open BOOLEAN, is_short BOOLEAN, amount FLOAT, open_rate FLOAT, close_rate FLOAT, open_date TIMESTAMP,
    close_date TIMESTAMP, stake_amount FLOAT, leverage FLOAT, contract_size FLOAT, stop_loss FLOAT,
    exit_reason TEXT,
    strategy TEXT, trading_mode TEXT, realized_profit FLOAT, close_profit_abs FLOAT);
    INSERT INTO trades (id, pair, is_open, is_short, amount, open_rate, close_rate, open_date, close_date)
    VALUES (1, 'BTC/USD', 0, 0, 0.5, 60000, 61000, '2026-06-01 10:00:00.000', '2026-06-01 12:00:00.000'),
           (2, 'BTC/USD', 1, 0, 0.25, 62000, NULL, '2026-06-02 10:00:00.000', NULL),
           (3, 'ETH/USD', 1, 1, 2.0, 3000, NULL, '2026-06-02 11:00:00.000', NULL);
"""


def freqtrade_events(*held: tuple[str, float]) -> list[str]:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    connection.executescript(FREQTRADE)
    rows = [dict(row) for row in connection.execute("SELECT * FROM trades")]
    connection.close()
    positions = [
        {"symbol": symbol, "currency": "USD", "sec_type": "CRYPTO", "quantity": quantity}
        for symbol, quantity in held
    ]
    given = {
        "taken_at": "2026-06-02T15:00:00Z",
        "broker": {
            "as_of": AT,
            "connected": True,
            "positions": positions,
            "open_orders": [],
            "executions": [],
        },
        "stores": {"as_of": AT, "position_state": rows, "trades": rows},
    }
    profile = parse_profile(dict(load_builtin_profile("freqtrade") or {}))
    settings = settings_of()

    settings = replace(settings, files={**settings.files, PROFILE.name: profile})
    return [
        event for event in named(evaluated(given, None, settings)) if "drift" in event or "stores" in event
    ]


@pytest.mark.parametrize(
    ("held", "events"),
    [
        pytest.param([("BTC", 0.25), ("ETH", -2)], [], id="agreement: a closed trade keeps its amount"),
        pytest.param(
            [("BTC", 0.25), ("ETH", 2)], ["critical open_positions_drift:ETH"], id="side, by is_short"
        ),
        pytest.param([("BTC", 0.75), ("ETH", -2)], ["critical open_positions_drift:BTC"], id="quantity"),
        pytest.param([("ETH", -2)], ["critical open_positions_drift:BTC"], id="phantom"),
    ],
)
def test_freqtrade_s_table_is_mapped_without_python(held, events):
    assert freqtrade_events(*held) == events


# --- rows of which only some name their account ----------------------------------------------------------

_NAMED_ROW: dict[str, Any] = {**IBAPI_POSITION["contract"], "position": 39, "account": "DU1234567"}
_BARE_ROW = {**_NAMED_ROW, "conId": 812, "localSymbol": None, "strike": 728.0, "account": None}
HALF_NAMED: dict[str, Any] = {
    "a list": [_NAMED_ROW, _BARE_ROW],
    "a data frame": {key: [_NAMED_ROW[key], _BARE_ROW[key]] for key in _NAMED_ROW},
    "a data frame by index": {key: {"0": _NAMED_ROW[key], "1": _BARE_ROW[key]} for key in _NAMED_ROW},
    "a split data frame": {
        "columns": list(_NAMED_ROW), "index": [0, 1], "data": [list(_NAMED_ROW.values()), list(_BARE_ROW.values())]
    },
    "by contract": {"811": _NAMED_ROW, "812": _BARE_ROW},
    "an answer's envelope": {"positions": [_NAMED_ROW, _BARE_ROW]},
    "an empty name": [_NAMED_ROW, {**_BARE_ROW, "account": ""}],
}  # fmt: skip


@pytest.mark.parametrize("written", HALF_NAMED)
@pytest.mark.parametrize("name", ["positions", "portfolioItems"])
def test_rows_of_which_some_name_no_account_allow_no_close(written, name):
    words = (
        "--symbol",
        "SPY",
        "--expiry",
        "2026-06-19",
        "--strike",
        "727",
        "--right",
        "C",
        "--quantity",
        "39",
    )
    lists = {name: HALF_NAMED[written]}
    ran = answer("can-close", *words, "--json", stdin=document(lists, 39))
    assert ran.document["verdict"] != "allow"
    assert "name their account and others do not" in str(ran.document)


def test_the_portal_s_trades_beside_its_orders_are_no_second_list_of_orders():
    words = (
        "--symbol",
        "SPY",
        "--expiry",
        "2026-06-19",
        "--strike",
        "727",
        "--right",
        "C",
        "--quantity",
        "39",
    )
    lists = {"positions": [PORTAL_POSITION], "open_orders": [], "executions": None, "trades": PORTAL_TRADES}
    ran = answer("can-close", *words, "--json", stdin=document(lists, 39))
    assert ran.document["verdict"] == "allow", ran.document


# --- the text of a statement, by one parser --------------------------------------------------------------


def test_open_positions_are_read_of_xml_with_the_account_of_their_statement():
    made = reading({"as_of": AT, "flex": {"positions_csv": _XML_POSITION.format("1,239")}})
    (row,) = made.values["broker_positions"]
    assert (row.account, row.con_id, row.quantity, row.price) == ("paper-1", "811", 1239, 5.5)


@pytest.mark.parametrize(
    "trailers",
    [
        pytest.param('"EOS","POST","2","0"\n"EOF"', id="a row is missing by EOS"),
        pytest.param('"EOS","POST","1","0"', id="the end is missing"),
    ],
)
def test_positions_that_broke_off_prove_nothing(trailers):
    text = f'"BOF","x"\n"BOS","POST"\n"HEADER","POST",{FLEX_HEADER}\n"DATA","POST",{FLEX_ROW}\n{trailers}'
    made = reading({"as_of": AT, "flex": {"positions_csv": text}})
    assert "broker_positions" not in made.values
    assert [fault.path for fault in made.invalid] == ["broker.flex.positions_csv"]


@pytest.mark.parametrize(
    ("written", "quantity"), [("1,239", 1239), ("1,239.5", 1239.5), ("39,00", None), ("1,23", None)]
)
def test_a_comma_that_groups_no_thousands_is_no_number(written, quantity):
    text = f"{FLEX_HEADER}\n" + FLEX_ROW.replace(",39,", f',"{written}",')
    made = reading({"as_of": AT, "flex": {"positions_csv": text}})
    assert [row.quantity for row in made.values["broker_positions"]] == [quantity]
    assert bool(made.invalid) is (quantity is None)


@pytest.mark.parametrize(
    ("quantity", "beside", "value"),
    [
        ("1.234", {}, None),
        ("-1.234", {"avgCost": "550"}, None),
        ("1.234", {"avgCost": "550.5"}, Decimal("1.234")),
        ("1.234", {"avgCost": "1,550.25"}, Decimal("1.234")),
        ("1.234", {"avgCost": "550,25"}, Decimal(1234)),
        ("1.234", {"avgCost": 550}, Decimal("1.234")),
        ("0.234", {}, Decimal("0.234")),
        ("1.2340", {}, Decimal("1.234")),
        ("12", {"avgCost": "1.234"}, Decimal(12)),
    ],
)
def test_a_quantity_as_text_that_may_be_of_thousands_is_reported(quantity, beside, value):
    made = reading({"positions": [{"symbol": "SPY", "account": "DU1234567", "position": quantity, **beside}]})
    assert [row.quantity for row in made.values["broker_positions"]] == [value]
    assert bool(made.invalid) is (value is None)


def test_an_empty_quantity_of_a_statement_is_reported_and_no_difference():
    text = f"{FLEX_HEADER}\n" + FLEX_ROW.replace(",39,", ",--,")
    report = evaluated(document({"flex": {"positions_csv": text}}, 39))
    assert {event.type for event in report.events} == {"reading_invalid"}, named(report)
