"""Orders and exits: just below, at and above each limit."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.merge_patch import apply_patch
from tests.support.snapshots import evaluated, given, healthy, healthy_at, named, remembered


def status(**facts: Any) -> dict[str, Any]:
    return {"status_v3": facts}


def position(**columns: Any) -> dict[str, Any]:
    return {"symbol": "COIN", "quantity": 10, "tags": [], "exit_attempt_count": 0, **columns}


def order(age: int, **columns: Any) -> dict[str, Any]:
    made = {
        "order_id": 1001,
        "symbol": "COIN",
        "kind": "entry",
        "status": "Submitted",
        "age_sec": age,
        **columns,
    }
    return {key: value for key, value in made.items() if value is not None}


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        pytest.param(0, [], id="none"),
        pytest.param(1, [], id="one is normal"),
        pytest.param(2, ["warning pending_orders_high"], id="two warn"),
        pytest.param(3, ["critical pending_orders_high"], id="three are critical"),
        pytest.param(40, ["critical pending_orders_high"], id="forty"),
    ],
)
def test_pending_orders_fire_from_their_limits_on(count, expected):
    assert given(status(pending_orders=count)) == expected


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        (11, []),
        (12, ["warning high_exit_attempts:COIN"]),
        (19, ["warning high_exit_attempts:COIN"]),
        (20, ["critical high_exit_attempts:COIN"]),
    ],
)
def test_exit_attempts_of_a_position_whatever_the_counters_say(attempts, expected):
    rows = [position(exit_attempt_count=attempts)]
    assert (
        given(status(open_positions=rows, open_position_count=1, pending_exits=0, stuck_exits=0)) == expected
    )


@pytest.mark.parametrize(
    ("largest", "listed", "expected"),
    [
        pytest.param(12, 12, ["warning high_exit_attempts:COIN"], id="the list explains it"),
        pytest.param(
            13, 12, ["warning high_exit_attempts", "warning high_exit_attempts:COIN"], id="above the list"
        ),
        pytest.param(20, 3, ["critical high_exit_attempts"], id="only the number shows it"),
        pytest.param(11, 3, [], id="below"),
    ],
)
def test_the_largest_number_of_attempts_counts_without_a_position(largest, listed, expected):
    rows = [position(exit_attempt_count=listed)]
    facts = status(open_positions=rows, open_position_count=1, max_exit_attempt_count=largest)
    assert given(facts) == expected


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        pytest.param(order(300), [], id="300 s"),
        pytest.param(order(301), ["warning pending_order_stale:1001"], id="301 s"),
        pytest.param(order(601), ["warning pending_order_stale:1001"], id="an old entry only warns"),
        pytest.param(
            order(600, kind="exit"), ["warning pending_order_stale:1001"], id="exit at twice the limit"
        ),
        pytest.param(order(601, kind="exit"), ["critical pending_order_stale:1001"], id="exit beyond twice"),
        pytest.param(order(900, status="Filled"), [], id="filled"),
        pytest.param(order(900, status="Cancelled"), [], id="cancelled"),
        pytest.param(
            order(900, status="PreSubmitted", order_type="STP", kind="exit"), [], id="a stop that waits"
        ),
        pytest.param(
            order(900, status="PreSubmitted", order_type="LMT", kind="exit"), [], id="a target that waits"
        ),
        pytest.param(order(900, status="PreSubmitted", order_type="TRAIL LIMIT"), [], id="a trailing stop"),
        pytest.param(order(900, parked=True), [], id="parked"),
        pytest.param(
            order(900, status="PreSubmitted", order_type="LMT"),
            ["warning pending_order_stale:1001"],
            id="an entry",
        ),
        pytest.param(
            order(900, order_id=None, perm_id=77), ["warning pending_order_stale:77"], id="by perm id"
        ),
        pytest.param(order(900, status=None), ["warning pending_order_stale:1001"], id="no status"),
    ],
)
def test_an_order_is_stale_above_its_age(row, expected):
    assert given(status(pending_orders=1, orders=[row])) == expected


def test_a_stale_exit_order_escalates_by_its_own_age():
    young = evaluated(apply_patch(healthy(), status(orders=[order(779, kind="exit")])))
    old = evaluated(apply_patch(healthy(), status(orders=[order(780, kind="exit")])))
    entry = evaluated(apply_patch(healthy(), status(orders=[order(5000)])))
    assert [r.decision.action for r in (young, old, entry)] == ["notify", "escalate", "notify"]


def run_at(minutes: list[int], facts: dict[str, Any]) -> list[list[str]]:
    memory, seen = None, []
    for minute in minutes:
        patch = {"taken_at": f"2026-06-02T{14 + minute // 60}:{minute % 60:02}:00Z"}
        fresh = {"heartbeat_at": patch["taken_at"], **facts}
        report = evaluated(apply_patch(healthy(), {**patch, "status_v3": fresh}), memory)
        seen.append(named(report))
        memory = remembered(report)
    return [[event for event in events if "watch_gap" not in event] for events in seen]


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        pytest.param([0, 10, 20, 29], [], id="four looks in 29 minutes"),
        pytest.param([0, 10, 20, 30], ["warning pending_order_stale"], id="four looks in 30 minutes"),
        pytest.param([0, 20], [], id="two looks"),
        pytest.param([0, 47, 94], ["warning pending_order_stale"], id="three looks with gaps"),
        pytest.param([0, 47], [], id="two looks with a gap"),
    ],
)
def test_pending_orders_without_a_list_become_stale_by_observation(minutes, expected):
    assert run_at(minutes, {"pending_orders": 1, "orders": None})[-1] == expected


@pytest.mark.parametrize(
    ("minutes", "last", "action"),
    [
        pytest.param([0], "warning pending_exits", "notify", id="first look"),
        pytest.param([0, 7], "warning pending_exits", "notify", id="420 s"),
        pytest.param([0, 8], "critical pending_exits", "notify", id="480 s"),
        pytest.param([0, 47], "warning pending_exits", "notify", id="a gap counts nothing"),
        pytest.param([0, 47, 94], "critical pending_exits", "notify", id="the third look over gaps"),
    ],
)
def test_pending_exits_become_critical_once_they_lasted(minutes, last, action):
    assert run_at(minutes, {"pending_exits": 1})[-1] == [last]


@pytest.mark.parametrize(
    ("age", "expected"),
    [(479, "warning pending_exits"), (480, "critical pending_exits")],
)
def test_the_age_of_the_exit_order_proves_it_at_once(age, expected):
    rows = [order(age, kind="exit")]
    assert expected in given(status(pending_exits=1, pending_orders=1, orders=rows))


def test_pending_exits_are_owed_at_the_second_observation_unless_an_order_proves_them():
    memory = remembered(evaluated(healthy_at("2026-06-02T14:50:00Z")))
    listed = evaluated(apply_patch(healthy(), status(pending_exits=1)), memory)
    again = evaluated(healthy_at("2026-06-02T15:05:00Z", status(pending_exits=1)), remembered(listed))
    proven = evaluated(
        apply_patch(healthy(), status(pending_exits=1, orders=[order(301, kind="exit")])), memory
    )
    told = [[event.type for event in report.new_events] for report in (listed, again, proven)]
    assert named(listed) == ["warning pending_exits"]
    assert told == [[], ["pending_exits"], ["pending_exits", "pending_order_stale"]]


@pytest.mark.parametrize(
    ("ages", "owed_at"),
    [
        pytest.param([20, 260], 1, id="the same order at the second observation"),
        pytest.param([20, 240], 1, id="one that was sent at the first observation"),
        pytest.param([20, 239, 20], 2, id="another order each time: at the third"),
        pytest.param([20, 20, 290], 2, id="another one, then the same"),
    ],
)
def test_an_exit_that_follows_another_is_no_second_observation_of_it(ages, owed_at):
    memory = remembered(evaluated(healthy_at("2026-06-02T14:50:00Z")))
    told: list[list[str]] = []
    for step, age in enumerate(ages):
        rows = [order(age, order_id=1001 + step, kind="exit")]
        facts = status(pending_exits=1, pending_orders=1, orders=rows)
        report = evaluated(healthy_at(f"2026-06-02T15:{4 * step:02}:00Z", facts), memory)
        memory, told = remembered(report), [*told, [event.type for event in report.new_events]]
        assert "warning pending_exits" in named(report)
    assert ["pending_exits" in types for types in told] == [step == owed_at for step in range(len(ages))]


@pytest.mark.parametrize(
    ("rows", "at_once"),
    [
        pytest.param([order(300, kind="exit")], False, id="300 s"),
        pytest.param([order(301, kind="exit")], True, id="301 s"),
        pytest.param(
            [order(10, kind="exit"), order(301, order_id=1002, kind="exit")], True, id="the oldest counts"
        ),
        pytest.param([order(301)], False, id="an entry"),
        pytest.param([order(301, kind="exit", status="Filled")], False, id="filled"),
        pytest.param([order(301, kind="exit", parked=True)], False, id="parked"),
    ],
)
def test_what_proves_pending_exits_at_their_first_observation(rows, at_once):
    memory = remembered(evaluated(healthy_at("2026-06-02T14:50:00Z")))
    report = evaluated(apply_patch(healthy(), status(pending_exits=1, orders=rows)), memory)
    assert ("pending_exits" in [event.type for event in report.new_events]) is at_once


FLAGS = ("broker_reconcile_pending", "position_reconcile_pending", "entry_blocking_reconcile_pending")


@pytest.mark.parametrize("flag", FLAGS)
def test_each_reconcile_flag_is_its_own_condition(flag):
    assert given(status(**{flag: True})) == [f"critical reconcile_pending:{flag}"]


def test_a_flag_resolves_by_itself_while_another_is_not_seen():
    first = evaluated(apply_patch(healthy(), status(broker_reconcile_pending=True)))
    report, memory = first, remembered(first)
    for minute in ("05", "10"):
        patch = {"taken_at": f"2026-06-02T15:{minute}:00Z", **status(position_reconcile_pending=None)}
        report = evaluated(apply_patch(healthy(), patch), memory)
        memory = remembered(report)
    assert [event.signature for event in report.resolved_events] == [
        "reconcile_pending:aegis-pt-core:broker_reconcile_pending"
    ]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param({"stuck_exits": []}, [], id="an empty list of stuck exits"),
        pytest.param({"stuck_exits": [1001], "pending_exits": 1}, "critical stuck_exits", id="a list of one"),
        pytest.param({"send_outcome_unknown": 0}, [], id="no unknown outcome"),
        pytest.param({"send_outcome_unknown": 2}, "critical send_outcome_unknown", id="two unknown outcomes"),
        pytest.param({"unknown_fills": 1}, "critical unknown_fill", id="an unknown fill"),
        pytest.param(
            {"broker_confirmation_required": True}, "critical broker_confirmation_required", id="waits"
        ),
    ],
)
def test_counters_and_flags_fire_when_they_are_set(facts, expected):
    found = given(status(**facts))
    assert (expected in found) if expected else (found == [])


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["Broker"], ["warning broker_import_position:COIN"]),
        (["reconcile-import-12"], ["warning broker_import_position:COIN"]),
        (["reconcile"], []),
        (["Brokerage"], []),
        ([], []),
    ],
)
def test_imported_positions_are_known_by_their_tags(tags, expected):
    assert given(status(open_positions=[position(tags=tags)], open_position_count=1)) == expected


@pytest.mark.parametrize(
    "harm",
    [{"stuck_exits": 1, "pending_exits": 1}, {"send_outcome_unknown": True}, {"unknown_fills": 1}],
    ids=["stuck exit", "unknown outcome", "unknown fill"],
)
def test_an_import_and_an_unknown_pnl_are_critical_with_harm(harm):
    rows = [position(tags=["Broker"])]
    trades = [{"trade_id": 162, "symbol": "SPY", "pnl_unknown": True}]
    found = given(status(open_positions=rows, open_position_count=1, recent_trades=trades, **harm))
    assert {"critical broker_import_position:COIN", "critical pnl_unknown:162"} <= set(found)


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        pytest.param({"stuck_exits": 2, "pending_exits": 1}, "stuck_exceeds_open", id="two stuck of one"),
        pytest.param(
            {"open_positions": [position(quantity=0)], "open_position_count": 1},
            "open_with_zero_quantity",
            id="zero",
        ),
        pytest.param({"open_position_count": 1}, "count_differs_from_list", id="counts one, lists none"),
        pytest.param(
            {
                "open_positions": [position(trade_id=162)],
                "open_position_count": 1,
                "recent_trades": [
                    {"trade_id": 162, "closed_at": "2026-06-02T14:00:00Z", "pnl_unknown": False}
                ],
            },
            "trade_open_and_closed",
            id="open and closed",
        ),
    ],
)
def test_an_impossible_state_is_told(facts, word):
    assert f"critical impossible_state:{word}" in given(status(**facts))


@pytest.mark.parametrize(("state", "fires"), [({"is_open": 1}, True), ({"is_open": 0}, False), ({}, False)])
def test_a_row_of_the_store_that_is_called_open_with_nothing_left_is_impossible(state, fires):
    stored = {"trade_id": 162, "symbol": "COIN", "contracts_remaining": 0, **state}
    told = "critical impossible_state:open_with_zero_quantity"
    assert (told in given({"stores": {"position_state": [stored]}})) is fires


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"stuck_exits": 1, "pending_exits": 1}, id="as many stuck as pending"),
        pytest.param({"open_positions": [position()], "open_position_count": 1}, id="counts what it lists"),
        pytest.param({"open_positions": None, "open_position_count": 3}, id="no list to compare with"),
        pytest.param({"stuck_exits": 2, "pending_exits": None}, id="pending not seen"),
    ],
)
def test_a_possible_state_is_not_called_impossible(facts):
    assert [event for event in given(status(**facts)) if "impossible" in event] == []


def test_the_count_is_compared_with_the_list_of_the_same_payload():
    patch = {"bot_status": {"open_position_count": 1}, **status(open_position_count=None)}
    assert given(patch) == []


IN_SESSION = "2026-06-02T15:00:00Z"
HELD = {"symbol": "COIN", "quantity": 10, "sec_type": "STK", "con_id": 1, "account": "U1"}


@pytest.mark.parametrize(
    ("holds", "side", "kind", "rejected", "stale"),
    [
        pytest.param([HELD], "SELL", None, "critical orders_rejected:COIN", "critical", id="closes"),
        pytest.param([HELD], "BUY", None, None, "warning", id="adds"),
        pytest.param([HELD], "SELL", "entry", None, "warning", id="marked as an entry"),
        pytest.param([], "SELL", None, None, "warning", id="nothing is held"),
        pytest.param([], "SELL", "exit", "critical orders_rejected:COIN", "critical", id="marked as an exit"),
    ],
)
def test_an_order_without_a_mark_is_an_exit_where_it_closes_what_the_runtime_holds(
    holds, side, kind, rejected, stale
):
    position_rows = [position(con_id=1, sec_type="STK") for _ in holds]
    base = {"open_positions": position_rows, "open_position_count": len(holds), "pending_orders": 1}
    sent = order(601, kind=kind, side=side, quantity=10, con_id=1, sec_type="STK")
    refused = {**sent, "status": "Rejected", "age_sec": 30}

    assert f"{stale} pending_order_stale:1001" in given(status(**base, orders=[sent]))
    found = [text for text in given(status(**base, orders=[refused])) if "orders_rejected" in text]
    assert found == ([rejected] if rejected else [])


@pytest.mark.parametrize(
    ("columns", "moment", "expected"),
    [
        pytest.param({}, IN_SESSION, ["orders_rejected COIN"], id="waits for nothing"),
        pytest.param({"why_held": "locate"}, IN_SESSION, [], id="waits for shares"),
        pytest.param({}, "2026-06-02T11:00:00Z", [], id="waits for the session"),
        pytest.param({"side": "BUY"}, IN_SESSION, [], id="no exit"),
        pytest.param({"submitted_at": "2026-06-02T13:31:00Z"}, IN_SESSION, [], id="of more than an hour ago"),
    ],
)
def test_an_exit_that_the_broker_lists_as_inactive_was_refused_unless_it_waits(columns, moment, expected):
    exit_order = {**HELD, "order_id": 8, "side": "SELL", "status": "Inactive", **columns}
    broker = {"as_of": moment, "connected": True, "positions": [HELD], "open_orders": [exit_order]}
    base = {"open_positions": [position(con_id=1, sec_type="STK")], "open_position_count": 1}
    report = evaluated({"taken_at": moment, "broker": broker, **status(**base)})
    listed = [f"{event.type} {event.subject}" for event in report.events if event.type == "orders_rejected"]
    assert listed == expected
