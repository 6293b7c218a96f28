"""`can-close`: what the broker's own rows prove decides; nothing is allowed on a guess."""

from __future__ import annotations

import copy
import io
import json
import subprocess
import sys
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detector.app.context import AppContext
from detector.cli import run
from detector.commands import can_close
from detector.formats.times import format_utc
from tests.support.program import answer
from tests.support.snapshots import NOW, ROOT

CALL = {
    "symbol": "SPY",
    "sec_type": "OPT",
    "expiry": "20260619",
    "strike": 727,
    "right": "C",
    "multiplier": 100,
}
WORDS = ("--symbol", "SPY", "--expiry", "2026-06-19", "--strike", "727", "--right", "C")
EXIT = {
    **CALL,
    "order_id": 7,
    "perm_id": 70,
    "side": "SELL",
    "status": "Submitted",
    "quantity": 39,
    "filled": 0,
}
COMBO: dict[str, Any] = {
    "contract": {"symbol": "SPY", "secType": "BAG", "comboLegs": [{"conId": 5}, {"conId": 6}]},
    "order": {"orderId": 8, "action": "SELL", "totalQuantity": 39},
    "orderStatus": {"status": "Submitted"},
}
CODES = {"allow": 0, "refuse": 1, "cannot_tell": 3}


OTHER = {
    "order_id": 9,
    "symbol": "AAPL",
    "sec_type": "STK",
    "side": "BUY",
    "status": "Submitted",
    "quantity": 1,
}


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).isoformat()


def holding(quantity, **more):
    return {**CALL, "quantity": quantity, **more}


def seen(*positions, orders=(), **more):
    """A snapshot in which the broker shows these rows, read ten seconds ago."""
    broker = {"as_of": ago(10), "connected": True, "positions": list(positions), "open_orders": list(orders)}
    return {"taken_at": ago(5), "broker": {**broker, **more.pop("broker", {})}, **more}


def asked(document, *words, quantity="39", base=WORDS):
    """The answer as (verdict, reason), after a look at everything that must hold of any answer."""
    ran = answer("can-close", *base, "--quantity", quantity, "--json", *words, stdin=document)
    assert ran.code == CODES[ran.document["verdict"]], ran.err
    assert ran.document["summary"].endswith(".")
    return ran.document["verdict"], ran.document["reason"]


def why(document, *words, quantity="39", base=WORDS):
    """What is said to a person: the first line."""
    ran = answer("can-close", *base, "--quantity", quantity, *words, stdin=document)
    return ran.out.decode().splitlines()[0]


# --- the position -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "quantity", "verdict", "reason"),
    [
        pytest.param([holding(39)], "39", "allow", "closes", id="all of it"),
        pytest.param([holding(39)], "1", "allow", "closes", id="a part of it"),
        pytest.param([holding(39)], "40", "refuse", "too_much", id="one more than there is"),
        pytest.param(
            [holding(39)], "39.000000000001", "refuse", "too_much", id="a trillionth more than there is"
        ),
        pytest.param([holding(-39)], "39", "allow", "closes", id="a short position"),
        pytest.param([holding(-39)], "40", "refuse", "too_much", id="one more than is short"),
        pytest.param([holding(0)], "39", "refuse", "flat", id="a row that says flat"),
        pytest.param([], "39", "refuse", "flat", id="no row"),
        pytest.param([holding(39, strike=728)], "39", "refuse", "flat", id="another strike"),
        pytest.param([holding(39, right="P")], "39", "refuse", "flat", id="the put"),
        pytest.param([holding(39, expiry="20260626")], "39", "refuse", "flat", id="another day"),
        pytest.param([holding(39, symbol="QQQ")], "39", "refuse", "flat", id="another symbol"),
        pytest.param(
            [holding(39, sec_type="FOP")], "39", "cannot_tell", "instrument", id="an option on a future"
        ),
        pytest.param(
            [holding(39, sec_type="of some kind")],
            "39",
            "cannot_tell",
            "instrument",
            id="a kind that nobody knows",
        ),
        pytest.param([holding(39, sec_type="FUT")], "39", "refuse", "flat", id="a future"),
        pytest.param(
            [holding(20), holding(19)], "39", "cannot_tell", "contradiction", id="two lots, or a row again"
        ),
        pytest.param(
            [holding(20), holding(19)], "19", "allow", "closes", id="no more than the least of two lots"
        ),
        pytest.param([holding(20), holding(18)], "39", "refuse", "too_much", id="two lots, one too few"),
        pytest.param([holding("39")], "39", "allow", "closes", id="a number as text, as exports write it"),
        pytest.param(
            [holding(0.1), holding(0.2)], "0.3", "cannot_tell", "contradiction", id="a tenth and two"
        ),
        pytest.param([holding(39), holding(0)], "39", "cannot_tell", "contradiction", id="39 and flat"),
        pytest.param([holding(39), holding(-1)], "38", "cannot_tell", "contradiction", id="long and short"),
        pytest.param([holding(None)], "39", "cannot_tell", "unread", id="a quantity of null"),
        pytest.param([{**CALL}], "39", "cannot_tell", "unread", id="no quantity"),
        pytest.param([holding("many")], "39", "cannot_tell", "unread", id="a quantity that is none"),
        pytest.param([holding(True)], "1", "cannot_tell", "unread", id="true"),
        pytest.param([holding(1.7976931348623157e308)], "39", "cannot_tell", "unread", id="IBKR's unset"),
        pytest.param([holding(39), "row"], "39", "cannot_tell", "unread", id="a row that is no row"),
        pytest.param([holding(39), {"quantity": 5}], "39", "cannot_tell", "unread", id="a row of nothing"),
    ],
)
def test_what_the_broker_holds_decides(rows, quantity, verdict, reason):
    assert asked(seen(*rows), quantity=quantity) == (verdict, reason)


@pytest.mark.parametrize(
    ("quantity", "side", "verdict", "reason"),
    [
        (39, "SELL", "allow", "closes"),
        (39, "buy", "refuse", "other_side"),
        (-39, "BUY", "allow", "closes"),
        (-39, "sell", "refuse", "other_side"),
        (0, "SELL", "refuse", "flat"),
        (0, "BUY", "refuse", "flat"),
    ],
)
def test_a_side_that_is_given_must_be_the_closing_one(quantity, side, verdict, reason):
    assert asked(seen(holding(quantity)), "--side", side) == (verdict, reason)


def test_the_side_that_closes_is_named():
    for quantity, side in ((39, "SELL"), (-39, "BUY")):
        document = json.dumps(seen(holding(quantity)))
        ran = answer("can-close", *WORDS, "--quantity", "39", "--json", stdin=document)
        assert (ran.document["side"], ran.document["quantity"]) == (side, 39)
        assert ran.document["broker"]["position"] == quantity


@pytest.mark.parametrize(
    ("rows", "more", "line"),
    [
        (
            [holding(0)],
            ("--side", "SELL"),
            "refuse: The broker shows SPY 2026-06-19 727C flat: SELL 39 would open a short position of 39.",
        ),
        (
            [holding(20)],
            (),
            (
                "refuse: The broker is long only 20 SPY 2026-06-19 727C: SELL 39"
                " would go through flat and open a short position of 19."
            ),
        ),
        (
            [holding(-39)],
            ("--side", "SELL"),
            "refuse: The broker is short 39 SPY 2026-06-19 727C: SELL 39 would add to it.",
        ),
        (
            [holding(39)],
            (),
            "allow: SELL 39 closes all of long 39 SPY 2026-06-19 727C at the broker (multiplier 100).",
        ),
    ],
    ids=["flat", "less", "other side", "allowed"],
)
def test_the_answer_is_one_sentence_for_a_person(rows, more, line):
    assert why(seen(*rows), *more) == line


# --- which instrument ---------------------------------------------------------------------------------

SHARE = {"symbol": "SPY", "sec_type": "STK", "quantity": 100}


