"""Broker truth: what the runtime, its stores and its records say against what the broker says."""

from __future__ import annotations

from typing import Any

import pytest

from detector.formats.redaction import redact
from tests.support.merge_patch import apply_patch
from tests.support.snapshots import (
    evaluated,
    given,
    healthy,
    healthy_at,
    named,
    owed,
    remembered,
    settings_of,
)

CALL = {
    "symbol": "SPY",
    "sec_type": "OPT",
    "expiry": "20260605",
    "strike": 727,
    "right": "C",
    "multiplier": 100,
}
NAME = "SPY 2026-06-05 727C"
OTHER = {**CALL, "right": "P"}


def row(quantity: Any, instrument: dict[str, Any] = CALL, **more: Any) -> dict[str, Any]:
    return {**instrument, "quantity": quantity, **more}


def broker(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"connected": True, "positions": list(rows), **more}


def internal(*rows: dict[str, Any], **facts: Any) -> dict[str, Any]:
    listed = [{"tags": [], "exit_attempt_count": 0, **one} for one in rows]
    return {"open_positions": listed, "open_position_count": len(rows), **facts}


def truth(held: list[dict[str, Any]], at_broker: list[dict[str, Any]], **more: Any) -> list[str]:
    return given({"status_v3": internal(*held), "broker": broker(*at_broker), **more})


def first(patch: dict[str, Any], type_: str) -> Any:
    report = evaluated(apply_patch(healthy(), patch))
    return next(event for event in report.events if event.type == type_)


# --- open_positions_drift ------------------------------------------------------------------------------


def test_noise_of_a_pair_whose_currency_is_not_named_is_no_difference():
    mine = {"symbol": "BTC", "sec_type": "CRYPTO"}
    theirs = {**mine, "currency": "USD", "local_symbol": "BTC.USD", "con_id": 479624278}
    assert truth([row(0.12345678, mine)], [row(0.12345679, theirs)]) == []
    assert truth([row(0.12345678, mine)], [row(0.12345698, theirs)]) != []


@pytest.mark.parametrize(
    ("held", "at_broker", "kind"),
    [
        pytest.param([row(39)], [row(39)], None, id="the same"),
        pytest.param([], [], None, id="nothing on either side"),
        pytest.param([row(39)], [], "phantom", id="a missing row is flat"),
        pytest.param([row(39)], [row(0)], "phantom", id="a row of 0 is flat"),
        pytest.param([], [row(0)], None, id="a row of 0 is nothing to manage"),
        pytest.param([], [row(-39)], "unmanaged", id="short at the broker alone"),
        pytest.param([row(39)], [row(38)], "quantity", id="one less"),
        pytest.param([row(39)], [row(-39)], "side", id="the other side"),
        pytest.param([row(0.1), row(0.2)], [row("0.3")], None, id="tenths add up exactly"),
        pytest.param([row(0.3)], [row(0.30000002)], "quantity", id="eight places count"),
        pytest.param([row(0.3)], [row(0.30000001)], None, id="and their last one is noise"),
    ],
)
def test_positions_that_differ_are_told_with_the_kind(held, at_broker, kind):
    found = [event for event in truth(held, at_broker) if "drift" in event]
    assert found == ([] if kind is None else [f"critical open_positions_drift:{NAME}"])
    if kind:
        patch = {"status_v3": internal(*held), "broker": broker(*at_broker)}
        assert first(patch, "open_positions_drift").observed == kind


@pytest.mark.parametrize(
    "written",
    [
        {"expiry": "2026-06-05"},
        {"right": "CALL"},
        {"right": "c"},
        {"strike": 727.0},
        {"multiplier": None},
        {"sec_type": None},
        {"sec_type": "opt"},
        {"con_id": 7},
    ],
    ids=str,
)
def test_an_instrument_is_one_however_it_is_written(written):
    instrument = {key: value for key, value in {**CALL, **written}.items() if value is not None}
    assert truth([row(39, instrument)], [row(39)]) == []
    assert truth([row(39)], [row(39, instrument)]) == []


@pytest.mark.parametrize("other", [OTHER, {**CALL, "strike": 728}, {**CALL, "expiry": "20260612"}], ids=str)
def test_another_instrument_is_another(other):
    assert len(truth([row(39)], [row(39, other)])) == 2


def test_a_contract_id_that_both_carry_decides_alone():
    assert truth([row(39, con_id=1)], [row(39, {**CALL, "symbol": "SPX"}, con_id=1)]) == []
    assert truth([row(39, con_id=1)], [row(39, con_id=2)]) == [f"critical contract_replaced:{NAME}"]


@pytest.mark.parametrize(
    ("held", "at_broker", "order", "expected"),
    [
        pytest.param([row(39)], [row(20)], True, "warning", id="quantity, with an order at work"),
        pytest.param([], [row(39)], True, "warning", id="unmanaged, with an order at work"),
        pytest.param([row(39)], [row(20)], False, "critical", id="quantity, with none"),
        pytest.param([row(39)], [], True, "critical", id="phantom never waits"),
        pytest.param([row(39)], [row(-39)], True, "critical", id="side never waits"),
    ],
)
@pytest.mark.parametrize("where", ["the runtime's list", "the broker's list"])
def test_an_order_in_flight_makes_a_first_difference_a_warning(held, at_broker, order, expected, where):
    working = (
        [{"order_id": 7, **CALL, "side": "BUY", "kind": "entry", "quantity": 19, "status": "Submitted"}]
        if order
        else []
    )
    mine, theirs = (working, []) if where == "the runtime's list" else ([], working)
    patch = {"status_v3": internal(*held, orders=mine), "broker": broker(*at_broker, open_orders=theirs)}
    before = evaluated(apply_patch(healthy(), patch))
    assert f"{expected} open_positions_drift:{NAME}" in named(before)
    again = evaluated(healthy_at("2026-06-02T15:10:00Z", patch), remembered(before))
    assert f"critical open_positions_drift:{NAME}" in named(again)


@pytest.mark.parametrize(
    "section",
    [
        pytest.param({"connected": False, "positions": []}, id="not connected"),
        pytest.param({"connected": True}, id="no list"),
        pytest.param({"connected": True, "positions": None}, id="null"),
        pytest.param({"connected": True, "positions": [], "as_of": "2026-06-02T14:54:59Z"}, id="301 s old"),
        pytest.param({"connected": True, "positions": [], "error": "timeout"}, id="an error beside it"),
        pytest.param(
            {"connected": True, "positions": [], "as_of": "just now"}, id="a time that cannot be read"
        ),
        pytest.param(
            {"connected": True, "positions": [], "as_of": "2026-06-02T15:02:01Z"}, id="121 s in the future"
        ),
        pytest.param(
            {"connected": True, "flex": {"positions_csv": "ClientAccountID,Symbol,Quantity\n"}},
            id="Flex without a date",
        ),
    ],
)
def test_a_failed_or_stale_query_is_not_flat(section):
    found = given({"status_v3": internal(row(39)), "broker": section})
    assert [event for event in found if "drift" in event] == []


def test_a_query_of_300_s_ago_is_believed():
    section = broker(as_of="2026-06-02T14:55:00Z")
    assert f"critical open_positions_drift:{NAME}" in given(
        {"status_v3": internal(row(39)), "broker": section}
    )


def test_a_source_that_failed_is_not_flat():
    patch = {"status_v3": internal(row(39)), "broker": broker(), "sources": {"broker": {"state": "failed"}}}
    assert [event for event in given(patch) if "drift" in event] == []


def test_a_row_that_cannot_be_read_leaves_the_rest_undecided():
    nameless = {"quantity": 5}
    assert truth([row(39)], [nameless]) == ["critical reading_invalid:broker.positions"]
    assert truth([row(39)], [{"quantity": 0}]) == [
        f"critical open_positions_drift:{NAME}",
        "critical reading_invalid:broker.positions",
    ]
    assert truth([row(39)], [row(None)]) == ["critical reading_invalid:broker.positions.quantity"]
    report = evaluated(
        apply_patch(healthy(), {"status_v3": internal(row(39)), "broker": broker(row("many"))})
    )
    assert named(report) == ["critical reading_invalid:broker.positions.quantity"]


def test_the_internal_side_is_the_store_where_it_was_read():
    stores = {"position_state": [{"trade_id": 162, **CALL, "is_open": 1, "contracts_remaining": 39}]}
    patch = {"status_v3": internal(), "broker": broker(row(39)), "stores": stores}
    assert given(patch) == []
    assert given({**patch, "broker": broker()}) == [f"critical open_positions_drift:{NAME}"]


