"""`plan`: the wrong row, its correction, what would undo it, what is undecided; it changes nothing."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.commands.plan import _build_plan
from detector.render.document import build_artifact_document
from tests.support.program import answer
from tests.support.real_account_answers import read_state
from tests.support.snapshots import NOW, healthy
from tools.incidents import incident, looked, seen

CALL: dict[str, Any] = {
    "symbol": "SPY",
    "expiry": "2026-06-19",
    "strike": 727,
    "right": "C",
    "sec_type": "OPT",
}
OUTAGE = incident("2026-05-06-power-outage")
BOX = OUTAGE.lane("on the machine")
CUT = ("can-close", "--symbol", "SPY", "--expiry", "2026-05-06", "--strike", "727", "--right", "C")
COMMANDS = re.compile(
    r"\b(UPDATE|INSERT|DELETE|SELECT|ALTER|DROP|REPLACE INTO|BEGIN|COMMIT|sqlite3|kubectl"
    r"|docker|launchctl|systemctl"
    r"|kill|pkill|sudo|aws|curl|psql|bash)\b"
)


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).isoformat()


def snapshot(positions=(), states=(), trades=(), *, broker: Any = None, status: Any = None, **more):
    """A snapshot of now: what the broker shows, what the two stores say, and a runtime that is alive."""
    own: dict[str, Any] = {
        "as_of": ago(5),
        "connected": True,
        "positions": list(positions),
        "open_orders": [],
    }
    return {
        "taken_at": ago(0),
        "broker": {**own, **(broker or {})},
        "stores": {"as_of": ago(5), "position_state": list(states), "trades": list(trades)},
        "status_v3": {"heartbeat_at": ago(5), **(status or {})},
        **more,
    }


def state(trade_id=162, quantity=39, is_open=1, **more):
    return {**CALL, "trade_id": trade_id, "quantity": quantity, "is_open": is_open, **more}


def trade(trade_id=162, status="OPEN", **more):
    return {"trade_id": trade_id, **CALL, "quantity": 39, "entry_price": 5.5, "status": status, **more}


def held(quantity, **more):
    return {**CALL, "quantity": quantity, **more}


def planned(document, *words, code=1, environ=None):
    """The plan as an object, after a look at what holds of every plan."""
    ran = answer("plan", "--json", *words, stdin=document, environ=environ)
    told = answer("plan", *words, stdin=document, environ=environ)
    assert (ran.code, told.code) == (code, code), ran.err
    text = told.out.decode()
    assert COMMANDS.findall(text) == [], text
    assert "Nothing is changed by this." in text
    for step in ran.document["steps"]:
        assert step["words"] in text
    return ran.document


def changes(plan):
    """Every row that is to be corrected: the place and row, and its columns as (column, from, to)."""
    return {
        step["what"]: [(one["column"], one["from"], one["to"]) for one in step["columns"]]
        for step in plan["steps"]
        if step["do"] == "correct"
    }


def undecided(plan):
    return [words for one in plan["differences"] for words in one["undecided"]]


# --- the founding outage ------------------------------------------------------------------------------


def at(clock: str) -> datetime:
    """A time of 2026-05-06 by Chicago's clock."""
    hour, minute = clock.split(":")
    return datetime.fromisoformat(f"2026-05-06T{int(hour) + 5:02}:{minute}:20+00:00")


def of_the_outage(clock: str, *words, previous: str | None = None):
    """One command on what could be seen then; `previous` is when the last run before it was."""
    document = seen(OUTAGE, BOX, at(clock))
    assert document is not None
    if previous is not None:
        document["previous"] = build_artifact_document(
            list(looked(OUTAGE, BOX, [at("14:49"), at(previous)]))[-1].report
        )
    ran = answer(
        *words,
        "--json",
        "--now",
        at(clock).isoformat(),
        stdin=document,
        environ={"AEGIS_PT_PROFILE": "cortana"},
    )
    return ran.code, ran.document


