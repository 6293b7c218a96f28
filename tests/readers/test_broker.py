"""The broker's own answers: the names of TWS, ib_async, Flex and the contract, and what is not believed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from detector.domain.broker_rows import BrokerOrder, BrokerPosition, Execution
from detector.domain.instrument import get_instrument_name
from detector.domain.previous_run import NO_PREVIOUS_RUN
from detector.domain.profile import ReadContext, parse_profile
from detector.domain.section_reading import Reading
from detector.readers.broker import read
from tests.support.snapshots import settings_of

NOW = datetime(2026, 5, 6, 20, 0, tzinfo=UTC)
CONTEXT = ReadContext(settings_of(), parse_profile({}), NO_PREVIOUS_RUN)


def reading(section: dict[str, Any]) -> Reading:
    made = Reading("broker", NOW, 120)
    read(section, made, CONTEXT)
    return made


def one(section: dict[str, Any], fact: str = "broker_positions") -> Any:
    made = reading(section)
    assert made.invalid == []
    (found,) = made.values[fact]
    return found


CONTRACT = {
    "conId": 756733, "symbol": "SPY", "secType": "OPT", "lastTradeDateOrContractMonth": "20260506",
    "strike": 727.0, "right": "C", "multiplier": "100", "localSymbol": "SPY   260506C00727000",
}  # fmt: skip
NAME = "SPY 2026-05-06 727C"


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(
            {"symbol": "SPY", "con_id": 756733, "sec_type": "OPT", "expiry": "20260506", "strike": 727,
             "right": "C", "multiplier": 100, "quantity": 39, "avg_price": 5.5}, id="the contract",
        ),
        pytest.param({"account": "DU1", "contract": CONTRACT, "position": 39.0, "avgCost": 550.0},
                     id="ib_async Position"),
        pytest.param(
            {"contract": CONTRACT, "position": 39.0, "marketPrice": 17.54, "averageCost": 550.0,
             "realizedPNL": 0.0}, id="ib_async PortfolioItem",
        ),
        pytest.param({**CONTRACT, "right": "CALL", "position": "39.00", "avgCost": "550.0"},
                     id="numbers as text"),
        pytest.param(
            {"Symbol": "SPY   260506C00727000", "UnderlyingSymbol": "SPY", "AssetClass": "OPT",
             "Expiry": "2026-05-06", "Strike": "727", "Put/Call": "C", "Multiplier": "100", "Quantity": "39",
             "CostBasisPrice": "5.5"},
            id="Flex as JSON",
        ),
        pytest.param({"symbol": "SPY   260506C00727000", "quantity": 39, "avg_price": 5.5},
                     id="OCC's symbol alone"),
    ],
)  # fmt: skip
def test_a_position_under_every_name(row):
    found = one({"positions": [row]})
    assert (get_instrument_name(found), found.quantity, found.price) == (NAME, Decimal(39), 5.5)


@pytest.mark.parametrize(
    ("row", "price"),
    [
        pytest.param({"symbol": "SPY", "right": "C", "strike": 727, "multiplier": 100, "avg_cost": 550}, 5.5,
                     id="an option's cost holds the multiplier"),
        pytest.param({"symbol": "SPY", "right": "C", "strike": 727, "avg_cost": 550}, None,
                     id="and without it says nothing"),
        pytest.param({"symbol": "SPY", "avg_cost": 550}, 550, id="a share's does not"),
        pytest.param({"symbol": "ES", "secType": "FUT", "multiplier": 50, "avg_cost": 250000}, 5000,
                     id="a future's does"),
        pytest.param({"symbol": "SPY", "avg_price": 5.5, "avg_cost": 9}, 5.5, id="a price is a price"),
    ],
)  # fmt: skip
def test_an_average_cost_is_not_a_price(row, price):
    assert one({"positions": [row]}).price == price


@pytest.mark.parametrize(
    ("written", "quantity"),
    [
        (39, "39"),
        (39.0, "39"),
        ("39.00", "39"),
        ("-0.1", "-0.1"),
        (0.1, "0.1"),
        (1e-8, "0.00000001"),
        ("3E+1", "30"),
    ],
)
def test_a_quantity_is_read_as_it_was_written(written, quantity):
    assert one({"positions": [{"symbol": "SPY", "quantity": written}]}).quantity == Decimal(quantity)


@pytest.mark.parametrize("written", ["many", "1,000", "NaN", "0x10", True, [], 1e300, "1e99", "1" * 19])
def test_a_quantity_that_cannot_be_read_is_not_seen_and_said(written):
    made = reading({"positions": [{"symbol": "SPY", "quantity": written}]})
    assert made.values["broker_positions"][0].quantity is None
    assert [fault.path for fault in made.invalid] == ["broker.positions.quantity"]


@pytest.mark.parametrize("written", ["", " ", None, 1.7976931348623157e308], ids=repr)
def test_what_ibkr_writes_for_nothing_is_not_seen(written):
    assert one({"positions": [{"symbol": "SPY", "quantity": 1, "realizedPNL": written}]}).realized_pnl is None


def test_an_order_of_ib_async_is_read_with_its_contract_and_status():
    order = one(
        {"open_orders": [{
            "contract": CONTRACT,
            "order": {"orderId": 7, "permId": 900, "action": "SELL", "totalQuantity": 39, "orderType": "LMT",
                      "parentId": 6, "ocaGroup": "bracket"},
            "orderStatus": {"status": "PreSubmitted", "filled": 4.0, "remaining": 35.0},
        }]},
        "broker_orders",
    )  # fmt: skip
    assert isinstance(order, BrokerOrder)
    assert (order.order_id, order.perm_id, order.side, order.status) == ("7", "900", "SELL", "PreSubmitted")
    assert [order.quantity, order.filled, order.remaining] == [Decimal(39), Decimal(4), Decimal(35)]
    assert (order.parent_id, order.oca_group, get_instrument_name(order)) == ("6", "bracket", NAME)


@pytest.mark.parametrize(
    ("own", "status"), [("Cancelled", None), ("Submitted", None), ("Inactive", "Inactive")]
)
def test_an_order_with_two_statuses_may_work_where_only_one_of_them_is_final(own, status):
    reported = "Cancelled" if own != "Cancelled" else "Submitted"
    made = reading(
        {"open_orders": [{**CONTRACT, "orderId": 7, "status": own, "orderStatus": {"status": reported}}]}
    )
    assert [order.status for order in made.values["broker_orders"]] == [status]
    problems = [] if status else [f"is {own} and {reported} in one row"]
    assert [fault.problem for fault in made.invalid] == problems


@pytest.mark.parametrize(
    ("own", "action", "side"), [("LONG", "SELL", None), ("SELL", "SLD", "SELL"), ("", "SELL", "SELL")]
)
def test_an_order_with_two_sides_may_be_of_either(own, action, side):
    made = reading({"open_orders": [{**CONTRACT, "orderId": 7, "side": own, "action": action}]})
    assert [order.side for order in made.values["broker_orders"]] == [side]
    problems = [] if side else [f"is {own} and {action} in one row"]
    assert [fault.problem for fault in made.invalid] == problems


def test_an_id_of_0_is_none():
    order = one(
        {"open_orders": [{"symbol": "SPY", "orderId": 0, "permId": 900, "parentId": 0}]}, "broker_orders"
    )
    assert (order.order_id, order.perm_id, order.parent_id) == (None, "900", None)


@pytest.mark.parametrize(
    ("time", "read_as"),
    [
        ("2026-05-06T19:49:00Z", "19:49:00"),
        ("20260506 14:49:00 US/Central", "19:49:00"),
        ("20260506  15:49:00 America/New_York", "19:49:00"),
        ("20260506-19:49:00", "19:49:00"),
        ("20260506;154900", "19:49:00"),
        ("2026-05-06;15:49:00", "19:49:00"),
        ("2026-05-06, 15:49:00", "19:49:00"),
        ("20260506;154900 EDT", "19:49:00"),
        (1778096940, "19:49:00"),
    ],
)
def test_the_times_of_tws_and_flex_are_read(time, read_as):
    found = one({"executions": [{"execId": "e1", "symbol": "SPY", "time": time}]}, "broker_executions")
    assert found.at == datetime.fromisoformat(f"2026-05-06T{read_as}+00:00")


@pytest.mark.parametrize(
    "time", ["20260506 14:49:00", "20260506 14:49:00 Mars/Base", "yesterday", "20261306;154900"]
)
def test_a_time_that_names_no_known_zone_is_not_seen(time):
    made = reading({"executions": [{"execId": "e1", "symbol": "SPY", "time": time}]})
    assert made.values["broker_executions"][0].at is None
    assert [fault.path for fault in made.invalid] == ["broker.executions.at"]


def test_an_execution_of_ib_async_is_read_with_its_commission_report():
    found = one(
        {"fills": [{
            "contract": CONTRACT,
            "execution": {"execId": "e1", "permId": 900, "orderId": 7, "side": "SLD", "shares": 39.0,
                          "price": 6.46, "cumQty": 39.0, "time": "2026-05-06T18:00:00+00:00"},
            "commissionReport": {"realizedPNL": 3742.44, "currency": "CHF"},
        }]},
        "broker_executions",
    )  # fmt: skip
    assert isinstance(found, Execution)
    assert found.currency is None  # what the commission is paid in is not what the contract trades in
    assert (found.exec_id, found.order_ref, found.signed_quantity) == ("e1", "perm 900", Decimal(-39))
    assert (found.price, found.realized_pnl) == (6.46, 3742.44)


# --- Flex ----------------------------------------------------------------------------------------------

POSITIONS = """"ClientAccountID","AssetClass","Symbol","UnderlyingSymbol","Conid","Expiry","Strike",\
"Put/Call","Multiplier","Quantity","CostBasisPrice","LevelOfDetail"
"DU1","OPT","SPY   260506C00727000","SPY","756733","2026-05-06","727","C","100","39","5.5","SUMMARY"
"DU1","OPT","SPY   260506C00727000","SPY","756733","2026-05-06","727","C","100","20","5.5","LOT"
"DU1","OPT","SPY   260506C00727000","SPY","756733","2026-05-06","727","C","100","19","5.5","LOT"
"ClientAccountID","AssetClass","Symbol","UnderlyingSymbol","Conid","Expiry","Strike",\
"Put/Call","Multiplier","Quantity","CostBasisPrice","LevelOfDetail"
"U2","STK","COIN","","1","","","","1","-10","250","SUMMARY"
"""
TRADES = """ClientAccountID,AssetClass,Symbol,UnderlyingSymbol,Expiry,Strike,Put/Call,Multiplier,DateTime,\
Buy/Sell,Quantity,TradePrice,IBExecID,IBOrderID,\
FifoPnlRealized,Open/CloseIndicator,LevelOfDetail
DU1,OPT,SPY   260506C00727000,SPY,20260506,727,C,100,20260506;140000,SELL,-39,6.46,e1,7,3742.44,C,EXECUTION
DU1,OPT,SPY   260506C00727000,SPY,20260506,727,C,100,20260506;140000,SELL,-39,6.46,,7,3742.44,C,ORDER
"""
AS_OF = "2026-05-06T19:59:00Z"


def flex(**texts: str) -> Reading:
    return reading({"as_of": AS_OF, "flex": texts})


def test_a_flex_statement_gives_each_row_its_account():
    made = flex(positions_csv=POSITIONS)
    call, short = made.values["broker_positions"]
    assert (call.account, get_instrument_name(call), call.quantity, call.price) == ("DU1", NAME, 39, 5.5)
    assert (short.account, get_instrument_name(short), short.quantity) == ("U2", "COIN", -10)
    assert made.invalid == []


def test_flex_trades_are_executions_and_nothing_else():
    (found,) = flex(trades_csv=TRADES).values["broker_executions"]
    assert (found.exec_id, found.order_ref, found.signed_quantity, found.realized_pnl) == (
        "e1",
        "order 7",
        Decimal(-39),
        3742.44,
    )
    assert (found.at, found.opens) == (datetime(2026, 5, 6, 18, tzinfo=UTC), "C")


def test_flex_is_read_with_headers_and_trailers_and_both_sections_in_one_file():
    def marked(text: str, section: str) -> str:
        head, *rows = text.splitlines()
        lines = [
            f'"HEADER","{section}",{head}',
            *(f'"DATA","{section}",{row}' for row in rows if not row.startswith('"ClientA')),
        ]
        return "\n".join(lines)

    whole = "\n".join(['"BOF","DU1","query"', marked(POSITIONS, "POST"), marked(TRADES, "TRNT"), '"EOF"'])
    made = flex(positions_csv=whole, trades_csv=whole)
    assert [get_instrument_name(row) for row in made.values["broker_positions"]] == [NAME, "COIN"]
    assert [row.exec_id for row in made.values["broker_executions"]] == ["e1"]


HEAD, CALL_ROW, *_ = POSITIONS.splitlines()


def test_a_statement_broken_out_by_day_says_what_was_held_on_its_newest():
    dated = [f'{HEAD},"ReportDate"', *(f'{CALL_ROW},"{day}"' for day in ("20260505", "2026-05-06"))]
    (found,) = flex(positions_csv="\n".join(dated)).values["broker_positions"]
    assert found.quantity == 39
    gone = [dated[0], dated[1], dated[2].replace("756733", "1").replace("727", "728")]
    (found,) = flex(positions_csv="\n".join(gone)).values["broker_positions"]
    assert found.strike == 728


def test_a_day_that_cannot_be_read_beside_others_leaves_it_open():
    dated = [f'{HEAD},"ReportDate"', *(f'{CALL_ROW},"{day}"' for day in ("20260505", "05/06/2026"))]
    made = flex(positions_csv="\n".join(dated))
    assert "broker_positions" in made.partial
    assert [fault.path for fault in made.invalid] == ["broker.positions"]


@pytest.mark.parametrize("key", ["levelOfDetail", "LevelOfDetail", "level_of_detail"])
def test_rows_of_lots_beside_their_summary_count_once(key):
    rows = [
        {**CONTRACT, "position": n, key: level} for n, level in ((39, "SUMMARY"), (20, "LOT"), (19, "lot"))
    ]
    assert one({"positions": rows}).quantity == 39


@pytest.mark.parametrize(
    "header",
    [
        "ClientAccountID,Symbol,Quantity,Amount,ActionDescription",
        "ClientAccountID,Symbol,Quantity,Proceeds,Value,Type",
        "ClientAccountID,Symbol,Quantity,TransferPrice,Direction",
    ],
)
def test_a_section_that_only_looks_like_positions_is_none(header):
    cells = ",".join(["DU1", "SPY", "5", *["1"] * (header.count(",") - 2)])
    made = flex(positions_csv=f"{header}\n{cells}")
    assert "broker_positions" not in made.values
    assert [fault.problem for fault in made.invalid] == ["has no section of open positions"]


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"quantity": 39, "side": "SHORT"}, "is 39 on the side SHORT"),
        ({"Quantity": "39", "Side": "Short"}, "is 39 on the side Short"),
        ({"quantity": -39, "side": "Long"}, "is -39 on the side Long"),
        ({"quantity": 39, "position": 0}, "is 39 and 0 in one row"),
        ({"qty": "39", "position": 38.0}, "is 38 and 39 in one row"),
    ],
)
def test_a_position_that_contradicts_itself_is_not_known(more, problem):
    made = reading({"positions": [{**CONTRACT, **more}]})
    assert [row.quantity for row in made.values["broker_positions"]] == [None]
    assert [(fault.path, fault.problem) for fault in made.invalid] == [("broker.positions.quantity", problem)]


@pytest.mark.parametrize(
    "more",
    [
        {"quantity": -39, "side": "SHORT"},
        {"quantity": -39, "position": "-39.00"},
        {"Quantity": "-39", "Side": ""},
        {"quantity": -39, "side": "of some kind"},
    ],
)
def test_a_position_that_says_it_twice_is_known(more):
    assert one({"positions": [{**CONTRACT, **more}]}).quantity == -39


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z", 0])
def test_a_time_that_was_never_set_is_none(at):
    made = reading({"executions": [{"execId": "e1", "time": at, "symbol": "SPY"}]})
    assert [fill.at for fill in made.values["broker_executions"]] == [None]
    assert [fault.path for fault in made.invalid] == ["broker.executions.at"]


def test_currency_class_and_legs_under_their_names():
    found = one({"positions": [{**CONTRACT, "currency": "USD", "tradingClass": "SPY", "position": 1}]})
    assert (found.currency, found.trading_class) == ("USD", "SPY")
    assert one({"positions": [{"symbol": "SPY", "CurrencyPrimary": "CAD", "Quantity": 1}]}).currency == "CAD"
    legs = {"symbol": "SPY", "secType": "BAG", "comboLegs": [{"conId": 5, "ratio": 1}, {"conId": "6"}]}
    combo = one({"open_orders": [{"contract": legs, "order": {"orderId": 1}}]}, "broker_orders")
    assert (combo.leg_con_ids, combo.leg_ratios, combo.ratios) == (("5", "6"), None, {})
    legs["comboLegs"] = [
        {"conId": 5, "ratio": 1, "action": "BUY"},
        {"conId": "6", "ratio": 2, "action": "SELL"},
    ]
    combo = one({"open_orders": [{"contract": legs, "order": {"orderId": 1}}]}, "broker_orders")
    assert combo.ratios == {"5": 1, "6": -2}


def test_a_section_of_flex_with_no_row_was_read():
    head = POSITIONS.splitlines()[0]
    assert flex(positions_csv=head).values["broker_positions"] == ()


@pytest.mark.parametrize(
    ("section", "path"),
    [
        pytest.param(
            {"flex": {"positions_csv": POSITIONS}}, "broker.as_of", id="no as_of: it may be of yesterday"
        ),
        pytest.param(
            {"as_of": AS_OF, "flex": {"positions_csv": "no table"}},
            "broker.flex.positions_csv",
            id="no table",
        ),
        pytest.param(
            {"as_of": AS_OF, "flex": {"positions_csv": TRADES}},
            "broker.flex.positions_csv",
            id="another section",
        ),
        pytest.param(
            {"as_of": AS_OF, "flex": {"positions_csv": 5}}, "broker.flex.positions_csv", id="no text"
        ),
        pytest.param({"as_of": AS_OF, "flex": "file.csv"}, "broker.flex", id="a name of a file"),
        pytest.param({"as_of": "just now", "positions": []}, "broker.as_of", id="a time that cannot be read"),
        pytest.param({"positions": "none"}, "broker.positions", id="a list that is none"),
        pytest.param({"positions": [], "error": "timeout"}, "broker.error", id="an error beside the list"),
    ],
)
def test_what_cannot_be_believed_is_not_flat(section, path):
    made = reading(section)
    assert "broker_positions" not in made.values
    assert {fault.path for fault in made.invalid} == {path}


def test_a_row_that_does_not_fit_its_header_is_left_out_and_the_list_is_partial():
    made = flex(positions_csv=POSITIONS + "DU1,OPT\n")
    assert len(made.values["broker_positions"]) == 2
    assert made.partial == {"broker_positions"}
    assert [fault.path for fault in made.invalid] == ["broker.flex.positions_csv"]


# --- what is not believed ------------------------------------------------------------------------------


def test_a_list_is_not_believed_of_a_link_that_is_down_and_history_is():
    rows = {"positions": [], "open_orders": [], "executions": [{"execId": "e1", "symbol": "SPY"}]}
    made = reading({"connected": False, **rows})
    assert made.values["broker_link"] is False
    assert "broker_positions" not in made.values
    assert "broker_orders" not in made.values
    assert len(made.values["broker_executions"]) == 1


def test_rows_without_an_account_are_of_the_section_s_account():
    assert one({"account": "paper-1", "positions": [{"symbol": "SPY", "quantity": 1}]}).account == "paper-1"


def test_a_row_that_names_no_instrument_makes_the_list_partial_unless_it_is_flat():
    assert reading({"positions": [{"quantity": 5}]}).partial == {"broker_positions"}
    assert reading({"positions": [{"quantity": 0}]}).partial == set()
    assert reading({"executions": [{"symbol": "SPY"}]}).partial == {"broker_executions"}


def test_an_empty_section_says_only_when_it_was_true():
    assert reading({}).values == {"broker_as_of": NOW}


@pytest.mark.parametrize("junk", [None, 5, "x", [], {}, [[]], [None], {"contract": 5}], ids=json.dumps)
@pytest.mark.parametrize(
    "key", ["positions", "open_orders", "executions", "flex", "account", "connected", "error"]
)
def test_any_junk_is_read_without_falling_over(key, junk):
    reading({key: junk})
    reading({key: [junk, {"symbol": junk, "contract": junk, "quantity": junk, "time": junk}]})


def test_a_thousand_rows_keep_their_kind():
    made = reading({"positions": [{"symbol": f"S{n}", "quantity": n} for n in range(1000)]})
    assert all(isinstance(row, BrokerPosition) for row in made.values["broker_positions"])


@pytest.mark.parametrize(
    ("second", "faults"),
    [
        pytest.param([10], [], id="the same"),
        pytest.param([4, 6], [], id="in lots"),
        pytest.param([0, 10], [], id="the last of several updates"),
        pytest.param([7], ["broker.portfolio"], id="another quantity"),
        pytest.param([], [], id="nothing of it"),
    ],
)
def test_two_lists_of_positions_that_contradict_each_other_prove_nothing(second, faults):
    row = {"account": "DU1", "symbol": "AAPL", "secType": "STK", "conId": 265598}
    lists = {name: [{**row, "position": held} for held in quantities]
             for name, quantities in (("positions", [10]), ("portfolio", second))}  # fmt: skip
    made = reading({"as_of": AS_OF, **lists})
    assert [fault.path for fault in made.invalid] == faults
    assert ("broker_positions" in made.partial) is bool(faults)


def test_a_second_list_that_holds_what_the_first_lacks_contradicts_it_in_the_accounts_of_the_first():
    row = {"account": "DU1", "symbol": "AAPL", "secType": "STK", "conId": 265598, "position": 10}
    for first, faults in (
        ([], ["broker.portfolio"]),
        ([{**row, "conId": 272093}], ["broker.portfolio"]),
        ([{**row, "account": "DU2"}], []),
        ([{**row, "account": None}], []),
        ([{**row, "conId": None}], []),
    ):
        made = reading({"as_of": AS_OF, "positions": first, "portfolio": [row]})
        assert [fault.path for fault in made.invalid] == faults