def listed_alone(*trades: dict[str, Any], at_broker: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    store = {
        "position_state": [{"trade_id": 162, **CALL, "is_open": 0, "quantity": 0}],
        "trades": list(trades),
    }
    return {"status_v3": internal(row(39)), "broker": broker(*at_broker), "stores": store}


def ended(at: str | None) -> dict[str, Any]:
    return {"id": 162, **CALL, "status": "CLOSED", "quantity": 39, "closed_at": at and f"2026-06-02T{at}Z"}


@pytest.mark.parametrize(
    ("patch", "fires"),
    [
        pytest.param(listed_alone(), True, id="the store and the broker are flat"),
        pytest.param(listed_alone(ended("14:54:59")), True, id="closed before any list that is believed"),
        pytest.param(listed_alone(ended("14:55:00")), False, id="closed when the list may be of before that"),
        pytest.param(listed_alone(ended(None)), False, id="closed nobody knows when"),
        pytest.param(listed_alone(at_broker=(row(39, OTHER),)), True, id="the broker holds another"),
    ],
)
def test_a_list_of_the_runtime_that_alone_holds_it_open_is_a_phantom(patch, fires):
    phantom = f"critical open_positions_drift:{NAME}"
    assert (phantom in given(patch)) is fires
    if fires:
        assert (
            "a close would open a new short position of 39; only the runtime's own list still has it."
            in first(patch, "open_positions_drift").summary
        )


def test_a_row_with_a_symbol_alone_is_the_share_or_the_one_thing_that_is_held_on_it():
    bare, share = {"symbol": "SPY"}, {"symbol": "SPY", "sec_type": "STK"}
    assert truth([row(39, bare)], [row(39)]) == []
    assert truth([row(100, bare), row(39)], [row(100, share), row(39)]) == []
    assert truth([row(100, bare), row(39)], [row(39)]) == ["critical open_positions_drift:SPY"]
    # Two options on it: equal sums prove nothing, sums that differ are a difference however it is meant.
    assert truth([row(39, bare)], [row(30), row(9, OTHER)]) == ["warning comparison_unclear:SPY"]
    assert truth([row(40, bare)], [row(30), row(9, OTHER)]) == ["critical open_positions_drift:SPY"]


def test_a_trade_that_is_both_open_and_closed_is_named_once_with_all_its_ids():
    listed = {"trade_id": 162, "symbol": "SPY", "closed_at": "2026-06-02T14:50:00Z", "position_id": 301}
    facts = internal(row(39, trade_id=162, signal_id=238), recent_trades=[listed])
    assert first({"status_v3": facts}, "impossible_state").summary == (
        "Trade #162 (signal #238, position #301) is listed both as open and as closed."
    )


def test_only_the_account_of_the_runtime_is_compared():
    theirs = row(5, OTHER, account="DU7654321")
    section = broker(row(39, account="DU1234567"), theirs, account="DU1234567")
    assert given({"status_v3": internal(row(39)), "broker": section}) == []
    section = broker(row(39, account="DU1234567"), theirs)
    assert given({"status_v3": internal(row(39)), "broker": section}) == [
        "critical open_positions_drift:SPY 2026-06-05 727P"
    ]


def test_the_summary_names_the_trade_once_with_its_other_ids_behind():
    held = row(39, trade_id=162, signal_id=238, position_id=301)
    assert first({"status_v3": internal(held), "broker": broker()}, "open_positions_drift").summary == (
        f"{NAME}: the runtime has long 39 open as trade #162 (signal #238, position #301), and the broker is flat:"
        " a close would open a new short position of 39."
    )


@pytest.mark.parametrize(
    ("held", "at_broker", "words"),
    [
        ([], [row(-39)], "the broker holds short 39, and nothing in the runtime manages it"),
        ([row(39)], [row(20.5)], "the runtime has long 39 open, and the broker holds long 20.5"),
        (
            [row(39)],
            [row(-39)],
            "the runtime has long 39 open, and the broker holds short 39, which is the other side",
        ),
        (
            [row(-39)],
            [],
            (
                "the runtime has short 39 open, and the broker is flat:"
                " a close would open a new long position of 39"
            ),
        ),
    ],
)
def test_the_summary_says_how_they_differ(held, at_broker, words):
    patch = {"status_v3": internal(*held), "broker": broker(*at_broker)}
    assert first(patch, "open_positions_drift").summary == f"{NAME}: {words}."


def test_a_difference_that_may_be_lag_escalates_once_it_is_critical():
    working = [{"order_id": 7, **CALL, "side": "BUY", "kind": "entry", "quantity": 19, "status": "Submitted"}]
    patch = {"status_v3": internal(row(39), orders=working), "broker": broker(row(20))}
    now = evaluated(apply_patch(healthy(), patch))
    assert (now.decision.action, owed(now)) == ("notify", [f"new open_positions_drift:{NAME}"])
    later_look = evaluated(healthy_at("2026-06-02T15:10:00Z", patch), remembered(now))
    assert (later_look.decision.action, owed(later_look)) == (
        "escalate",
        [f"escalated open_positions_drift:{NAME}"],
    )


def held_then(patch: dict[str, Any], *unseen: dict[str, Any]) -> list[list[str]]:
    """The events that are held at each look that cannot see any more what the first one saw firing."""
    memory, found = remembered(evaluated(healthy_at("2026-06-02T15:00:00Z", patch))), []
    for number, one in enumerate(unseen, 1):
        report = evaluated(healthy_at(f"2026-06-02T15:0{number}:00Z", one), memory)
        found.append([event.type for event in report.events if event.held])
        assert [event.type for event in report.resolved_events] == []
        memory = remembered(report)
    return found


@pytest.mark.parametrize(
    "unseen",
    [
        pytest.param({"broker": broker({"quantity": 5})}, id="a row without a name"),
        pytest.param(
            {"broker": broker(), "status_v3": internal(row(39, {**CALL, "strike": None}))},
            id="without a strike",
        ),
        pytest.param(
            {"broker": broker(row(None)), "status_v3": internal(row(39))}, id="a quantity that was not seen"
        ),
        pytest.param({"broker": {"connected": False}}, id="a link that is down"),
    ],
)
def test_drift_is_held_while_it_cannot_be_seen(unseen):
    assert held_then({"status_v3": internal(row(39)), "broker": broker()}, unseen, unseen) == [
        ["open_positions_drift"],
        ["open_positions_drift"],
    ]


def test_drift_makes_an_import_and_an_unknown_pnl_critical():
    facts = internal(
        row(39, tags=["Broker"]), recent_trades=[{"trade_id": 1, "symbol": "SPY", "pnl_unknown": True}]
    )
    assert given({"status_v3": facts, "broker": broker()}) == [
        f"critical broker_import_position:{NAME}",
        f"critical open_positions_drift:{NAME}",
        "critical pnl_unknown:1",
    ]


def test_a_repair_that_is_undone_is_told_again_even_after_one_good_look():
    patch = {"status_v3": internal(row(39)), "broker": broker()}
    memory = remembered(evaluated(apply_patch(healthy(), patch)))
    good = evaluated(
        healthy_at("2026-06-02T15:01:00Z", {"status_v3": internal(), "broker": broker()}), memory
    )
    back = evaluated(healthy_at("2026-06-02T15:02:00Z", patch), remembered(good))
    assert owed(back) == [f"again open_positions_drift:{NAME}"]


DU1, DU2 = {"account": "DU1111111"}, {"account": "DU2222222"}


def two_accounts(first: int, second: int) -> dict[str, Any]:
    held = [{"trade_id": n, **CALL, **one, "is_open": 1, "quantity": 39} for n, one in ((1, DU1), (2, DU2))]
    at_broker = [{**row(quantity), **one} for quantity, one in ((first, DU1), (second, DU2)) if quantity]
    return {"stores": {"position_state": held}, "broker": broker(*at_broker), "status_v3": internal()}


def test_differences_of_two_accounts_are_two():
    drift = f"critical open_positions_drift:{NAME}"
    assert given(two_accounts(20, 0)) == [f"{drift} in paper-1", f"{drift} in paper-2"]
    memory = remembered(evaluated(healthy_at("2026-06-02T15:00:00Z", two_accounts(20, 0))))
    again = evaluated(healthy_at("2026-06-02T15:10:00Z", two_accounts(39, 0)), memory)
    report = evaluated(healthy_at("2026-06-02T15:20:00Z", two_accounts(39, 0)), remembered(again))
    assert [one for one in named(report) if "drift" in one] == [f"{drift} in paper-2"]


def test_an_account_that_is_named_later_does_not_end_what_was_told_without_it():
    bare = {"stores": two_accounts(39, 0)["stores"], "broker": broker(), "status_v3": internal()}
    bare["stores"] = {"position_state": [two_accounts(39, 0)["stores"]["position_state"][1]]}
    memory = remembered(evaluated(healthy_at("2026-06-02T15:00:00Z", bare)))
    for minute in (10, 20):
        report = evaluated(healthy_at(f"2026-06-02T15:{minute}:00Z", two_accounts(39, 0)), memory)
        assert report.resolved_events == ()
        memory = remembered(report)


def test_two_differences_under_one_name_are_told_in_one_sentence():
    held = [row(39, con_id=1), row(5, con_id=2)]
    event = first({"status_v3": internal(*held), "broker": broker(row(20, con_id=1))}, "open_positions_drift")
    assert event.observed == "quantity and phantom"
    assert "the broker holds long 20; " in event.summary
    assert "the broker is flat: a close would open a new short position of 5." in event.summary


@pytest.mark.parametrize(
    "written",
    [
        {"sec_type": "us_option"},
        {"sec_type": "Equity and Index Options"},
        {"sec_type": "CALL"},
        {"multiplier": 1},
        {"expiry": "260605"},
        {"expiry": "06/02/2026"},
        {"expiry": "05JUN26"},
        {"expiry": "this week"},
        {"sec_type": "FOP_ES"},
        {"sec_type": None, "multiplier": None},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["OPT", "FOP"])
def test_a_part_that_cannot_be_read_makes_no_other_instrument(written, kind):
    theirs = {**CALL, "sec_type": kind}
    mine = {key: value for key, value in {**theirs, **written}.items() if value is not None}
    found = truth([row(39, mine)], [row(39, theirs)])
    known_apart = kind == "FOP" and written.get("sec_type") in ("us_option", "Equity and Index Options")
    unknown = [event for event in found if "reading_invalid" in event]
    assert bool(unknown) is (written.get("sec_type") in ("CALL", "FOP_ES"))
    drift = [event for event in found if event not in unknown]
    assert drift == ([f"critical open_positions_drift:{NAME}"] if known_apart else [])


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ({"symbol": "BRK.B"}, {"symbol": "BRK B", "sec_type": "STK"}),
        ({"symbol": "BRK-B", "sec_type": "us_equity"}, {"symbol": "BRK/B", "sec_type": "STK"}),
        ({"symbol": "ESM6", "sec_type": "FUT"}, {"symbol": "ES", "sec_type": "FUT", "expiry": "20260619"}),
        ({"symbol": "ESM6"}, {"symbol": "ES", "sec_type": "FUT", "expiry": "20260619"}),
        ({"symbol": "HEN3"}, {"symbol": "HEN3", "sec_type": "STK"}),
        ({"symbol": "ESM26", "expiry": "202606"}, {"symbol": "ES", "sec_type": "FUT", "expiry": "20260619"}),
    ],
    ids=str,
)
def test_a_symbol_in_other_letters_is_one(mine, theirs):
    assert truth([row(3, mine)], [row(3, theirs)]) == []


