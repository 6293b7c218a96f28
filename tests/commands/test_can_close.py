"""`can-close`: what the broker's own rows prove decides; nothing is allowed on a guess."""

from __future__ import annotations

import copy
import io
import json
import subprocess
import sys
import time
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detector.cli import run
from detector.commands import can_close
from detector.commands._door import Door
from tests.door import answer
from tests.support import NOW, ROOT
from tests.told import epilog_example

CALL = {
    "symbol": "SPY",
    "sec_type": "OPT",
    "expiry": "20260506",
    "strike": 727,
    "right": "C",
    "multiplier": 100,
}
WORDS = ("--symbol", "SPY", "--expiry", "2026-05-06", "--strike", "727", "--right", "C")
EXIT = {
    **CALL,
    "order_id": 7,
    "perm_id": 70,
    "side": "SELL",
    "status": "Submitted",
    "quantity": 39,
    "filled": 0,
}
CODES = {"allow": 0, "refuse": 1, "cannot_tell": 3}


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
        pytest.param([holding(39)], "39.000000000001", "refuse", "too_much", id="a trillionth more than there is"),
        pytest.param([holding(-39)], "39", "allow", "closes", id="a short position"),
        pytest.param([holding(-39)], "40", "refuse", "too_much", id="one more than is short"),
        pytest.param([holding(0)], "39", "refuse", "flat", id="a row that says flat"),
        pytest.param([], "39", "refuse", "flat", id="no row"),
        pytest.param([holding(39, strike=728)], "39", "refuse", "flat", id="another strike"),
        pytest.param([holding(39, right="P")], "39", "refuse", "flat", id="the put"),
        pytest.param([holding(39, expiry="20260507")], "39", "refuse", "flat", id="another day"),
        pytest.param([holding(39, symbol="QQQ")], "39", "refuse", "flat", id="another symbol"),
        pytest.param([holding(39, sec_type="FOP")], "39", "refuse", "flat", id="an option on a future"),
        pytest.param([holding(20), holding(19)], "39", "allow", "closes", id="two lots"),
        pytest.param([holding(20), holding(18)], "39", "refuse", "too_much", id="two lots, one too few"),
        pytest.param([holding("39")], "39", "allow", "closes", id="a number as text, as exports write it"),
        pytest.param([holding(0.1), holding(0.2)], "0.3", "allow", "closes", id="a tenth and two"),
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
)  # fmt: skip
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
        ([holding(0)], ("--side", "SELL"), "refuse: The broker shows SPY 2026-05-06 727C flat: SELL 39 would open a short position of 39."),
        ([holding(20)], (), "refuse: The broker is long only 20 SPY 2026-05-06 727C: SELL 39 would go through flat and open a short position of 19."),
        ([holding(-39)], ("--side", "SELL"), "refuse: The broker is short 39 SPY 2026-05-06 727C: SELL 39 would add to it."),
        ([holding(39)], (), "allow: SELL 39 closes, of 39 SPY 2026-05-06 727C at the broker."),
    ],
    ids=["flat", "less", "other side", "allowed"],
)  # fmt: skip
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
        pytest.param([SHARE, holding(39)], ("--sec-type", "STK"), "allow", "closes", id="the share, as is said"),
        pytest.param([holding(39)], WORDS[2:4], "cannot_tell", "instrument", id="a day is not enough"),
        pytest.param([holding(39)], WORDS[2:6], "cannot_tell", "instrument", id="nor a day and a strike"),
        pytest.param([holding(39)], WORDS[4:], "cannot_tell", "instrument", id="nor a strike and a right"),
        pytest.param([holding(39, expiry=None)], WORDS[2:], "cannot_tell", "instrument", id="a row without its day"),
        pytest.param([holding(0, expiry=None)], WORDS[2:], "refuse", "flat", id="a row without its day, and flat"),
        pytest.param([holding(0, expiry=None), holding(39)], WORDS[2:], "cannot_tell", "instrument", id="flat without its day, and open"),
        pytest.param([holding(39, expiry="202605")], WORDS[2:], "cannot_tell", "instrument", id="a row with its month"),
        pytest.param([holding(39, strike="?")], WORDS[2:], "cannot_tell", "unread", id="a row without its strike"),
        pytest.param([{"con_id": 5, "quantity": 39}], WORDS[2:], "cannot_tell", "instrument", id="a row of a mere id"),
        pytest.param([holding(39, con_id=5), holding(39, con_id=6)], WORDS[2:], "cannot_tell", "instrument", id="two contracts of one name"),
        pytest.param([holding(39, con_id=5), holding(39)], WORDS[2:], "cannot_tell", "instrument", id="perhaps two contracts"),
        pytest.param([holding(39, multiplier=10), holding(39)], WORDS[2:], "cannot_tell", "instrument", id="a mini option and another"),
        pytest.param([holding(39, con_id=5), holding(39, con_id=6)], (*WORDS[2:], "--con-id", "5"), "allow", "closes", id="told apart by its id"),
        pytest.param([holding(39)], (*WORDS[2:], "--con-id", "5"), "cannot_tell", "instrument", id="an id that no row has"),
        pytest.param([holding(39, con_id=5, strike=1)], (*WORDS[2:], "--con-id", "5"), "cannot_tell", "instrument", id="an id with another name"),
        pytest.param([holding(39, expiry="2026-05-06", right="CALL", strike=727.0)], WORDS[2:], "allow", "closes", id="written in another way"),
        pytest.param([{"symbol": "SPY   260506C00727000", "quantity": 39}], WORDS[2:], "allow", "closes", id="all in its symbol"),
    ],
)  # fmt: skip
def test_an_instrument_that_is_not_told_apart_is_not_closed(rows, words, verdict, reason):
    assert asked(seen(*rows), quantity="39", base=("--symbol", "spy", *words)) == (verdict, reason)