@pytest.mark.parametrize(
    ("rows", "words", "verdict", "reason"),
    [
        pytest.param([SHARE], (), "allow", "closes", id="a symbol is a share"),
        pytest.param([{"symbol": "SPY", "quantity": 100}], (), "allow", "closes", id="in two bare words"),
        pytest.param([holding(39)], (), "cannot_tell", "instrument", id="a symbol is no option"),
        pytest.param([SHARE, holding(39)], (), "cannot_tell", "instrument", id="a symbol is several"),
        pytest.param(
            [SHARE, holding(39)], ("--sec-type", "STK"), "allow", "closes", id="the share, as is said"
        ),
        pytest.param([holding(39)], WORDS[2:4], "cannot_tell", "instrument", id="a day is not enough"),
        pytest.param([holding(39)], WORDS[2:6], "cannot_tell", "instrument", id="nor a day and a strike"),
        pytest.param([holding(39)], WORDS[4:], "cannot_tell", "instrument", id="nor a strike and a right"),
        pytest.param(
            [holding(39, expiry=None)], WORDS[2:], "cannot_tell", "instrument", id="a row without its day"
        ),
        pytest.param(
            [holding(0, expiry=None)], WORDS[2:], "refuse", "flat", id="a row without its day, and flat"
        ),
        pytest.param(
            [holding(0, expiry=None), holding(39)],
            WORDS[2:],
            "cannot_tell",
            "instrument",
            id="flat without its day, and open",
        ),
        pytest.param(
            [holding(39, expiry="202606")], WORDS[2:], "cannot_tell", "instrument", id="a row with its month"
        ),
        pytest.param(
            [holding(39, strike="?")], WORDS[2:], "cannot_tell", "unread", id="a row without its strike"
        ),
        pytest.param(
            [{"con_id": 5, "quantity": 39}], WORDS[2:], "cannot_tell", "instrument", id="a row of a mere id"
        ),
        pytest.param(
            [holding(39, con_id=5), holding(39, con_id=6)],
            WORDS[2:],
            "cannot_tell",
            "instrument",
            id="two contracts of one name",
        ),
        pytest.param(
            [holding(39, con_id=5), holding(39)],
            WORDS[2:],
            "cannot_tell",
            "instrument",
            id="perhaps two contracts",
        ),
        pytest.param(
            [holding(39, multiplier=10), holding(39)],
            WORDS[2:],
            "cannot_tell",
            "instrument",
            id="a mini option and another",
        ),
        pytest.param(
            [holding(39, con_id=5), holding(39, con_id=6)],
            (*WORDS[2:], "--con-id", "5"),
            "allow",
            "closes",
            id="told apart by its id",
        ),
        pytest.param(
            [holding(39)],
            (*WORDS[2:], "--con-id", "5"),
            "cannot_tell",
            "instrument",
            id="an id that no row has",
        ),
        pytest.param(
            [holding(39, con_id=5, strike=1)],
            (*WORDS[2:], "--con-id", "5"),
            "cannot_tell",
            "instrument",
            id="an id with another name",
        ),
        pytest.param(
            [holding(39, expiry="2026-06-19", right="CALL", strike=727.0)],
            WORDS[2:],
            "allow",
            "closes",
            id="written in another way",
        ),
        pytest.param(
            [{"symbol": "SPY   260619C00727000", "quantity": 39}],
            WORDS[2:],
            "allow",
            "closes",
            id="all in its symbol",
        ),
        pytest.param(
            [holding(20), {**holding(19), "sec_type": None}],
            WORDS[2:],
            "cannot_tell",
            "instrument",
            id="one says its kind and one does not",
        ),
        pytest.param(
            [holding(39, sec_type="FOP")],
            (*WORDS[2:], "--sec-type", "FOP"),
            "allow",
            "closes",
            id="on a future, as is said",
        ),
        pytest.param(
            [{"symbol": "SPY", "sec_type": "BAG", "quantity": 39}],
            WORDS[2:],
            "cannot_tell",
            "instrument",
            id="a combo",
        ),
        pytest.param(
            [holding(20, currency="USD"), holding(19, currency="CAD")],
            WORDS[2:],
            "cannot_tell",
            "instrument",
            id="two currencies",
        ),
        pytest.param(
            [holding(20, currency="USD"), holding(19)],
            WORDS[2:],
            "cannot_tell",
            "instrument",
            id="a currency and none",
        ),
        pytest.param(
            [holding(20, currency="USD"), holding(19, currency="USD")],
            WORDS[2:],
            "cannot_tell",
            "contradiction",
            id="one currency, and two rows",
        ),
        pytest.param(
            [holding(20, tradingClass="SPY"), holding(19, tradingClass="2SPY")],
            WORDS[2:],
            "cannot_tell",
            "instrument",
            id="two trading classes",
        ),
    ],
)
def test_an_instrument_that_is_not_told_apart_is_not_closed(rows, words, verdict, reason):
    assert asked(seen(*rows), quantity="39", base=("--symbol", "spy", *words)) == (verdict, reason)


@pytest.mark.parametrize(
    ("rows", "section", "words", "verdict", "reason"),
    [
        pytest.param([holding(39, account="DU1111111")], {}, (), "allow", "closes", id="one account"),
        pytest.param(
            [holding(39)], {"account": "DU1111111"}, (), "allow", "closes", id="the section's account"
        ),
        pytest.param(
            [holding(39, account="DU1111111"), holding(39, account="DU2222222")],
            {},
            (),
            "cannot_tell",
            "account",
            id="two accounts",
        ),
        pytest.param(
            [holding(39, account="DU1111111"), holding(5, account="DU2222222", symbol="QQQ")],
            {},
            (),
            "cannot_tell",
            "account",
            id="two accounts, the other one elsewhere",
        ),
        pytest.param(
            [holding(39, account="DU2222222")],
            {"account": "DU1111111"},
            (),
            "cannot_tell",
            "account",
            id="another than the section's",
        ),
        pytest.param(
            [holding(39, account="DU1111111"), holding(9, account="DU2222222")],
            {},
            ("--account", "DU1111111"),
            "allow",
            "closes",
            id="two accounts, and which",
        ),
        pytest.param(
            [holding(39, account="DU1111111"), holding(9, account="DU2222222")],
            {},
            ("--account", "DU2222222"),
            "refuse",
            "too_much",
            id="two accounts, and the other",
        ),
        pytest.param(
            [holding(39, account="DU1111111")],
            {},
            ("--account", "DU2222222"),
            "cannot_tell",
            "account",
            id="an account that nobody speaks of",
        ),
        pytest.param(
            [holding(39)],
            {},
            ("--account", "DU1111111"),
            "cannot_tell",
            "account",
            id="rows that name no account",
        ),
        pytest.param(
            [holding(20, account="DU1111111"), holding(19)],
            {"account": "DU1111111"},
            (),
            "cannot_tell",
            "contradiction",
            id="rows of which some name none",
        ),
    ],
)
def test_an_account_that_is_not_told_apart_is_not_touched(rows, section, words, verdict, reason):
    document = seen(*rows, broker=section)
    assert asked(document, *words) == (verdict, reason)
    assert "1111111" not in why(document, *words)