@pytest.mark.parametrize("clock", ["14:49", "14:51", "14:54", "14:55", "14:58"])
def test_the_cut_button_of_the_outage_is_refused_from_the_minute_in_which_the_broker_was_seen(clock):
    code, told = of_the_outage(clock, *CUT, "--quantity", "39", "--side", "SELL", "--trade", "162")
    assert (code, told["reason"]) == (1, "flat")
    assert told["summary"] == (
        "The broker shows SPY 2026-05-06 727C flat: SELL 39 would open a short position of 39."
    )
    assert told["trade"]["name"] == "trade #162 (signal #238, position #301)"


@pytest.mark.parametrize("clock", ["14:44", "14:46", "14:48"])
def test_before_the_broker_was_seen_the_cut_button_gets_no_leave(clock):
    assert of_the_outage(clock, *CUT, "--quantity", "39")[0] == 3


def test_when_the_broker_is_seen_both_rows_are_named_and_the_memory_that_would_write_them_back():
    code, plan = of_the_outage("14:49", "plan")
    assert (code, [one["name"] for one in plan["differences"]]) == (
        1,
        ["trade #162 (signal #238, position #301)"],
    )
    assert plan["differences"][0]["broker"] == {"position": 0, "realized_pnl": 3742.44, "fills": []}
    assert changes(plan) == {
        "position_state, trade #162": [("is_open", "1", "0"), ("contracts_remaining", "39", "0")],
        "trades, trade #162": [("status", "OPEN", "CLOSED"), ("pnl_dollars", "nothing", "3,742.44")],
    }
    assert [step["do"] for step in plan["steps"]] == ["stop", "correct", "correct", "look"]
    assert plan["steps"][0]["because"] == [
        "its heartbeat is 5 s old, so that it runs",
        "its own list (open_positions) still holds trade #162 open, and it writes its rows from there",
    ]


def test_the_hand_made_row_is_named_with_what_the_broker_realized_and_what_nobody_knows():
    _, plan = of_the_outage("14:54", "plan")
    assert changes(plan) == {"trades, trade #162": [("pnl_dollars", "1,857.70", "3,742.44")]}
    assert undecided(plan) == [
        (
            "its exit price: no fill that closed it was seen; 3,742.44 would make 6.4596"
            " at a multiplier of 100, before fees"
        )
    ]


def test_the_relapse_names_the_row_that_is_wrong_and_the_cache_that_undid_its_repair():
    _, plan = of_the_outage("14:55", "plan", previous="14:54")
    assert changes(plan)["position_state, trade #162"] == [
        ("is_open", "1", "0"),
        ("contracts_remaining", "39", "0"),
    ]
    stop = plan["steps"][0]
    assert (stop["do"], stop["because"][-1]) == (
        "stop",
        "trade #162 was seen closed and is open again in position_state: this has undone a repair before",
    )
    assert stop["words"].endswith("Stopping the runtime needs explicit approval.")


def test_when_the_stores_are_clean_only_the_hand_made_record_is_left():
    _, plan = of_the_outage("14:58", "plan", previous="14:55")
    assert list(changes(plan)) == ["trades, trade #162"]


def test_while_all_agree_there_is_nothing_to_plan():
    code, plan = of_the_outage("11:00", "plan")
    assert (code, plan["differences"], plan["steps"]) == (0, [], [])


def test_in_the_dark_nothing_is_compared():
    document = seen(OUTAGE, OUTAGE.lane("remote"), at("12:00")) or {}
    ran = answer("plan", stdin=document, environ={"AEGIS_PT_PROFILE": "cortana"})
    assert (ran.code, "Nothing could be compared." in ran.out.decode()) == (3, True)