@pytest.mark.parametrize(
    ("rows", "section", "words", "verdict", "reason"),
    [
        pytest.param([holding(39, account="DU1111111")], {}, (), "allow", "closes", id="one account"),
        pytest.param([holding(39)], {"account": "DU1111111"}, (), "allow", "closes", id="the section's account"),
        pytest.param([holding(39, account="DU1111111"), holding(39, account="DU2222222")], {}, (), "cannot_tell", "account", id="two accounts"),
        pytest.param([holding(39, account="DU1111111"), holding(5, account="DU2222222", symbol="QQQ")], {}, (), "cannot_tell", "account", id="two accounts, the other one elsewhere"),
        pytest.param([holding(39, account="DU2222222")], {"account": "DU1111111"}, (), "cannot_tell", "account", id="another than the section's"),
        pytest.param([holding(39, account="DU1111111"), holding(9, account="DU2222222")], {}, ("--account", "DU1111111"), "allow", "closes", id="two accounts, and which"),
        pytest.param([holding(39, account="DU1111111"), holding(9, account="DU2222222")], {}, ("--account", "DU2222222"), "refuse", "too_much", id="two accounts, and the other"),
        pytest.param([holding(39, account="DU1111111")], {}, ("--account", "DU2222222"), "cannot_tell", "account", id="an account that nobody speaks of"),
        pytest.param([holding(39)], {}, ("--account", "DU1111111"), "cannot_tell", "account", id="rows that name no account"),
        pytest.param([holding(20, account="DU1111111"), holding(19)], {"account": "DU1111111"}, (), "cannot_tell", "contradiction", id="rows of which some name none"),
    ],
)  # fmt: skip
def test_an_account_that_is_not_told_apart_is_not_touched(rows, section, words, verdict, reason):
    document = seen(*rows, broker=section)
    assert asked(document, *words) == (verdict, reason)
    assert "1111111" not in why(document, *words)