# --- exits that work already --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("orders", "quantity", "verdict", "reason"),
    [
        pytest.param([EXIT], "39", "refuse", "exit_working", id="an exit for all of it"),
        pytest.param(
            [{**EXIT, "status": "PreSubmitted", "order_type": "STP"}],
            "39",
            "refuse",
            "exit_working",
            id="a stop that rests",
        ),
        pytest.param(
            [{**EXIT, "status": "PendingCancel"}],
            "39",
            "cannot_tell",
            "orders",
            id="a cancel that is not through",
        ),
        pytest.param([{**EXIT, "status": "Inactive"}], "39", "cannot_tell", "orders", id="an inactive one"),
        *[
            pytest.param(
                [{**EXIT, "status": status}], "39", "cannot_tell", "orders", id=f"one that is {status}"
            )
            for status in ("PendingSubmit", "ApiPending", "PENDING_CANCEL", "Not Transmitted")
        ],
        pytest.param(
            [{**EXIT, "status": "Inactive", "whyHeld": "locate"}],
            "39",
            "cannot_tell",
            "orders",
            id="an inactive one that waits for shares to borrow",
        ),
        pytest.param(
            [{**EXIT, "status": None}],
            "39",
            "refuse",
            "exit_working",
            id="one that says nothing of its state",
        ),
        pytest.param([{**EXIT, "status": "Filled"}], "39", "cannot_tell", "moved", id="a filled one"),
        *[
            pytest.param([{**EXIT, "status": status}], "39", "allow", "closes", id=f"one that is {status}")
            for status in ("Cancelled", "Api Cancelled", "Expired", "REJECTED", "OrderStatus.DENIED")
        ],
        pytest.param(
            [{**EXIT, "status": "Expired", "filled": 5}], "39", "cannot_tell", "moved", id="expired in part"
        ),
        pytest.param([{**EXIT, "quantity": 9}], "30", "allow", "closes", id="exactly what is left"),
        pytest.param([{**EXIT, "quantity": 10}], "30", "refuse", "exit_working", id="one more than is left"),
        pytest.param(
            [{**EXIT, "quantity": 19, "filled": 10}],
            "30",
            "cannot_tell",
            "moved",
            id="what it has filled may not be gone yet",
        ),
        pytest.param(
            [{**EXIT, "quantity": 50, "filled": 10}],
            "39",
            "refuse",
            "exit_working",
            id="too much whether its fill is gone or not",
        ),
        pytest.param(
            [{**EXIT, "quantity": 5}, {**EXIT, "quantity": 5, "perm_id": 71}],
            "30",
            "refuse",
            "exit_working",
            id="two of them",
        ),
        pytest.param(
            [{**EXIT, "quantity": 9}, {**EXIT, "quantity": 9}],
            "30",
            "allow",
            "closes",
            id="one, listed twice",
        ),
        pytest.param([{**EXIT, "side": "BUY"}], "39", "allow", "closes", id="an order that adds to it"),
        pytest.param([{**EXIT, "strike": 728}], "39", "allow", "closes", id="an exit of another strike"),
        pytest.param([{**EXIT, "strike": None}], "39", "cannot_tell", "orders", id="an exit of some strike"),
        pytest.param([{**EXIT, "side": None}], "39", "cannot_tell", "orders", id="an order of some side"),
        pytest.param(
            [{**EXIT, "quantity": None}], "39", "cannot_tell", "orders", id="an exit of some quantity"
        ),
        pytest.param([{**EXIT, "filled": 50}], "39", "cannot_tell", "moved", id="more filled than ordered"),
        pytest.param([{**EXIT, "filled": 39}], "39", "cannot_tell", "moved", id="all of it filled"),
        pytest.param(
            [{**EXIT, "filled": 39, "remaining": 0}],
            "39",
            "cannot_tell",
            "moved",
            id="all of it filled, and nothing remains",
        ),
        pytest.param(
            [{**EXIT, "filled": 39, "remaining": 39}],
            "39",
            "cannot_tell",
            "moved",
            id="all of it filled, and all of it remains",
        ),
        pytest.param(
            [{**EXIT, "quantity": 19, "filled": 10, "remaining": 10}],
            "30",
            "cannot_tell",
            "moved",
            id="more remains than is left",
        ),
        pytest.param(
            [{**EXIT, "quantity": 0, "cashQty": 20000}], "39", "cannot_tell", "orders", id="an order for cash"
        ),
        pytest.param(
            [{**EXIT, "quantity": 0, "status": "Cancelled"}],
            "39",
            "allow",
            "closes",
            id="an order for nothing that is over",
        ),
        pytest.param(
            [{**EXIT, "sec_type": "of some kind"}],
            "39",
            "cannot_tell",
            "orders",
            id="an exit of a kind that nobody knows",
        ),
        pytest.param([{**EXIT, "sec_type": "FOP"}], "39", "cannot_tell", "orders", id="an exit on a future"),
        pytest.param([COMBO], "39", "cannot_tell", "orders", id="a combo of its symbol"),
        pytest.param(
            [{**COMBO, "order": {**COMBO["order"], "action": "BUY"}}],
            "39",
            "cannot_tell",
            "orders",
            id="a combo that is bought may sell a leg",
        ),
        pytest.param(
            [{**COMBO, "orderStatus": {"status": "Cancelled"}}],
            "39",
            "allow",
            "closes",
            id="a combo that is over",
        ),
        pytest.param(
            [{**COMBO, "contract": {"symbol": "QQQ", "secType": "BAG", "comboLegs": [{"conId": 6}]}}],
            "39",
            "allow",
            "closes",
            id="a combo of another symbol",
        ),
        pytest.param(["order"], "39", "cannot_tell", "unread", id="an order that is none"),
    ],
)
def test_an_exit_that_works_already_counts(orders, quantity, verdict, reason):
    assert asked(seen(holding(39), orders=orders), quantity=quantity) == (verdict, reason)


def test_the_exit_that_works_is_named():
    document = seen(holding(39), orders=[EXIT])
    assert why(document) == (
        "refuse: 1 exit order (#7 (SPY 2026-06-19 727C)) for 39 of long 39 SPY 2026-06-19 727C already works:"
        " with it, SELL 39 would open the other side; cancel #7 (the approver decides), read again, then close."
    )


@pytest.mark.parametrize(
    ("status", "verdict", "reason"),
    [
        pytest.param({"orders": [], "pending_exits": 0}, "allow", "closes", id="none"),
        pytest.param(
            {"orders": [EXIT]}, "refuse", "exit_working", id="one that the broker does not show yet"
        ),
        pytest.param({"orders": [{**EXIT, "status": "Cancelled"}]}, "allow", "closes", id="one that is over"),
        pytest.param({"pending_exits": 0}, "allow", "closes", id="counted: none"),
        pytest.param({"pending_exits": 1}, "cannot_tell", "orders", id="counted: one, of what is not said"),
        pytest.param(
            {"pending_exits": 1, "orders": []}, "cannot_tell", "orders", id="counted, and not listed"
        ),
        pytest.param(
            {"pending_exits": 1, "orders": [{**OTHER, "kind": "entry"}]},
            "cannot_tell",
            "orders",
            id="counted, and an entry is listed",
        ),
        pytest.param(
            {"pending_exits": 1, "orders": [OTHER]},
            "cannot_tell",
            "orders",
            id="counted, and an order for nobody knows what",
        ),
        pytest.param(
            {"pending_exits": 1, "orders": [{**OTHER, "kind": "EXIT"}]},
            "allow",
            "closes",
            id="counted, and it is another's exit",
        ),
        pytest.param(
            {"pending_exits": 2, "orders": [{**OTHER, "kind": "exit"}] * 2},
            "cannot_tell",
            "orders",
            id="two counted, and one listed twice",
        ),
        pytest.param(
            {"pending_exits": 0, "stuck_exits": 1, "orders": []},
            "cannot_tell",
            "orders",
            id="one that is stuck",
        ),
        pytest.param(
            {"pending_exits": 0, "stuck_exits": 0, "orders": []}, "allow", "closes", id="none is stuck"
        ),
        pytest.param({"stuck_exits": 0}, "cannot_tell", "orders", id="none is stuck, and no more is said"),
        pytest.param(
            {"orders": [], "pending_exits": 0, "stuck_exits": "x"},
            "cannot_tell",
            "orders",
            id="how many are stuck is not read",
        ),
        pytest.param(
            {"pending_exits": 1, "orders": [{**EXIT, "kind": "exit", "sec_type": "of some kind"}]},
            "cannot_tell",
            "orders",
            id="one of a kind that nobody knows",
        ),
        pytest.param(
            {"orders": [{**EXIT, "kind": "exit", "sec_type": "Options, of all kinds"}]},
            "cannot_tell",
            "orders",
            id="one of a kind in other words",
        ),
        pytest.param({"orders": [{**EXIT, "quantity": 0}]}, "cannot_tell", "orders", id="one for nothing"),
        pytest.param(
            {"orders": [{"symbol": "SPY", "sec_type": "BAG", "order_id": 9, "side": "BUY", "quantity": 1}]},
            "cannot_tell",
            "orders",
            id="a combo",
        ),
        pytest.param({"pending_orders": 0}, "cannot_tell", "orders", id="a runtime that does not say"),
        pytest.param({"orders": "none"}, "cannot_tell", "orders", id="a list that is none"),
        pytest.param({"orders": ["x"]}, "cannot_tell", "orders", id="a list of something else"),
        pytest.param(
            {"orders": [], "send_outcome_unknown": True},
            "cannot_tell",
            "orders",
            id="an order sent into the dark",
        ),
        pytest.param({"orders": [], "heartbeat_at": ago(20)}, "allow", "closes", id="a fresh sign of life"),
        pytest.param({"orders": [], "heartbeat_at": ago(400)}, "cannot_tell", "orders", id="an old one"),
        pytest.param({"orders": [], "heartbeat_at": ago(-4000)}, "cannot_tell", "orders", id="one to come"),
        pytest.param({"orders": [], "heartbeat_at": "x"}, "cannot_tell", "orders", id="one that is no time"),
        pytest.param(
            {"orders": [], "heartbeat_age_sec": "x"}, "cannot_tell", "orders", id="an age that is none"
        ),
    ],
)
def test_the_runtimes_own_exits_count_too(status, verdict, reason):
    assert asked(seen(holding(39), status_v3=status)) == (verdict, reason)


@pytest.mark.parametrize(
    ("at_broker", "at_runtime", "quantity", "verdict"),
    [
        pytest.param({}, {}, "30", "allow", id="one order in both lists counts once"),
        pytest.param(
            {"perm_id": None}, {}, "30", "allow", id="by its number, where one list has no permanent id"
        ),
        pytest.param({}, {"perm_id": 99}, "30", "refuse", id="one number of two orders"),
        pytest.param({}, {"quantity": 10}, "30", "refuse", id="the larger of the two counts"),
        pytest.param(
            {"perm_id": None},
            {"quantity": 12},
            "20",
            "refuse",
            id="one number of two quantities is two orders",
        ),
    ],
)
def test_an_order_in_both_lists_is_one(at_broker, at_runtime, quantity, verdict):
    order = {**EXIT, "quantity": 9}
    document = seen(
        holding(39), orders=[{**order, **at_broker}], status_v3={"orders": [{**order, **at_runtime}]}
    )
    assert asked(document, quantity=quantity)[0] == verdict