# --- which row ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "wanted"),
    [
        pytest.param(snapshot([held(39)], [state()], [trade()]), None, id="all agree"),
        pytest.param(
            snapshot([], [state(is_open=0, quantity=0)], [trade(status="CLOSED")]), None, id="all closed"
        ),
        pytest.param(snapshot(), None, id="nothing anywhere"),
        pytest.param(
            snapshot([], [state()], [trade(status="CLOSED")]),
            {"position_state, trade #162": [("is_open", "1", "0"), ("quantity", "39", "0")]},
            id="only position_state is wrong",
        ),
        pytest.param(
            snapshot([], [state(is_open=0, quantity=0)], [trade()]),
            {"trades, trade #162": [("status", "OPEN", "CLOSED")]},
            id="only trades is wrong",
        ),
        pytest.param(
            snapshot([held(20)], [state()], [trade()]),
            {"position_state, trade #162": [("quantity", "39", "20")]},
            id="the broker holds less; what was once opened stays",
        ),
        pytest.param(
            snapshot([held(-39)], [state(quantity=39, side="SHORT")], [trade(side="SHORT")]),
            None,
            id="short, and both say so",
        ),
        pytest.param(
            snapshot(
                [held(39), {**CALL, "strike": 728, "quantity": 5}],
                [state(), state(163, 5, strike=728)],
                [trade(), trade(163, "CLOSED", strike=728)],
            ),
            None,
            id="open at the broker and in one store: whose it is, is a question",
        ),
        pytest.param(
            snapshot([held(39)], [state(162, 20), state(163, 20)], [trade(), trade(163)]),
            None,
            id="two trades of one instrument: which one is wrong, is a question",
        ),
        pytest.param(
            snapshot([held(39)], [state(162, 20), state(163, 19)], [trade(), trade(163)]),
            None,
            id="two trades that add up",
        ),
        pytest.param(
            snapshot([], [{**CALL, "quantity": 39, "is_open": 1}]),
            {"position_state, SPY 2026-06-19 727C": [("quantity", "39", "0")]},
            id="a row that names no trade",
        ),
    ],
)
def test_the_row_that_is_wrong_is_the_one_that_the_broker_contradicts(document, wanted):
    ran = answer("plan", "--json", stdin=document)
    assert ran.code in (0, 1)
    assert changes(ran.document) == (wanted or {})


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param(
            snapshot([held(39)]), "whether the runtime takes the long 39 over", id="nobody manages it"
        ),
        pytest.param(
            snapshot([held(-39)], [state()], [trade()]), "the broker holds short 39", id="the other side"
        ),
        pytest.param(
            snapshot([held(39)], [state(162, 20), state(163, 20)], [trade(), trade(163)]),
            "how much of long 39 at the broker is this trade's",
            id="two trades of one instrument",
        ),
        pytest.param(
            snapshot([], [state()], [trade(status="CLOSED")], broker={"positions": None}),
            "which store is right: what the broker holds of it was not seen",
            id="the broker not seen",
        ),
        pytest.param(snapshot([], [state()], [trade()]), "its realized P&L", id="no evidence at all"),
        pytest.param(
            snapshot([held(39)], [state()], [trade(symbol="QQQ")]),
            "which instrument it is: its rows name SPY",
            id="one trade in two instruments",
        ),
    ],
)
def test_what_cannot_be_decided_is_said(document, words):
    ran = answer("plan", "--json", stdin=document)
    assert any(words in one for one in undecided(ran.document)), undecided(ran.document)


FILL = {
    **CALL,
    "exec_id": "1.2.3",
    "order_id": 7,
    "side": "SLD",
    "quantity": 39,
    "price": 6.46,
    "at": "2026-06-02T14:00:00Z",
    "realized_pnl": 3742.44,
}


def test_a_position_on_the_other_side_is_never_mended_by_a_row():
    document = snapshot([held(-39)], [state()], [trade()])
    assert changes(answer("plan", "--json", stdin=document).document) == {}


def test_a_fill_of_the_broker_is_evidence_of_price_and_profit():
    plan = planned(snapshot([], [state()], [trade()], broker={"executions": [FILL]}))
    assert plan["differences"][0]["broker"]["fills"] == ["sold 39 at 6.46 at 2026-06-02 14:00:00 UTC"]
    assert changes(plan)["trades, trade #162"] == [
        ("status", "OPEN", "CLOSED"),
        ("realized_pnl", "nothing", "3,742.44"),
        ("exit_price", "nothing", "6.46"),
    ]
    assert undecided(plan) == []


def test_two_fills_that_could_have_closed_it_are_no_evidence_of_either():
    both = [FILL, {**FILL, "exec_id": "4.5.6", "order_id": 8, "price": 7.0}]
    plan = planned(snapshot([], [state()], [trade()], broker={"executions": both}))
    assert changes(plan)["trades, trade #162"] == [("status", "OPEN", "CLOSED")]
    assert len(undecided(plan)) == 2