# --- exits that work already --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("orders", "quantity", "verdict", "reason"),
    [
        pytest.param([EXIT], "39", "refuse", "exit_working", id="an exit for all of it"),
        pytest.param([{**EXIT, "status": "PreSubmitted", "order_type": "STP"}], "39", "refuse", "exit_working", id="a stop that rests"),
        pytest.param([{**EXIT, "status": "PendingCancel"}], "39", "refuse", "exit_working", id="a cancel that is not through"),
        pytest.param([{**EXIT, "status": "Inactive"}], "39", "refuse", "exit_working", id="an inactive one"),
        pytest.param([{**EXIT, "status": None}], "39", "refuse", "exit_working", id="one that says nothing of its state"),
        pytest.param([{**EXIT, "status": "Filled"}], "39", "allow", "closes", id="a filled one"),
        pytest.param([{**EXIT, "status": "Cancelled"}], "39", "allow", "closes", id="a cancelled one"),
        pytest.param([{**EXIT, "quantity": 9}], "30", "allow", "closes", id="exactly what is left"),
        pytest.param([{**EXIT, "quantity": 10}], "30", "refuse", "exit_working", id="one more than is left"),
        pytest.param([{**EXIT, "quantity": 19, "filled": 10}], "30", "allow", "closes", id="what it has filled is gone"),
        pytest.param([{**EXIT, "quantity": 5}, {**EXIT, "quantity": 5, "perm_id": 71}], "30", "refuse", "exit_working", id="two of them"),
        pytest.param([{**EXIT, "quantity": 9}, {**EXIT, "quantity": 9}], "30", "allow", "closes", id="one, listed twice"),
        pytest.param([{**EXIT, "side": "BUY"}], "39", "allow", "closes", id="an order that adds to it"),
        pytest.param([{**EXIT, "strike": 728}], "39", "allow", "closes", id="an exit of another strike"),
        pytest.param([{**EXIT, "strike": None}], "39", "cannot_tell", "orders", id="an exit of some strike"),
        pytest.param([{**EXIT, "side": None}], "39", "cannot_tell", "orders", id="an order of some side"),
        pytest.param([{**EXIT, "quantity": None}], "39", "cannot_tell", "orders", id="an exit of some quantity"),
        pytest.param([{**EXIT, "filled": 50}], "39", "cannot_tell", "orders", id="more filled than ordered"),
        pytest.param(["order"], "39", "cannot_tell", "unread", id="an order that is none"),
    ],
)  # fmt: skip
def test_an_exit_that_works_already_counts(orders, quantity, verdict, reason):
    assert asked(seen(holding(39), orders=orders), quantity=quantity) == (verdict, reason)


def test_the_exit_that_works_is_named():
    document = seen(holding(39), orders=[EXIT])
    assert why(document) == (
        "refuse: 1 exit order (#7 (SPY 2026-05-06 727C)) for 39 of 39 SPY 2026-05-06 727C already works:"
        " with it, SELL 39 would open the other side."
    )


@pytest.mark.parametrize(
    ("status", "verdict", "reason"),
    [
        pytest.param({"orders": [], "pending_exits": 0}, "allow", "closes", id="none"),
        pytest.param({"orders": [EXIT]}, "refuse", "exit_working", id="one that the broker does not show yet"),
        pytest.param({"orders": [{**EXIT, "status": "Cancelled"}]}, "allow", "closes", id="one that is over"),
        pytest.param({"pending_exits": 0}, "allow", "closes", id="counted: none"),
        pytest.param({"pending_exits": 1}, "cannot_tell", "orders", id="counted: one, of what is not said"),
        pytest.param({"pending_exits": 1, "orders": []}, "cannot_tell", "orders", id="counted, and not listed"),
        pytest.param({"pending_orders": 0}, "cannot_tell", "orders", id="a runtime that does not say"),
        pytest.param({"orders": "none"}, "cannot_tell", "orders", id="a list that is none"),
        pytest.param({"orders": ["x"]}, "cannot_tell", "orders", id="a list of something else"),
        pytest.param({"orders": [], "send_outcome_unknown": True}, "cannot_tell", "orders", id="an order sent into the dark"),
    ],
)  # fmt: skip
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
    ],
)
def test_an_order_in_both_lists_is_one(at_broker, at_runtime, quantity, verdict):
    order = {**EXIT, "quantity": 9}
    document = seen(
        holding(39), orders=[{**order, **at_broker}], status_v3={"orders": [{**order, **at_runtime}]}
    )
    assert asked(document, quantity=quantity)[0] == verdict


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
        pytest.param({"broker": {"as_of": None}, "sources": {"broker": {"state": "ok", "as_of": ago(10)}}}, "allow", id="the source's time"),
        pytest.param({"sources": {"broker": {"state": "ok", "as_of": ago(61)}}}, "cannot_tell", id="the older of two"),
        pytest.param({"broker": {"as_of": ago(-121)}}, "cannot_tell", id="a time in the future"),
        pytest.param({"broker": {"as_of": ago(-120)}}, "allow", id="a time as far ahead as clocks may differ"),
        pytest.param({"broker": {"as_of": "2026-06-02T14:59:55"}}, "cannot_tell", id="a time without a zone"),
        pytest.param({"broker": {"as_of": "just now"}}, "cannot_tell", id="a time that is none"),
        pytest.param({"taken_at": ago(61)}, "cannot_tell", id="a snapshot of an earlier time"),
        pytest.param({"taken_at": ago(-121)}, "cannot_tell", id="a snapshot of the future"),
    ],
)  # fmt: skip
def test_a_word_of_which_nobody_knows_when_is_none(change, verdict):
    document = seen(holding(39), broker=change.pop("broker", {})) | change
    assert asked(document)[0] == verdict