def test_a_combo_with_the_held_contract_among_its_legs_may_be_an_exit_whatever_its_symbol():
    legs = {"symbol": "QQQ", "secType": "BAG", "comboLegs": [{"conId": 5}, {"conId": 6}]}
    for con_id, verdict in ((5, "cannot_tell"), (7, "allow")):
        document = seen(holding(39, con_id=con_id), orders=[{**COMBO, "contract": legs}])
        assert asked(document)[0] == verdict


@pytest.mark.parametrize(
    ("execution", "verdict", "reason"),
    [
        pytest.param({"at": ago(9)}, "cannot_tell", "moved", id="a second after it"),
        pytest.param({"at": ago(10)}, "cannot_tell", "moved", id="in the second of it"),
        pytest.param({"at": ago(11)}, "cannot_tell", "moved", id="a second before it"),
        pytest.param({"at": ago(69)}, "cannot_tell", "moved", id="59 s before it"),
        pytest.param({"at": ago(70)}, "allow", "closes", id="a minute before it"),
        pytest.param(
            {"at": ago(69), "side": "BOT"}, "allow", "closes", id="59 s before it, on the side that adds"
        ),
        pytest.param({"at": None}, "cannot_tell", "moved", id="at a time that was not seen"),
        pytest.param({"at": ago(9), "side": "BOT"}, "cannot_tell", "moved", id="on the other side"),
        pytest.param({"at": ago(9), "strike": 728}, "allow", "closes", id="of another strike"),
        pytest.param({"at": ago(9), "strike": None}, "cannot_tell", "moved", id="of some strike"),
        pytest.param({"at": ago(9), "account": "DU2222222"}, "allow", "closes", id="in another account"),
    ],
)
def test_an_execution_since_the_position_was_read_makes_it_the_position_of_before(execution, verdict, reason):
    row = {**CALL, "exec_id": "1.2.3", "side": "SLD", "quantity": 39, "price": 6.46, **execution}
    document = seen(holding(39, account="DU1111111"), broker={"executions": [row]})
    assert asked(document) == (verdict, reason)


def test_a_runtime_that_was_asked_and_did_not_answer_is_not_taken_for_quiet():
    failed = {"sources": {"status_v3": {"state": "failed", "reason": "timeout"}}}
    assert asked(seen(holding(39), **failed)) == ("cannot_tell", "orders")
    assert asked(seen(holding(39), sources={"status_v3": {"state": "off"}})) == ("allow", "closes")
    assert asked(seen(holding(39))) == ("allow", "closes"), "nobody claims to know the runtime"


# --- how old, how whole -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [(0, "allow"), (60, "allow"), (60.001, "cannot_tell"), (3600, "cannot_tell")],
    ids=["now", "at the limit", "just above it", "an hour"],
)
def test_the_brokers_word_is_old_from_its_limit_on(seconds, verdict):
    document = {**seen(holding(39), broker={"as_of": ago(seconds)}), "taken_at": None}
    assert asked(document)[0] == verdict


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        pytest.param({"broker": {"as_of": None}}, "cannot_tell", id="no time at all"),
        pytest.param(
            {"broker": {"as_of": None}, "sources": {"broker": {"state": "ok", "as_of": ago(10)}}},
            "allow",
            id="the source's time",
        ),
        pytest.param(
            {"sources": {"broker": {"state": "ok", "as_of": ago(61)}}}, "cannot_tell", id="the older of two"
        ),
        pytest.param({"broker": {"as_of": ago(-121)}}, "cannot_tell", id="a time in the future"),
        pytest.param(
            {"broker": {"as_of": ago(-120)}}, "allow", id="a time as far ahead as clocks may differ"
        ),
        pytest.param({"broker": {"as_of": "2026-06-02T14:59:55"}}, "cannot_tell", id="a time without a zone"),
        pytest.param({"broker": {"as_of": "just now"}}, "cannot_tell", id="a time that is none"),
        pytest.param({"taken_at": ago(61)}, "cannot_tell", id="a snapshot of an earlier time"),
        pytest.param({"taken_at": ago(-121)}, "cannot_tell", id="a snapshot of the future"),
    ],
)
def test_a_word_of_which_nobody_knows_when_is_none(change, verdict):
    document = seen(holding(39), broker=change.pop("broker", {})) | change
    assert asked(document)[0] == verdict


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (60, "60 s old (limit 60 s)"),
        (60.5, "60.5 s old (over 60 s)"),
        (61, "61 s old (over 60 s)"),
    ],
    ids=["at the limit", "just above it", "above it"],
)
def test_an_age_above_its_limit_never_reads_like_the_limit(seconds, words):
    document = {**seen(holding(39), broker={"as_of": ago(seconds)}), "taken_at": None}
    said = answer("can-close", *WORDS, "--quantity", "39", stdin=document).out.decode().splitlines()
    assert said[-1].endswith(words)
    assert seconds == 60 or f"The broker's reading is {words}." in said[0]


def test_each_answer_says_what_to_do_first():
    """In the words of the runbook; a leave ends when the broker's reading gets too old."""
    for document, code, first in (
        (seen(holding(39)), 0, f"send it once, and only before {format_utc(NOW + timedelta(seconds=50))};"),
        (seen(holding(0)), 1, "do not send it, whatever the dashboard shows."),
        ({**seen(), "broker": None}, 3, "do not send it from here: look at the broker's own screen,"),
    ):
        ran = answer("can-close", *WORDS, "--quantity", "39", stdin=document)
        assert (ran.code, ran.out.decode().splitlines()[1].startswith(f"  First: {first}")) == (code, True)


def test_the_limit_is_a_setting():
    environ = {"AEGIS_PT_TRUTH_MAX_AGE_SEC": "5"}
    ran = answer("can-close", *WORDS, "--quantity", "39", stdin=seen(holding(39)), environ=environ)
    assert (ran.code, "The broker's reading is 10 s old (over 5 s)." in ran.out.decode()) == (
        3,
        True,
    )


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"connected": False}, id="its link is down"),
        pytest.param({"error": "timeout"}, id="its query failed"),
        pytest.param({"positions": None}, id="positions not seen"),
        pytest.param({"positions": {}}, id="positions that are no list"),
        pytest.param({"positions": [holding(39)] * 10_001}, id="more rows than are read"),
        pytest.param({"open_orders": None}, id="orders not seen"),
        pytest.param({"open_orders": "none"}, id="orders that are no list"),
        pytest.param({"portfolio": [holding(0)]}, id="positions under two names"),
        pytest.param({"flex": {"positions_csv": "Symbol,Quantity\n"}}, id="positions in a statement too"),
        pytest.param({"positions": [holding(39, avg_price="dear")]}, id="a price that is none"),
    ],
)
def test_a_word_that_was_not_read_in_full_is_none(change):
    assert asked(seen(holding(39), broker=change))[0] == "cannot_tell"


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"broker": {}}, id="an empty section"),
        pytest.param({"broker": None}, id="null"),
        pytest.param({"status_v3": {"open_positions": [holding(39)]}}, id="only the runtime's word"),
        pytest.param(
            {"sources": {"broker": {"state": "failed", "reason": "refused"}}}, id="a source that failed"
        ),
        pytest.param(
            {**seen(holding(39)), "sources": {"broker": {"state": "failed"}}},
            id="a section of a source that failed",
        ),
    ],
)
def test_without_the_brokers_word_nothing_can_be_told(document):
    assert asked(document or {"taken_at": ago(0)})[0] == "cannot_tell"


# --- the trade ----------------------------------------------------------------------------------------

STORES = {
    "as_of": ago(10),
    "position_state": [
        {"trade_id": 162, "signal_id": 238, "position_id": 301, **CALL, "is_open": 1, "quantity": 39}
    ],
    "trades": [
        {
            "id": 162,
            "status": "CLOSED",
            "exit_price": 5.5,
            "realized_pnl": 1857.7,
            "exit_reason": "TAKE_PROFIT",
        }
    ],
}


def test_a_trade_is_named_once_with_its_other_ids_behind_and_what_each_place_says_of_it():
    ran = answer(
        "can-close", *WORDS, "--quantity", "39", "--trade", "162", stdin=seen(holding(0), stores=STORES)
    )
    assert ran.code == 1
    assert ran.out.decode().splitlines()[5:] == [
        (
            "  trade #162 (signal #238, position #301): position_state: open, long 39;"
            " trades: closed, exit 5.5, P&L 1,857.70 (TAKE_PROFIT)"
        ),
        "  position_state calls it open and the broker shows flat: the broker decides.",
    ]


def test_what_a_store_says_decides_nothing():
    for rows, verdict in (([holding(0)], "refuse"), ([holding(39)], "allow")):
        for stores in ({}, {"stores": STORES}):
            assert asked(seen(*rows, **stores), "--trade", "162")[0] == verdict


