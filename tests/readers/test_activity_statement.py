"""The activity statement's CSV: what is read of it, and that its fills without ids count once."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from detector.domain.flex_statement import parse_statement
from detector.formats.errors import ExternalError
from tests.support.activity_statement import (
    ALL_TRADES,
    FURTHER_SECTIONS,
    OPTION_TRADE,
    POSITIONS,
    STOCK_TRADE,
    write_activity_statement,
)
from tests.support.broker_shapes import reading
from tests.support.program import answer
from tests.support.snapshots import evaluated

AT = "2026-06-02T15:00:00Z"
FILL = {
    "execId": "0000e.1.01.01", "time": "20260602 10:49:00 US/Eastern", "acctNumber": "DU1234567", "side": "SLD",
    "shares": 39, "price": 6.46, "permId": 9, "conId": 811, "symbol": "SPY", "secType": "OPT", "strike": 727,
    "lastTradeDateOrContractMonth": "20260619", "right": "C", "multiplier": "100",
}  # fmt: skip
TRADE = {
    "trade_id": "1", "symbol": "SPY", "sec_type": "OPT", "expiry": "20260619", "strike": 727, "right": "C",
    "quantity": 39, "opened_at": "2026-05-01T14:00:00Z", "closed_at": "2026-06-02T14:49:00Z",
    "entry_price": 5.5, "exit_price": 6.46, "realized_pnl": 3742.44, "exit_reason": "target",
}  # fmt: skip


def read(text: str, section: str = "statement") -> dict[str, Any]:
    """The events of a snapshot with that statement, by type."""
    document = snapshot(text, [], [TRADE])
    return {event["type"]: event for event in answer(stdin=json.dumps(document)).document["events"]}


def snapshot(text: str, executions: list[Any] | None, trades: list[Any]) -> dict[str, Any]:
    broker: dict[str, Any] = {
        "as_of": AT,
        "connected": True,
        "positions": [],
        "open_orders": [],
        "statement": text,
    }
    if executions is not None:
        broker["executions"] = executions
    return {
        "taken_at": AT,
        "broker": broker,
        "stores": {"as_of": AT, "position_state": [], "trades": trades},
    }


def list_types(text: str, executions: list[Any] | None, trades: list[Any]) -> list[str]:
    events = answer(stdin=json.dumps(snapshot(text, executions, trades))).document["events"]
    return sorted(event["type"] for event in events)


# --- what is read ----------------------------------------------------------------------------------------


def test_trades_are_read_without_lots_and_sums_and_with_what_their_instruments_are():
    rows, generated = parse_statement(write_activity_statement(*ALL_TRADES).encode("utf-8-sig"))
    assert generated
    assert generated.isoformat() == "2026-06-02T10:50:01-04:00"
    kept = (
        "symbol",
        "conid",
        "quantity",
        "tradeprice",
        "datetime",
        "buysell",
        "opencloseindicator",
        "multiplier",
    )
    assert [tuple(row.get(name) for name in kept) for row in rows] == [
        ("SPY   260619C00727000", "811", "-39", "6.46", "2026-06-02T10:49:00-04:00", "SELL", "C", "100"),
        ("SPY", "756733", "1239", "727.5", "2026-06-02T10:48:00-04:00", "BUY", "O", None),
        ("ESM6", "812", "-1", "6000", "2026-06-02T10:47:00-04:00", "SELL", "O", "50"),
        ("EUR.USD", None, "25000", "1.08", "2026-06-02T10:46:00-04:00", "BUY", None, None),
    ]
    assert {row["accountid"] for row in rows} == {"DU1234567"}
    assert rows[0]["fifopnlrealized"] == "3742.44"


@pytest.mark.parametrize(
    ("replaced", "account"),
    [
        (
            ("Currency,Symbol,Date", "Currency,Account,Symbol,Date", "USD,SPY,", "USD,DU7654321,SPY,"),
            "DU7654321",
        ),
        (("DU1234567", "DU1234567 (Custom Consolidated)"), None),
    ],
    ids=["in the rows", "of several"],
)
def test_the_account_is_the_row_s_and_none_of_several(replaced, account):
    text = write_activity_statement(STOCK_TRADE, more="")
    for old, new in zip(replaced[::2], replaced[1::2], strict=True):
        text = text.replace(old, new)
    ((row,), _) = parse_statement(text.encode())
    assert row.get("accountid") == account


def test_without_the_section_of_instruments_an_option_s_name_shows_what_it_is():
    made = reading(
        {"as_of": AT, "flex": {"trades_csv": write_activity_statement(OPTION_TRADE, instruments="")}}
    )
    row = made.values["broker_executions"][0]
    assert (row.symbol, row.expiry, row.strike, row.right, row.con_id) == ("SPY", "19JUN26", 727, "C", None)


def test_of_a_name_with_two_contracts_none_is_taken():
    line = next(line for line in write_activity_statement(STOCK_TRADE).splitlines() if "756733" in line)
    text = write_activity_statement(STOCK_TRADE) + line.replace("756733", "756734") + "\n"
    row = parse_statement(text.encode())[0][0]
    assert (row["symbol"], row.get("conid")) == ("SPY", None)


def test_executions_replace_their_order():
    rows = [OPTION_TRADE, *(OPTION_TRADE.replace("Order", "Trade").replace("-39", f"-{n}") for n in (20, 19))]
    assert [
        row["quantity"] for row in parse_statement(write_activity_statement(*rows, more="").encode())[0]
    ] == [
        "-20",
        "-19",
    ]


def test_a_cancelled_trade_and_its_cancellation_are_none():
    cancel = OPTION_TRADE.replace("-39", "39").removesuffix("C") + "Ca"
    rows, _ = parse_statement(write_activity_statement(OPTION_TRADE, cancel, STOCK_TRADE, more="").encode())
    assert [row["quantity"] for row in rows] == ["1239"]


def test_an_assignment_is_a_booking_and_no_fill():
    booked = OPTION_TRADE.removesuffix("C") + "A;C"
    made = read_statement_values(write_activity_statement(booked, more=""))
    assert (len(made["broker_bookings"]), made["statement_fills"], made["broker_executions"]) == (1, (), ())


def read_statement_values(text: str) -> dict[str, Any]:
    from detector.domain.flex_statement import build_statement
    from detector.domain.section_reading import Reading
    from detector.readers.broker import read as read_section
    from tests.support.broker_shapes import CONTEXT
    from tests.support.snapshots import NOW

    made = Reading("broker.statement", NOW, 120)
    read_section(build_statement(text), made, CONTEXT)
    assert made.invalid == []
    return made.values


def test_its_positions_are_read_where_their_time_is_given():
    made = reading({"as_of": AT, "flex": {"positions_csv": write_activity_statement()}})
    (row,) = made.values["broker_positions"]
    assert made.invalid == []
    assert (row.account, row.con_id, row.symbol, row.quantity, row.price) == (
        "paper-1",
        "811",
        "SPY",
        39,
        5.5,
    )


def test_a_day_without_trades_has_no_section_of_them_and_is_read():
    assert parse_statement(write_activity_statement().encode())[0] == []


# --- what is not understood is reported ------------------------------------------------------------------

WHOLE = write_activity_statement(*ALL_TRADES)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(WHOLE.replace(" EDT", " JST"), "does not say when", id="another zone"),
        pytest.param(WHOLE.replace("Eastern Time", "Tokyo Time"), "not New York", id="times of another zone"),
        pytest.param(WHOLE.replace("Trades,", "Trade,"), "'Trades'", id="a section by another name"),
        pytest.param(WHOLE.replace(",6.46,6.4,25194", ",6.46"), "fit its header", id="a row that was cut"),
        pytest.param(WHOLE.replace("Data,Order,Fut", "Data,Ordre,Fut"), "fit its header", id="a kind of row"),
        pytest.param(
            "Statement,Header,Feldname,Feldwert\nTransaktionen,Header,DataDiscriminator,Menge\n",
            "English",
            id="another language",
        ),
        pytest.param(WHOLE.replace(",Quantity,T. P", ",Quantitty,T. P"), "no column quantity", id="a column"),
        pytest.param(WHOLE.replace("Date/Time", "Date/Tme"), "no column datetime", id="the time"),
        pytest.param(WHOLE.replace('"1,239"', '"39,0"'), "quantity", id="a European number beside American ones"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_reported(text, problem):
    document = answer(stdin=json.dumps(snapshot(text, [FILL], [TRADE]))).document
    told = [event["summary"] for event in document["events"] if event["type"] == "reading_invalid"]
    assert any(problem in summary for summary in told), document["events"]


def test_european_numbers_are_read_where_all_are_and_a_comma_alone_then_is_no_thousand():
    text = write_activity_statement(
        STOCK_TRADE.replace("727.5", '"727,5"'), OPTION_TRADE.replace("3,742.44", "0"), more=""
    )
    made = read_statement_values(text.replace("6.46", '"6,46"'))
    assert [(row.quantity, row.price) for row in made["statement_fills"]] == [
        (Decimal("1.239"), 727.5),
        (-39, 6.46),
    ]


def test_cash_and_the_other_sections_are_nothing_of_ours_and_change_nothing():
    """A statement never proves what is there now, and no rule judges cash."""
    whole = WHOLE + FURTHER_SECTIONS
    assert read_statement_values(whole) == read_statement_values(WHOLE)
    texts = dict.fromkeys(("positions_csv", "trades_csv"), whole)
    report = evaluated({"taken_at": AT, "broker": {"as_of": AT, "connected": True, "flex": texts}})
    assert [event.type for event in report.events if event.type == "reading_invalid"] == []


@pytest.mark.parametrize("text", [WHOLE, '[{"symbol":"SPY","position":1}]', "symbol;conid;position\nSPY;1;2"])
@pytest.mark.parametrize(
    "place", [("activity_statement",), ("flex", "cash_csv"), ("statement", "executions_text")], ids=".".join
)
def test_a_table_as_text_under_an_unknown_key_is_reported(place, text):
    broker: dict[str, Any] = {"as_of": AT, "connected": True, "positions": [], "open_orders": []}
    broker["statement"] = {"as_of": AT, "executions": []}
    *outer, key = place
    (broker.setdefault(outer[0], {}) if outer else broker)[key] = text
    report = evaluated({"taken_at": AT, "broker": broker})
    told = [event.subject for event in report.events if event.type == "reading_invalid"]
    assert told == [f"broker.{'.'.join(place)}"]


def test_another_language_is_no_statement():
    with pytest.raises(ExternalError, match="English"):
        parse_statement(b"Statement,Header,Feldname,Feldwert\nTransaktionen,Header,Menge\n")


# --- a fill without an id counts once --------------------------------------------------------------------

STATED = write_activity_statement(OPTION_TRADE, more="")
PARTS = [
    {**FILL, "execId": f"0000e.{n}.01.01", "shares": n, "price": price}
    for n, price in ((20, 6.45), (19, 6.47053))
]


@pytest.mark.parametrize(
    ("executions", "trades", "types"),
    [
        pytest.param([FILL], [TRADE], [], id="listed, and a trade"),
        pytest.param(PARTS, [TRADE], [], id="listed in parts of one order, and a trade"),
        pytest.param([{**row, "permId": None} for row in PARTS], [TRADE], [], id="in parts without an order"),
        pytest.param([], [TRADE], [], id="a trade alone"),
        pytest.param(None, [TRADE], [], id="a trade, and no list of executions"),
        pytest.param([FILL], [], ["missed_fill"], id="listed, and no trade: once"),
        pytest.param(PARTS, [], ["missed_fill"], id="in parts, and no trade: once"),
        pytest.param(
            [{**row, "permId": None} for row in PARTS],
            [],
            ["missed_fill"] * 2,
            id="in parts without an order, and no trade",
        ),
        pytest.param(
            [{**FILL, "side": "BOT", "execId": "0000e.7.01.01"}],
            [{**TRADE, "quantity": -39, "realized_pnl": -3742.44}],
            ["missed_fill"],
            id="beside one of the other side that has its trade",
        ),
        pytest.param([], [], ["missed_fill"], id="nowhere else"),
        pytest.param(None, [], ["missed_fill"], id="nowhere else, and no list of executions"),
    ],
)
def test_a_fill_counts_once(executions, trades, types):
    assert list_types(STATED, executions, trades) == types


UNCLEAR: dict[str, dict[str, Any]] = {
    "another price": {"price": 6.4},
    "another quantity": {"shares": 40},
    "no price": {"price": None},
    "a minute less a second later": {"time": "20260602 10:49:59 US/Eastern", "price": 6.4},
}


@pytest.mark.parametrize("change", UNCLEAR)
def test_what_may_be_a_listed_execution_is_unclear_and_no_missed_fill(change):
    """The listed execution has its trade, so that nothing but the statement's fill is left."""
    row = {**FILL, **UNCLEAR[change]}
    of_row = {**TRADE, "exit_exec_id": FILL["execId"], "quantity": row["shares"]}
    events = answer(stdin=json.dumps(snapshot(STATED, [row], [of_row]))).document["events"]
    named = [f"{event['severity']} {event['type']}" for event in events]
    assert [one for one in named if "missed_fill" in one or "unclear" in one] == [
        "warning comparison_unclear"
    ]


def test_two_equal_fills_are_two():
    twice = write_activity_statement(OPTION_TRADE, OPTION_TRADE, more="")
    second = {**FILL, "execId": "0000e.2.01.01", "permId": 10}
    other = {**TRADE, "trade_id": "2"}
    assert list_types(twice, [FILL, second], [TRADE, other]) == []
    assert list_types(twice, [FILL], [TRADE, other]) == []
    assert list_types(twice, [FILL], [TRADE]) == ["missed_fill"]


def test_the_fill_of_another_account_is_another():
    other = {**FILL, "acctNumber": "DU7654321"}
    assert list_types(STATED, [other], [TRADE, {**TRADE, "trade_id": "2"}]) == []
    assert "missed_fill" in list_types(STATED, [other], [TRADE])


def test_a_statement_says_nothing_of_what_is_held():
    document = snapshot(write_activity_statement(), None, [])
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
    del document["broker"]["positions"]
    assert answer("can-close", *words, stdin=json.dumps(document)).code == 3
    assert POSITIONS in document["broker"]["statement"]
