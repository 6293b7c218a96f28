"""Exits at the broker: orders that would open a position, and positions that no order would close."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.merge_patch import apply_patch
from tests.support.snapshots import evaluated, given, healthy, healthy_at, named, remembered

CALL = {
    "symbol": "SPY",
    "sec_type": "OPT",
    "expiry": "20260605",
    "strike": 727,
    "right": "C",
    "multiplier": 100,
}
NAME = "SPY 2026-06-05 727C"
FIRES = [f"critical exit_would_open_position:{NAME}"]


def row(quantity: Any, **more: Any) -> dict[str, Any]:
    return {**CALL, "quantity": quantity, **more}


def order(**more: Any) -> dict[str, Any]:
    made = {
        "order_id": 9,
        **CALL,
        "kind": "exit",
        "side": "SELL",
        "quantity": 39,
        "filled": 0,
        "status": "Submitted",
        "order_type": "LMT",
        "submitted_at": "2026-06-02T14:59:00Z",
        **more,
    }
    return {key: value for key, value in made.items() if value is not None}


def judged(
    orders: list[dict[str, Any]], held: list[dict[str, Any]], where: str = "runtime", **status: Any
) -> list[str]:
    lists = (
        {"status_v3": {"orders": orders, **status}}
        if where == "runtime"
        else {"status_v3": {"orders": [], **status}}
    )
    section = {
        "connected": True,
        "positions": held,
        **({} if where == "runtime" else {"open_orders": orders}),
    }
    return [event for event in given({**lists, "broker": section}) if "exit_would" in event]


# --- exit_would_open_position --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "held", "fires"),
    [
        pytest.param(order(), [row(39)], False, id="all of it"),
        pytest.param(order(quantity=20), [row(39)], False, id="a part of it"),
        pytest.param(order(), [row(38)], True, id="one more than is held"),
        pytest.param(order(), [], True, id="flat: no row"),
        pytest.param(order(), [row(0)], True, id="flat: a row of 0"),
        pytest.param(order(), [row(-39)], True, id="the other side"),
        pytest.param(order(side="BUY"), [row(-39)], False, id="a short is bought back"),
        pytest.param(order(side="BUY"), [row(39)], True, id="a purchase where it is long"),
        pytest.param(order(filled=20), [row(19)], False, id="what is left of it"),
        pytest.param(order(filled=19), [row(19)], True, id="one more than is left"),
        pytest.param(order(filled=None), [row(39)], False, id="no word of fills"),
        pytest.param(order(status="Filled"), [], False, id="done"),
        pytest.param(order(status="Cancelled"), [], False, id="cancelled"),
        pytest.param(order(kind="entry"), [], False, id="an entry"),
        pytest.param(order(right="P"), [row(39)], True, id="another instrument"),
        pytest.param(order(side=None), [row(39)], False, id="a side that was not seen"),
        pytest.param(order(side=None), [], True, id="flat, whatever its side"),
        pytest.param(order(), [row("x")], False, id="a quantity that was not seen"),
    ],
)
@pytest.mark.parametrize("where", ["runtime", "broker"])
def test_an_exit_against_what_is_held(one, held, fires, where):
    name = f"critical exit_would_open_position:{NAME.replace('C', 'P') if one.get('right') == 'P' else NAME}"
    assert judged([one], held, where) == ([name] if fires else [])


@pytest.mark.parametrize(
    ("waits", "fires"),
    [
        pytest.param({"status": "PreSubmitted", "order_type": "STP"}, False, id="a stop that waits"),
        pytest.param({"status": "PreSubmitted"}, False, id="a target that waits"),
        pytest.param({"parked": True}, False, id="parked"),
        pytest.param({"parent_id": 8}, False, id="a child of the entry"),
        pytest.param({}, True, id="an exit that can fill before the entry"),
        pytest.param({"status": "PreSubmitted", "quantity": 40}, True, id="more than the entry will open"),
    ],
)
def test_a_bracket_waits_for_its_own_entry(waits, fires):
    entry = order(order_id=8, kind="entry", side="BUY")
    where = "broker" if "parent_id" in waits else "runtime"
    assert judged([entry, order(**waits)], [], where) == (FIRES if fires else [])


def test_a_stop_that_nothing_will_fill_is_no_bracket():
    assert judged([order(status="PreSubmitted", order_type="STP")], []) == FIRES


def test_the_broker_does_not_say_what_an_order_is_for_and_the_runtime_does():
    at_broker = {"connected": True, "positions": [], "open_orders": [order(kind=None)]}
    mine = {"status_v3": {"orders": [order()]}}
    assert FIRES[0] in given({**mine, "broker": at_broker})
    assert given({"broker": at_broker}) == []


def test_an_order_against_the_runtime_s_own_position_is_an_exit():
    status = {"open_positions": [{**row(39), "tags": [], "exit_attempt_count": 0}], "open_position_count": 1}
    assert judged([order(kind=None)], [], "broker", **status) == FIRES


@pytest.mark.parametrize("kind", ["EXIT", "stop_loss", "take-profit", "Close"])
def test_an_exit_is_known_by_any_of_its_words(kind):
    assert judged([order(kind=kind)], []) == FIRES


@pytest.mark.parametrize("kind", ["ENTRY", "open", "sell of some kind"])
def test_an_entry_or_a_word_that_nobody_knows_is_no_exit(kind):
    assert judged([order(kind=kind)], []) == []


@pytest.mark.parametrize(
    ("more", "fires"),
    [
        pytest.param({"order_type": "STP"}, True, id="a stop that sells"),
        pytest.param(
            {"order_type": "TRAIL LIMIT", "status": "PreSubmitted"}, True, id="a trailing one that waits"
        ),
        pytest.param({"order_type": "STP", "side": "BUY"}, False, id="a stop that buys may be an entry"),
        pytest.param({"order_type": "STP", "kind": "entry"}, False, id="a stop that is called an entry"),
        pytest.param({"order_type": "LMT"}, False, id="a limit order"),
    ],
)
def test_a_stray_stop_over_nothing_is_an_exit(more, fires):
    assert judged([order(**{"kind": None, **more})], [], "broker") == (FIRES if fires else [])


@pytest.mark.parametrize(
    "status", ["FILLED", "cancelled", "Canceled", "ApiCancelled", "inactive", "Expired", "OrderStatus.FILLED"]
)
def test_an_order_is_done_in_any_writing(status):
    assert judged([order(status=status)], []) == []


@pytest.mark.parametrize(
    "more", [{"filled": 39}, {"filled": 39, "remaining": 0}, {"quantity": 0, "cashQty": 20_000}], ids=str
)
def test_an_order_with_nothing_left_opens_nothing(more):
    assert judged([order(**more)], [], "broker") == []


@pytest.mark.parametrize(
    ("accounts", "ours", "expected"),
    [
        pytest.param(("DU1111111", "DU1111111"), None, [], id="in the account that holds it"),
        pytest.param(("DU1111111", "DU2222222"), None, FIRES, id="in an account that is flat"),
        pytest.param(("DU1111111", "DU2222222"), "DU1111111", [], id="in an account of another runtime"),
        pytest.param(("DU1111111", None), None, [], id="in an account that was not seen"),
    ],
)
def test_an_exit_closes_what_its_own_account_holds(accounts, ours, expected):
    held, sent = accounts
    section = {
        "connected": True,
        "account": ours,
        "positions": [row(39, account=held)],
        "open_orders": [order(account=sent)],
    }
    found = given({"status_v3": {"open_positions": None, "open_position_count": None}, "broker": section})
    assert [event for event in found if "exit_would" in event] == expected


def test_two_orders_that_would_open_one_instrument_are_both_named():
    orders = [order(order_id=1), order(order_id=2)]
    patch = {
        "status_v3": {"orders": orders},
        "broker": {"connected": True, "positions": [], "open_orders": orders},
    }
    (event,) = [one for one in evaluated(apply_patch(healthy(), patch)).events if "exit_would" in one.type]
    assert event.summary.count("Exit order #1 ") == event.summary.count("Exit order #2 ") == 1


def test_two_accounts_that_hold_it_are_told_apart():
    held = [row(10, account=one) for one in ("DU1111111", "DU2222222")]
    orders = [order(order_id=n, account=one) for n, one in ((1, "DU1111111"), (2, "DU2222222"))]
    assert judged(orders, held, "broker") == [f"{FIRES[0]} in paper-1", f"{FIRES[0]} in paper-2"]


COMBO: dict[str, Any] = {
    "contract": {
        "symbol": "SPY",
        "secType": "BAG",
        "comboLegs": [{"conId": 5, "ratio": 1}, {"conId": 6, "ratio": 1}],
    },
    "order": {"orderId": 12, "action": "SELL", "totalQuantity": 39, "parentId": 3},
    "orderStatus": {"status": "Submitted"},
}


def test_a_combo_is_an_exit_of_none_of_its_legs_alone():
    legs = [row(39, con_id=5), row(-39, con_id=6, strike=730)]
    for one in (COMBO, {**order(sec_type="BAG", expiry=None, strike=None, right=None)}):
        assert judged([one], legs, "broker") == []


OPENS = ["critical exit_would_open_position:SPY"]


def vertical(quantity: int, side: str = "SELL", ratio: int = 1, **more: Any) -> dict[str, Any]:
    """Return an exit of a combo of one bought call 727 and some sold calls 730."""
    legs = [{"conId": 5, "ratio": 1, "action": "BUY"}, {"conId": 6, "ratio": ratio, "action": "SELL"}]
    bare = {"con_id": None, "expiry": None, "strike": None, "right": None, "sec_type": "BAG"}
    return order(**{**bare, "comboLegs": legs, "quantity": quantity, "side": side, **more})


def held_legs(bought: int, sold: int) -> list[dict[str, Any]]:
    return [row(bought, con_id=5), row(-sold, con_id=6, strike=730)]


@pytest.mark.parametrize(
    ("one", "held", "expected"),
    [
        pytest.param(vertical(2), held_legs(2, 2), [], id="all of it"),
        pytest.param(vertical(3), held_legs(2, 2), OPENS, id="one more than is held"),
        pytest.param(vertical(2), held_legs(2, 1), OPENS, id="of one leg one more"),
        pytest.param(vertical(2), held_legs(2, 0), OPENS, id="one leg is gone"),
        pytest.param(vertical(2), [], OPENS, id="both are gone"),
        pytest.param(vertical(2, "BUY"), held_legs(2, 2), OPENS, id="the side that opens"),
        pytest.param(vertical(2, "BUY"), held_legs(-2, -2), [], id="the other combo is bought back"),
        pytest.param(vertical(2, ratio=2), held_legs(2, 4), [], id="a ratio"),
        pytest.param(vertical(2, ratio=2), held_legs(2, 2), OPENS, id="a ratio that is not held"),
        pytest.param(vertical(5, filled=3), held_legs(2, 2), [], id="what is left of it"),
        pytest.param(vertical(5, filled=3), held_legs(1, 1), OPENS, id="one more than is left"),
        pytest.param(vertical(2, kind=None), held_legs(2, 2), [], id="what it is for is not known"),
        pytest.param(vertical(2, kind=None, parent_id=3), [], OPENS, id="an orphan"),
        pytest.param(vertical(2, leg_ratios=["5=1"]), held_legs(1, 1), [], id="of one leg no ratio is known"),
        pytest.param(vertical(2, comboLegs=None), held_legs(1, 1), [], id="its legs are not known"),
        pytest.param(
            vertical(2, comboLegs=None), [row(5, symbol="QQQ")], OPENS, id="nothing that may be a leg"
        ),
    ],
)
def test_an_exit_of_a_combo_is_judged_by_its_legs(one, held, expected):
    assert judged([one], held, "broker") == expected


@pytest.mark.parametrize(
    ("quantity", "fires"), [(2, True), (3, False)], ids=["what is held", "it turns a leg"]
)
def test_a_combo_without_a_mark_is_an_exit_where_the_runtime_holds_all_that_it_closes(quantity, fires):
    mine = [{**row, "tags": [], "exit_attempt_count": 0} for row in held_legs(2, 2)]
    one = vertical(quantity, kind=None)
    assert (
        judged([one], held_legs(1, 1), "broker", open_positions=mine, open_position_count=2) == OPENS * fires
    )


def test_a_child_of_a_combo_waits_for_its_own_entry():
    entry = vertical(2, "BUY", kind=None, order_id=20)
    child = vertical(2, kind=None, parent_id="20", status="PreSubmitted")
    assert judged([entry, child], [], "broker") == []


OLD = {"connected": True, "as_of": "2026-06-02T14:55:30Z", "positions": []}


@pytest.mark.parametrize(
    ("submitted", "opened", "fires"),
    [
        pytest.param(
            "14:55:30",
            "14:00:00",
            ["exit_would_open_position", "open_positions_drift"],
            id="both known to the broker",
        ),
        pytest.param(
            "14:55:31",
            "14:00:00",
            ["exit_would_open_position", "open_positions_drift"],
            id="an exit that is retried",
        ),
        pytest.param("14:55:00", "14:58:00", [], id="a trade that is newer than its word"),
    ],
)
def test_what_is_newer_than_the_broker_s_word_is_not_judged_by_it(submitted, opened, fires):
    opening = {"trade_id": 1, **CALL, "quantity": 39, "opened_at": f"2026-06-02T{opened}Z"}
    listed = {
        "orders": [order(submitted_at=f"2026-06-02T{submitted}Z")],
        "recent_trades": [opening],
        "open_positions": [{**row(39), "tags": [], "exit_attempt_count": 0}],
        "open_position_count": 1,
    }
    found = given({"status_v3": listed, "broker": OLD})
    assert [event for event in found if NAME in event] == [f"critical {one}:{NAME}" for one in fires]


def test_what_an_order_is_for_is_not_forgotten_as_good():
    patch: dict[str, Any] = {
        "status_v3": {"orders": [order()]},
        "broker": {"connected": True, "positions": []},
    }
    memory = remembered(evaluated(apply_patch(healthy(), patch)))
    patch["status_v3"]["orders"][0].pop("kind")
    report = evaluated(healthy_at("2026-06-02T15:01:00Z", patch), memory)
    assert [event.type for event in report.events if event.held] == ["exit_would_open_position"]


@pytest.mark.parametrize(
    ("runtime", "broker", "is_held"),
    [(39, 0, True), (39, 10, True), (39, -5, True), (0, 0, False), (39, 39, False), (10, 39, False)],
)
def test_an_exit_that_is_not_at_work_is_held_while_the_next_would_open_a_position(runtime, broker, is_held):
    patch: dict[str, Any] = {
        "status_v3": {"orders": [order()], "open_positions": [row(39)]},
        "broker": {"connected": True, "positions": []},
    }
    memory = remembered(evaluated(apply_patch(healthy(), patch)))
    patch["status_v3"] = {"orders": [], "open_positions": [row(runtime)] if runtime else []}
    patch["broker"]["positions"] = [row(broker)] if broker else []
    report = evaluated(healthy_at("2026-06-02T15:01:00Z", patch), memory)
    assert ("exit_would_open_position" in [event.type for event in report.events if event.held]) == is_held


@pytest.mark.parametrize(
    ("one", "held", "words"),
    [
        (order(), [], "is working while the broker is flat, so that it would open a position"),
        (order(), [row(10)], "sells 39 where the broker holds long 10, so that it would open the other side"),
        (
            order(side="BUY"),
            [row(10)],
            "buys where the broker holds long 10, so that it would add to the position",
        ),
        (
            order(quantity=0.5),
            [row("0.25")],
            "sells 0.5 where the broker holds long 0.25, so that it would open the other side",
        ),
    ],
)
def test_the_summary_says_what_would_happen(one, held, words):
    report = evaluated(
        apply_patch(
            healthy(), {"status_v3": {"orders": [one]}, "broker": {"connected": True, "positions": held}}
        )
    )
    summary = next(event.summary for event in report.events if event.type == "exit_would_open_position")
    assert summary == f"Exit order #9 ({NAME}) {words}."


# --- unprotected_position ------------------------------------------------------------------------------

DOWN: dict[str, Any] = {"broker_connected": False}
SILENT: dict[str, Any] = {"heartbeat_at": "2026-06-02T14:54:59Z"}


def protection(
    *orders: dict[str, Any], held: Any = 39, at: str = "2026-06-02T15:00:00Z", **status: Any
) -> list[str]:
    mine = {"open_positions": [{**row(held), "tags": [], "exit_attempt_count": 0}], "open_position_count": 1}
    section = {"connected": True, "positions": [row(held, con_id=5)], "open_orders": list(orders)}
    found = given({"taken_at": at, "status_v3": {**mine, **status}, "broker": section})
    return [event for event in found if "unprotected" in event]


NAKED = [f"critical unprotected_position:{NAME}"]


def stop(**more: Any) -> dict[str, Any]:
    return order(**{"order_type": "STP", "status": "PreSubmitted", "kind": None, **more})


ENTRY = order(order_id=20, side="BUY", quantity=39, status="Submitted", kind=None)


@pytest.mark.parametrize(
    ("process", "expected"),
    [
        pytest.param({"name": "bot", "running": False}, NAKED, id="down"),
        pytest.param({"name": "bot", "running": True}, [], id="up"),
    ],
)
def test_a_process_that_is_down_leaves_a_position_unprotected(process, expected):
    section = {"connected": True, "positions": [row(39)], "open_orders": []}
    held = {"open_positions": [{**row(39), "tags": [], "exit_attempt_count": 0}], "open_position_count": 1}
    found = given({"status_v3": held, "broker": section, "processes": [process]})
    assert [event for event in found if "unprotected" in event] == expected


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        pytest.param([], NAKED, id="nothing"),
        pytest.param([stop()], [], id="a stop for all of it"),
        pytest.param([stop(quantity=38)], NAKED, id="a stop for all but one"),
        pytest.param(
            [stop(quantity=20), stop(order_id=10, quantity=19, order_type="LMT")],
            [],
            id="a stop and a target",
        ),
        pytest.param(
            [stop(quantity=20, oca_group="a"), stop(order_id=10, quantity=20, oca_group="a")],
            NAKED,
            id="one cancels the other",
        ),
        pytest.param([stop(side="BUY")], NAKED, id="an order on the same side"),
        pytest.param([stop(filled=1)], NAKED, id="what is left of a stop"),
        pytest.param([stop(remaining=39, filled=None)], [], id="as the broker says what remains"),
        pytest.param([stop(status="Cancelled")], NAKED, id="a stop that was cancelled"),
        pytest.param([stop(right="P")], NAKED, id="a stop of another instrument"),
        pytest.param([stop(side=None)], [], id="a side that was not seen"),
        pytest.param([ENTRY, stop(parent_id="20")], NAKED, id="a child of an entry that waits"),
        pytest.param([{**ENTRY, "filled": 39}, stop(parent_id="20")], [], id="of one that filled"),
        pytest.param([{**ENTRY, "side": "SELL"}, stop(parent_id="20")], [], id="a child of another exit"),
        pytest.param([stop(parent_id="20")], [], id="an orphan"),
        pytest.param([vertical(39, kind=None)], [], id="a combo that has it as a leg"),
        pytest.param([vertical(38, kind=None)], NAKED, id="a combo of too few"),
        pytest.param([vertical(39, "BUY", kind=None)], NAKED, id="a combo that buys it"),
    ],
)
def test_what_protects_a_position_while_the_link_is_down(orders, expected):
    assert protection(*orders, **DOWN) == expected


@pytest.mark.parametrize(
    ("status", "at", "expected"),
    [
        pytest.param({}, "2026-06-02T15:00:00Z", [], id="all is up"),
        pytest.param(DOWN, "2026-06-02T15:00:00Z", NAKED, id="the link is down"),
        pytest.param(SILENT, "2026-06-02T15:00:00Z", NAKED, id="the engine is silent"),
        pytest.param(DOWN, "2026-06-02T20:00:00Z", [], id="after the close"),
        pytest.param(DOWN, "2026-06-02T19:59:59Z", NAKED, id="in the last second"),
    ],
)
def test_when_a_position_must_be_protected_at_the_broker(status, at, expected):
    assert protection(at=at, **status) == expected


def test_a_single_share_is_a_position():
    assert protection(held=1, **DOWN) == NAKED


@pytest.mark.parametrize(
    "unseen",
    [
        pytest.param({"status_v3": {"heartbeat_at": None}}, id="the heartbeat was not seen"),
        pytest.param(
            {"status_v3": {"broker_connected": None, "connection_error": None}}, id="the link was not seen"
        ),
        pytest.param({"broker": {"open_orders": None}}, id="the orders were not seen"),
        pytest.param(
            {"broker": {"positions": [row(39), {"quantity": 5}]}, "status_v3": DOWN},
            id="a row without a name",
        ),
        pytest.param(
            {"broker": {"positions": [row("x")]}, "status_v3": DOWN}, id="a quantity that was not seen"
        ),
        pytest.param(
            {"broker": {"open_orders": [stop(side=None)]}, "status_v3": DOWN}, id="a side that was not seen"
        ),
    ],
)
def test_what_is_unprotected_is_held_while_it_cannot_be_seen(unseen):
    section = {"broker": {"connected": True, "positions": [row(39)], "open_orders": []}}
    memory = remembered(evaluated(apply_patch(healthy(), {**section, "status_v3": DOWN})))
    for number in (1, 2, 3):
        document = apply_patch(healthy_at(f"2026-06-02T15:{number}0:00Z", section), unseen)
        report = evaluated(document, memory)
        assert NAKED[0] in named(report)
        memory = remembered(report)


def test_the_summary_says_what_is_covered_and_what_is_down():
    section = {"connected": True, "positions": [row(39)], "open_orders": [stop(quantity=20)]}
    report = evaluated(apply_patch(healthy(), {"broker": section, "status_v3": {**DOWN, **SILENT}}))
    assert next(event.summary for event in report.events if event.type == "unprotected_position") == (
        f"Position {NAME}, long 39, has stops and targets for only 20 of it at the broker,"
        " while the engine is silent and its broker link is down."
    )


def test_a_short_is_protected_by_purchases():
    assert protection(stop(side="BUY"), held=-39, **DOWN) == []
    assert protection(stop(), held=-39, **DOWN) == NAKED


def test_a_list_of_orders_that_was_not_read_shows_nothing():
    section = {"connected": True, "positions": [row(39)]}
    assert [event for event in given({"status_v3": DOWN, "broker": section}) if "unprotected" in event] == []


# --- broker_disconnected, exposure ---------------------------------------------------------------------


def test_an_export_that_is_not_connected_is_a_link_that_is_down():
    assert given({"broker": {"connected": False}}) == ["warning broker_disconnected"]
    assert given({"broker": {"connected": True}}) == []


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({"broker": {"connected": True, "positions": [row(39)]}}, "critical broker_disconnected"),
        (
            {"stores": {"position_state": [{"symbol": "SPY", "is_open": 1, "contracts_remaining": 39}]}},
            "critical broker_disconnected",
        ),
        ({"broker": {"connected": True, "positions": [row(0)]}}, "warning broker_disconnected"),
        (
            {"broker": {"account": "DU1", "positions": [row(39, account="DU2")]}},
            "warning broker_disconnected",
        ),
    ],
)
def test_what_the_broker_or_a_store_holds_is_at_risk(sections, expected):
    assert expected in given({"status_v3": {"broker_connected": False}, **sections})


def test_positions_that_the_broker_shows_are_seen():
    """The dashboard is gone; the broker is read: flat is no exposure, and what it holds is."""
    watched = {"sources": {"status_v3": {"state": "failed"}, "broker": {"state": "ok"}}}
    for held, expected in (([], []), ([row(39)], ["critical exposure_unwatched"])):
        document = apply_patch(
            healthy(), {"broker": {"connected": True, "positions": held}, **watched, "status_v3": None}
        )
        assert [event for event in named(evaluated(document)) if "exposure" in event] == expected