# --- a name by itself ----------------------------------------------------------------------------------

FUTURE = {"symbol": "ES", "secType": "FUT", "conId": 11, "lastTradeDateOrContractMonth": "20260619",
          "localSymbol": "ESM6", "multiplier": 50, "currency": "USD", "quantity": 3}  # fmt: skip
EUREX = {**FUTURE, "symbol": "ESTX50", "conId": 12, "localSymbol": "FESX 20260619 M", "multiplier": 10}
LATER = {**FUTURE, "conId": 13, "lastTradeDateOrContractMonth": "20260918", "localSymbol": "ESU6"}
WEEKLY = {**holding(3), "symbol": "SPX", "tradingClass": "SPXW", "conId": 14}
MORNING = {**WEEKLY, "tradingClass": "SPX", "conId": 15}
SPX = ("--symbol", "SPX", *WORDS[2:])


@pytest.mark.parametrize(
    ("rows", "base", "verdict", "says"),
    [
        ([FUTURE, LATER], ("--con-id", "11"), "allow", "ES 2026-06-19 at the broker (conid 11"),
        ([FUTURE, LATER], ("--con-id", "99"), "refuse", "conid 99 flat"),
        ([FUTURE], ("--con-id", "9", "--symbol", "ES"), "refuse", "ES (conid 9) flat"),
        ([{**FUTURE, "conId": None}], ("--con-id", "11"), "cannot tell", "may be any of these"),
        ([FUTURE, LATER], ("--local-symbol", "ESM6"), "allow", "conid 11"),
        ([FUTURE, LATER], ("--symbol", "ES", "--expiry", "2026-09", "--sec-type", "FUT"), "allow", "conid 13"),
        ([{**FUTURE, "localSymbol": None}], ("--local-symbol", "ESM6"), "allow", "conid 11"),
        ([FUTURE], ("--local-symbol", "ESU6"), "refuse", "flat"),
        ([EUREX], ("--local-symbol", "FESX 20260619 M"), "allow", "conid 12"),
        ([EUREX], ("--local-symbol", "FESXM6"), "cannot tell", "add --sec-type FUT"),
        ([EUREX], ("--local-symbol", "FESXM6", "--sec-type", "FUT"), "allow", "conid 12"),
        ([holding(3)], ("--local-symbol", "SPY   260619C00727000"), "allow", "727C"),
        ([WEEKLY], SPX, "cannot tell", "add --trading-class SPXW"),
        ([MORNING], SPX, "allow", "conid 15"),
        ([{**MORNING, "conId": None}], SPX, "allow", "class SPX"),
        ([WEEKLY, MORNING], (*SPX, "--trading-class", "SPXW"), "allow", "conid 14"),
        ([WEEKLY, MORNING], SPX, "cannot tell", "give --con-id (14, 15)"),
        ([holding(3)], ("--symbol", "SPY"), "cannot tell",
         "add --sec-type OPT --expiry 2026-06-19 --strike 727 --right C"),
    ],
)  # fmt: skip
def test_a_contract_by_one_of_its_names_is_closed_or_it_says_what_would_make_it_clear(
    rows, base, verdict, says
):
    line = why(seen(*rows), base=base, quantity="3")
    assert line.startswith(f"{verdict}: "), line
    assert says in line, line


@pytest.mark.parametrize("base", [(), ("--symbol", " "), ("--con-id", ""), ("--expiry", "202606")])
def test_an_order_for_nothing_that_has_a_name_is_bad_usage(base):
    ran = answer("can-close", *base, "--quantity", "3", stdin=seen(SHARE))
    assert (ran.code, ran.out) == (2, b"")


UNREADABLE: list[Any] = ["row", None, 5, [], {}, {"quantity": "many"}, {"strike": "x"}, {"symbol": ["SPY"]}]
EXECUTION = {"exec_id": "e1", "symbol": "AAPL", "sec_type": "STK", "con_id": 9, "side": "BOT",
             "quantity": 1, "at": ago(3600)}  # fmt: skip


@pytest.mark.parametrize("fault", UNREADABLE, ids=[json.dumps(fault) for fault in UNREADABLE])
@pytest.mark.parametrize(
    "name", ["executions", "fills", "open_orders", "openOrders", "orders", "openTrades", "trades"]
)
def test_an_unreadable_row_in_any_list_of_orders_or_executions_gives_no_leave(name, fault):
    is_fill = name in ("executions", "fills")
    model = EXECUTION if is_fill else OTHER
    row = {**model, **fault} if isinstance(fault, dict) and fault else fault
    lists = {name: [model, row]} | ({} if is_fill else {"open_orders_scope": "all"})
    document = seen(holding(39), broker=lists)
    if name not in ("executions", "fills", "open_orders"):
        del document["broker"]["open_orders"]
    assert asked(document)[0] == "cannot_tell"
    document["broker"][name] = [model]
    assert asked(document) == ("allow", "closes")


FLEX = "ClientAccountID,Symbol,Quantity,TradePrice,IBExecID,DateTime,Buy/Sell\n"


@pytest.mark.parametrize(
    "statement",
    ["text", [], {"trades_csv": 5}, {"trades_csv": "no section"}, {"trades_csv": f"{FLEX}DU1,AAPL\n"},
     {"trades_csv": f"{FLEX}DU1,AAPL,many,1,e1,20260501;090000,BUY\n"},
     {"trades_csv": f"{FLEX}DU1,AAPL,1,1,e1,some day,BUY\n"}],
)  # fmt: skip
def test_an_unreadable_flex_statement_gives_no_leave(statement):
    assert asked(seen(holding(39), broker={"flex": statement}))[0] == "cannot_tell"


def test_executions_beside_a_statement_give_no_leave():
    document = seen(holding(39), broker={"executions": [], "flex": {"trades_csv": FLEX}})
    assert asked(document) == ("cannot_tell", "contradiction")


@pytest.mark.parametrize(
    ("second", "answer_given"),
    [
        pytest.param({"fills": []}, ("allow", "closes"), id="no fill in either"),
        pytest.param({"orders": []}, ("allow", "closes"), id="no order in either"),
        pytest.param({"orders": [EXIT]}, ("refuse", "exit_working"), id="an exit in the second"),
        pytest.param(
            {"orders": [{**EXIT, "status": "Cancelled"}]}, ("allow", "closes"), id="that was cancelled"
        ),
    ],
)
def test_what_two_lists_of_orders_or_of_executions_have_counts(second, answer_given):
    assert asked(seen(holding(39), broker={"executions": [], **second})) == answer_given


@pytest.mark.parametrize(
    ("words", "currency", "verdict"),
    [
        pytest.param(
            ("--symbol", "ETH", "--sec-type", "CRYPTO"), None, "allow", id="the only one of its symbol"
        ),
        pytest.param(("--symbol", "ETH"), None, "cannot_tell", id="of no type"),
        pytest.param(
            ("--symbol", "ETH", "--sec-type", "CRYPTO"), "EUR", "cannot_tell", id="of two currencies"
        ),
    ],
)
def test_a_pair_needs_no_currency_where_its_symbol_has_one(words, currency, verdict):
    pair = {"symbol": "ETH", "sec_type": "CRYPTO", "currency": "USD", "con_id": 4}
    rows = [{**pair, "quantity": 39}]
    rows += [] if currency is None else [{**pair, "currency": currency, "con_id": 5, "quantity": 39}]
    assert asked(seen(*rows), base=words)[0] == verdict
    order = {**pair, "order_id": 7, "perm_id": 70, "side": "SELL", "status": "Submitted", "quantity": 1}
    assert asked(seen(*rows, orders=[order]), base=words)[0] in ("refuse", "cannot_tell")


@pytest.mark.parametrize(
    ("own", "verdict"), [("DU1111111", "allow"), ("DU3333333", "cannot_tell"), ("", "cannot_tell")]
)
def test_the_account_of_the_runtime_is_meant_where_none_is_named(own, verdict):
    rows = [holding(39, account=account) for account in ("DU1111111", "DU2222222")]
    environ = {"AEGIS_PT_ACCOUNT": own}
    ran = answer(
        "can-close", *WORDS, "--quantity", "39", "--json", stdin=json.dumps(seen(*rows)), environ=environ
    )
    assert ran.document["verdict"] == verdict


HELD = {**FUTURE, "quantity": 39}
UNKNOWN_EXITS: list[tuple[dict[str, Any], str]] = [
    ({"symbol": "ES"}, "its contract id would"),
    ({**FUTURE, "side": "-"}, "its side was not seen"),
    ({**FUTURE, "quantity": None}, "what it can still fill was not seen"),
    ({"symbol": "ES", "secType": "BAG"}, "it is a combo that has this contract among its legs, or may"),
    (
        {"symbol": "ES", "secType": "BAG", "comboLegs": [{"conId": 11}, {"conId": 13}]},
        "it is a combo that has",
    ),
]