# --- what is evidence of which trade ------------------------------------------------------------------

EARLIER = {
    "closed_at": "2026-06-02T13:40:00Z",
    "opened_at": "2026-06-02T13:30:00Z",
    "exit_price": 6,
    "realized_pnl": 1257.56,
}


def executed(at, quantity=39, price=6.46, **more):
    return {**FILL, "quantity": quantity, "price": price, "at": at, **more}


@pytest.mark.parametrize(
    ("opened_at", "others", "execution", "is_evidence"),
    [
        pytest.param("2026-06-02T13:59:59Z", [], {}, True, id="just after it was opened"),
        pytest.param("2026-06-02T14:00:00Z", [], {}, True, id="as it was opened"),
        pytest.param("2026-06-02T14:00:01Z", [], {}, False, id="just before it was opened"),
        pytest.param(None, [], {}, True, id="the only trade there is"),
        pytest.param(
            None,
            [trade(100, "CLOSED", **EARLIER)],
            {},
            False,
            id="nobody knows when it was opened, and there is another",
        ),
        pytest.param(
            "2026-06-02T13:50:00Z",
            [trade(100, "CLOSED", **EARLIER)],
            {},
            True,
            id="another trade ended at another time",
        ),
        pytest.param(
            "2026-06-02T13:50:00Z",
            [trade(100, "CLOSED", **{**EARLIER, "closed_at": "2026-06-02T14:00:30Z"})],
            {},
            False,
            id="another trade ended then",
        ),
        pytest.param(
            "2026-06-02T13:50:00Z",
            [trade(100, "CLOSED", exit_order_id=7)],
            {},
            False,
            id="another trade names its order",
        ),
        pytest.param(
            "2026-06-02T13:50:00Z",
            [trade(100, "CLOSED", closed_at=None)],
            {},
            False,
            id="another trade ended nobody knows when",
        ),
        pytest.param(
            "2026-06-02T13:50:00Z", [trade(100)], {}, False, id="another trade is as open as this one"
        ),
        pytest.param(
            "2026-06-02T13:50:00Z", [trade(100, strike=728)], {}, True, id="a trade of another strike"
        ),
        pytest.param("2026-06-02T13:50:00Z", [], {"quantity": 38}, False, id="another quantity"),
    ],
)
def test_a_fill_is_evidence_of_the_one_trade_that_it_can_have_closed(
    opened_at, others, execution, is_evidence
):
    mine = trade(opened_at=opened_at)
    document = snapshot([], [state()], [mine, *others], broker={"executions": [{**FILL, **execution}]})
    found = changes(planned(document))["trades, trade #162"]
    assert (("exit_price", "nothing", "6.46") in found) is is_evidence
    assert (("realized_pnl", "nothing", "3,742.44") in found) is is_evidence


def test_a_fill_of_another_account_is_no_evidence():
    rows = [state(account="DU1111111"), state(163, account="DU2222222", strike=728)]
    fill = {**FILL, "account": "DU2222222"}
    document = snapshot([], rows, [trade()], broker={"executions": [fill]})
    assert changes(planned(document))["trades, trade #162"] == [("status", "OPEN", "CLOSED")]


def test_what_was_realized_in_a_day_is_the_only_trades_own():
    flat = [held(0, realizedPNL=5000)]
    earlier = trade(100, "CLOSED", **EARLIER)
    both = planned(snapshot(flat, [state()], [trade(), earlier]))
    assert changes(both)["trades, trade #162"] == [("status", "OPEN", "CLOSED")]
    assert "trades, trade #100" not in changes(both)
    assert undecided(both)[0] == (
        "its realized P&L: the 5,000.00 that the broker realized in it may be of several trades"
    )
    of_yesterday = {**earlier, "closed_at": "2026-06-01T19:40:00Z"}
    alone = planned(snapshot(flat, [state()], [trade(), of_yesterday]))
    assert changes(alone) == {
        "position_state, trade #162": [("is_open", "1", "0"), ("quantity", "39", "0")],
        "trades, trade #162": [("status", "OPEN", "CLOSED"), ("realized_pnl", "nothing", "5,000.00")],
    }