def test_a_combo_of_the_runtime_is_compared_with_no_leg():
    legs = [row(39), row(-39, {**CALL, "strike": 730})]
    for symbol in ("SPY", "SPY,QQQ"):
        combo = {"symbol": symbol, "sec_type": "BAG"}
        assert truth([row(39, combo)], legs) == []
    share = {"symbol": "QQQ", "sec_type": "STK"}
    assert truth([row(39, {"symbol": "SPY", "sec_type": "BAG"})], [*legs, row(5, share)]) == [
        "critical open_positions_drift:QQQ"
    ]


def test_a_combo_of_which_the_broker_holds_no_leg_is_a_phantom():
    combo, share = row(-2, {"symbol": "SPY", "sec_type": "BAG"}), {"symbol": "QQQ", "sec_type": "STK"}
    assert truth([combo, row(5, share)], [row(5, share)]) == ["critical open_positions_drift:SPY"]
    assert truth([combo, row(5, share)], [row(5, share), row(0)]) == ["critical open_positions_drift:SPY"]


def test_legs_that_a_working_combo_brings_are_a_lag_at_first():
    legs = [row(2, con_id=5), row(-2, {**CALL, "strike": 730}, con_id=6)]
    ratios = [{"conId": 5, "ratio": 1, "action": "BUY"}, {"conId": 6, "ratio": 1, "action": "SELL"}]
    combo = {
        "order_id": 9,
        "symbol": "SPY",
        "secType": "BAG",
        "quantity": 5,
        "filled": 2,
        "status": "Submitted",
        "comboLegs": ratios,
    }
    for side, severity in (("BUY", "warning"), ("SELL", "critical")):
        orders = broker(*legs, open_orders=[{**combo, "side": side}])
        events = given({"status_v3": internal(), "broker": orders})
        assert [event.split()[0] for event in events if "drift" in event] == [severity] * 2


def test_a_calendar_by_mere_months_that_no_reading_pairs_is_unclear_and_never_quiet():
    near, far = {**CRUDE, "con_id": 5, "expiry": "20260622"}, {**CRUDE, "con_id": 6, "expiry": "20260721"}
    july, august = {**CRUDE, "expiry": "202607"}, {**CRUDE, "expiry": "202608"}
    broker_rows = [row(-1, {**near, "local_symbol": "CLN6"}), row(1, {**far, "local_symbol": "CLQ6"})]
    assert truth([row(-1, july), row(1, august)], broker_rows) == []
    assert truth([row(1, july), row(-1, august)], broker_rows) == ["warning comparison_unclear:CL 2026-06-22"]
    names = [{**CRUDE, "local_symbol": name} for name in ("CLN6", "CLQ6")]
    assert truth([row(1, names[0]), row(-1, names[1])], broker_rows) == [
        "critical open_positions_drift:CL 2026-06-22",
        "critical open_positions_drift:CL 2026-07-21",
    ]


CRUDE = {"symbol": "CL", "sec_type": "FUT"}


def test_a_drift_is_held_while_a_combo_stands_for_it():
    combo = internal(row(39, {"symbol": "SPY", "sec_type": "BAG"}))
    unseen = {"status_v3": combo, "broker": broker(row(39))}
    patch = {"status_v3": internal(), "broker": broker(row(39))}
    assert held_then(patch, unseen, unseen) == [["open_positions_drift"], ["open_positions_drift"]]


def test_a_future_of_another_month_is_another():
    theirs = {"symbol": "ES", "sec_type": "FUT", "expiry": "20260619"}
    assert len(truth([row(3, {"symbol": "ESU6", "sec_type": "FUT"})], [row(3, theirs)])) == 2


@pytest.mark.parametrize(
    ("held", "at_broker", "times", "fires"),
    [
        pytest.param(39, [], {"opened_at": "14:58:00"}, False, id="opened since, and not there yet"),
        pytest.param(39, [], {"opened_at": "14:55:30"}, True, id="opened before"),
        pytest.param(
            39, [], {"opened_at": "14:00:00", "closed_at": "14:58:00"}, True, id="a close explains no phantom"
        ),
        pytest.param(
            0,
            [row(39)],
            {"opened_at": "14:00:00", "closed_at": "14:58:00"},
            False,
            id="closed since, and still there",
        ),
        pytest.param(
            0, [row(39)], {"opened_at": "14:00:00", "closed_at": "14:55:30"}, True, id="closed before"
        ),
        pytest.param(39, [row(20)], {"opened_at": "14:58:00"}, False, id="added to since"),
        pytest.param(39, [], {"opened_at": "14:58:00", "right": "P"}, True, id="another instrument"),
    ],
)
def test_a_trade_newer_than_the_broker_s_word_explains_what_it_can(held, at_broker, times, fires):
    dated = {key: f"2026-06-02T{at}Z" if key.endswith("at") else at for key, at in times.items()}
    listed = [{"trade_id": 1, **CALL, "quantity": 39, **dated}]
    section = broker(*at_broker, as_of="2026-06-02T14:55:30Z")
    patch = {"status_v3": internal(*([row(held)] if held else []), recent_trades=listed), "broker": section}
    assert (f"critical open_positions_drift:{NAME}" in given(patch)) is fires


# --- state_stores_disagree -----------------------------------------------------------------------------


def stores(is_open: Any, status: Any, trade_id: Any = 162) -> dict[str, Any]:
    remaining = 39 if is_open else 0
    return {
        "stores": {
            "position_state": [
                {"trade_id": trade_id, **CALL, "is_open": is_open, "contracts_remaining": remaining}
            ],
            "trades": [{"id": 162, **CALL, "contracts": 39, "status": status, "entry_price": 5.5}],
        }
    }