def test_an_order_whose_side_names_none_is_a_fault_of_the_brokers_answer_and_gives_no_leave():
    row = {"order_id": 5, **FUTURE, "side": "sideways", "quantity": 1, "status": "Submitted"}
    line = why(seen(HELD, orders=[row]), base=("--con-id", "11"), quantity="1")
    assert line.startswith("cannot tell: "), line
    assert "broker.open_orders.side is sideways, which is no known side" in line, line


@pytest.mark.parametrize(("order", "says"), UNKNOWN_EXITS)
def test_an_order_that_may_be_an_exit_is_named_with_what_is_unknown_of_it(order, says):
    row = {"order_id": 5, "side": "SELL", "quantity": 1, "status": "Submitted", **order}
    line = why(seen(HELD, orders=[row]), base=("--con-id", "11"), quantity="1")
    assert line.startswith("cannot tell: Whether order #5 ("), line
    assert says in line, line


def test_a_combo_of_other_contracts_takes_nothing_off():
    combo = {"symbol": "ES", "secType": "BAG", "comboLegs": [{"conId": 12}, {"conId": 13}]}
    row = {"order_id": 5, "side": "SELL", "quantity": 1, "status": "Submitted", **combo}
    base = ("--local-symbol", "ESM6")
    assert why(seen(HELD, orders=[row]), base=base, quantity="39").startswith("allow: ")


def test_orders_of_two_clients_are_named_by_their_client():
    rows = [{**EXIT, "perm_id": None, "client_id": client, "quantity": 20} for client in (1, 2)]
    assert "cancel #7 of client 1/#7 of client 2 (the approver decides), read again, then close" in why(
        seen(holding(39), orders=rows)
    )


# --- the command itself -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("--quantity", "0"), id="none of it"),
        pytest.param(("--quantity", "-39"), id="a negative number"),
        pytest.param(("--quantity", "NaN"), id="no number"),
        pytest.param(("--quantity", "1e2"), id="an exponent"),
        pytest.param(("--quantity", "Infinity"), id="without end"),
        pytest.param((), id="no quantity"),
        pytest.param(("--quantity", "39", "--expiry", "2026-02-30"), id="a day that does not exist"),
        pytest.param(("--quantity", "39", "--right", "X"), id="a right that is none"),
        pytest.param(("--quantity", "39", "--side", "CLOSE"), id="a side that is none"),
        pytest.param(("--quantity", "39", "--now", "now"), id="a time that is none"),
    ],
)
def test_bad_usage_is_neither_an_answer_nor_leave(words):
    ran = answer("can-close", "--symbol", "SPY", *words, stdin=seen(SHARE))
    assert (ran.code, ran.out) == (2, b"")


@pytest.mark.parametrize("text", ["{", '{"broker": {"as_of": NaN}}', '{"brokr": {}}', "[]"])
def test_a_document_that_cannot_be_read_is_no_leave(text):
    assert answer("can-close", *WORDS, "--quantity", "39", stdin=text).code == 2


def test_a_failure_of_the_detector_itself_is_no_leave(monkeypatch):
    def breaks(*_):
        raise RuntimeError("broken")

    monkeypatch.setattr(can_close, "decide_close", breaks)
    assert answer("can-close", *WORDS, "--quantity", "39", stdin=seen(holding(39))).code == 4


def test_an_answer_that_nobody_could_read_is_no_leave():
    class Full(io.BytesIO):
        def write(self, _):
            raise OSError(28, "No space left on device")

    ran = answer("can-close", *WORDS, "--quantity", "39", stdin=seen(holding(39)), stdout=Full())
    assert ran.code == 3


# --- from the sources ---------------------------------------------------------------------------------


def test_with_nothing_piped_in_only_the_sources_that_it_needs_are_asked(tmp_path):
    (tmp_path / "broker.json").write_text(json.dumps(seen(holding(39))["broker"]))
    environ = {
        "AEGIS_PT_SECTIONS": f"broker={tmp_path}/broker.json,logs={tmp_path}/none",
        "AEGIS_PT_ECS_CLUSTER": "nobody-asks",
        "AEGIS_PT_STORES_DB": str(tmp_path / "none.db"),
    }
    for stdin, words in ((b"", ()), (b" \n", ()), (json.dumps(seen(holding(0))).encode(), ("--collect",))):
        ran = answer("can-close", *WORDS, "--quantity", "39", *words, stdin=stdin, environ=environ)
        assert (ran.code, ran.out.decode().partition(":")[0]) == (0, "allow")


def test_a_source_that_fails_is_named(tmp_path):
    environ = {"AEGIS_PT_SECTIONS": f"broker={tmp_path}/none"}
    ran = answer("can-close", *WORDS, "--quantity", "39", stdin=b"", environ=environ)
    assert (ran.code, "The broker could not be read: there is no such file." in ran.out.decode()) == (3, True)


@pytest.mark.parametrize(
    "words", [("can-close", *WORDS, "--quantity", "39"), ("plan",)], ids=["can-close", "plan"]
)
def test_without_a_source_it_says_which_settings_name_one(words):
    ran = answer(*words, stdin=b"")
    places = "AEGIS_PT_TWS_ADDRESS, AEGIS_PT_PORTAL_URL or AEGIS_PT_SECTIONS=broker=PLACE"
    assert (ran.code, f"No source fills that section: set {places}." in ran.out.decode()) == (3, True)
    assert "broker truth: of no known age (the broker was not read)" in ran.out.decode()


def test_a_terminal_is_not_waited_for():
    class Terminal(io.BytesIO):
        def isatty(self):
            return True

        def read(self, *_):
            raise AssertionError("it waits for somebody to type")

    assert answer("can-close", *WORDS, "--quantity", "39", stdin=Terminal()).code == 3


def test_it_loads_no_more_than_it_needs():
    code = (
        "import sys\nfrom detector.cli import main\nmain(sys.argv[1:])\n"
        "print(*[name for name in ('httpx', 'boto3', 'sqlite3', 'pydantic', 'jmespath')"
        " if name in sys.modules], file=sys.stderr)"
    )
    words = [sys.executable, "-c", code, "can-close", *WORDS, "--quantity", "39"]
    ran = subprocess.run(words, input=b'{"broker": {}}', cwd=ROOT, capture_output=True, check=False)
    assert (ran.stdout.startswith(b"cannot tell"), ran.stderr.decode()) == (True, "\n")


# --- whatever comes -----------------------------------------------------------------------------------

INSTRUMENTS: list[dict[str, Any]] = [
    {"symbol": "SPY", "sec_type": "STK"},
    {"symbol": "QQQ", "sec_type": "STK"},
    CALL,
    {**CALL, "right": "P"},
    {**CALL, "strike": 728.5},
    {**CALL, "expiry": "20260626"},
]
ASKED = {
    0: ("--symbol", "SPY", "--sec-type", "STK"),
    2: WORDS,
    4: ("--symbol", "SPY", "--expiry", "2026-06-19", "--strike", "728.5", "--right", "C"),
}
amounts = st.one_of(
    st.integers(-60, 60),
    st.decimals(-60, 60, places=3, allow_nan=False).map(float),
    st.integers(-60, 60).map(str),
)
junk: st.SearchStrategy[Any] = st.sampled_from([None, "x", True, [], 1.7976931348623157e308])


@st.composite
def rows(draw):
    row = {
        **INSTRUMENTS[draw(st.integers(0, 5))],
        "quantity": draw(st.one_of(amounts, amounts, amounts, junk)),
    }
    if draw(st.booleans()):
        row["account"] = draw(st.sampled_from(["DU1111111", "DU1111111", "DU2222222"]))
    if draw(st.booleans()):
        row["con_id"] = draw(st.integers(1, 3))
    for key in draw(
        st.lists(st.sampled_from(["symbol", "strike", "right", "expiry", "sec_type"]), max_size=1)
    ):
        row.pop(key, None)
    return row


@st.composite
def orders(draw):
    order = {
        **INSTRUMENTS[draw(st.integers(0, 5))],
        "quantity": draw(st.integers(1, 60)),
        "perm_id": draw(st.integers(1, 9)),
    }
    order["side"] = draw(st.sampled_from(["BUY", "SELL", "SLD", None]))
    order["status"] = draw(
        st.sampled_from(["Submitted", "PreSubmitted", "Filled", "Cancelled", "PendingCancel", None])
    )
    order["filled"] = draw(st.sampled_from([0, 0, 1, None]))
    return order