def test_an_order_that_was_filled_in_parts_has_the_price_of_all_of_them():
    parts = [
        executed("2026-06-02T14:00:00Z", 20, 6.46, realized_pnl=1900),
        executed("2026-06-02T14:00:01Z", 19, 6.50, realized_pnl=1842.44, exec_id="1.2.4"),
    ]
    plan = planned(snapshot([], [state()], [trade()], broker={"executions": parts}))
    assert plan["differences"][0]["broker"]["fills"] == ["sold 39 at 6.4795 at 2026-06-02 14:00:00 UTC"]
    assert ("exit_price", "nothing", "6.4795") in changes(plan)["trades, trade #162"]
    right = trade(
        status="CLOSED", exit_price=6.479487, realized_pnl=3742.44, closed_at="2026-06-02T14:00:01Z"
    )
    closed = snapshot([], [state(is_open=0, quantity=0)], [right], broker={"executions": parts})
    assert answer("plan", stdin=closed).code == 0


# --- what waits, and what stands in another account ---------------------------------------------------

SELL = {**CALL, "order_id": 7, "side": "SELL", "status": "Submitted", "quantity": 39, "filled": 19}


@pytest.mark.parametrize(
    ("orders", "row", "waits"),
    [
        pytest.param([SELL], state(), True, id="an order that is half filled"),
        pytest.param([SELL], {**CALL, "quantity": 39, "is_open": 1}, True, id="in a row that names no trade"),
        pytest.param([{**SELL, "status": "Cancelled"}], state(), False, id="an order that is over"),
        pytest.param([{**SELL, "strike": 728}], state(), False, id="an order of another strike"),
        pytest.param(
            [{"symbol": "SPY", "sec_type": "BAG", "order_id": 8, "quantity": 1}],
            state(),
            True,
            id="a combo of its symbol",
        ),
    ],
)
def test_while_an_order_works_in_an_instrument_no_row_of_it_is_corrected(orders, row, waits):
    for broker, status in (({"open_orders": orders}, {}), ({}, {"orders": orders})):
        plan = planned(snapshot([held(20)], [row], broker=broker, status=status))
        assert bool(changes(plan)) is not waits
        assert any("still works in it" in words for words in undecided(plan)) is waits


@pytest.mark.parametrize(
    ("rows", "is_corrected"),
    [([held(20)], True), ([held(10, con_id=5), held(10, con_id=5)], False), ([held(20), held(19)], True)],
    ids=["one row", "lots, or one row written again", "two lots"],
)
def test_rows_that_may_be_one_written_again_correct_no_row(rows, is_corrected):
    """The broker holds 20 or 10: that differs from 39, and what would be right is not known."""
    plan = planned(snapshot(rows, [{**CALL, "quantity": 40, "is_open": 1}]))
    assert bool(changes(plan)) is is_corrected
    assert any("written again" in words for words in undecided(plan)) is not is_corrected


def test_a_memory_of_what_is_being_closed_stops_nothing():
    status = {"open_positions": [{**CALL, "quantity": 39, "trade_id": 162}], "orders": [SELL]}
    plan = planned(snapshot([], [state(is_open=0, quantity=0)], [trade(status="CLOSED")], status=status))
    assert (plan["steps"], len(undecided(plan))) == ([], 1)


def test_a_trade_is_compared_with_its_own_account():
    rows = [state(account="DU1111111"), state(163, account="DU2222222")]
    plan = planned(
        snapshot([held(39, account="DU1111111"), held(0, account="DU2222222")], rows, [trade(), trade(163)])
    )
    assert [one["name"] for one in plan["differences"]] == ["trade #163"]
    assert changes(plan) == {
        "position_state, trade #163": [("is_open", "1", "0"), ("quantity", "39", "0")],
        "trades, trade #163": [("status", "OPEN", "CLOSED")],
    }
    account = plan["differences"][0]["account"]
    assert account
    assert all(f"the broker is flat in account {account}" in str(one) for one in plan["steps"][1:3])
    assert "Until then the broker holds 1 position (long 39 SPY 2026-06-19 727C)" in plan["steps"][0]["words"]