@pytest.mark.parametrize(
    ("is_open", "status", "fires"),
    [
        pytest.param(1, "OPEN", False, id="both open"),
        pytest.param(0, "CLOSED", False, id="both closed"),
        pytest.param(1, "CLOSED", True, id="open in position_state alone"),
        pytest.param(0, "OPEN", True, id="open in trades alone"),
        pytest.param(True, "closed", True, id="flags and words in any form"),
        pytest.param(None, "OPEN", True, id="by its remaining quantity of 0"),
        pytest.param(1, None, False, id="a status that was not seen"),
    ],
)
def test_stores_that_differ_about_what_is_open(is_open, status, fires):
    assert given(stores(is_open, status)) == ([f"critical state_stores_disagree:{NAME}"] if fires else [])


def test_a_status_that_nobody_knows_is_no_difference_and_is_told():
    assert given(stores(1, "ROLLED")) == ["critical reading_invalid:stores.trades.status"]


def test_a_partial_exit_is_no_difference():
    patch = stores(1, "OPEN")
    patch["stores"]["position_state"][0]["contracts_remaining"] = 20
    assert given(patch) == []


@pytest.mark.parametrize(
    ("is_open", "status", "at_broker", "words"),
    [
        (
            1,
            "CLOSED",
            [],
            "is open in position_state and not in trades, and the broker is flat as trades says.",
        ),
        (
            0,
            "OPEN",
            [],
            "is open in trades and not in position_state, and the broker is flat as position_state says.",
        ),
        (
            1,
            "CLOSED",
            [row(39)],
            "is open in position_state and not in trades, and the broker holds it as position_state says.",
        ),
        (
            1,
            "CLOSED",
            [row(-39)],
            "is open in position_state and not in trades, and the broker holds short 39, as neither says.",
        ),
        (
            1,
            "CLOSED",
            [row(10)],
            "is open in position_state and not in trades, and the broker holds long 10, as neither says.",
        ),
        (1, "CLOSED", None, "is open in position_state and not in trades."),
    ],
)
def test_it_says_which_store_agrees_with_the_broker(is_open, status, at_broker, words):
    section = {} if at_broker is None else {"broker": broker(*at_broker)}
    summary = first({**stores(is_open, status), **section}, "state_stores_disagree").summary
    assert summary in {f"Trade #162 in {NAME} {words}", f"Trade #162 ({NAME}) {words}"}


def test_a_position_without_a_trade_id_is_found_by_its_instrument():
    assert given(stores(1, "OPEN", trade_id=None)) == []
    assert given(stores(1, "CLOSED", trade_id=None)) == [f"critical state_stores_disagree:{NAME}"]


@pytest.mark.parametrize(
    ("held", "trade", "at_broker", "words"),
    [
        pytest.param(20, {"remaining": 20}, [], None, id="what is left of it"),
        pytest.param(39, {"remaining": 20}, None, "trades has 20 of it left.", id="more than is left"),
        pytest.param(19, {"remaining": 20}, None, "trades has 20 of it left.", id="less than is left"),
        pytest.param(
            39,
            {"remaining": 20},
            [row(20)],
            "trades has 20 of it left, and the broker holds long 20.",
            id="the broker too",
        ),
        pytest.param(39, {}, None, None, id="all that was bought"),
        pytest.param(40, {}, None, "it was never more than 39 in trades.", id="more than was bought"),
        pytest.param(40, {"contracts": None}, None, None, id="nobody knows what was bought"),
        pytest.param(0, {"remaining": 20}, None, "trades has 20 of it left.", id="none is left"),
        pytest.param(
            0,
            {},
            [row(39)],
            "trades has it open, and the broker holds long 39.",
            id="none of what was bought",
        ),
        pytest.param(0, {"remaining": 0}, None, None, id="nothing left in either"),
        pytest.param(0, {"contracts": 0}, None, None, id="nothing was bought"),
    ],
)
def test_two_stores_cannot_both_be_right_about_a_quantity(held, trade, at_broker, words):
    patch, side = stores(1, "OPEN"), f"long {held}" if held else "flat"
    patch["stores"]["position_state"][0]["contracts_remaining"] = held
    patch["stores"]["trades"][0] |= trade
    section = {} if at_broker is None else {"broker": broker(*at_broker)}
    told = [
        event
        for event in evaluated(apply_patch(healthy(), {**patch, **section})).events
        if "stores_dis" in event.type
    ]
    expected = (
        []
        if words is None
        else [("critical", f"Trade #162 in {NAME} is {side} in position_state, and {words}")]
    )
    assert [(event.severity, event.summary) for event in told] == expected


@pytest.mark.parametrize(
    ("mine", "theirs", "words"),
    [("SHORT", "LONG", "short 39 in position_state, and trades has it long."),
     ("LONG", "SHORT", "long 39 in position_state, and trades has it short."),
     ("SHORT", "SHORT", None)],
)  # fmt: skip
def test_two_stores_cannot_both_be_right_about_a_side(mine, theirs, words):
    patch = stores(1, "OPEN")
    patch["stores"]["position_state"][0]["side"] = mine
    patch["stores"]["trades"][0]["side"] = theirs
    told = [
        event.summary
        for event in evaluated(apply_patch(healthy(), patch)).events
        if "stores_dis" in event.type
    ]
    assert told == ([] if words is None else [f"Trade #162 in {NAME} is {words}"])


def test_a_trade_that_is_closed_has_nothing_left_to_compare():
    patch = stores(1, "CLOSED")
    patch["stores"]["trades"][0]["remaining"] = 0
    assert (
        first(patch, "state_stores_disagree").summary
        == f"Trade #162 in {NAME} is open in position_state and not in trades."
    )


# --- trade_reopened ------------------------------------------------------------------------------------


def looks(*patches: dict[str, Any]) -> list[list[str]]:
    """What is told at each look, ten minutes apart."""
    memory, told = None, []
    for number, patch in enumerate(patches):
        report = evaluated(healthy_at(f"2026-06-02T15:{number}0:00Z", patch), memory)
        told.append([item for item in owed(report) if "trade_reopened" in item])
        memory = remembered(report)
    return told


OPEN, CLOSED = stores(1, "OPEN"), stores(0, "CLOSED")
UNNAMED = {"trade_id": 162, "is_open": 1, "quantity": 39}


@pytest.mark.parametrize(
    ("patches", "fires"),
    [
        pytest.param([CLOSED, OPEN], True, id="closed, then open in both"),
        pytest.param([CLOSED, stores(1, "CLOSED")], True, id="in one store alone"),
        pytest.param([stores(1, "CLOSED"), OPEN], True, id="closed in one store before, open again in it"),
        pytest.param([stores(1, "CLOSED"), stores(1, "CLOSED")], False, id="never closed in that store"),
        pytest.param([OPEN, OPEN], False, id="open all along"),
        pytest.param([CLOSED, {}, OPEN], True, id="a look without stores between"),
        pytest.param([CLOSED, {**OPEN, "broker": broker()}], True, id="the broker is flat"),
        pytest.param(
            [CLOSED, {**OPEN, "broker": broker(row(39)), "status_v3": internal(row(39))}],
            False,
            id="the broker holds it",
        ),
        pytest.param(
            [CLOSED, {**OPEN, "broker": broker(row("x"))}], False, id="the broker's quantity was not seen"
        ),
        pytest.param([CLOSED, {**OPEN, "broker": broker({"quantity": 5})}], False, id="a nameless row"),
        pytest.param(
            [CLOSED, {"stores": {"position_state": [UNNAMED]}, "broker": broker()}],
            False,
            id="its instrument was not seen",
        ),
        pytest.param(
            [{"stores": {"position_state": [], "trades": CLOSED["stores"]["trades"]}}, OPEN],
            True,
            id="its row was gone",
        ),
    ],
)
def test_a_trade_that_was_closed_is_open_again(patches, fires):
    assert looks(*patches)[-1] == (["new trade_reopened:162"] if fires else [])


def test_a_trade_is_open_again_where_another_account_holds_its_instrument():
    one = {"trade_id": 162, **CALL, **DU2}
    before = {"stores": {"position_state": [{**one, "is_open": 0, "quantity": 0, "avg_price": 5.5}]}}
    now = {
        "position_state": [
            {**one, "is_open": 1, "quantity": 39},
            {"trade_id": 1, **CALL, **DU1, "is_open": 1, "quantity": 39},
        ]
    }
    at_broker = broker({**row(39), **DU1})
    assert looks(before, {"stores": now, "broker": at_broker, "status_v3": internal()})[-1] == [
        "new trade_reopened:162"
    ]