@st.composite
def documents(draw):
    broker = {"connected": draw(st.sampled_from([True, True, True, None, False]))}
    broker["as_of"] = ago(draw(st.sampled_from([0, 10, 60, 61, -500])))
    broker["positions"] = draw(st.lists(rows(), max_size=4))
    broker["open_orders"] = draw(st.lists(orders(), max_size=2))
    if draw(st.booleans()):
        broker["account"] = "DU1111111"
    document = {"taken_at": ago(draw(st.sampled_from([0, 5]))), "broker": broker}
    if draw(st.booleans()):
        document["status_v3"] = {"orders": draw(st.lists(orders(), max_size=1))}
    return document


def verdict_of(document, target, quantity, side=None):
    words = (*ASKED[target], "--quantity", quantity, "--json", *(() if side is None else ("--side", side)))
    taken = io.BytesIO()
    stdin = io.BytesIO(json.dumps(document).encode())
    code = run(AppContext({}, lambda: NOW, stdin, taken, io.StringIO()), ["can-close", *words])
    return code, json.loads(taken.getvalue())


KINDS = {0: {"STK"}, 2: {"OPT", "FOP", "WAR"}, 4: {"OPT", "FOP", "WAR"}}
KNOWN_KINDS = {"STK", "OPT", "FOP", "WAR", "FUT", "CASH"}
IN_OTHER_WORDS = {"us_option": "OPT"}
ODD_KINDS = ["OPT", "FOP", "FUT", "STK", "us_option", "of some kind", "?", None]


@st.composite
def odd_rows(draw):
    """A position as it should not be: of a kind in other words, in a currency or a class beside another."""
    row = {
        **INSTRUMENTS[draw(st.sampled_from([0, 2, 2, 2, 4]))],
        "quantity": draw(st.sampled_from([39, 39, 20, -39, 0])),
    }
    if draw(st.integers(0, 2)) == 0:
        row["sec_type"] = draw(st.sampled_from(ODD_KINDS))
    for key, said in (
        ("currency", ["USD", "CAD"]),
        ("tradingClass", ["SPY", "SPYW"]),
        ("multiplier", [100, 10]),
    ):
        if draw(st.integers(0, 3)) == 0:
            row[key] = draw(st.sampled_from(said))
    if draw(st.integers(0, 4)) == 0:
        row |= draw(st.sampled_from([{"side": "SHORT"}, {"side": "LONG"}, {"position": 0}, {"position": 39}]))
    return row


@st.composite
def odd_orders(draw):
    """An invalid order: a combo, a contradictory order, or an order number that two clients use."""
    order_id = draw(st.integers(1, 2))
    order = {
        **INSTRUMENTS[draw(st.sampled_from([0, 2, 2, 2, 4]))],
        "order_id": order_id,
        "side": draw(st.sampled_from(["SELL", "SELL", "BUY", "?", None])),
        "status": draw(
            st.sampled_from(["Submitted", "Inactive", "PendingCancel", "CANCELLED", "Filled", None])
        ),
        "quantity": draw(st.sampled_from([0, 5, 10, 19, 39, None])),
        "filled": draw(st.sampled_from([0, 0, 5, 39, None])),
        "remaining": draw(st.sampled_from([None, None, 0, 5, 39])),
        "perm_id": draw(st.sampled_from([None, 100 + order_id, 200 + order_id])),
        "kind": draw(st.sampled_from([None, "entry", "exit", "Exit"])),
    }
    if draw(st.integers(0, 2)) == 0:
        order["sec_type"] = draw(st.sampled_from([*ODD_KINDS, "BAG", "BAG"]))
    if order.get("sec_type") == "BAG":
        order |= {"strike": 0, "right": "", "expiry": "", "comboLegs": [{"conId": 1}, {"conId": 2}]}
    return order


@st.composite
def odd_documents(draw):
    """A snapshot that is young and whole, and whose rows are odd."""
    document = seen(
        *draw(st.lists(odd_rows(), min_size=1, max_size=3)), orders=draw(st.lists(odd_orders(), max_size=2))
    )
    if draw(st.booleans()):
        status = {
            "orders": draw(st.lists(odd_orders(), max_size=2)),
            "pending_exits": draw(st.sampled_from([None, 0, 0, 1])),
            "stuck_exits": draw(st.sampled_from([None, 0, 0, 1])),
        }
        document["status_v3"] = {key: value for key, value in status.items() if value is not None}
    if draw(st.integers(0, 3)) == 0:
        execution = {**draw(odd_rows()), "exec_id": "1.2.3", "side": "SLD", "price": 6.5}
        execution["at"] = ago(draw(st.sampled_from([0, 9, 10, 11, 60])))
        document["broker"]["executions"] = [execution]
    return document


def one_in_both_lists(draw, broker, status):
    """An order of the broker, and another under its number in the runtime's own list."""
    broker["open_orders"].append(draw(odd_orders()))
    number = {"order_id": broker["open_orders"][-1]["order_id"], "perm_id": None}
    status["orders"].append({**draw(odd_orders()), **number, "side": "SELL", "kind": "exit"})


def one_number_of_two_clients(draw, broker, status):
    for place in (broker["open_orders"], status["orders"]):
        place.append({**EXIT, "perm_id": None, "quantity": draw(st.sampled_from([5, 10]))})


def exits_that_are_counted(draw, _, status):
    status[draw(st.sampled_from(["pending_exits", "stuck_exits"]))] = 1
    status["orders"] += draw(st.sampled_from([[], [OTHER], [{**OTHER, "kind": "exit"}]]))


def a_second_contract(draw, broker, _):
    said = {"currency": "CAD", "tradingClass": "SPYW", "con_id": 7, "multiplier": 10}
    key = draw(st.sampled_from(sorted(said)))
    broker["positions"].append({**holding(20), key: said[key]})


def an_execution(draw, broker, _):
    at = ago(draw(st.sampled_from([0, 9, 10, 11])))
    broker["executions"] = [{**draw(odd_rows()), "exec_id": "1.2.3", "side": "SLD", "price": 6.5, "at": at}]


ODDITIES = [
    lambda draw, broker, _: broker["positions"].append(draw(odd_rows())),
    lambda draw, broker, _: broker["open_orders"].append(draw(odd_orders())),
    lambda draw, _, status: status["orders"].append(draw(odd_orders())),
    one_in_both_lists,
    one_number_of_two_clients,
    exits_that_are_counted,
    a_second_contract,
    an_execution,
]


@st.composite
def nearly_clean_documents(draw):
    """A snapshot that would give leave to close 39, but for one thing or two."""
    document = seen(holding(39), status_v3={"orders": []})
    for oddity in draw(st.lists(st.sampled_from(ODDITIES), min_size=1, max_size=2)):
        oddity(draw, document["broker"], document["status_v3"])
    return document


def kind_of(row):
    return IN_OTHER_WORDS.get(row.get("sec_type"), row.get("sec_type"))


def may_be(row, target):
    """Whether a raw row may be of the asked instrument: nothing that it says is certainly another thing."""
    wanted, kind = INSTRUMENTS[target], kind_of(row)
    if kind == "BAG":
        return row.get("symbol", "SPY") == "SPY"
    if kind in KNOWN_KINDS and kind not in KINDS[target]:
        return False
    parts = ("symbol", "strike", "right", "expiry")
    return all(str(row[part]) == str(wanted.get(part)) for part in parts if part in row)


def contracts(document, target):
    """The quantities of the rows that may match, by the fields that distinguish their contracts."""
    parts = ("account", "con_id", "currency", "tradingClass", "multiplier")
    found: dict[Any, Fraction] = {}
    for row in document["broker"]["positions"]:
        if may_be(row, target):
            key = (kind_of(row), *(str(row.get(part)) for part in parts))
            found[key] = found.get(key, Fraction(0)) + Fraction(str(row["quantity"]))
    return list(found.values())


def opens(document, target, order):
    """The oracle, in fractions of the raw rows: would a signed order enlarge or reverse the position?

    Whichever of several contracts it went to, it has to close that one.
    """
    return any(
        abs(held + order) >= abs(held) or (held + order != 0 and (held + order > 0) != (held > 0))
        for held in contracts(document, target) or [Fraction(0)]
    )


def is_over(order):
    return str(order.get("status")).upper() in ("FILLED", "CANCELLED")


def left_of(order):
    """The most that an order can still fill; None where what it says of that contradicts itself."""
    quantity, filled, remaining = (order.get(key) for key in ("quantity", "filled", "remaining"))
    left = (quantity or 0) - (filled or 0)
    return None if not quantity or left < 0 or (remaining or 0) > left else left