def test_a_row_that_names_no_trade_is_named_by_its_account_where_there_are_several():
    rows = [{**CALL, "quantity": 39, "is_open": 1, "account": one} for one in ("DU1111111", "DU2222222")]
    plan = planned(snapshot([held(20, account="DU1111111"), held(0, account="DU2222222")], rows))
    assert len({step["what"] for step in plan["steps"] if step["do"] == "correct"}) == 2


def test_several_rows_of_no_trade_are_not_mended_by_their_sum():
    rows = [{**CALL, "quantity": quantity, "is_open": 1} for quantity in (20, 19)]
    plan = planned(snapshot([held(30)], rows))
    assert (changes(plan), undecided(plan)) == ({}, ["which of its 2 open rows is wrong"])


@pytest.mark.parametrize("more", [{"trade_id": 162}, {}], ids=["of a trade", "of none"])
def test_a_short_row_is_corrected_as_it_is_written(more):
    row = {**CALL, "is_open": 1, "side": "SHORT", "quantity": 39, **more}
    (found,) = changes(planned(snapshot([held(-20)], [row]))).values()
    assert found == [("quantity", "39", "20")]
    (found,) = changes(planned(snapshot([held(-20)], [{**row, "quantity": -39}]))).values()
    assert found == [("quantity", "-39", "-20")]


# --- whether the stores were read ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stores", "sources", "words"),
    [
        pytest.param(None, {"state": "failed", "reason": "locked"}, "could not be read: locked", id="failed"),
        pytest.param({"as_of": ago(400)}, None, "were read 6 min ago", id="stale"),
        pytest.param(
            {"as_of": ago(5), "error": "no such table"}, None, "in full", id="failed by its own word"
        ),
        pytest.param(
            {"as_of": ago(5), "position_state": [state(is_open="yes")]},
            None,
            "is_open",
            id="a row that was not read",
        ),
        pytest.param({"as_of": ago(5), "position_state": ["row"]}, None, "in full", id="a row that is none"),
        pytest.param(
            {"as_of": ago(5), "position_state": [{"is_open": 1, "quantity": 3}]},
            None,
            "position_state",
            id="a row of nothing",
        ),
    ],
)
def test_stores_that_were_not_read_in_full_agree_with_nobody(stores, sources, words):
    document = snapshot([held(39)], status={"open_positions": [{**CALL, "quantity": 39, "trade_id": 162}]})
    document |= {"stores": stores} if stores else {"sources": {"stores": sources}}
    if stores is None:
        del document["stores"]
    plan = planned(document, code=3)
    assert words in plan["stores_doubt"]
    said = answer("plan", stdin=document).out.decode()
    assert "Nothing differs" not in said
    assert f"What the stores hold is not all known: {plan['stores_doubt']}" in said


def test_a_row_that_was_not_read_may_be_the_one_that_makes_up_the_difference():
    document = snapshot([held(59)], [state(), {"is_open": 1, "quantity": 20}])
    assert changes(planned(document, code=3)) == {}


# --- what undoes it -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "words"),
    [
        pytest.param({}, "its heartbeat is 5 s old, so that it runs", id="alive"),
        pytest.param(
            {"heartbeat_at": ago(301)},
            "its last heartbeat is 5 min old; whatever starts it again",
            id="stale",
        ),
        pytest.param({"heartbeat_at": None}, "whether it runs was not seen", id="not seen"),
        pytest.param(
            {"open_positions": [{**CALL, "quantity": 39, "trade_id": 162}]},
            "still holds trade #162 open",
            id="its memory",
        ),
    ],
)
def test_why_the_runtime_must_stand_still_is_said(status, words):
    plan = planned(snapshot([], [state()], [trade()], status=status))
    assert plan["steps"][0]["do"] == "stop"
    assert any(words in one for one in plan["steps"][0]["because"]), plan["steps"][0]


def test_a_task_that_runs_is_evidence_that_the_runtime_does():
    ecs = {"tasks": [{"taskArn": "a/b/c", "lastStatus": "RUNNING"}], "services": []}
    plan = planned(snapshot([], [state()], [trade()], status={"heartbeat_at": None}, ecs=ecs))
    assert plan["steps"][0]["because"] == ["1 task of its service is running"]