@pytest.mark.parametrize(
    ("row_before", "fires"),
    [
        pytest.param({"is_open": 0, "quantity": 0}, False, id="a row that waits for its first fill"),
        pytest.param({"is_open": 0, "quantity": 0, "avg_price": 5.5}, True, id="a row that was filled once"),
    ],
)
def test_what_was_never_open_cannot_open_again(row_before, fires):
    before, now = (
        {"stores": {"position_state": [{"trade_id": 162, **CALL, **one}]}}
        for one in (row_before, {"is_open": 1, "quantity": 39})
    )
    assert looks(before, now)[-1] == (["new trade_reopened:162"] if fires else [])


def test_a_pending_row_of_a_trade_is_no_closed_one():
    pending = {
        "stores": {"position_state": [], "trades": [{"id": 162, **CALL, "is_open": 0, "status": "PENDING"}]}
    }
    assert looks(pending, OPEN)[-1] == []


def test_it_stays_until_the_trade_is_closed_again():
    assert looks(CLOSED, OPEN, OPEN, CLOSED, CLOSED) == [
        [], ["new trade_reopened:162"], [], [], ["resolved trade_reopened:162"],
    ]  # fmt: skip


def test_it_does_not_end_while_a_store_that_had_it_closed_is_not_read():
    alone = {"stores": {"position_state": CLOSED["stores"]["position_state"]}}
    assert looks(CLOSED, stores(1, "CLOSED"), alone, alone, alone)[2:] == [[], [], []]


def test_the_stores_in_which_it_is_open_are_its_evidence():
    memory = remembered(evaluated(healthy_at("2026-06-02T14:50:00Z", CLOSED)))
    report = evaluated(healthy_at("2026-06-02T15:00:00Z", stores(1, "CLOSED")), memory)
    assert report.conditions["trade_reopened:aegis-pt-core:162"].evidence == ("stores:store_positions",)


def test_a_second_relapse_after_one_good_look_is_told_again():
    assert looks(CLOSED, OPEN, CLOSED, OPEN)[-1] == ["again trade_reopened:162"]


@pytest.mark.parametrize(
    "unseen",
    [
        pytest.param({}, id="no stores"),
        pytest.param(
            {"stores": {"trades": CLOSED["stores"]["trades"]}}, id="not the store in which it is open"
        ),
        pytest.param(
            {"stores": {**CLOSED["stores"], "position_state": [{"is_open": 1}]}}, id="a row of no trade"
        ),
        pytest.param({**OPEN, "broker": broker(row("x"))}, id="the broker's quantity was not seen"),
        pytest.param({**OPEN, "broker": broker({"quantity": 5})}, id="a row of the broker without a name"),
    ],
)
def test_a_reopened_trade_is_held_while_it_cannot_be_seen(unseen):
    memory = remembered(evaluated(healthy_at("2026-06-02T14:50:00Z", CLOSED)))
    memory = remembered(evaluated(healthy_at("2026-06-02T15:00:00Z", stores(1, "CLOSED")), memory))
    for number in (1, 2, 3):
        report = evaluated(healthy_at(f"2026-06-02T15:{number}0:00Z", unseen), memory)
        assert "critical trade_reopened:162" in named(report)
        assert [event.type for event in report.resolved_events if event.type == "trade_reopened"] == []
        memory = remembered(report)


def test_a_list_of_the_runtime_that_lists_a_closed_trade_is_a_cache_too():
    closed = {
        "status_v3": {
            "recent_trades": [{"trade_id": 162, "symbol": "SPY", "closed_at": "2026-06-02T14:59:00Z"}]
        }
    }
    listed = {"status_v3": internal(row(39, trade_id=162))}
    assert looks(closed, listed)[-1] == ["new trade_reopened:162"]


def test_the_trades_that_are_remembered_are_bounded_and_the_newest():
    rows = [{"id": number, **CALL, "status": "CLOSED"} for number in range(1, 2001)]
    report = evaluated(healthy_at("2026-06-02T15:00:00Z", {"stores": {"position_state": [], "trades": rows}}))
    kept = report.carried.closed["store_trades"]
    assert (len(kept), kept[0], kept[-1]) == (200, "2000", "1801")


# --- startup_reconcile_missing -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("started", "reconciled", "blocked", "fires"),
    [
        pytest.param("14:58:00", "14:00:00", False, False, id="120 s"),
        pytest.param("14:57:59", "14:00:00", False, True, id="121 s"),
        pytest.param("14:57:59", None, False, True, id="never"),
        pytest.param("14:57:59", "14:57:59", False, False, id="at the start itself"),
        pytest.param("14:57:59", "14:57:58", False, True, id="a second before it"),
        pytest.param("14:57:59", None, True, False, id="entries are blocked"),
        pytest.param(None, "14:00:00", False, False, id="no start was seen"),
    ],
)
def test_a_start_without_a_reconciliation(started, reconciled, blocked, fires):
    at = {name: f"2026-06-02T{text}Z" for name, text in (("s", started), ("r", reconciled)) if text}
    facts = {"engine_started_at": at.get("s"), "entry_blocking_reconcile_pending": blocked}
    document = apply_patch(healthy(), {"status_v3": facts})
    document["status_v3"]["last_reconcile_at"] = at.get("r")
    found = [event for event in named(evaluated(document)) if "startup" in event]
    assert found == (["critical startup_reconcile_missing"] if fires else [])


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (None, "has not reconciled since (never)"),
        ("2026-06-02T14:00:00Z", "has not reconciled since (last at 2026-06-02 14:00:00 UTC)"),
    ],
    ids=["never", "before"],
)
def test_a_start_says_when_it_last_reconciled(last, words):
    document = apply_patch(healthy(), {"status_v3": {"engine_started_at": "2026-06-02T14:50:00Z"}})
    document["status_v3"]["last_reconcile_at"] = last
    event = next(event for event in evaluated(document).events if event.type == "startup_reconcile_missing")
    assert words in event.summary


def test_a_start_escalates_once_it_lasted_480_s():
    facts = {"engine_started_at": "2026-06-02T14:49:59Z", "last_reconcile_at": "2026-06-02T14:00:00Z"}
    now = evaluated(healthy_at("2026-06-02T15:00:00Z", {"status_v3": facts}))
    soon = evaluated(healthy_at("2026-06-02T14:59:58Z", {"status_v3": facts}))
    assert (soon.decision.action, now.decision.action) == ("notify", "escalate")


# --- missed_fill ---------------------------------------------------------------------------------------


def execution(**more: Any) -> dict[str, Any]:
    made = {
        "exec_id": "e1",
        "order_id": 7,
        **CALL,
        "side": "SLD",
        "quantity": 39,
        "at": "2026-06-02T14:50:00Z",
        **more,
    }
    return {key: value for key, value in made.items() if value is not None}


def trade(**more: Any) -> dict[str, Any]:
    made = {
        "trade_id": 162,
        **CALL,
        "quantity": 39,
        "opened_at": "2026-06-02T14:00:00Z",
        "closed_at": "2026-06-02T14:50:30Z",
        **more,
    }
    return {key: value for key, value in made.items() if value is not None}


def fills(executions: list[dict[str, Any]], trades: list[dict[str, Any]], **facts: Any) -> list[str]:
    status = {"recent_trades": trades, **facts}
    found = given({"status_v3": status, "broker": {"connected": True, "executions": executions}})
    return [event for event in found if "missed_fill" in event]


@pytest.mark.parametrize(
    ("other", "subjects"),
    [
        pytest.param({"symbol": "QQQ"}, [NAME, NAME.replace("SPY", "QQQ")], id="another symbol"),
        pytest.param({"right": "P"}, [NAME, NAME.replace("727C", "727P")], id="another right"),
        pytest.param({"right": None}, [], id="a part that one store lacks"),
        pytest.param({"symbol": "SPY260605C00727000"}, [], id="the same in other words"),
    ],
)
def test_a_trade_that_the_stores_have_in_two_instruments_is_open_in_neither_of_the_other(other, subjects):
    patch = stores(1, "OPEN")
    patch["stores"]["trades"][0] |= other
    told = [event for event in given(patch) if "state_stores" in event]
    assert told == sorted(f"critical state_stores_disagree:{name}" for name in subjects)


@pytest.mark.parametrize(
    ("at", "fires"),
    [("2026-06-02T14:58:00Z", False), ("2026-06-02T14:57:59Z", True)],
    ids=["120 s", "121 s"],
)
def test_a_fill_without_a_trade_is_told_after_the_lag(at, fires):
    assert fills([execution(at=at)], []) == (["critical missed_fill:e1"] if fires else [])


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        pytest.param(trade(), True, id="the exit: instrument, side, quantity and 30 s"),
        pytest.param(trade(closed_at="2026-06-02T14:51:00Z"), True, id="60 s"),
        pytest.param(trade(closed_at="2026-06-02T14:51:01Z"), False, id="61 s"),
        pytest.param(trade(quantity=38), False, id="another quantity"),
        pytest.param(trade(quantity=-39), False, id="the other side"),
        pytest.param(trade(right="P"), False, id="another instrument"),
        pytest.param(
            trade(quantity=1, closed_at="2026-06-02T12:00:00Z", exit_exec_id="e1"), True, id="by execution id"
        ),
        pytest.param(trade(quantity=1, exit_order_id="7"), True, id="by order id"),
        pytest.param(
            trade(quantity=-39, opened_at="2026-06-02T14:50:20Z", closed_at=None), True, id="an entry"
        ),
        pytest.param(trade(quantity=None), True, id="a quantity that was not seen may be it"),
    ],
)
def test_how_a_fill_is_matched(listed, found):
    assert fills([execution()], [listed]) == ([] if found else ["critical missed_fill:e1"])