def test_the_limit_is_a_setting():
    environ = {"AEGIS_PT_TRUTH_MAX_AGE_SEC": "5"}
    ran = answer("can-close", *WORDS, "--quantity", "39", stdin=seen(holding(39)), environ=environ)
    assert (ran.code, "The broker's word is 10 s old (limit 5 s)." in ran.out.decode()) == (3, True)


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
        pytest.param({"orders": [EXIT]}, id="orders under two names"),
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
    "position_state": [{"trade_id": 162, "signal_id": 238, "position_id": 301, **CALL, "is_open": 1, "quantity": 39}],
    "trades": [{"id": 162, "status": "CLOSED", "exit_price": 5.5, "realized_pnl": 1857.7, "exit_reason": "TAKE_PROFIT"}],
}  # fmt: skip


def test_a_trade_is_named_once_with_its_other_ids_behind_and_what_each_place_says_of_it():
    ran = answer(
        "can-close", *WORDS, "--quantity", "39", "--trade", "162", stdin=seen(holding(0), stores=STORES)
    )
    assert ran.code == 1
    assert ran.out.decode().splitlines()[2:] == [
        "  trade #162 (signal #238, position #301): position_state: open, 39; trades: closed, exit 5.5, P&L 1,857.70 (TAKE_PROFIT)",
        "  position_state calls it open and the broker shows flat: the broker decides.",
    ]


def test_what_a_store_says_decides_nothing():
    for rows, verdict in (([holding(0)], "refuse"), ([holding(39)], "allow")):
        for stores in ({}, {"stores": STORES}):
            assert asked(seen(*rows, **stores), "--trade", "162")[0] == verdict


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

    monkeypatch.setattr(can_close, "judged", breaks)
    assert answer("can-close", *WORDS, "--quantity", "39", stdin=seen(holding(39))).code == 4


def test_an_answer_that_nobody_could_read_is_no_leave():
    class Full(io.BytesIO):
        def write(self, _):
            raise OSError(28, "No space left on device")

    ran = answer("can-close", *WORDS, "--quantity", "39", stdin=seen(holding(39)), stdout=Full())
    assert ran.code == 3


def test_the_example_in_its_help_runs():
    words = epilog_example("can-close")
    assert answer(*words[: words.index("<")], stdin=seen(holding(39))).code == 0


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


def test_without_a_source_it_says_which_setting_names_one():
    ran = answer("can-close", *WORDS, "--quantity", "39", stdin=b"")
    assert (ran.code, "set AEGIS_PT_SECTIONS=broker=PLACE" in ran.out.decode()) == (3, True)


def test_a_terminal_is_not_waited_for():
    class Terminal(io.BytesIO):
        def isatty(self):
            return True

        def read(self, *_):
            raise AssertionError("it waits for somebody to type")

    assert answer("can-close", *WORDS, "--quantity", "39", stdin=Terminal()).code == 3


def test_it_is_fast_enough_to_stand_behind_a_button(tmp_path):
    """From a cold start of the interpreter to the answer, with everything that it imports."""
    (tmp_path / "s.json").write_text(json.dumps(seen(holding(39))))
    words = [
        sys.executable,
        "-m",
        "detector",
        "can-close",
        *WORDS,
        "--quantity",
        "39",
        "--now",
        NOW.isoformat(),
    ]
    times = []
    for _ in range(3):
        began = time.monotonic()
        with (tmp_path / "s.json").open() as stdin:
            assert (
                subprocess.run(words, stdin=stdin, cwd=ROOT, capture_output=True, check=False).returncode == 0
            )
        times.append(time.monotonic() - began)
    print(f"can-close: {min(times) * 1000:.0f} ms")
    assert min(times) < 3, "seconds; a tenth of that on an idle machine"