def test_stores_that_are_right_beside_a_memory_that_is_wrong_need_the_runtime_to_stop_all_the_same():
    status = {"open_positions": [{**CALL, "quantity": 39, "trade_id": 162}]}
    plan = planned(snapshot([], [state(is_open=0, quantity=0)], [trade(status="CLOSED")], status=status))
    assert [step["do"] for step in plan["steps"]] == ["stop", "look"]


def test_what_else_is_held_is_named_before_anything_stands_still():
    rows = [{"symbol": "QQQ", "quantity": 10, "sec_type": "STK"}]
    states = [state(), {"trade_id": 9, "symbol": "QQQ", "sec_type": "STK", "quantity": 10, "is_open": 1}]
    plan = planned(snapshot(rows, states, [trade(), {"trade_id": 9, "symbol": "QQQ", "status": "OPEN"}]))
    assert "Until then the broker holds 1 position (long 10 QQQ)" in plan["steps"][0]["words"]


# --- whether the broker is believed -------------------------------------------------------------------


@pytest.mark.parametrize(
    "broker",
    [
        pytest.param({"connected": False}, id="its link is down"),
        pytest.param({"error": "timeout"}, id="its query failed"),
        pytest.param({"positions": [held("x")]}, id="a row that could not be read"),
        pytest.param({"positions": [held(0), "row"]}, id="a row that is none"),
    ],
)
def test_a_broker_that_is_not_believed_corrects_no_row(broker):
    plan = planned(snapshot([], [state()], [trade(status="CLOSED")], broker=broker), code=3)
    assert (plan["doubt"] is None, changes(plan)) == (False, {})
    assert undecided(plan) == ["which store is right: what the broker holds of it was not seen"]


def test_a_word_that_is_too_old_to_act_on_is_said_to_be():
    document = snapshot([], [state()], [trade()], broker={"as_of": ago(61)})
    assert planned(document)["stale"] == "its reading is 61 s old (over 60 s)."
    just = snapshot([], [state()], [trade()], broker={"as_of": ago(60.5)})
    assert planned(just)["stale"] == "its reading is 60.5 s old (over 60 s)."
    fresh = snapshot([], [state()], [trade()], broker={"as_of": ago(60)})
    assert planned(fresh)["stale"] is None


def test_a_snapshot_of_another_day_is_planned_as_of_then_and_said_to_be_old():
    later = (NOW + timedelta(days=1)).isoformat()
    plan = planned(snapshot([], [state()], [trade()]), "--now", later)
    assert (plan["at"], plan["stale"]) == (
        "2026-06-02T15:00:00Z",
        "its reading is 24 h old (over 60 s).",
    )
    assert len(changes(plan)) == 2


# --- the command itself -------------------------------------------------------------------------------


def test_a_previous_artifact_may_be_a_file(tmp_path):
    document = seen(OUTAGE, BOX, at("14:55")) or {}
    artifact = build_artifact_document(list(looked(OUTAGE, BOX, [at("14:49"), at("14:54")]))[-1].report)
    (tmp_path / "last.json").write_text(json.dumps(artifact))
    words = ("plan", "--previous", str(tmp_path / "last.json"), "--now", at("14:55").isoformat())
    ran = answer(*words, stdin=document, environ={"AEGIS_PT_PROFILE": "cortana"})
    assert "trade #162 was seen closed and is open again in position_state" in ran.out.decode()
    assert [one.name for one in tmp_path.iterdir()] == ["last.json"]
    both = answer(*words, stdin={**document, "previous": artifact}, environ={"AEGIS_PT_PROFILE": "cortana"})
    assert (both.code, "leave one out" in both.err) == (2, True)


@pytest.mark.parametrize("text", ["{", '{"schema_version": 99}', "[]", '{"events": 5}'])
def test_a_previous_artifact_that_cannot_be_read_is_said_and_costs_nothing_else(text, tmp_path):
    (tmp_path / "last.json").write_text(text)
    ran = answer("plan", "--previous", str(tmp_path / "last.json"), stdin=snapshot([], [state()], [trade()]))
    assert (ran.code, "plan: " in ran.err) == (1, True)
    assert (tmp_path / "last.json").read_text() == text