@pytest.mark.parametrize(
    ("quantity", "found"), [(39, True), (1, False)], ids=["a second perm id", "two clients"]
)
def test_an_order_number_under_another_permanent_id_is_the_order_only_where_all_else_fits(quantity, found):
    listed = trade(quantity=quantity, exit_order_id="7", exit_perm_id="8")
    assert fills([execution(perm_id="9")], [listed]) == ([] if found else ["critical missed_fill:e1"])


def test_the_executions_of_one_order_are_one_fill():
    parts = [
        execution(exec_id=f"e{number}", quantity=13, at=f"2026-06-02T14:50:0{number}Z")
        for number in (2, 1, 3)
    ]
    assert fills(parts, []) == ["critical missed_fill:e1"]
    assert fills(parts, [trade()]) == []


def exits_in_parts(*parts: int) -> list[dict[str, Any]]:
    return [
        execution(exec_id=f"e{n}", order_id=n, quantity=part, at=f"2026-06-02T14:{40 + n}:00Z")
        for n, part in enumerate(parts, 1)
    ]


@pytest.mark.parametrize(
    ("parts", "listed", "held", "missed"),
    [
        pytest.param((10, 29), [trade()], None, [], id="two orders that closed it"),
        pytest.param((10, 28), [trade()], None, ["e1", "e2"], id="two that closed all but one"),
        pytest.param((10, 29), [trade(exit_order_id="2")], None, [], id="one of them known by its id"),
        pytest.param(
            (10,), [trade(closed_at=None, is_open=True)], 29, [], id="a part while the rest stays open"
        ),
        pytest.param(
            (10,), [trade(closed_at=None, is_open=True)], 39, ["e1"], id="a part of what is open whole"
        ),
        pytest.param(
            (10, 29), [trade(opened_at="2026-06-02T14:42:30Z")], None, ["e1", "e2"], id="before it was opened"
        ),
    ],
)
def test_a_trade_that_is_closed_in_parts(parts, listed, held, missed):
    mine = [{**CALL, "trade_id": 162, "is_open": held is not None, "quantity": held or 0}]
    rows = [{**one, "id": one["trade_id"], "is_open": one.get("is_open", False)} for one in listed]
    patch = {
        "stores": {"position_state": mine, "trades": rows},
        "status_v3": internal(),
        "broker": {"connected": True, "executions": exits_in_parts(*parts)},
    }
    assert [one for one in given(patch) if "missed" in one] == [
        f"critical missed_fill:{one}" for one in missed
    ]


def test_a_trade_that_was_opened_in_parts():
    parts = [{**one, "side": "BOT"} for one in exits_in_parts(20, 19)]
    one = trade(opened_at="2026-06-02T14:41:00Z", closed_at="2026-06-02T14:55:00Z")
    assert fills(parts, [one]) == []


def corrected(version: int, **fields: Any) -> dict[str, Any]:
    return execution(exec_id=f"0000e0d5.5f1.01.{version:02d}", order_id=None, **fields)


def test_a_correction_is_the_execution_that_it_corrects():
    missed = ["critical missed_fill:0000e0d5.5f1.01.01"]
    assert fills([corrected(1), corrected(2)], []) == missed
    assert (
        fills([corrected(2, quantity=38)], []) == missed
    )  # the same condition once only the correction is listed
    known = trade(quantity=1, closed_at="2026-06-02T12:00:00Z", exit_exec_id="0000e0d5.5f1.01.01")
    assert fills([corrected(3, quantity=38)], [known]) == []


def test_an_execution_that_was_corrected_to_nothing_is_no_fill():
    assert fills([corrected(1), corrected(2, quantity=0)], []) == []
    assert fills([corrected(1, quantity=0), corrected(2)], []) == ["critical missed_fill:0000e0d5.5f1.01.01"]


def test_an_open_position_knows_of_the_fill_that_opened_it_and_not_of_the_one_that_closed_it():
    held = internal(row(39))
    assert fills([execution(side="BOT")], [], **held) == []
    assert fills([execution(side="SLD")], [], **held) == ["critical missed_fill:e1"]
    assert fills([execution(side="BOT", quantity=40)], [], **held) == ["critical missed_fill:e1"]


def test_a_trade_that_a_position_holds_is_open_so_that_its_sale_by_hand_is_a_missed_fill():
    bought = execution(exec_id="e0", order_id=6, side="BOT", at="2026-06-02T14:00:00Z")
    sold = execution()
    listed = trade(closed_at=None)
    assert fills([bought, sold], [listed], **internal(row(39))) == ["critical missed_fill:e1"]
    # A row that says neither is a trade that may be closed where nothing, or too little, is held of it.
    assert fills([bought, sold], [listed], **internal(row(38))) == []
    assert fills([bought, sold], [listed]) == []
    # Of two such trades and one position the newer is the one that is held.
    older = trade(trade_id=161, closed_at=None, opened_at="2026-06-02T13:00:00Z")
    assert fills([bought, sold], [older, listed], **internal(row(39))) == []


def test_a_fill_while_connectivity_was_lost_is_told_at_once():
    lost = {
        "logs": {
            "events": ["2026-06-02T14:58:30Z Error 1100, reqId -1: Connectivity lost"],
            "to": "2026-06-02T15:00:00Z",
        }
    }
    section = {"broker": {"connected": True, "executions": [execution(at="2026-06-02T14:59:00Z")]}}
    assert "critical missed_fill:e1" in given({**section, **lost})
    assert "critical missed_fill:e1" not in given(section)


@pytest.mark.parametrize(
    ("at", "fires"),
    [("14:57:59", False), ("14:58:00", True), ("14:58:30", True), ("14:59:00", True), ("14:59:01", False)],
    ids=["before it", "as it began", "within", "as it ended", "after it"],
)
def test_a_fill_at_the_ends_of_the_lost_link(at, fires):
    lines = [
        "2026-06-02T14:58:00Z Error 1100, reqId -1: lost",
        "2026-06-02T14:59:00Z Error 1102, reqId -1: restored",
    ]
    section = {"broker": {"connected": True, "executions": [execution(at=f"2026-06-02T{at}Z")]}}
    found = given(
        {
            "taken_at": "2026-06-02T14:59:59Z",
            **section,
            "logs": {"events": lines, "to": "2026-06-02T14:59:59Z"},
        }
    )
    assert ("critical missed_fill:e1" in found) is fires


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (
            execution(realized_pnl=3742.44),
            f"sold 39 {NAME}, realized P&L 3742.44 at 2026-06-02 14:50:00 UTC, 10 min ago (over 2 min).",
        ),
        (
            execution(side="BOT"),
            f"bought 39 {NAME} at 2026-06-02 14:50:00 UTC, 10 min ago (over 2 min).",
        ),
        (
            execution(quantity=None),
            f"an unknown quantity of {NAME} at 2026-06-02 14:50:00 UTC, 10 min ago (over 2 min).",
        ),
    ],
)
def test_the_summary_says_what_was_filled(one, words):
    patch = {"broker": {"connected": True, "executions": [one]}}
    summary = first(patch, "missed_fill").summary
    assert summary == f"Execution e1 at the broker has no trade in the runtime: {words}"


@pytest.mark.parametrize(("at", "fires"), [("2026-06-01T15:00:00Z", True), ("2026-06-01T14:59:59Z", False)])
def test_a_list_is_expected_to_hold_its_last_24_hours(at, fires):
    assert fills([execution(at=at)], []) == (["critical missed_fill:e1"] if fires else [])


def test_what_is_older_than_a_payload_lists_may_have_left_its_list():
    later_trade = trade(trade_id=2, opened_at="2026-06-02T14:55:00Z", closed_at="2026-06-02T14:56:00Z")
    assert fills([execution()], [later_trade]) == []
    rows = {"stores": {"position_state": [], "trades": [{**later_trade, "id": 2, "status": "CLOSED"}]}}
    section = {"broker": {"connected": True, "executions": [execution()]}}
    assert "critical missed_fill:e1" in given({**section, **rows})