def test_it_loads_no_more_than_it_needs():
    code = (
        "import sys\nfrom detector.cli import main\nmain(sys.argv[1:])\n"
        "print(*[name for name in ('httpx', 'boto3', 'sqlite3', 'pydantic', 'jmespath') if name in sys.modules], file=sys.stderr)"
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
    {**CALL, "expiry": "20260507"},
]
ASKED = {
    0: ("--symbol", "SPY", "--sec-type", "STK"),
    2: WORDS,
    4: ("--symbol", "SPY", "--expiry", "2026-05-06", "--strike", "728.5", "--right", "C"),
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
    code = run(Door({}, lambda: NOW, stdin, taken, io.StringIO()), ["can-close", *words])
    return code, json.loads(taken.getvalue())


def may_be(row, target):
    """Whether a raw row may be of the asked instrument: nothing that it says is another thing."""
    wanted = INSTRUMENTS[target]
    parts = ("symbol", "sec_type", "strike", "right", "expiry")
    return all(str(row[part]) == str(wanted.get(part)) for part in parts if part in row)


def opens(document, target, order):
    """The oracle, by fractions over the raw rows: would a signed order leave more open than there was, or the other side?"""
    held = sum(
        Fraction(str(row["quantity"])) for row in document["broker"]["positions"] if may_be(row, target)
    )
    after = held + order
    return abs(after) >= abs(held) or (after != 0 and (after > 0) != (held > 0))


@settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow])
@given(
    documents(), st.sampled_from(sorted(ASKED)), st.integers(1, 60), st.sampled_from([None, "BUY", "SELL"])
)
def test_no_input_allows_an_order_that_opens(document, target, quantity, side):
    code, told = verdict_of(document, target, str(quantity), side)
    assert (code == 0) is (told["verdict"] == "allow")
    if code:
        return
    sign = {"SELL": -1, "BUY": 1}[told["side"]]
    assert side in (None, told["side"])
    assert not opens(document, target, sign * Fraction(quantity))
    working: dict[int, int] = {}
    for order in (*document["broker"]["open_orders"], *document.get("status_v3", {}).get("orders", ())):
        if may_be(order, target) and order["status"] not in ("Filled", "Cancelled"):
            assert order["side"] is not None
            if {"BUY": 1}.get(order["side"], -1) == sign:
                left = order["quantity"] - (order["filled"] or 0)
                working[order["perm_id"]] = max(left, working.get(order["perm_id"], 0))
    assert not opens(document, target, sign * Fraction(quantity + sum(working.values())))


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*CALL, "quantity", "account", "contract", "side", "x"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
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


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(-50, 50),
    st.lists(st.integers(0, 20), min_size=1, max_size=3),
    st.integers(1, 60),
    st.randoms(),
)
def test_splitting_and_reordering_and_rewriting_change_nothing(quantity, cuts, wanted, random):
    whole = verdict_of(seen(holding(quantity), {"symbol": "QQQ", "quantity": 7}), 2, str(wanted))
    sign, left, parts = (1 if quantity > 0 else -1), abs(quantity), []
    for cut in cuts:
        if 0 < cut < left:
            parts.append(cut)
            left -= cut
    ways = [lambda n: n, float, str, lambda n: f"{n}.000"]
    lots = [
        holding(random.choice(ways)(sign * part), expiry=random.choice(["20260506", "2026-05-06"]), right=random.choice("Cc"))
        for part in (*parts, left)
    ]  # fmt: skip
    split = [*lots, {"symbol": "QQQ", "quantity": 7}]
    random.shuffle(split)
    code, told = verdict_of(seen(*split), 2, str(wanted))
    assert (code, told["verdict"], told["reason"]) == (whole[0], whole[1]["verdict"], whole[1]["reason"])


def keys_of(value, path=()):
    """Every key anywhere in a document, but for what is listed: an order that is not listed does not work."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*path, key)
            yield from keys_of(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from keys_of(item, (*path, index))


# Without these nobody claims to know the runtime's orders, or that the link is down; the time is in `as_of` too.
NO_EVIDENCE = (("status_v3",), ("status_v3", "orders"), ("taken_at",), ("broker", "connected"))


def even(positions):
    """Whether the rows say equally much: what only one of them says may be the one thing that told it apart."""
    told = {"account", "con_id"}
    return len({frozenset(told & set(row)) for row in positions}) <= 1 and all(
        {"symbol", "sec_type"} <= set(row) for row in positions
    )


def is_the_account_of_a_row(path, document):
    """A row that names no account is of the section's: without its own it says something else, and not less."""
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
