"""The two status payloads through the profile: what each fact becomes, and what is not seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from detector.app.profile_document import parse_profile_text
from detector.domain.facts import STATUS_FACTS
from detector.domain.previous_run import NO_PREVIOUS_RUN
from detector.domain.profile import Profile, ReadContext, parse_profile
from detector.domain.runtime_rows import Order, Position, Tick
from detector.domain.section_reading import Reading
from detector.domain.trade_rows import Trade
from detector.formats.times import NEVER
from detector.profiles import load_builtin_profile
from detector.readers.status import SECTIONS, read
from tests.support.snapshots import DEFAULTS

NOW = datetime(2026, 6, 2, 15, 0, tzinfo=UTC)
AEGIS = parse_profile(load_builtin_profile("aegis") or {})


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def reading(payload: dict[str, Any], profile: Profile = AEGIS, as_of: datetime = NOW) -> Reading:
    one = Reading("status_v3", NOW, 120, profile.zone)
    one.as_of = as_of
    read(payload, one, ReadContext(DEFAULTS, profile, NO_PREVIOUS_RUN))
    return one


def faults(one: Reading) -> list[str]:
    return [fault.path for fault in one.invalid]


def test_both_payloads_are_read():
    assert SECTIONS == ("status_v3", "bot_status")


# ---- one fact ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fact", "raw", "value"),
    [
        ("pending_orders", 3.0, 3),
        ("stuck_exits", 2, 2),
        ("stuck_exits", [{"symbol": "SPY"}, "QQQ"], 2),
        ("stuck_exits", [], 0),
        ("send_outcome_unknown", True, 1),
        ("send_outcome_unknown", False, 0),
        ("send_outcome_unknown", 2, 2),
        ("unknown_fills", 0, 0),
        ("broker_connected", False, False),
        ("market_data_status", "degraded", "degraded"),
        ("connection_error", "", ""),
        ("mode", "paper", "paper"),
        ("engine_started_at", 1780412400000, NOW),
        ("orders", [], ()),
        ("open_positions", [{"symbol": "SPY", "quantity": -2}], (Position("SPY", quantity=-2),)),
        ("ticks", [{"symbol": "SPY", "price": 1.5, "at": 1780412400}], (Tick("SPY", 1.5, NOW),)),
        (
            "recent_trades",
            [{"trade_id": 162, "pnl_unknown": True}],
            (Trade(trade_id="162", pnl_unknown=True),),
        ),
    ],
)
def test_a_fact_is_read(fact, raw, value):
    one = reading({fact: raw, "other people's": {"key": 1}})
    assert one.values == {fact: value}
    assert faults(one) == []
    assert f"status_v3.{fact}" in one.read_paths


@pytest.mark.parametrize("fact", [*STATUS_FACTS, "heartbeat_age_sec"])
def test_missing_and_null_are_not_seen(fact):
    assert reading({}).values == {}
    one = reading({fact: None})
    assert (one.values, one.invalid, one.skewed, one.read_paths) == ({}, [], [], set())


KINDS = {
    "time": "heartbeat_at engine_started_at last_reconcile_at",
    "count": "pending_orders pending_exits unknown_fills market_data_10197_recent max_exit_attempt_count "
    "open_position_count",
    "count or list": "stuck_exits",
    "flag or count": "send_outcome_unknown",
    "flag": "broker_reconcile_pending position_reconcile_pending entry_blocking_reconcile_pending "
    "broker_confirmation_required broker_connected trading_halted",
    "text": "connection_error",
    "market data status": "market_data_status",
    "mode": "mode",
    "rows": "orders open_positions recent_trades ticks",
}
"""DESIGN §3: what each fact is."""


def test_every_fact_is_of_the_kind_that_the_design_says():
    assert {name: spec["kind"] for name, spec in STATUS_FACTS.items()} == {
        name: kind for kind, names in KINDS.items() for name in names.split()
    }


WRONG = {
    "time": ["soon", True, {}, -1],
    "count": [True, "3", -1, 1.5, []],
    "flag": [0, 1, "true", []],
    "flag or count": ["yes", -1, 0.5, []],
    "count or list": ["2", True, -1, {}],
    **{kind: [0, True, [], {}] for kind in ("text", "market data status", "mode")},
    "rows": [{}, "none", 0, True],
}


@pytest.mark.parametrize(
    ("fact", "raw"), [(fact, raw) for fact, spec in STATUS_FACTS.items() for raw in WRONG[spec["kind"]]]
)
def test_a_malformed_value_makes_that_one_fact_not_seen_and_every_other_is_read(fact, raw):
    other = "pending_orders" if fact != "pending_orders" else "unknown_fills"
    one = reading({fact: raw, other: 4})
    assert one.values == {other: 4}
    assert faults(one) == [f"status_v3.{fact}"]


# ---- the heartbeat -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "seen"),
    [
        pytest.param({"heartbeat_at": "2026-06-02T14:59:00Z"}, ago(60), id="a time"),
        pytest.param({"heartbeat_age_sec": 60}, ago(60), id="an age"),
        pytest.param(
            {"heartbeat_at": "2026-06-02T14:59:00Z", "heartbeat_age_sec": 10}, ago(60), id="the older: time"
        ),
        pytest.param(
            {"heartbeat_at": "2026-06-02T14:59:50Z", "heartbeat_age_sec": 60}, ago(60), id="the older: age"
        ),
        pytest.param({"heartbeat_at": None, "heartbeat_age_sec": 60}, ago(60), id="a time of null"),
        pytest.param(
            {"heartbeat_at": "soon", "heartbeat_age_sec": 60}, ago(60), id="a time that cannot be read"
        ),
        pytest.param(
            {"heartbeat_at": "2026-06-02T14:59:00Z", "heartbeat_age_sec": "x"},
            ago(60),
            id="an age that cannot",
        ),
        pytest.param({"heartbeat_age_sec": 0}, NOW, id="just now"),
        pytest.param({"heartbeat_age_sec": -1}, NOW, id="a second ahead"),
        pytest.param({"heartbeat_age_sec": -120}, NOW, id="120 s ahead"),
        pytest.param({"heartbeat_age_sec": -121}, None, id="121 s ahead"),
        pytest.param({"heartbeat_age_sec": -3600}, None, id="an hour ahead"),
        pytest.param(
            {"heartbeat_at": "2026-06-02T15:02:01Z", "heartbeat_age_sec": 60},
            ago(60),
            id="a time too far ahead",
        ),
    ],
)
def test_the_heartbeat_is_the_older_of_time_and_age(payload, seen):
    assert reading(payload).values.get("heartbeat_at") == seen


def test_the_older_one_counts_in_whatever_order_a_profile_names_them():
    profile = other('[status]\nheartbeat_age_sec = "age"\nheartbeat_at = "at"')
    for age, seconds_ago in ((60, 10), (10, 60)):
        at = ago(seconds_ago).isoformat()
        assert reading({"age": age, "at": at}, profile).values == {"heartbeat_at": ago(60)}


def test_a_heartbeat_too_far_ahead_is_a_skew_of_the_path_that_said_so():
    one = reading({"heartbeat_at": "2026-06-02T15:02:01Z", "heartbeat_age_sec": -3600})
    assert one.skewed == [("status_v3.heartbeat_at", 121.0), ("status_v3.heartbeat_age_sec", 3600.0)]
    assert (one.values, one.invalid) == ({}, [])


def test_an_age_counts_from_when_the_payload_was_true():
    assert reading({"heartbeat_age_sec": 60}, as_of=ago(100)).values["heartbeat_at"] == ago(160)


# ---- orders with ages ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "submitted"),
    [
        pytest.param({"submitted_at": "2026-06-02T14:55:00Z"}, ago(300), id="a time"),
        pytest.param({"age_sec": 300}, ago(300), id="an age"),
        pytest.param({"submitted_at": "2026-06-02T14:55:00Z", "age_sec": 10}, ago(300), id="the older: time"),
        pytest.param({"submitted_at": "2026-06-02T14:59:55Z", "age_sec": 300}, ago(300), id="the older: age"),
        pytest.param({"submitted_at": "x", "age_sec": 300}, ago(300), id="a time that cannot be read"),
        pytest.param({"age_sec": "old"}, None, id="an age that cannot"),
        pytest.param({}, None, id="neither"),
    ],
)
def test_an_order_is_as_old_as_the_older_of_time_and_age(order, submitted):
    assert reading({"orders": [{"order_id": 7, **order}]}).values["orders"] == (
        Order(order_id="7", submitted_at=submitted),
    )


def test_ages_stay_with_their_orders_beside_an_entry_that_is_none():
    one = reading({"orders": [{"order_id": 1, "age_sec": 10}, "junk", {"order_id": 2, "age_sec": 20}]})
    assert one.values["orders"] == (
        Order(order_id="1", submitted_at=ago(10)),
        Order(order_id="2", submitted_at=ago(20)),
    )
    assert one.partial == {"orders"}


def test_ages_stay_with_their_orders_in_a_list_that_is_cut():
    one = reading({"orders": ["junk", *({"order_id": n, "age_sec": n} for n in range(10_001))]})
    assert len(one.values["orders"]) == 9_999
    assert one.values["orders"][700] == Order(order_id="700", submitted_at=ago(700))


# ---- never reconciled ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "seen"),
    [
        pytest.param(
            {"last_reconcile_at": None, "engine_started_at": 1780412000}, NEVER, id="null beside a start"
        ),
        pytest.param({"last_reconcile_at": None}, None, id="null alone"),
        pytest.param({"engine_started_at": 1780412000}, None, id="missing beside a start"),
        pytest.param({"last_reconcile_at": None, "engine_started_at": None}, None, id="null beside null"),
        pytest.param(
            {"last_reconcile_at": None, "engine_started_at": "x"}, None, id="null beside an unreadable start"
        ),
        pytest.param({"last_reconcile_at": 1780412400, "engine_started_at": 1780412000}, NOW, id="a time"),
        pytest.param({"last_reconcile_at": "x", "engine_started_at": 1780412000}, None, id="unreadable"),
    ],
)
def test_null_means_never_only_beside_a_seen_start(payload, seen):
    assert reading(payload).values.get("last_reconcile_at") == seen


# ---- another profile -----------------------------------------------------------------------------


def other(text: str) -> Profile:
    return parse_profile_text(text)


def test_facts_are_found_where_the_profile_says_and_faults_are_named_there():
    profile = other("""
        [status]
        pending_orders = "health.queue"
        stuck_exits = "length(exits[?stuck])"
        mode = "health.mode"
    """)
    one = reading({"health": {"queue": "3", "mode": "live"}, "exits": [{"stuck": True}, {}]}, profile)
    assert one.values == {"stuck_exits": 1, "mode": "live"}
    assert faults(one) == ["status_v3.health.queue"]


def test_columns_are_found_where_the_profile_says_and_elsewhere_under_their_own_name():
    profile = other("""
        [status]
        open_positions = "state.held"
        [rows.open_positions]
        symbol = "contract.local"
        quantity = "size"
    """)
    rows = [{"contract": {"local": "SPY"}, "size": 2, "quantity": 9, "avg_price": 1.5}, {"symbol": "QQQ"}]
    one = reading({"state": {"held": rows}}, profile)
    assert one.values["open_positions"] == (Position("SPY", quantity=2, avg_price=1.5), Position())


def test_naive_times_are_read_in_the_profile_s_zone_and_without_one_are_not():
    zoned = other('[profile]\nzone = "America/New_York"\n[status]\nheartbeat_at = "hb"')
    bare = other('[status]\nheartbeat_at = "hb"')
    assert reading({"hb": "2026-06-02T10:59:00"}, zoned).values == {"heartbeat_at": ago(60)}
    assert faults(reading({"hb": "2026-06-02T10:59:00"}, bare)) == ["status_v3.hb"]


def test_where_null_cannot_be_told_from_nothing_never_is_not_claimed():
    profile = other('[status]\nlast_reconcile_at = "a[0].at"\nengine_started_at = "started"')
    payloads: list[dict[str, Any]] = [{"a": [{"at": None}]}, {"a": [{}]}, {"a": []}, {}]
    for payload in payloads:
        assert "last_reconcile_at" not in reading({"started": 1780412000, **payload}, profile).values


@pytest.mark.parametrize(
    ("written", "number", "told"),
    [
        ("6000.00", 6000, False),
        (" 6000 ", 6000, False),
        (6000, 6000, False),
        ("", None, False),
        ("6,000", None, True),
        (True, None, True),
    ],
)
def test_a_strike_and_a_multiplier_may_be_text_as_at_ibkr(written, number, told):
    row = {"order_id": 5, "symbol": "SPX", "right": "P", "strike": written, "multiplier": written}
    one = reading({"orders": [row]})
    assert [(order.strike, order.multiplier) for order in one.values["orders"]] == [(number, number)]
    assert faults(one) == (["status_v3.orders.strike", "status_v3.orders.multiplier"] if told else [])