# --- trade_record_inconsistent -------------------------------------------------------------------------


def record(**more: Any) -> dict[str, Any]:
    made = {"trade_id": 162, **CALL, "quantity": 39, "entry_price": 5.5, "exit_price": 6.46, "fees": 1.56,
            "realized_pnl": 3742.44, "closed_at": "2026-06-02T14:50:00Z", **more}  # fmt: skip
    return {key: value for key, value in made.items() if value is not None}


def records(*trades: dict[str, Any], **sections: Any) -> list[str]:
    found = given({"status_v3": {"recent_trades": list(trades)}, **sections})
    return [event for event in found if "inconsistent" in event]


WRONG = ["warning trade_record_inconsistent:162"]


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        pytest.param(record(), [], id="(6.46 - 5.50) x 39 x 100 - 1.56"),
        pytest.param(record(realized_pnl=3742.44 + 18.71), [], id="off by half a percent"),
        pytest.param(record(realized_pnl=3742.44 + 18.72), WRONG, id="off by more"),
        pytest.param(record(exit_price=5.5, realized_pnl=-2.56), [], id="off by 1 where nothing was made"),
        pytest.param(record(exit_price=5.5, realized_pnl=-2.57), WRONG, id="off by more than 1"),
        pytest.param(
            record(quantity=-39, realized_pnl=-3745.56), [], id="short: the sign of the quantity counts"
        ),
        pytest.param(record(quantity=-39, realized_pnl=3742.44), WRONG, id="short with the P&L of a long"),
        pytest.param(
            record(fees=None, realized_pnl=3744 - 174.72), [], id="fees unknown: 2 per contract and side more"
        ),
        pytest.param(record(fees=None, realized_pnl=3744 - 174.73), WRONG, id="fees unknown, beyond that"),
        pytest.param(record(multiplier=None), [], id="a multiplier that was not seen may be 100"),
        pytest.param(record(multiplier=None, fees=0, realized_pnl=37.44), [], id="or 1"),
        pytest.param(record(multiplier=None, realized_pnl=900), WRONG, id="and nothing else"),
        pytest.param(record(multiplier=1), WRONG, id="a multiplier that was seen is believed"),
        pytest.param(record(pnl_unknown=True, realized_pnl=1), [], id="an unknown P&L is another rule's"),
        pytest.param(record(opened_at="2026-06-02T14:50:01Z"), WRONG, id="closed before it was opened"),
        pytest.param(record(opened_at="2026-06-02T14:50:00Z"), [], id="in the same second"),
        pytest.param(record(exit_price=None), [], id="an exit price that was not seen"),
    ],
)
def test_a_record_that_contradicts_itself_is_told(one, expected):
    assert records(one) == expected


@pytest.mark.parametrize(
    ("parts", "pnl", "expected"),
    [
        pytest.param({"sec_type": "BOND", "quantity": 10_000}, 100, [], id="a bond in percent of its face"),
        pytest.param({"sec_type": "BOND", "quantity": 10_000}, 7_000, WRONG, id="or wrong"),
        pytest.param({"sec_type": "FUT", "quantity": 2, "multiplier": 5000}, 100, [], id="corn in cents"),
        pytest.param({"sec_type": "FUT", "quantity": 2, "multiplier": 5000}, 10_000, [], id="or in dollars"),
        pytest.param({"currency": "GBP", "quantity": 1000, "multiplier": 1}, 10, [], id="a share in pence"),
        pytest.param({"currency": "USD", "quantity": 1000, "multiplier": 1}, 10, WRONG, id="never in cents"),
        pytest.param({**CALL, "quantity": 1000}, 1_000, WRONG, id="an option without its multiplier"),
    ],
)
def test_a_price_in_hundredths_of_its_unit_is_no_contradiction(parts, pnl, expected):
    one = {"trade_id": 162, "symbol": "ZC", "entry_price": 99.5, "exit_price": 100.5, "fees": 0, **parts}
    assert records({**one, "closed_at": "2026-06-02T14:50:00Z", "realized_pnl": pnl}) == expected


def test_an_exit_price_equal_to_the_entry_price_is_named():
    one = record(exit_price=5.5, realized_pnl=1857.7, fees=None, signal_id=238)
    assert first({"status_v3": {"recent_trades": [one]}}, "trade_record_inconsistent").summary == (
        f"Trade #162 (signal #238) in {NAME} has its exit price equal to its entry price (5.5)"
        " and yet a P&L of 1857.70."
    )


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        pytest.param({"positions": [row(0, realized_pnl=3742.44)]}, [], id="the same"),
        pytest.param(
            {"positions": [row(0, realized_pnl=1857.7)]}, WRONG, id="the day's figure of the flat position"
        ),
        pytest.param({"positions": [row(1, realized_pnl=1857.7)]}, [], id="a position that is still open"),
        pytest.param({"executions": [execution(realized_pnl=1857.7)]}, WRONG, id="the fill that closed it"),
        pytest.param({"executions": [execution(realized_pnl=3742.44)]}, [], id="the same fill"),
        pytest.param(
            {"executions": [execution(realized_pnl=1857.7, side="BOT")]}, [], id="a fill that did not"
        ),
    ],
)
def test_a_record_that_contradicts_the_broker_is_told(section, expected):
    assert records(record(), broker={"connected": True, **section}) == expected


def test_the_figure_of_the_day_is_no_figure_of_a_trade_of_another_day():
    yesterday = {"opened_at": "2026-06-01T14:00:00Z", "closed_at": "2026-06-01T14:50:00Z"}
    assert records(record(**yesterday), broker=broker(row(0, realized_pnl=1857.7))) == []


def test_the_figure_of_the_day_is_no_single_trade_s_where_there_were_two():
    both = [record(), record(trade_id=163, closed_at="2026-06-02T14:55:00Z")]
    assert records(*both, broker=broker(row(0, realized_pnl=7484.88))) == []


def test_nor_where_another_is_open():
    closed, still = (
        {**record(), "id": 162, "status": "CLOSED"},
        {"id": 163, **CALL, "quantity": 39, "status": "OPEN"},
    )
    store = {"stores": {"trades": [closed, still]}}
    assert records(broker=broker(row(0, realized_pnl=5000)), **store) == []
    store["stores"]["trades"].pop()
    assert records(broker=broker(row(0, realized_pnl=5000)), **store) == WRONG


def test_a_store_of_trades_is_read_as_well_and_counts_once():
    stored = {
        "stores": {
            "trades": [{**record(), "trade_id": None, "id": 162, "pnl_dollars": 1.0, "realized_pnl": None}]
        }
    }
    assert records(record(), **stored) == WRONG


# --- duplicate_entry_burst -----------------------------------------------------------------------------


def entry(number: int, second: int, **more: Any) -> dict[str, Any]:
    minute, rest = divmod(second, 60)
    return {"trade_id": number, "symbol": "JD", "opened_at": f"2026-06-02T14:{minute:02}:{rest:02}Z", **more}


BURST = ["critical duplicate_entry_burst:JD"]


def bursts(patch: dict[str, Any], settings: dict[str, str] | None = None) -> list[str]:
    return [event for event in given(patch, settings) if "burst" in event]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([entry(1, 0), entry(2, 300)], [], id="two"),
        pytest.param([entry(1, 0), entry(2, 300), entry(3, 600)], BURST, id="three within 600 s"),
        pytest.param([entry(1, 0), entry(2, 300), entry(3, 601)], [], id="601 s from first to last"),
        pytest.param([entry(1, 0), entry(2, 1), entry(3, 2, symbol="SPY")], [], id="another instrument"),
        pytest.param([entry(9, 0), entry(1, 700), entry(2, 800), entry(3, 900)], BURST, id="the last three"),
    ],
)
def test_entries_of_trades_one_after_the_other_are_a_burst_in_any_order(rows, expected):
    assert bursts({"status_v3": {"recent_trades": rows}}) == expected
    assert bursts({"status_v3": {"recent_trades": rows[::-1]}}) == expected


@pytest.mark.parametrize(("day", "expected"), [("2026-06-01T15", BURST), ("2026-03-02T14", [])])
def test_a_burst_that_a_store_still_lists_after_a_day_is_no_news(day, expected):
    old = [{**entry(number, 60 * number), "opened_at": f"{day}:5{number}:00Z"} for number in range(4)]
    assert bursts({"status_v3": {"recent_trades": old}}) == expected
    assert bursts({"status_v3": {"recent_trades": [*old, entry(7, 0), entry(8, 1), entry(9, 2)]}}) == BURST


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        pytest.param([{"perm_id": 5}] * 3, [], id="one order"),
        pytest.param([{"order_id": 5}] * 3, [], id="one order number"),
        pytest.param([{"exec_id": f"e{number}"} for number in range(3)], [], id="one order, by executions"),
        pytest.param([{"order_id": number} for number in (5, 6, 7)], BURST, id="three orders"),
        pytest.param([{"order_id": 0}] * 3, BURST, id="0 names no order"),
    ],
)
def test_trades_of_one_order_are_one_entry(ids, expected):
    rows = [entry(number, 60 * number, **more) for number, more in enumerate(ids, 1)]
    executions = {"connected": True, "executions": buys(1, 1, 1)}
    assert bursts({"status_v3": {"recent_trades": rows}, "broker": executions}) == expected