def test_with_nothing_piped_in_it_reads_the_broker_and_the_stores(tmp_path):
    for name in ("broker", "stores"):
        (tmp_path / f"{name}.json").write_text(json.dumps(snapshot([], [state()], [trade()])[name]))
    environ = {
        "AEGIS_PT_SECTIONS": f"broker={tmp_path}/broker.json,stores={tmp_path}/stores.json"
        f",logs={tmp_path}/none"
    }
    ran = answer("plan", "--json", stdin=b"", environ=environ)
    assert (ran.code, len(changes(ran.document))) == (1, 2)


def test_its_help_says_that_it_changes_nothing():
    assert "It changes nothing" in answer("plan", "--help").out.decode()
    assert answer("plan", stdin=snapshot()).code == 0


def test_no_account_and_no_secret_leaves_it():
    document = snapshot([held(39, account="DU1234567")], broker={"account": "DU1234567"})
    assert "1234567" not in answer("plan", "--json", stdin=document).out.decode()


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from([727, 728, 729]), st.integers(1, 50)),
        unique_by=lambda one: one[0],
        max_size=3,
    ),
    st.lists(
        st.tuples(st.sampled_from([727, 728, 729]), st.integers(1, 50)),
        unique_by=lambda one: one[0],
        max_size=3,
    ),
    st.booleans(),
)
def test_every_change_makes_the_store_say_what_the_broker_says(at_broker, stored, as_trades):
    """Applied to the rows, the changes and no others leave a plan that finds nothing more to change."""
    states = [state(strike, quantity, strike=strike) for strike, quantity in stored]
    trades = [trade(strike, "OPEN" if as_trades else "CLOSED", strike=strike) for strike, _ in stored]
    positions = [held(quantity, strike=strike) for strike, quantity in at_broker]
    plan = answer("plan", "--json", stdin=snapshot(positions, states, trades)).document
    rows = {f"position_state, trade #{row['trade_id']}": row for row in states}
    rows |= {f"trades, trade #{row['trade_id']}": row for row in trades}
    for place, columns in changes(plan).items():
        for column, old, new in columns:
            assert str(rows[place][column]) == old
            rows[place][column] = int(new) if new.isdigit() else new
    again = answer("plan", "--json", stdin=snapshot(positions, states, trades)).document
    assert changes(again) == {}
    opens = {row["strike"]: row["quantity"] for row in states if row["is_open"]}
    assert all(dict(at_broker)[strike] == quantity for strike, quantity in opens.items())


def test_a_sentence_has_no_fraction_of_a_second():
    document = {name: part for name, part in snapshot([], [state()]).items() if name != "taken_at"}
    app_now = (NOW + timedelta(microseconds=123456)).isoformat()
    ran = answer("plan", "--now", app_now, stdin=document)
    assert "at 2026-06-02 15:00:00 UTC; " in ran.out.decode()
    assert not re.search(r"\d\.\d{3,}Z", ran.out.decode())


@pytest.mark.parametrize(
    ("others", "claims"), [(2, True), (30, False)], ids=["few trades", "more than are looked at"]
)
def test_a_fill_is_no_trades_where_one_that_was_not_looked_at_may_own_it(others, claims):
    quantities = [5, *[1] * others, *([5] if not claims else [])]
    rows = [
        {"trade_id": n, "symbol": "SPY", "sec_type": "STK", "quantity": q}
        for n, q in enumerate(quantities, 100)
    ]
    document = healthy()
    document["stores"] = {
        "position_state": [{**row, "is_open": 1} for row in rows],
        "trades": [{**row, "status": "OPEN", "opened_at": "2026-06-02T13:40:00Z"} for row in rows],
    }
    sold = {
        "symbol": "SPY",
        "sec_type": "STK",
        "side": "SLD",
        "quantity": 5,
        "price": 7,
        "at": "2026-06-02T14:00:00Z",
    }
    document["broker"] = {
        "positions": [],
        "open_orders": [],
        "executions": [{**sold, "exec_id": "e1", "order_id": 9}],
    }
    items = {item.name: item for item in _build_plan(read_state(document)).items}
    assert (items["trade #100"].evidence.exit_price == 7) is claims