def working(document, target, sign):
    """What may still be filled on that side, of each order once; None where an order cannot be told."""
    found: dict[Any, int] = {}
    at_broker, total = document["broker"]["open_orders"], 0
    own = document.get("status_v3", {}).get("orders", [])
    for place, order in [*(("broker", one) for one in at_broker), *(("own", one) for one in own)]:
        if not may_be(order, target) or is_over(order):
            continue
        if order.get("sec_type") == "BAG":
            return None
        side = {"BUY": 1, "SELL": -1, "SLD": -1}.get(order["side"])
        if side == -sign:
            continue
        left = left_of({**order, "remaining": order.get("remaining") if place == "broker" else None})
        if side is None or left is None:
            return None
        key = order.get("perm_id") or ("row", len(found))
        if place == "own" and is_listed(order, [one for one in at_broker if not is_over(one)]):
            continue
        total += max(0, left - found.get(key, 0))
        found[key] = max(left, found.get(key, 0))
    return total


def is_listed(order, others):
    """Whether the broker lists the order under its number and quantity, and lists no second such order."""
    return any(
        None in (order.get("perm_id"), one.get("perm_id"))
        and None not in (order.get("order_id"), one.get("order_id"))
        and (order["order_id"], order["quantity"]) == (one["order_id"], one["quantity"])
        for one in others
    )


def contradicts_itself(row):
    """Whether a position says two quantities, or a side that its sign is not."""
    quantity = Fraction(str(row["quantity"]))
    side = {"LONG": 1, "SHORT": -1}.get(row.get("side"), 0)
    return row.get("position", quantity) != quantity or quantity * side < 0


def hidden_exits(document):
    """How many exits the runtime counts and does not list."""
    status = document.get("status_v3", {})
    listed = {
        one["order_id"]
        for one in status.get("orders", [])
        if str(one.get("kind")).lower() == "exit" and not is_over(one)
    }
    return status.get("pending_exits", 0) + status.get("stuck_exits", 0) - len(listed)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.one_of(documents(), odd_documents()),
    st.sampled_from(sorted(ASKED)),
    st.sampled_from([1, 19, 20, 34, 39, 59]) | st.integers(1, 60),
    st.sampled_from([None, "BUY", "SELL"]),
)
def test_no_input_allows_an_order_that_opens(document, target, quantity, side):
    no_leave_to_open(document, target, quantity, side)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(nearly_clean_documents(), st.sampled_from([1, 10, 19, 20, 24, 29, 34, 39]))
def test_no_oddity_allows_an_order_that_opens(document, quantity):
    no_leave_to_open(document, 2, quantity, None)


def no_leave_to_open(document, target, quantity, side):
    """What must hold of every answer; the oracle is asked where it is leave."""
    code, told = verdict_of(document, target, str(quantity), side)
    assert (code == 0) is (told["verdict"] == "allow")
    if code:
        return
    sign = {"SELL": -1, "BUY": 1}[told["side"]]
    assert side in (None, told["side"])
    assert not opens(document, target, sign * Fraction(quantity))
    already = working(document, target, sign)
    assert already is not None, "an order that cannot be told"
    assert not opens(document, target, sign * Fraction(quantity + already))
    assert hidden_exits(document) <= 0
    for row in document["broker"]["positions"]:
        assert not may_be(row, target) or not contradicts_itself(row)
    for one in document["broker"].get("executions", ()):
        assert not may_be(one, target) or one["at"] < document["broker"]["as_of"]


def test_the_odd_rows_are_sometimes_allowed():
    """Else the property would hold of nothing."""
    odd = seen(
        holding(39, currency="CAD"),
        orders=[{**EXIT, "quantity": 10, "remaining": 5}],
        status_v3={"orders": []},
    )
    assert verdict_of(odd, 2, "29")[0] == 0
    assert working(odd, 2, -1) == 10


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*CALL, "quantity", "account", "contract", "side", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)
KEYS = (
    "as_of",
    "connected",
    "account",
    "positions",
    "portfolio",
    "open_orders",
    "flex",
    "error",
    "mode",
    "executions",
)


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from(KEYS), values, max_size=5),
    st.dictionaries(st.sampled_from(["broker", "status_v3"]), values),
)
def test_whatever_stands_in_the_section_it_is_answered_and_nothing_is_allowed_by_it(broker, sources):
    """No position of the instrument is ever among these, so that no answer may be leave."""
    document = {"broker": {"as_of": ago(1), "open_orders": [], **broker}, "sources": sources}
    ran = answer("can-close", "--symbol", "NONE", "--quantity", "39", "--json", stdin=document)
    assert ran.code in (1, 3), ran.err


def test_the_oracle_sees_an_opening_order():
    assert opens(seen(holding(39)), 2, Fraction(-40))
    assert opens(seen(holding(0)), 2, Fraction(-39))
    assert opens(seen(holding(-39)), 2, Fraction(-39))
    assert not opens(seen(holding(39)), 2, Fraction(-39))
    assert opens(seen(holding(39), holding(20, currency="CAD")), 2, Fraction(-39))
    assert opens(seen(holding(39, sec_type="of some kind"), holding(20)), 2, Fraction(-39))
    assert (
        working(seen(holding(39), orders=[{**COMBO["contract"], "sec_type": "BAG", "side": "BUY"}]), 2, -1)
        is None
    )


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(-50, 50),
    st.lists(st.integers(0, 20), min_size=1, max_size=3),
    st.integers(1, 60),
    st.randoms(),
)
def test_splitting_never_gives_leave_and_reordering_and_rewriting_change_nothing(
    quantity, cuts, wanted, random
):
    whole = verdict_of(seen(holding(quantity), {"symbol": "QQQ", "quantity": 7}), 2, str(wanted))
    sign, left, parts = (1 if quantity > 0 else -1), abs(quantity), []
    for cut in cuts:
        if 0 < cut < left:
            parts.append(cut)
            left -= cut
    ways = [lambda n: n, float, str, lambda n: f"{n}.000"]
    lots = [
        holding(
            random.choice(ways)(sign * part),
            expiry=random.choice(["20260619", "2026-06-19"]),
            right=random.choice("Cc"),
        )
        for part in (*parts, left)
    ]
    split = [*lots, {"symbol": "QQQ", "quantity": 7}]
    random.shuffle(split)
    code, told = verdict_of(seen(*split), 2, str(wanted))
    least = min([*parts, left])
    if len(lots) == 1 or wanted <= least or wanted > abs(quantity):
        assert (code, told["verdict"], told["reason"]) == (whole[0], whole[1]["verdict"], whole[1]["reason"])
    else:  # lots, or one row that was written again
        assert (code, told["reason"]) == (3, "contradiction")


def keys_of(value, path=()):
    """Every key anywhere in a document, but for what is listed: an order that is not listed does not work."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*path, key)
            yield from keys_of(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from keys_of(item, (*path, index))


# Without these no section lists the runtime's orders or reports the link as down; `as_of` has the time too.
NO_EVIDENCE = (("status_v3",), ("status_v3", "orders"), ("taken_at",), ("broker", "connected"))


def even(positions):
    """Whether the rows have the same fields: a field that only one row has may distinguish its contract."""
    told = {"account", "con_id"}
    return len({frozenset(told & set(row)) for row in positions}) <= 1 and all(
        {"symbol", "sec_type"} <= set(row) for row in positions
    )


def is_the_account_of_a_row(path, document):
    """A row without an account is of the section's, so removing it changes whose the row is; and the
    section's, beside rows that are all of one other account, leaves that one alone.
    """
    if path == ("broker", "account"):
        return all(row.get("account") for row in document["broker"]["positions"])
    return path[-1] == "account" and len(path) > 2 and "account" in document["broker"]


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(documents(), st.sampled_from(sorted(ASKED)), st.integers(1, 60))
def test_taking_anything_away_never_gives_leave(document, target, quantity):
    if verdict_of(document, target, str(quantity))[0] == 0 or not even(document["broker"]["positions"]):
        return
    for path in keys_of(document):
        if path in NO_EVIDENCE or is_the_account_of_a_row(path, document):
            continue
        less = copy.deepcopy(document)
        place = less
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]
        assert verdict_of(less, target, str(quantity))[0] != 0, path


def with_an_execution(of: str | None, row: dict[str, Any]) -> dict[str, Any]:
    executed = {**CALL, "exec_id": "1.01", "side": "BOT", "quantity": 39, "at": ago(600)}
    return {
        "taken_at": ago(0),
        "broker": {
            "connected": True,
            "as_of": ago(5),
            "positions": [{**CALL, "quantity": 39, **row}],
            "open_orders": [],
            "executions": [executed if of is None else {**executed, "account": of}],
        },
    }


def test_a_position_of_nobody_beside_somebodys_executions_may_be_another_accounts():
    assert asked(with_an_execution("DU1111111", {})) == ("cannot_tell", "account")
    assert "export their account too" in why(with_an_execution("DU1111111", {}))
    assert asked(with_an_execution("DU1111111", {"account": "DU1111111"})) == ("allow", "closes")
    assert asked(with_an_execution(None, {})) == ("allow", "closes")