def buys(*ids: int | None, **more: Any) -> list[dict[str, Any]]:
    return [
        {"exec_id": f"e{number}", "perm_id": one, "symbol": "JD", "side": "BOT", "quantity": 10,
         "at": f"2026-06-02T14:{30 + number}:00Z", **more}
        for number, one in enumerate(ids)
    ]  # fmt: skip


JD = {"symbol": "JD"}


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        pytest.param(
            {"executions": buys(1, 2, 3), "positions": [row(30, JD)]},
            BURST,
            id="three orders that built what is held",
        ),
        pytest.param(
            {"executions": buys(1, 1, 1), "positions": [row(30, JD)]}, [], id="three executions of one order"
        ),
        pytest.param(
            {
                "executions": [
                    {**one, "account": f"DU000000{number}"} for number, one in enumerate(buys(1, 1, 1))
                ],
                "positions": [row(10, JD, account=f"DU000000{number}") for number in range(3)],
            },
            [],
            id="one order of an advisor in three accounts",
        ),
        pytest.param(
            {
                "executions": [
                    {**one, "order_id": 7, "client_id": number}
                    for number, one in enumerate(buys(None, None, None), 1)
                ],
                "positions": [row(30, JD)],
            },
            BURST,
            id="the order 7 of three clients",
        ),
        pytest.param(
            {"executions": buys(None, None, None, order_id=7, client_id=1), "positions": [row(30, JD)]},
            [],
            id="the order 7 of one client",
        ),
        pytest.param({"executions": buys(1, 2, 3), "positions": []}, [], id="three that closed a short"),
        pytest.param({"executions": buys(1, 2, 3)}, [], id="what they did was not seen"),
        pytest.param({"executions": buys(1, 2, 3, opens="O")}, BURST, id="Flex says that they opened"),
        pytest.param({"executions": buys(1, 2, 3, opens="C")}, [], id="Flex says that they closed"),
        pytest.param({"executions": buys(None, None, None, opens="O")}, [], id="of no known order"),
        pytest.param(
            {
                "executions": [*buys(1, 2, 3), *buys(4, quantity=None, at="2026-06-02T14:40:00Z")],
                "positions": [row(30, JD)],
            },
            [],
            id="what was held then is not known",
        ),
    ],
)
def test_entries_at_the_broker_one_after_the_other_are_a_burst(section, expected):
    status = internal(row(30, JD), recent_trades=None)
    assert bursts({"status_v3": status, "broker": {"connected": True, **section}}) == expected


@pytest.mark.parametrize(("kind", "expected"), [("entry", BURST), ("exit", [])])
def test_the_runtimes_own_orders_say_what_fills_of_the_broker_are_for(kind, expected):
    mine = [
        {"order_id": number, "perm_id": number, **JD, "kind": kind, "status": "Filled"}
        for number in (1, 2, 3)
    ]
    status = internal(recent_trades=None, orders=mine)
    assert (
        bursts({"status_v3": status, "broker": {"connected": True, "executions": buys(1, 2, 3)}}) == expected
    )


def test_of_round_trips_only_the_fills_that_open_are_entries():
    trips = [
        {**fill, "quantity": 1, "side": "SLD" if number % 2 == 0 else "BOT"}
        for number, fill in enumerate(buys(1, 2, 3, 4, 5, 6))
    ]
    section = {"connected": True, "executions": trips, "positions": []}
    assert (
        first(
            {"status_v3": internal(recent_trades=None), "broker": section}, "duplicate_entry_burst"
        ).observed
        == 3
    )


def test_an_order_counts_when_it_filled_last():
    rows = [entry(1, 0, perm_id=5), entry(2, 700, perm_id=5), entry(3, 900), entry(4, 1200)]
    assert bursts({"status_v3": {"recent_trades": rows}}) == BURST


def orders(*seconds_ago: int, **more: Any) -> list[dict[str, Any]]:
    order = {"symbol": "JD", "side": "BUY", "kind": "entry", "status": "Filled", "quantity": 10}
    return [
        {"order_id": number, "age_sec": age, **order, **more} for number, age in enumerate(seconds_ago, 1)
    ]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param(orders(600, 300, 20), BURST, id="three that filled since they were sent"),
        pytest.param(orders(300, 20), [], id="two"),
        pytest.param(orders(601, 300, 20), [], id="one may have filled earlier"),
        pytest.param(orders(600, 300, 20, status="Submitted", filled=1), BURST, id="filled in part"),
        pytest.param(orders(600, 300, 20, status="Submitted", filled=0), [], id="not filled"),
        pytest.param(orders(600, 300, 20, status="Cancelled"), [], id="repriced"),
        pytest.param(orders(600, 300, 20, kind="exit"), [], id="exits"),
        pytest.param(orders(600, 300, 20, kind=None), [], id="of no known kind"),
    ],
)
def test_entries_in_the_runtimes_orders_one_after_the_other_are_a_burst(rows, expected):
    assert bursts({"status_v3": {"orders": rows}}) == expected


def test_the_summary_counts_the_largest_and_latest_burst():
    rows = [
        entry(number, second)
        for number, second in ((1, 0), (2, 10), (3, 20), (4, 1000), (5, 1010), (6, 1020))
    ]
    event = first({"status_v3": {"recent_trades": rows}}, "duplicate_entry_burst")
    assert event.observed == 3
    larger = [entry(7, 5), *rows]
    assert first({"status_v3": {"recent_trades": larger}}, "duplicate_entry_burst").observed == 4
    assert event.summary == (
        "3 entries in JD were filled from 2026-06-02 14:16:40 UTC to 2026-06-02 14:17:00 UTC (critical at 3"
        " within 10 min)."
    )


def test_the_limits_of_a_burst_can_be_set():
    rows = {"status_v3": {"recent_trades": [entry(1, 0), entry(2, 61)]}}
    assert bursts(rows, {"ENTRY_BURST_CRITICAL": "2", "ENTRY_BURST_WINDOW_SEC": "61"}) == BURST
    assert bursts(rows, {"ENTRY_BURST_CRITICAL": "2", "ENTRY_BURST_WINDOW_SEC": "60"}) == []


def test_an_account_is_never_shown():
    section = broker(row(39, account="DU1234567"), account="DU1234567")
    text = str(evaluated(redact(apply_patch(healthy(), {"broker": section})), settings=settings_of()))
    assert "DU1234567" not in text


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        ("20260602-14:59:50", "open_positions_drift"),
        ("20260602 10:59:50 US/Eastern", "open_positions_drift"),
        ("20260602;105950", "open_positions_drift"),
        ("1780412390000", "open_positions_drift"),
        ("20260602-14:49:50", "source_stale"),
        ("2026-06-02 14:59:50", "reading_invalid"),
        ("a minute ago", "reading_invalid"),
    ],
)
def test_the_time_of_the_broker_is_read_as_the_broker_writes_it_and_is_critical_where_it_hides_what_is_held(
    as_of, expected
):
    events = given({"status_v3": internal(row(39)), "broker": {"as_of": as_of, "positions": []}})
    told = [event for event in events if event.split(":")[0].split()[1] == expected]
    assert [event.split()[0] for event in told] == ["warning" if expected == "source_stale" else "critical"]


@pytest.mark.parametrize(
    ("mine", "theirs", "names"),
    [
        pytest.param({"sec_type": "STK"}, {"sec_type": "CFD"}, ("SHOP (STK)", "SHOP (CFD)"), id="type"),
        pytest.param({"currency": "USD"}, {"currency": "CAD"}, ("SHOP (USD)", "SHOP (CAD)"), id="currency"),
    ],
)
def test_two_contracts_of_one_name_are_told_apart_in_the_sentence(mine, theirs, names):
    share = {"symbol": "SHOP", "quantity": 10}
    broker = {"connected": True, "positions": [share | theirs]}
    event = first({"status_v3": internal(share | mine), "broker": broker}, "open_positions_drift")
    assert (event.subject, event.observed) == ("SHOP", "unmanaged and phantom")
    assert all(f"{name}: " in event.summary for name in names)
